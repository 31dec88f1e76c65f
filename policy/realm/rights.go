package realm

import "unicode"

// Rights are what a token of a user may do, by the records as they are now.
type Rights struct {
	CID    int64
	Params // the user's own, or the realm's
	User   *User
	Realm  *Realm
}

// HomeOf returns the account of a user, 0 where nothing says it.
func (r *Realm) HomeOf(u *User) int64 {
	switch {
	case u.CID != 0:
		return u.CID
	case r.Home.Type == HomeRealm:
		return r.CID
	case r.Home.Type == HomeAccount:
		return r.Home.Subaccount
	}
	return 0
}

// RightsOf returns what a token of the user may do. It reports false where the user must not be let
// in: the user or the realm is disabled, the user is another realm's, or the account is not in the
// branch of the realm's.
func (r *Realm) RightsOf(u *User, tree Tree) (Rights, bool) {
	rights := Rights{CID: r.HomeOf(u), Params: r.Params, User: u, Realm: r}
	if u.Params != nil {
		rights.Params = *u.Params
	}
	in := r.Enabled && u.Enabled && u.RealmID == r.ID && tree.Contains(r.CID, rights.CID)
	return rights, in
}

// ByRoles reports whether roles alone permit: the user has some, or no access of another kind.
func (r *Rights) ByRoles() bool { return len(r.User.Roles) > 0 || !r.HasAccess }

// Fold returns a form of a name that is the same for all that differ in case alone.
func Fold(name string) string {
	folded := make([]rune, 0, len(name))
	for _, c := range name {
		least := c
		for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		folded = append(folded, least)
	}
	return string(folded)
}
