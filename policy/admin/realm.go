package admin

import (
	"slices"
	"strconv"

	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// SeesRealm reports whether a realm is in scope: its account is.
func (l *Law) SeesRealm(doc record.Value) bool { return l.InScope(record.NumberOf(doc, "cid")) }

// KnowsRealm reports whether the caller may name a realm: it is in scope, or users of it are. Of the
// latter kind Row says the names alone.
func (l *Law) KnowsRealm(doc record.Value) bool {
	return l.SeesRealm(doc) || slices.ContainsFunc(l.World.UsersOf(record.NumberOf(doc, "id")), l.SeesUser)
}

// NewRealm judges the realm that a POST asks for, and returns its document with its account. Its public
// id is the caller's.
func (l *Law) NewRealm(asked record.Value) (record.Value, *record.Fault) {
	doc, fault := l.withAccount(asked)
	if fault != nil {
		return record.Value{}, fault
	}
	cid := record.NumberOf(doc, "cid")
	if !l.InScope(cid) {
		return record.Value{}, record.DeniedRecord("accounts", cid)
	}
	if fault := l.realm(record.Value{}, doc); fault != nil {
		return record.Value{}, fault
	}
	return doc, l.room("realms", cid, 1)
}

// ChangeRealm judges a change. Whoever sees a realm may close it and describe it. For whatever else the
// caller holds all that its users reach, before and after.
func (l *Law) ChangeRealm(before, after record.Value) *record.Fault {
	was, is := realm.RealmOf(before), realm.RealmOf(after)
	switch {
	case !l.SeesRealm(before):
		return record.DeniedRecord("realms", was.ID)
	case was.ID != is.ID || was.CID != is.CID || was.PublicID != is.PublicID:
		return &record.Fault{Class: record.BadField, Path: "cid", Text: "account and public_id of a realm never change"}
	}
	if same(before, after, was.Enabled, is.Enabled, "name", "metadata", "public_info", "max_users") {
		return nil
	}
	return l.realm(before, after)
}

// same reports whether a change is of harmless fields alone, or takes a record out of use.
func same(before, after record.Value, was, is bool, harmless ...string) bool {
	for _, name := range harmless {
		before, after = before.Without(name), after.Without(name)
	}
	if was == is || !is {
		before, after = before.Without("enabled"), after.Without("enabled")
	}
	return before.Equal(after)
}

// realm judges what a realm gives to the users that it has or may have.
func (l *Law) realm(before, after record.Value) *record.Fault {
	is := realm.RealmOf(after)
	if before.Get("home").Shape == record.Absent || !before.Get("home").Equal(after.Get("home")) {
		if fault := l.home(&is); fault != nil {
			return fault
		}
	}
	if fault := l.issuer(&is); fault != nil {
		return fault
	}
	known := l.World.Roles(is.ID)
	if fault := l.mapping(before, after, known); fault != nil {
		return fault
	}
	for _, cid := range []int64{is.CID, is.HomeOf(&realm.User{}), is.Home.Subaccount} {
		if cid == 0 {
			continue
		}
		if fault := l.holdsPowers(l.gets(&realm.User{CID: cid}, &is, known)); fault != nil {
			return fault
		}
	}
	if is.ID == 0 {
		return l.boundAs(is.Params.Sources, is.Params.Origins)
	}
	was := realm.RealmOf(before)
	for _, doc := range l.World.UsersOf(is.ID) {
		u := realm.UserOf(doc)
		for _, r := range []*realm.Realm{&was, &is} {
			if fault := l.holdsAll(&u, r, known); fault != nil {
				return fault
			}
		}
	}
	return l.boundAs(is.Params.Sources, is.Params.Origins)
}

// home judges where users of a realm live.
func (l *Law) home(r *realm.Realm) *record.Fault {
	h := &r.Home
	bad := func(path, text string) *record.Fault {
		return &record.Fault{Class: record.BadField, Path: path, Text: text}
	}
	switch {
	case h.Type == realm.HomeRealm && (h.Subaccount != 0 || h.Limit != 0):
		return bad("home", "expected nothing beside type 0: users live in the account of the realm")
	case h.Type == realm.HomeRealm:
		return nil
	case h.Subaccount == 0:
		return bad("home.subaccount_id", "is missing")
	case !l.InScope(h.Subaccount):
		return record.DeniedRecord("accounts", h.Subaccount)
	case !l.Within(r.CID, h.Subaccount):
		return bad("home.subaccount_id", "expected an account in the branch of "+strconv.FormatInt(r.CID, 10)+", the account of the realm")
	case h.Type == realm.HomeAccount && h.Limit != 0:
		return bad("home.limit_id", "expected none with type 1: no account is made")
	case h.Type == realm.HomeOwn && !l.Settings.MakesAccounts:
		return bad("home.type", "accounts are not made here: users have accounts of their own with scope.owners store alone")
	case h.Limit == 0:
		return nil
	}
	return l.names(&Account{Parent: h.Subaccount, LimitID: h.Limit})
}

// issuer judges whose tokens from elsewhere a realm takes (SPEC 10.10): an issuer of the settings, for
// an audience that no other realm has.
func (l *Law) issuer(r *realm.Realm) *record.Fault {
	if r.Issuer == "" {
		return nil
	}
	audience, known := l.Settings.Audiences[r.Issuer]
	if r.Audience != "" {
		audience = r.Audience
	}
	switch {
	case !known:
		return &record.Fault{Class: record.BadField, Path: "claims.issuer", Text: "there is no issuer of this name in realms.issuers"}
	case audience == "":
		return &record.Fault{Class: record.BadField, Path: "audience", Text: "is missing: tokens of this issuer are for somebody"}
	}
	if other := l.World.TakesTokens(r.Issuer, audience); other != 0 && other != r.ID {
		return inTheWay("another realm takes tokens of this issuer for this audience")
	}
	return nil
}

// mapping judges which roles claims give in a realm. What gives a role that it did not give is judged as
// giving the role to a user, and so is all of it where tokens of others are taken than before.
func (l *Law) mapping(before, after record.Value, known []realm.Role) *record.Fault {
	was, is := realm.RealmOf(before), realm.RealmOf(after)
	if fault := is.SoundClaims(known); fault != nil {
		return fault
	}
	others := was.Issuer != is.Issuer || was.Audience != is.Audience
	if (others || !before.Get("claims").Equal(after.Get("claims"))) && l.isOwnRealm(is.ID) {
		return stronger("claims", "nobody changes what they may do themselves")
	}
	for i, rule := range is.Rules {
		for k, name := range rule.Gives {
			role, _ := realm.Find(known, is.ID, name)
			if !others && was.Gives(rule.Claim, rule.Value, name) {
				continue
			}
			if fault := l.mayGive(&role, after); fault != nil {
				fault.Path = realm.GivesPath(i, k)
				return fault
			}
		}
	}
	return nil
}

// isOwnRealm reports whether the caller is a user of a realm.
func (l *Law) isOwnRealm(id int64) bool {
	doc, found := l.World.User(l.Caller.Token.UserID)
	return found && !l.Caller.Operator && record.NumberOf(doc, "realm_id") == id
}

// DeleteRealm judges a deletion, with which its users and roles go.
func (l *Law) DeleteRealm(doc record.Value) *record.Fault {
	id := record.NumberOf(doc, "id")
	if !l.SeesRealm(doc) {
		return record.DeniedRecord("realms", id)
	}
	for _, u := range l.World.UsersOf(id) {
		if !l.SeesUser(u) {
			return stronger("", "the realm has users that are not in scope")
		}
	}
	return nil
}
