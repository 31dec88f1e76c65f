package realm

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/record"
)

// Read reads a record as a policy file holds it: with its id, and with what a request could not
// write. It returns the document as the store keeps it.
func Read(kind *record.Kind, v record.Value) (record.Value, *record.Fault) {
	if v.Shape != record.Object {
		return record.Value{}, &record.Fault{Class: record.BadField, Text: "expected a mapping"}
	}
	doc := record.NewObject()
	for _, m := range v.Members {
		f := kind.Field(m.Name)
		if f == nil || f.Has(record.WriteOnly) || f.Has(record.Computed) {
			return record.Value{}, &record.Fault{Class: record.BadField, Path: m.Name, Text: "there is no such field: expected one of " + strings.Join(inFile(kind), ", ")}
		}
		value, fault := f.Type.Read(m.Value)
		if fault != nil {
			return record.Value{}, fault.Below(m.Name)
		}
		if value.Shape != record.Null {
			doc = doc.With(m.Name, value)
		}
	}
	for i := range kind.Fields {
		f := &kind.Fields[i]
		needed := f.Has(record.Needed) || f.Name == "id" || f.Name == "realm_id" && kind == record.Users || f.Name == "cid" && kind == record.Realms || f.Name == "public_id"
		if needed && doc.Get(f.Name).Shape == record.Absent {
			return record.Value{}, &record.Fault{Class: record.BadField, Path: f.Name, Text: "is missing"}
		}
	}
	return doc, nil
}

// inFile returns the names of fields that a policy file may hold.
func inFile(kind *record.Kind) []string {
	return kind.Names(func(f *record.Field) bool { return !f.Has(record.WriteOnly) && !f.Has(record.Computed) })
}

// Checker judges realms, users and roles among each other. Roles come first, then realms.
type Checker struct {
	tree   *policy.Tree
	public map[string]bool
	realms map[int64]Realm
	users  map[int64]bool
	names  map[string]bool
	roles  []Role
}

// NewChecker returns a Checker that has seen nothing yet.
func NewChecker(tree *policy.Tree) *Checker {
	return &Checker{tree, map[string]bool{}, map[int64]Realm{}, map[int64]bool{}, map[string]bool{}, nil}
}

func bad(path, text string) *record.Fault {
	return &record.Fault{Class: record.BadField, Path: path, Text: text}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// PublicID reports whether a text can name a realm in a path: 1 to 64 letters, digits, _ and -.
func PublicID(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(c rune) bool {
		return c != '_' && c != '-' && !('0' <= c && c <= '9') && !('A' <= c && c <= 'Z') && !('a' <= c && c <= 'z')
	})
}

// Realm judges a realm that Read has read.
func (c *Checker) Realm(doc record.Value) *record.Fault {
	r := RealmOf(doc)
	_, twice := c.realms[r.ID]
	home := func(cid int64) bool { return c.tree.Contains(r.CID, cid) }
	_, found := c.tree.Account(r.CID)
	switch {
	case twice:
		return bad("id", "a realm above has this id too")
	case !PublicID(r.PublicID):
		return bad("public_id", "expected 1 to 64 letters, digits, _ and -")
	case c.public[r.PublicID]:
		return bad("public_id", "a realm above has this public_id too")
	case !found:
		return bad("cid", "no account has the id "+number(r.CID))
	case r.Home.Type != HomeRealm && !home(r.Home.Subaccount):
		return bad("home.subaccount_id", "expected an account in the branch of "+number(r.CID))
	}
	if fault := r.SoundClaims(c.roles); fault != nil {
		return fault
	}
	c.public[r.PublicID], c.realms[r.ID] = true, r
	return nil
}

// Role judges a role that Read has read. Roles come before users.
func (c *Checker) Role(doc record.Value) *record.Fault {
	r := RoleOf(doc)
	for _, other := range c.roles {
		switch {
		case other.ID == r.ID:
			return bad("id", "a role above has this id too")
		case other.Name == r.Name && other.RealmID == r.RealmID:
			return bad("name", "a role above has this name too")
		}
	}
	if fault := SoundRole(doc); fault != nil {
		return fault
	}
	if r.RealmID != 0 && r.Reach == policy.ReachTree {
		return bad("reach", "a role of a realm reaches at most the branch of its account: tree is the operator's")
	}
	c.roles = append(c.roles, r)
	return nil
}

// SoundRole judges what a role says by itself.
func SoundRole(doc record.Value) *record.Fault {
	for _, m := range doc.Get("when").Members {
		if m.Name != "account_roles" || m.Value.Shape != record.List || slices.ContainsFunc(m.Value.Items, func(v record.Value) bool { return v.Shape != record.Text }) {
			return bad("when", "expected account_roles, a list of names")
		}
	}
	r := RoleOf(doc)
	for _, p := range r.Platform {
		if !slices.Contains(PlatformWords(), p.Word) {
			return bad("platform", "expected uris out of "+strings.Join(PlatformWords(), ", "))
		}
	}
	if r.Access == policy.NoAccess || r.Access == policy.NoAPI {
		return bad("access", "expected an access of type acl, standard or master")
	}
	return nil
}

// User judges a user that Read has read, and returns the document with its home account.
func (c *Checker) User(doc record.Value) (record.Value, *record.Fault) {
	if fault := c.user(doc); fault != nil {
		return doc, fault
	}
	u := UserOf(doc)
	r := c.realms[u.RealmID]
	c.users[u.ID], c.names[nameKey(&u)] = true, true
	return doc.With("cid", record.NewInt(r.HomeOf(&u))), nil
}

func nameKey(u *User) string { return number(u.RealmID) + " " + Fold(u.Name) }

func (c *Checker) user(doc record.Value) *record.Fault {
	u := UserOf(doc)
	r, found := c.realms[u.RealmID]
	switch {
	case c.users[u.ID]:
		return bad("id", "a user above has this id too")
	case !found:
		return bad("realm_id", "no realm has the id "+number(u.RealmID))
	case c.names[nameKey(&u)]:
		return bad("name", "a user of this realm above has this name too, in another case perhaps")
	case r.HomeOf(&u) == 0:
		return bad("cid", "is missing: users of a realm with home.type 2 have accounts of their own")
	case !c.tree.Contains(r.CID, r.HomeOf(&u)):
		return bad("cid", "expected an account in the branch of "+number(r.CID)+", the account of the realm")
	case len(u.Roles) > 0 && u.Params != nil && u.Params.HasAccess:
		return bad("token_params.access", "expected none beside roles: roles alone permit")
	}
	for _, name := range u.Roles {
		if _, found := Find(c.roles, u.RealmID, name); !found {
			return bad("roles", "there is no role called "+name)
		}
	}
	return nil
}
