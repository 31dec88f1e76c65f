package wire

// Publish is a PUBLISH.
type Publish struct {
	Dup, Retain bool
	QoS         uint8
	ID          uint16 // 0 with QoS 0
	Topic       []byte // empty only with a topic alias; see Aliases
	Properties  Properties
	Payload     []byte
}

// Parse reads a frame.
func (p *Publish) Parse(f Frame) error {
	p.Dup, p.Retain, p.QoS = f.flags&flagDup != 0, f.flags&flagRetain != 0, f.flags&flagQoS>>1
	c := cursor{b: f.body}
	p.Topic = c.topic()
	p.ID = 0
	if p.QoS > 0 {
		p.ID = c.packetID()
	}
	c.properties(&p.Properties, f.Version, publishPlace(f.Sender))
	switch {
	case c.failed():
	case p.Properties.Has(TopicAlias) && p.Properties.Num(TopicAlias) == 0:
		c.fail(AliasInvalid, "topic alias 0")
	case len(p.Topic) == 0 && !p.Properties.Has(TopicAlias):
		c.fail(ProtocolError, "an empty topic without a topic alias")
	}
	p.Payload = c.b
	return c.err()
}

func publishPlace(s Sender) place {
	if s == Server {
		return inPublishDown
	}
	return inPublishUp
}

// Append prints the packet behind dst. In 3.x properties are left out.
func (p *Publish) Append(dst []byte, v Version) ([]byte, error) {
	flags := p.QoS << 1
	if p.Dup {
		flags |= flagDup
	}
	if p.Retain {
		flags |= flagRetain
	}
	out, at := begin(dst, PUBLISH, flags)
	out.bytes(p.Topic)
	if p.QoS > 0 {
		out.u16(p.ID)
	}
	out.properties(&p.Properties, v)
	out.length(at, len(p.Payload)) // the payload is not moved
	out.b = append(out.b, p.Payload...)
	return out.done(at)
}

// Aliases are the topic aliases that one side of a connection has set. They end with it.
type Aliases struct {
	topics [][]byte // by alias - 1
}

// NewAliases returns the aliases of a side that was offered most of them.
func NewAliases(most int) Aliases { return Aliases{topics: make([][]byte, most)} }

// Resolve gives p its full topic and takes the alias off. A topic that is new for its alias is
// copied.
func (a *Aliases) Resolve(p *Publish) error {
	if !p.Properties.Has(TopicAlias) {
		return nil
	}
	alias := int(p.Properties.Num(TopicAlias))
	p.Properties.Delete(TopicAlias)
	if alias == 0 || alias > len(a.topics) {
		return &Fault{Reason: AliasInvalid, Text: "a topic alias above the maximum"}
	}
	known := &a.topics[alias-1]
	if len(p.Topic) > 0 {
		*known = append((*known)[:0], p.Topic...)
	} else if len(*known) == 0 {
		return &Fault{Reason: ProtocolError, Text: "a topic alias that was not set"}
	}
	p.Topic = *known
	return nil
}
