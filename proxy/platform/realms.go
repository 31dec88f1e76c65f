package platform

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

var realms = collection{
	table: store.Realms,
	sees:  (*admin.Law).SeesRealm,
	make: func(x *call, asked record.Value) (record.Value, error) {
		doc, fault := x.law.NewRealm(asked)
		// Its name in paths is ours alone: nobody takes somebody else's, or guesses which there are.
		return doc.With("public_id", record.NewText(strings.ToLower(rand.Text()))), faultOf(fault)
	},
	judge: func(x *call, before, _, after record.Value) *record.Fault { return x.law.ChangeRealm(before, after) },
	remove: func(x *call, doc record.Value) error {
		if fault := x.law.DeleteRealm(doc); fault != nil {
			return fault
		}
		return x.endRealm(record.NumberOf(doc, "id"))
	},
}

var roles = collection{
	table: store.Roles,
	realm: true,
	sees:  func(l *admin.Law, doc record.Value) bool { return l.SeesRealm(realmOf(l, doc)) },
	make: func(x *call, asked record.Value) (record.Value, error) {
		doc, fault := x.law.NewRole(x.realms[0].doc, asked)
		return doc, faultOf(fault)
	},
	judge: func(x *call, before, _, after record.Value) *record.Fault {
		return x.law.ChangeRole(realmOf(x.law, before), before, after)
	},
	remove: func(x *call, doc record.Value) error { return faultOf(x.law.DeleteRole(realmOf(x.law, doc), doc)) },
}

// realmOf returns the realm of a user or a role.
func realmOf(l *admin.Law, doc record.Value) record.Value {
	of, _ := l.World.Realm(record.NumberOf(doc, "realm_id"))
	return of
}

// pickRealms finds the realms that the path names; those that it names by id and the caller may not name
// become errors.
func (x *call) pickRealms() *record.Fault {
	s := &x.Request.Selectors[0]
	var conditions []record.Condition
	if s.Match() {
		var fault *record.Fault
		if conditions, fault = record.Realms.ReadMatch(string(s.Text)); fault != nil {
			return fault
		}
	}
	x.realms = nil
	if s.Kind == policy.SelectIDs || s.Kind == policy.SelectConditions {
		for _, id := range s.IDs {
			doc := x.view.read(store.Realms, id)
			if doc.Shape == record.Absent || !x.law.KnowsRealm(doc) {
				x.denied = append(x.denied, record.DeniedRecord(record.Realms.Word, id))
				continue
			}
			x.realms = append(x.realms, document{id, doc})
		}
	} else {
		x.realms = slices.DeleteFunc(x.knownRealms(), func(d document) bool { return !x.law.KnowsRealm(d.doc) })
	}
	x.realms = slices.DeleteFunc(x.realms, func(d document) bool {
		return conditions != nil && !record.Match(x.law.Row(record.Realms, d.doc), conditions)
	})
	return nil
}

// oneRealm finds the realm that a POST is below.
func (x *call) oneRealm() error {
	if s := &x.Request.Selectors[0]; s.Kind != policy.SelectIDs || len(s.IDs) != 1 {
		return &record.Fault{Class: record.BadField, Text: "name one realm by its id"}
	}
	if fault := x.pickRealms(); fault != nil {
		return fault
	}
	if len(x.denied) > 0 {
		return x.denied[0]
	}
	return nil
}

// knownRealms returns the realms in the branches of the scope, and those of users there.
func (x *call) knownRealms() []document {
	found := x.view.inBranches(store.Realms, x.law.Tops())
	seen := map[int64]bool{}
	for _, d := range found {
		seen[d.id] = true
	}
	if !slices.Contains(x.law.Tops(), 0) {
		for _, u := range x.view.usersIn(x.law.Tops()) {
			id := record.NumberOf(u.doc, "realm_id")
			if doc := x.view.read(store.Realms, id); !seen[id] && doc.Shape != record.Absent {
				found = append(found, document{id, doc})
			}
			seen[id] = true
		}
	}
	slices.SortFunc(found, func(a, b document) int { return cmp.Compare(a.id, b.id) })
	return found
}

// rolesOfRealms returns the roles of the realms that the path names, by ascending id.
func (x *call) rolesOfRealms() (found []document) {
	for _, d := range x.realms {
		x.view.failed(x.view.r.EachOf(store.Roles, d.id, func(row store.Row) error {
			if doc := x.view.parse(row); doc.Shape != record.Absent {
				found = append(found, document{id: row.ID, doc: doc})
			}
			return nil
		}))
	}
	slices.SortFunc(found, func(a, b document) int { return cmp.Compare(a.id, b.id) })
	return found
}

// endRealm takes the users and roles of a realm along.
func (x *call) endRealm(id int64) error {
	for _, doc := range x.view.UsersOf(id) {
		if err := x.endUser(doc); err != nil {
			return err
		}
		if err := x.delete(store.Users, record.NumberOf(doc, "id")); err != nil {
			return err
		}
	}
	var gone []int64
	x.view.failed(x.view.r.EachOf(store.Roles, id, func(row store.Row) error { gone = append(gone, row.ID); return nil }))
	for _, id := range gone {
		if err := x.delete(store.Roles, id); err != nil {
			return err
		}
	}
	return nil
}

// endRealms takes along the realms of an account that ends.
func (x *call) endRealms(account int64) error {
	var gone []int64
	x.view.inAccounts(store.Realms, []int64{account}, func(row store.Row) { gone = append(gone, row.ID) })
	for _, id := range gone {
		if err := x.endRealm(id); err != nil {
			return err
		}
		if err := x.delete(store.Realms, id); err != nil {
			return err
		}
	}
	return nil
}

// readSelector reads the selector of records below a realm, which the catalogue takes for a text of the
// realm's own: all, ids, conditions, or ids and conditions (SPEC 10.2).
func readSelector(text string) (s policy.Selector, fault *record.Fault) {
	list, rest, cut := text, "", false
	if i := strings.IndexByte(text, '='); i >= 0 {
		at := strings.LastIndexByte(text[:i], ',')
		list, rest, cut = text[:max(at, 0)], text[at+1:], true
	}
	s.Text = []byte(rest)
	switch ids, all := readIDs(list); {
	case strings.HasPrefix(text, "{"):
		return s, &record.Fault{Class: record.BadField, Text: "expressions are not evaluated here: name fields, as in name=x"}
	case (all || list == "") && cut:
		s.Kind = policy.SelectFields
	case all:
		s.Kind = policy.SelectAll
	case len(ids) == 0:
		return s, &record.Fault{Class: record.BadField, Text: "expected all, ids, or field=value with commas between"}
	default:
		slices.Sort(ids)
		s.Kind, s.IDs = policy.SelectIDs, slices.Compact(ids)
		if cut {
			s.Kind = policy.SelectConditions
		}
	}
	return s, nil
}
