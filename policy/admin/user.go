package admin

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// lawTree is the tree of accounts as the transaction sees it.
type lawTree struct{ *Law }

func (t lawTree) Contains(top, cid int64) bool { return t.Within(top, cid) }

func (t lawTree) Root(cid int64) bool {
	a, found := t.World.Account(cid)
	return found && a.Parent == 0
}

// Session gives a caller whose token carries a user what that user may do now, and reports whether the
// user is let in. session says that the token is a login's, which has no access of its own.
func (l *Law) Session(session bool) bool {
	c := &l.Caller
	doc, found := l.World.User(c.Token.UserID)
	u := realm.UserOf(doc)
	of, found2 := l.World.Realm(u.RealmID)
	r := realm.RealmOf(of)
	rights, in := r.RightsOf(&u, lawTree{l})
	if !found || !found2 || !in {
		return false
	}
	if rights.ByRoles() {
		home, _ := l.World.Account(rights.CID)
		c.Token.CID, c.Token.Access, c.RealmCID = rights.CID, policy.ACLAccess, r.CID
		c.Roles = r.RolesOf(&u, c.Claims, l.World.Roles(r.ID), home.Roles, lawTree{l})
		return session && c.Roles != nil
	}
	if session {
		c.Token.CID, c.Token.Access = rights.CID, rights.Access
	}
	return rights.Access == policy.Master || c.Token.Access != policy.Master
}

// SeesUser reports whether a user is in scope: the home account is.
func (l *Law) SeesUser(doc record.Value) bool { return l.InScope(record.NumberOf(doc, "cid")) }

// HomeAccount judges the account that is made for a new user of a realm, and returns its document. It
// is none where the user does not get one.
func (l *Law) HomeAccount(of, asked record.Value) (record.Value, *record.Fault) {
	r := realm.RealmOf(of)
	switch {
	case !l.KnowsRealm(of):
		return record.Value{}, record.DeniedRecord("realms", r.ID)
	case r.Home.Type != realm.HomeOwn || asked.Get("cid").Shape != record.Absent:
		return record.Value{}, nil
	case !l.InScope(r.Home.Subaccount):
		return record.Value{}, &record.Fault{Class: record.BadField, Path: "cid", Text: "expected an account in scope: users of this realm live elsewhere"}
	}
	doc := record.NewObject(record.Member{Name: "name", Value: asked.Get("name")})
	if r.Home.Limit != 0 {
		if _, found := l.World.Limit(r.Home.Limit); !found {
			return record.Value{}, inTheWay("the limit that home names is not there any more")
		}
		doc = doc.With("limit_id", record.NewInt(r.Home.Limit))
	}
	doc = doc.With("parent", record.NewInt(r.Home.Subaccount)).With("created", record.NewInt(l.Now))
	return doc, l.AccountFits(r.Home.Subaccount)
}

// AccountFits judges whether one more account fits below another one: by depth, and by what limits say
// up to the root.
func (l *Law) AccountFits(parent int64) *record.Fault {
	if l.Settings.MaxDepth > 0 && l.depth(parent) >= l.Settings.MaxDepth {
		return &record.Fault{Class: record.BadField, Text: "accounts have at most " + strconv.Itoa(l.Settings.MaxDepth) + " levels"}
	}
	return l.room("subaccounts", parent, 1)
}

// NewUser judges the user that a POST asks for, and returns the document with realm and home account.
// own is the account that was made for the user, 0 for none. The password is judged apart.
func (l *Law) NewUser(of, asked record.Value, own int64) (record.Value, *record.Fault) {
	r := realm.RealmOf(of)
	u := realm.UserOf(asked)
	if !l.KnowsRealm(of) {
		return record.Value{}, record.DeniedRecord("realms", r.ID)
	}
	asking := u.CID != 0
	if u.RealmID = r.ID; own != 0 {
		u.CID = own
	}
	u.CID = r.HomeOf(&u)
	switch {
	case asking && !l.InScope(u.CID):
		return record.Value{}, record.DeniedRecord("accounts", u.CID)
	case !l.InScope(u.CID):
		return record.Value{}, &record.Fault{Class: record.BadField, Path: "cid", Text: "expected an account in scope: users of this realm live elsewhere"}
	case !l.Within(r.CID, u.CID):
		return record.Value{}, &record.Fault{Class: record.BadField, Path: "cid", Text: "expected an account in the branch of the realm's"}
	case r.MaxUsers >= 0 && int64(len(l.World.UsersOf(r.ID))) >= r.MaxUsers:
		text := "max_users of realm " + strconv.FormatInt(r.ID, 10) + " is reached"
		if l.SeesRealm(of) {
			text += " (" + strconv.FormatInt(r.MaxUsers, 10) + ")"
		}
		return record.Value{}, &record.Fault{Class: record.LimitReached, Text: text}
	}
	doc := asked.With("realm_id", record.NewInt(r.ID)).With("cid", record.NewInt(u.CID))
	if fault := l.soundUser(of, record.Value{}, doc); fault != nil {
		return record.Value{}, fault
	}
	return doc, l.holdsAll(&u, &r, l.World.Roles(r.ID))
}

// soundUser judges name, roles and params of a user: what is new of them.
func (l *Law) soundUser(of, before, after record.Value) *record.Fault {
	r, was, is := realm.RealmOf(of), realm.UserOf(before), realm.UserOf(after)
	if len(is.Roles) > 0 && is.Params != nil && is.Params.HasAccess {
		return &record.Fault{Class: record.BadField, Path: "token_params.access", Text: "expected none beside roles: roles alone permit"}
	}
	known := l.World.Roles(r.ID)
	for _, name := range is.Roles {
		role, found := realm.Find(known, r.ID, name)
		switch {
		case !found:
			return &record.Fault{Class: record.BadField, Path: "roles", Text: "there is no role called " + name}
		case slices.Contains(was.Roles, name):
		default:
			if fault := l.mayGive(&role, of); fault != nil {
				return fault
			}
		}
	}
	if realm.Fold(was.Name) == realm.Fold(is.Name) && was.Name != "" {
		return nil
	}
	if strings.TrimSpace(is.Name) != is.Name {
		return &record.Fault{Class: record.BadField, Path: "name", Text: "expected no space at its ends: it would look like another one"}
	}
	for _, other := range l.World.UsersOf(r.ID) {
		if o := realm.UserOf(other); o.ID != is.ID && realm.Fold(o.Name) == realm.Fold(is.Name) {
			return inTheWay("a user of this realm has this name, in another case perhaps")
		}
	}
	return nil
}

// mayGive judges whether the caller may give a role to users of a realm (assignable_by, SPEC 13): a
// master may, of a realm's own role one whose scope holds the realm, and so may who bears a role that
// assignable_by names. What everybody has anybody may.
func (l *Law) mayGive(role *realm.Role, of record.Value) *record.Fault {
	c := &l.Caller
	may := c.Operator || role.Name == realm.RoleMember && role.ID == 0
	switch {
	case may:
	case role.Reach == policy.ReachTree: // never
	case c.Roles == nil:
		may = role.ID == 0 || l.SeesRealm(of)
	default:
		may = slices.ContainsFunc(c.Roles, func(r realm.Role) bool {
			return r.Name == realm.RoleAdmin && r.RealmID == 0 || slices.Contains(role.AssignableBy, r.Name)
		})
	}
	if !may {
		return stronger("roles", "this token may not give the role "+role.Name)
	}
	return nil
}

// ChangeUser judges a change. Whoever sees a user may close the record and write its metadata; for
// whatever else the caller holds all that the user reaches, before and after. Nobody changes what
// they may do themselves. password says that one is written.
func (l *Law) ChangeUser(of, before, after record.Value, password bool) *record.Fault {
	was, is, r := realm.UserOf(before), realm.UserOf(after), realm.RealmOf(of)
	switch {
	case !l.SeesUser(before):
		return record.DeniedRecord("users", was.ID)
	case was.ID != is.ID || was.RealmID != is.RealmID || was.CID != is.CID:
		return &record.Fault{Class: record.BadField, Path: "cid", Text: "realm and home account of a user never change"}
	case was.ID == l.Caller.Token.UserID && !l.Caller.Operator:
		for _, name := range []string{"roles", "enabled", "token_params"} {
			if !before.Get(name).Equal(after.Get(name)) {
				return stronger(name, "nobody changes what they may do themselves")
			}
		}
		if password {
			return stronger("password", "one's own is changed at /realm/"+r.PublicID+"/user, with the old one")
		}
	}
	if !password && same(before, after, was.Enabled, is.Enabled, "metadata") {
		return nil
	}
	if fault := l.soundUser(of, before, after); fault != nil {
		return fault
	}
	known := l.World.Roles(r.ID)
	for _, u := range []*realm.User{&was, &is} {
		if fault := l.holdsAll(u, &r, known); fault != nil {
			return fault
		}
	}
	return nil
}

// DeleteUser judges a deletion, the end of all sessions, and that a password is taken away: whoever sees
// a user may do so.
func (l *Law) DeleteUser(doc record.Value) *record.Fault {
	if !l.SeesUser(doc) {
		return record.DeniedRecord("users", record.NumberOf(doc, "id"))
	}
	return nil
}

// Login judges a session of a user that the caller makes without the password. It is used from the
// caller's addresses and pages, where the user has none, and ends with the caller's token at the latest:
// ends is then its time, else 0.
func (l *Law) Login(of, doc record.Value) (ends int64, fault *record.Fault) {
	u, r, t := realm.UserOf(doc), realm.RealmOf(of), &l.Caller.Token
	_, in := r.RightsOf(&u, lawTree{l})
	switch {
	case !l.SeesUser(doc):
		return 0, record.DeniedRecord("users", u.ID)
	case u.ID == t.UserID && !l.Caller.Operator:
		return 0, stronger("", "a session is not prolonged by itself: log in with the password")
	case !in || l.State(r.HomeOf(&u)) != NotBlocked:
		return 0, inTheWay("user " + strconv.FormatInt(u.ID, 10) + " is not let in: user, realm or account is closed")
	}
	if fault := l.holdsPowers(l.gets(&u, &r, l.World.Roles(r.ID))); fault != nil || l.Caller.Operator {
		return 0, fault
	}
	params := paramsOf(&u, &r)
	switch {
	case t.Sources != nil && params.Sources != nil && !coversSources(t.Sources, params.Sources):
		return 0, stronger("", "the user comes from other addresses than this token")
	case t.Origins != nil && params.Origins != nil && !coversOrigins(t.Origins, params.Origins):
		return 0, stronger("", "the user comes from other pages than this token")
	case t.TTL == 0 && t.UserID == 0, t.UserID != 0 && t.CreatedBy == 0:
		return t.Expire, nil // a session ends with the one that made it: else two would prolong each other
	}
	return 0, nil
}
