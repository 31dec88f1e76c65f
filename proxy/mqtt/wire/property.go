package wire

// Property names a property of MQTT 5 by its identifier.
type Property uint8

// The properties.
const (
	PayloadFormat        Property = 0x01
	MessageExpiry        Property = 0x02 // seconds
	ContentType          Property = 0x03
	ResponseTopic        Property = 0x08
	CorrelationData      Property = 0x09
	SubscriptionID       Property = 0x0B
	SessionExpiry        Property = 0x11 // seconds
	AssignedClientID     Property = 0x12
	ServerKeepAlive      Property = 0x13 // seconds
	AuthMethod           Property = 0x15
	AuthData             Property = 0x16
	RequestProblem       Property = 0x17
	WillDelay            Property = 0x18 // seconds
	RequestResponse      Property = 0x19
	ResponseInformation  Property = 0x1A
	ServerReference      Property = 0x1C
	ReasonString         Property = 0x1F
	ReceiveMaximum       Property = 0x21
	AliasMaximum         Property = 0x22
	TopicAlias           Property = 0x23
	MaximumQoS           Property = 0x24
	RetainAvailable      Property = 0x25
	UserProperty         Property = 0x26
	MaximumPacket        Property = 0x27 // bytes
	WildcardAvailable    Property = 0x28
	IdentifiersAvailable Property = 0x29
	SharedAvailable      Property = 0x2A

	propertyEnd = 0x2B
)

// kind is how the value of a property is written.
type kind uint8

const (
	unknownProperty kind = iota
	oneByte
	flag // one byte, 0 or 1
	twoBytes
	twoBytesNotZero
	fourBytes
	fourBytesNotZero
	stringValue
	topicValue
	binaryValue
	identifier // variable, not 0, kept in Properties.IDs
	pair       // kept in Properties.User
)

// place is where a property stands. Bits, because a property may stand in several.
type place uint16

const (
	inConnect place = 1 << iota
	inWill
	inConnack
	inPublishUp   // from a client
	inPublishDown // from a server
	inAck         // PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK
	inSubscribe
	inUnsubscribe
	inDisconnectUp
	inDisconnectDown
	inAuth

	inPublish    = inPublishUp | inPublishDown
	inDisconnect = inDisconnectUp | inDisconnectDown
	anywhere     = inConnect | inWill | inConnack | inPublish | inAck | inSubscribe | inUnsubscribe | inDisconnect | inAuth
)

// propertyRow is what the standard says of a property. Numbers and strings have a slot each in
// Properties.
type propertyRow struct {
	kind  kind
	slot  uint8
	where place
}

// The number of slots.
const (
	numberSlots = 16
	textSlots   = 9
)

var properties = [propertyEnd]propertyRow{
	PayloadFormat:        {flag, 0, inPublish | inWill},
	MessageExpiry:        {fourBytes, 1, inPublish | inWill},
	ContentType:          {stringValue, 0, inPublish | inWill},
	ResponseTopic:        {topicValue, 1, inPublish | inWill},
	CorrelationData:      {binaryValue, 2, inPublish | inWill},
	SubscriptionID:       {identifier, 0, inPublishDown | inSubscribe},
	SessionExpiry:        {fourBytes, 2, inConnect | inConnack | inDisconnectUp},
	AssignedClientID:     {stringValue, 3, inConnack},
	ServerKeepAlive:      {twoBytes, 3, inConnack},
	AuthMethod:           {stringValue, 4, inConnect | inConnack | inAuth},
	AuthData:             {binaryValue, 5, inConnect | inConnack | inAuth},
	RequestProblem:       {flag, 4, inConnect},
	WillDelay:            {fourBytes, 5, inWill},
	RequestResponse:      {flag, 6, inConnect},
	ResponseInformation:  {stringValue, 6, inConnack},
	ServerReference:      {stringValue, 7, inConnack | inDisconnectDown},
	ReasonString:         {stringValue, 8, inConnack | inAck | inDisconnect | inAuth},
	ReceiveMaximum:       {twoBytesNotZero, 7, inConnect | inConnack},
	AliasMaximum:         {twoBytes, 8, inConnect | inConnack},
	TopicAlias:           {twoBytes, 9, inPublish},
	MaximumQoS:           {flag, 10, inConnack},
	RetainAvailable:      {flag, 11, inConnack},
	UserProperty:         {pair, 0, anywhere},
	MaximumPacket:        {fourBytesNotZero, 12, inConnect | inConnack},
	WildcardAvailable:    {flag, 13, inConnack},
	IdentifiersAvailable: {flag, 14, inConnack},
	SharedAvailable:      {flag, 15, inConnack},
}

// text reports whether the property's value is in Properties.texts.
func (r propertyRow) text() bool { return stringValue <= r.kind && r.kind <= binaryValue }

// number reports whether the property's value is in Properties.nums.
func (r propertyRow) number() bool { return oneByte <= r.kind && r.kind <= fourBytesNotZero }

// Pair is a user property.
type Pair struct{ Name, Value []byte }

// Properties are the properties of one packet or will. The zero value has none.
type Properties struct {
	set   uint64 // bit n: the property with identifier n, if it is a number or a text
	nums  [numberSlots]uint32
	texts [textSlots][]byte

	IDs  []uint32 // subscription identifiers: of a delivery several, of SUBSCRIBE one
	User []Pair   // user properties in their order
}

// Reset takes all properties away and keeps the memory of the lists.
func (p *Properties) Reset() {
	p.set = 0
	p.IDs, p.User = p.IDs[:0], p.User[:0]
}

// Has reports whether a number or text is there.
func (p *Properties) Has(id Property) bool { return p.set>>id&1 != 0 }

// Num returns a number; 0 if it is not there.
func (p *Properties) Num(id Property) uint32 {
	if !p.Has(id) || !properties[id].number() {
		return 0
	}
	return p.nums[properties[id].slot]
}

// NumOr returns a number, or otherwise if it is not there.
func (p *Properties) NumOr(id Property, otherwise uint32) uint32 {
	if !p.Has(id) {
		return otherwise
	}
	return p.Num(id)
}

// Text returns a string or binary value; nil if it is not there.
func (p *Properties) Text(id Property) []byte {
	if !p.Has(id) || !properties[id].text() {
		return nil
	}
	return p.texts[properties[id].slot]
}

// SetNum sets a number. Only properties with a number may be set.
func (p *Properties) SetNum(id Property, v uint32) {
	if row := properties[id]; row.number() {
		p.nums[row.slot] = v
		p.set |= 1 << id
	}
}

// SetText sets a string or binary value. Only properties with one may be set.
func (p *Properties) SetText(id Property, v []byte) {
	if row := properties[id]; row.text() {
		p.texts[row.slot] = v
		p.set |= 1 << id
	}
}

// Delete takes a number or text away.
func (p *Properties) Delete(id Property) { p.set &^= 1 << id }
