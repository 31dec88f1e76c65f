package platform

import (
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// collection is one kind of managed record as it is served. What differs from kind to kind is here;
// all else is the same for all.
type collection struct {
	route *admin.Route
	table store.Table
	realm bool // it is below a realm: the first selector names realms, the second one the records

	sees   func(l *admin.Law, doc record.Value) bool
	make   func(x *call, asked record.Value) (record.Value, error)
	judge  func(x *call, before, asked, after record.Value) *record.Fault // of PUT and PATCH
	remove func(x *call, doc record.Value) error                          // judges, and takes along what belongs to it
	after  func(x *call, before, after record.Value) error                // what else there is to do when a record was put; nil: nothing
	serve  func(x *call) error                                            // instead of all of them; nil: they
}

// single reports whether there is one record, without a selector: the acting account.
func (c *collection) single() bool { return c.route.One == 0 && !c.realm }

// named is the kind of what its selector names: logins, logouts and passwords are of users.
func (c *collection) named() *record.Kind {
	if c.table == store.Users {
		return record.Users
	}
	return c.route.Kind
}

// collections are all that are served.
var collections = makeCollections()

func makeCollections() (all []*collection) {
	of := map[*record.Kind]collection{
		record.Tokens:       tokens,
		record.LegacyTokens: tokens,
		record.Subaccounts:  subaccounts,
		record.Customer:     customer,
		record.Limits:       limits,
		record.Grants:       grants,
		record.GrantLinks:   {table: store.GrantLinks, serve: (*call).links},
		record.Grantors:     {table: store.GrantLinks, serve: (*call).grantors},
		record.Realms:       realms,
		record.Users:        users,
		record.Roles:        roles,
		record.Logins:       {table: store.Users, realm: true, sees: (*admin.Law).SeesUser, serve: (*call).logins},
		record.Logouts:      {table: store.Users, realm: true, sees: (*admin.Law).SeesUser, serve: (*call).logouts},
		record.Passwords:    {table: store.Users, realm: true, sees: (*admin.Law).SeesUser, serve: (*call).passwords},
	}
	routes := admin.Routes()
	for i := range routes {
		if c, served := of[routes[i].Kind]; served {
			c.route = &routes[i]
			all = append(all, &c)
		}
	}
	return all
}

// collectionOf returns the collection that a route is about, nil for none, and whether it asks for
// change records.
func collectionOf(r *policy.Route) (c *collection, logs bool) {
	for _, c := range collections {
		rest, found := strings.CutPrefix(r.String(), "/"+c.route.Path)
		switch {
		case !found:
		case rest == "" && c.route.Whole != 0, rest == "/{}" && c.route.One != 0:
			return c, false
		case c.route.Logged && (rest == "/logs" && c.single() || rest == "/{}/logs" && !c.single()):
			return c, true
		}
	}
	return nil, false
}

// theirs are the collections that stay the backend's with scope.accounts backend (SPEC 9).
var theirs = []store.Table{store.Accounts, store.Limits}

// Managed returns, for policy.Engine, the routes of a catalogue that are about managed records: true
// for those that are served, false for what would tell of another truth. foreign says that accounts
// and limits are the backend's.
func Managed(cat *policy.Catalogue, foreign bool) map[*policy.Route]bool {
	managed := map[*policy.Route]bool{}
	for _, col := range cat.Collections {
		for _, r := range col.Routes {
			c, _ := collectionOf(r)
			switch {
			case c != nil:
				if !foreign || !slices.Contains(theirs, c.table) {
					managed[r] = true
				}
			case ofRecords(col, foreign):
				managed[r] = false
			}
		}
	}
	return managed
}

// ofRecords reports whether a collection of the catalogue is one of managed records, so that nothing of
// it is forwarded. What else there is below platform/customer is the backend's.
func ofRecords(col *policy.Collection, foreign bool) bool {
	return slices.ContainsFunc(collections, func(c *collection) bool {
		return c.route.Path == col.URI && !c.single() && !(foreign && slices.Contains(theirs, c.table))
	})
}
