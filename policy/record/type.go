package record

// Type is the type of a field: how it is read, and what rows say where the document says nothing.
type Type uint8

// The types.
const (
	ID             Type = iota // a positive whole number
	OptionalID                 // the same, or null, which clears it
	Name                       // a string of 1 to 256 bytes
	Line                       // a string of at most 256 bytes
	Enabled                    // a boolean; absent: true
	Time                       // unix seconds, 0: none
	Seconds                    // a duration, 0: none
	Metadata                   // an object of at most 16 KiB
	Texts                      // a list of strings
	Bound                      // a whole number from -1 on
	State                      // 0, 1 or 2
	Numbers                    // an object of numbers
	Key                        // a credential
	IPs                        // addresses, networks and masks
	Origins                    // "*" or a list of origins
	Access                     // type and acl
	Entries                    // an ACL
	GrantAccess                // uri, ids and levels
	Home                       // where users of a realm live
	TokenParams                // what tokens of logins may do
	Registration               // "immediate" or "first-sight"
	Password                   // a string of 12 to 1024 bytes
	Reach                      // of a role
	PlatformRights             // uris and methods
	Claims                     // whose tokens a realm takes, and which claims give which roles
	typeCount
)

// typeRow is what there is to say of a type.
type typeRow struct {
	words    string // for the reference and for "expected …"
	absent   Value  // what a row says where the document says nothing
	nullable bool
	read     func(v Value) (Value, *Fault) // the value as documents keep it
}

var types = [typeCount]typeRow{
	ID:             {wordsID, Value{Shape: Null}, false, readID},
	OptionalID:     {"an id or null", Value{Shape: Null}, true, readID},
	Name:           {"a string of 1 to 256 bytes without control characters", NewText(""), false, readName},
	Line:           {"a string of at most 256 bytes without control characters", NewText(""), false, readLine},
	Enabled:        {"true or false", NewBool(true), false, readBool},
	Time:           {"unix seconds until the year 9999", NewInt(0), false, wholeUpTo(0, maxTime)},
	Seconds:        {"seconds, at most a hundred years", NewInt(0), false, wholeUpTo(0, maxSeconds)},
	Metadata:       {"an object of at most 16384 bytes", NewObject(), false, readMetadata},
	Texts:          {"a list of at most 64 strings", NewList(), false, readTexts},
	Bound:          {"a whole number from -1 on", NewInt(-1), false, wholeUpTo(-1, maxBound)},
	State:          {"0, 1 or 2", NewInt(0), false, wholeUpTo(0, 2)},
	Numbers:        {"an object of numbers", NewObject(), false, readMetadata},
	Key:            {"a key", Value{Shape: Null}, false, nil},
	IPs:            {wordsIPs, NewText(""), false, readIPs},
	Origins:        {`"*" or a list of origins such as https://app.example.com`, NewText("*"), false, readOrigins},
	Access:         {"an object with type and acl", Value{Shape: Null}, false, readAccess},
	Entries:        {"a list of entries", NewList(), false, readEntries},
	GrantAccess:    {"a list of objects with uri, ids and levels", NewList(), false, readGrantAccess},
	Home:           {"an object with type (0, 1, 2), subaccount_id and limit_id", NewObject(Member{"type", NewInt(0)}), false, readHome},
	TokenParams:    {"an object with access, ttl, ips and origins", NewObject(), false, readTokenParams},
	Registration:   {`"immediate" or "first-sight"`, NewText("immediate"), false, oneOf("immediate", "first-sight")},
	Password:       {"a string of 12 to 1024 bytes", Value{Shape: Null}, false, readPassword},
	Reach:          {"own, branch, clients or tree", NewText("own"), false, oneOf("own", "branch", "clients", "tree")},
	PlatformRights: {"a list of objects with uri and methods", NewList(), false, readPlatformRights},
	Claims:         {wordsClaims, NewObject(), false, readClaims},
}

// String returns the type in words.
func (t Type) String() string { return types[t].words }

// Absent returns what a row says of a field of this type that the document does not have.
func (t Type) Absent() Value { return types[t].absent }

// Read checks a value and returns it as documents keep it: numbers of words for access types, ips
// as one text. Paths of faults begin below the field.
func (t Type) Read(v Value) (Value, *Fault) {
	row := &types[t]
	if v.Shape == Null && row.nullable {
		return v, nil
	}
	if row.read == nil {
		return Value{}, expected(row.words)
	}
	return row.read(v)
}

// expected returns a fault at the place that is read.
func expected(words string) *Fault { return &Fault{Class: BadField, Text: "expected " + words} }
