package realm

import (
	"aclgate/policy"
	"aclgate/policy/record"
)

// HomeType says where the users of a realm live.
type HomeType int64

// The types, by their numbers on the wire [V].
const (
	HomeRealm   HomeType = 0 // the account of the realm
	HomeAccount HomeType = 1 // one account in its branch
	HomeOwn     HomeType = 2 // a new account for each user, below one in its branch
)

// Home is where the users of a realm live.
type Home struct {
	Type       HomeType
	Subaccount int64 // of HomeAccount and HomeOwn; 0: none
	Limit      int64 // the limit of accounts of HomeOwn; 0: none
}

// Params are what tokens of logins may do: those of the user, or else those of the realm.
type Params struct {
	HasAccess bool // false: roles alone permit
	Access    policy.Access
	Entries   []policy.Entry
	TTL       int64           // seconds since the last use; 0: unused
	Sources   *policy.Sources // nil: any address
	Origins   []string        // nil: any
}

// Realm is a realm as logins see it.
type Realm struct {
	ID, CID    int64
	Name       string
	PublicID   string
	Enabled    bool
	Home       Home
	Params     Params
	PublicInfo record.Value // an object
	FirstSight bool         // users from elsewhere are made at first sight
	MaxUsers   int64        // -1: any number
	Audience   string       // the aud of tokens from elsewhere; "": none are accepted
	Issuer     string       // the name of the issuer they come from
	Rules      []Rule       // which of their claims give which roles
}

// User is a user as logins see it.
type User struct {
	ID, RealmID int64
	CID         int64 // the home account; 0: it follows from the realm
	Name        string
	Enabled     bool
	Params      *Params // nil: those of the realm
	Roles       []string
}

// RealmOf returns a realm of a stored document.
func RealmOf(doc record.Value) Realm {
	r := Realm{
		ID: record.NumberOf(doc, "id"), CID: record.NumberOf(doc, "cid"), Name: doc.Get("name").Text,
		PublicID: doc.Get("public_id").Text, Enabled: enabled(doc), PublicInfo: doc.Get("public_info"),
		FirstSight: doc.Get("registration").Text == "first-sight", MaxUsers: -1,
		Audience: doc.Get("audience").Text, Issuer: doc.Get("claims").Get("issuer").Text, Rules: rulesOf(doc.Get("claims")),
	}
	if n, ok := doc.Get("max_users").Int(); ok {
		r.MaxUsers = n
	}
	home := doc.Get("home")
	r.Home = Home{HomeType(record.NumberOf(home, "type")), record.NumberOf(home, "subaccount_id"), record.NumberOf(home, "limit_id")}
	if p := paramsOf(doc.Get("token_params")); p != nil {
		r.Params = *p
	}
	return r
}

// UserOf returns a user of a stored document.
func UserOf(doc record.Value) User {
	u := User{
		ID: record.NumberOf(doc, "id"), RealmID: record.NumberOf(doc, "realm_id"), CID: record.NumberOf(doc, "cid"),
		Name: doc.Get("name").Text, Enabled: enabled(doc), Params: paramsOf(doc.Get("token_params")),
	}
	for _, role := range doc.Get("roles").Items {
		u.Roles = append(u.Roles, role.Text)
	}
	return u
}

func enabled(doc record.Value) bool {
	v := doc.Get("enabled")
	return v.Shape == record.Absent || v.True()
}

// ParamsOf returns token_params of a realm or a user, nil where there are none.
func ParamsOf(doc record.Value) *Params { return paramsOf(doc.Get("token_params")) }

// paramsOf returns token_params of a document, nil where there are none. Those that do not read
// permit nothing, from nowhere.
func paramsOf(v record.Value) *Params {
	if v.Shape != record.Object {
		return nil
	}
	read, fault := record.TokenParams.Read(v)
	if fault != nil {
		return &Params{HasAccess: true, Sources: &policy.Sources{}}
	}
	p := &Params{TTL: record.NumberOf(read, "ttl")}
	if access := read.Get("access"); access.Shape != record.Absent {
		p.HasAccess, p.Access, p.Entries = true, record.AccessOf(access), record.EntriesOf(access)
	}
	p.Sources, _ = record.ParseSources(read.Get("ips").Text)
	if origins := read.Get("origins"); origins.Shape == record.List {
		p.Origins = []string{}
		for _, o := range origins.Items {
			p.Origins = append(p.Origins, o.Text)
		}
	}
	return p
}
