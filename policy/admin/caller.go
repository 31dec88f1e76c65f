package admin

import (
	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// Token is a token as the law sees it: as a record, and as a caller.
type Token struct {
	ID, CID   int64
	Access    policy.Access
	Entries   []policy.Entry
	Enabled   bool
	Expire    int64           // unix seconds; 0: unused
	TTL       int64           // seconds; 0: unused
	Created   int64           // unix seconds
	Accessed  int64           // unix seconds of the last use; 0: never. In documents only while they are judged
	Sources   *policy.Sources // nil: any address
	Origins   []string        // nil: any
	UserID    int64           // the user that it carries; 0: none
	RealmID   int64           // of the user
	CreatedBy int64           // the token that made it; 0: the operator, or not known
}

// Caller is who asks.
type Caller struct {
	Operator bool  // the holder of the admin listener's token: a master above all roots
	Token    Token // of everybody else
	Scope    int64 // the acting account: that of x-flespi-cid, else the token's. Of the operator 0: above all roots
	Guest    bool  // in a cross-account request, by operate-as

	Claims   realm.Claims // of a token from elsewhere; nil: none
	Roles    []realm.Role // of the user whom the token carries, if roles alone permit: then never nil
	RealmCID int64        // with Roles: the account of the user's realm
	Narrowed bool         // with Roles: x-flespi-cid named Scope. Else all that they reach is the scope
	permits  []realm.Role // those of Roles that permit the call: see MayCall
}

// Account is an account as the law sees it.
type Account struct {
	ID, Parent  int64 // Parent 0: a root
	LimitID     int64 // 0: none
	Consultancy int64 // 0: none
	Disabled    bool
	Roles       []string // account_roles
}

// Limit is a limit as the law sees it. Bounds are in the order of record.Bounds; -1: none.
type Limit struct {
	ID, CID          int64
	BlockingDuration int64 // seconds
	Bounds           []int64
}

// World is what the law asks of the store and the item index. All answers of one call come from one
// state: inside a transaction that writes, from what it has written so far.
type World interface {
	Account(id int64) (Account, bool)
	Limit(id int64) (Limit, bool)
	// TokenCID returns the account of a token.
	TokenCID(id int64) (cid int64, found bool)
	// HasChildren reports whether accounts lie below cid.
	HasChildren(cid int64) bool
	// Bearer returns an account that has the limit, and whether there is one.
	Bearer(limit int64) (cid int64, found bool)
	// OtherMaster reports whether account cid has a usable master (Token.Usable) beside the token
	// called id.
	OtherMaster(cid, id, now int64) bool
	// InBranch returns how many records of a kind (record.Kind.Word) lie in the branch of cid: of
	// subaccounts those below it, of tokens those that no login made.
	InBranch(word string, cid int64) int64
	// Owners returns the accounts of the items called id in the collections that the uri of an entry
	// covers. kept is false where no index is kept of any of these collections.
	Owners(uri string, id int64) (cids []int64, kept bool)
	// Realm and User return the documents of a realm and a user.
	Realm(id int64) (record.Value, bool)
	User(id int64) (record.Value, bool)
	// UsersOf returns the documents of the users of a realm.
	UsersOf(realm int64) []record.Value
	// Roles returns the roles of a realm, and those of no realm, the operator's; of realm 0 the latter.
	Roles(realm int64) []realm.Role
	// Clients returns the accounts whose consultancy is an account.
	Clients(cid int64) []int64
	// TakesTokens returns the realm that takes tokens of an issuer for an audience, as far as its
	// record names both; 0: none.
	TakesTokens(issuer, audience string) (realm int64)
	// ItemsOf returns how many items account cid itself owns, where owners are managed records.
	ItemsOf(cid int64) int64
}

// Settings are those that the law obeys.
type Settings struct {
	MaxDepth  int   // policy.max_depth
	MaxTTL    int64 // platform.max_ttl, seconds; 0: any
	MaxExpire int64 // platform.max_expire, seconds from now; 0: any

	MakesAccounts bool              // accounts are made here: users may have some of their own
	Audiences     map[string]string // realms.issuers by name, with the audience of realms that name none
}

// Law judges the calls of one caller, in one state of the world, at one time.
type Law struct {
	Caller   Caller
	World    World
	Settings Settings
	Now      int64 // unix seconds
}

// TokenOf returns a token of a stored document. What does not read is missing, and so permits less.
func TokenOf(doc record.Value) Token {
	t := Token{
		ID: record.NumberOf(doc, "id"), CID: record.NumberOf(doc, "cid"),
		Expire: record.NumberOf(doc, "expire"), TTL: record.NumberOf(doc, "ttl"), Created: record.NumberOf(doc, "created"), Accessed: record.NumberOf(doc, "accessed"),
		UserID: record.NumberOf(doc, "user_id"), RealmID: record.NumberOf(doc, "realm_id"), CreatedBy: record.NumberOf(doc, "created_by"),
		Enabled: doc.Get("enabled").Shape == record.Absent || doc.Get("enabled").True(),
	}
	if access, fault := record.Access.Read(doc.Get("access")); fault == nil {
		t.Access, t.Entries = record.AccessOf(access), record.EntriesOf(access)
	}
	if ips := doc.Get("ips"); ips.Shape != record.Absent {
		t.Sources = &policy.Sources{} // none
		if text, fault := record.IPs.Read(ips); fault == nil {
			t.Sources, _ = record.ParseSources(text.Text)
		}
	}
	if origins := doc.Get("origins"); origins.Shape == record.List {
		t.Origins = []string{}
		for _, o := range origins.Items {
			t.Origins = append(t.Origins, o.Text)
		}
	}
	return t
}

// AccountOf returns an account of a stored document.
func AccountOf(doc record.Value) Account {
	enabled := doc.Get("enabled")
	var roles []string
	for _, v := range doc.Get("account_roles").Items {
		roles = append(roles, v.Text)
	}
	return Account{
		Roles: roles, ID: record.NumberOf(doc, "id"), Parent: record.NumberOf(doc, "parent"), LimitID: record.NumberOf(doc, "limit_id"),
		Consultancy: record.NumberOf(doc, "consultancy_account_id"), Disabled: enabled.Shape != record.Absent && !enabled.True(),
	}
}

// defaultBlocking is how long a limit blocks that does not say it [G], in seconds.
const defaultBlocking = 60

// LimitOf returns a limit of a stored document.
func LimitOf(doc record.Value) Limit {
	l := Limit{ID: record.NumberOf(doc, "id"), CID: record.NumberOf(doc, "cid"), BlockingDuration: defaultBlocking}
	if v := doc.Get("blocking_duration"); v.Shape != record.Absent {
		l.BlockingDuration = record.NumberOf(doc, "blocking_duration")
	}
	for _, b := range record.Bounds() {
		n := int64(-1)
		if doc.Get(b.Name).Shape != record.Absent {
			n = record.NumberOf(doc, b.Name)
		}
		l.Bounds = append(l.Bounds, n)
	}
	return l
}

// Alive reports whether one of the two limits of a token holds at now.
func (t *Token) Alive(now int64) bool {
	return t.Expire > now || t.TTL > 0 && now < max(t.Created, t.Accessed)+t.TTL
}

// Usable reports whether the token is a master that keeps its account from being locked out: a
// login's session does not, because it ends.
func (t *Token) Usable(now int64) bool {
	return t.Enabled && t.Access == policy.Master && t.UserID == 0 && t.Alive(now)
}
