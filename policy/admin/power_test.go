package admin_test

import (
	"fmt"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
)

// Who has one role gives another one only where it lies within the first: its accounts, its entries, its
// rights over records.
func TestRolesAreGivenWithinRoles(t *testing.T) {
	const all = `["GET","POST","PUT","PATCH","DELETE"]`
	acl := func(entries string) string { return `"access":{"type":2,"acl":[` + entries + `]}` }
	for _, row := range []struct {
		has, gives string // fields of the roles; reach is branch unless they say it
		may        bool
	}{
		{`"access":{"type":1}`, `"access":{"type":1}`, true},
		{`"access":{"type":0}`, acl(`{"uri":"gw","methods":` + all + `}`), true},
		{acl(`{"uri":"gw","methods":` + all + `}`), `"access":{"type":0}`, false},
		{acl(`{"uri":"gw","methods":["GET"]}`), acl(`{"uri":"gw/devices","methods":["GET"]}`), true},
		{acl(`{"uri":"gw/devices","methods":["GET"]}`), acl(`{"uri":"gw","methods":["GET"]}`), false},
		{acl(`{"uri":"gw/dev","methods":["GET"]}`), acl(`{"uri":"gw/devices","methods":["GET"]}`), false},
		{acl(`{"uri":"gw","methods":["GET"]}`), acl(`{"uri":"gw","methods":["GET","PUT"]}`), false},
		{acl(`{"uri":"gw","methods":["GET"],"ids":"all"}`), acl(`{"uri":"gw","methods":["GET"],"ids":[1]}`), true},
		{acl(`{"uri":"gw","methods":["GET"],"ids":"all"}`), acl(`{"uri":"gw","methods":["GET"]}`), false},
		{acl(`{"uri":"gw","methods":["GET"],"ids":[1,2]}`), acl(`{"uri":"gw","methods":["GET"],"ids":[2]}`), true},
		{acl(`{"uri":"gw","methods":["GET"],"ids":[1,2]}`), acl(`{"uri":"gw","methods":["GET"],"ids":[2,3]}`), false},
		{acl(`{"uri":"gw","methods":["GET"],"ids":[1,2]}`), acl(`{"uri":"gw","methods":["GET"],"ids":"all"}`), false},
		{acl(`{"uri":"gw","methods":["GET"]},{"uri":"gw/devices","methods":["GET"],"ids":[1]}`), acl(`{"uri":"gw/devices","methods":["GET"]}`), false}, // the longer one decides
		{acl(`{"uri":"gw","methods":["GET","POST"]}`), acl(`{"uri":"gw","methods":["GET"],"submodules":[{"name":"messages","methods":["POST"]}]}`), true},
		{acl(`{"uri":"gw","methods":["GET"]}`), acl(`{"uri":"gw","methods":["GET"],"submodules":[{"name":"messages","methods":["POST"]}]}`), false},
		{acl(`{"uri":"gw","methods":["GET"],"submodules":[]}`), acl(`{"uri":"gw","methods":["GET"]}`), false},
		{acl(`{"uri":"gw","methods":["GET","PUT"]}`), acl(`{"uri":"gw","methods":["GET"],"submodules":[{"name":"cid","methods":["PUT"]}]}`), false}, // a move is never implied
		{acl(`{"uri":"mqtt","topic":"a/#","actions":["subscribe"]}`), acl(`{"uri":"mqtt","topic":"a/#","actions":["subscribe"]}`), true},
		{acl(`{"uri":"mqtt","topic":"a/#","actions":["subscribe"]}`), acl(`{"uri":"mqtt","topic":"#","actions":["subscribe"]}`), false},
		{acl(`{"uri":"mqtt","topic":"a/#","actions":["subscribe"]}`), acl(`{"uri":"mqtt","topic":"a/#","actions":["publish"]}`), false},
		{acl(``), acl(``) + `,"platform":[{"uri":"users","methods":["GET"]}]`, true}, // that is what lets the caller call
		{acl(``), acl(``) + `,"platform":[{"uri":"users","methods":["DELETE"]}]`, false},
		{acl(``), acl(``) + `,"platform":[{"uri":"all","methods":["GET"]}]`, false},
		{acl(``), acl(``) + `,"platform":[{"uri":"tokens","methods":["GET"]}]`, false},
		{acl(``) + `,"reach":"own"`, acl(``), false},
		{acl(``), acl(``) + `,"reach":"own"`, true},
		{acl(``), acl(``) + `,"reach":"clients"`, true}, // a realm's own: within the branch
	} {
		w := emptyWorld(100)
		w.accounts[1], w.accounts[2] = mustParse(`{"id":1,"name":"a"}`), mustParse(`{"id":2,"parent":1,"name":"b"}`)
		w.realms[1] = mustParse(`{"id":1,"cid":1,"public_id":"r","name":"r"}`)
		role := func(id int64, fields, more string) {
			doc := mustParse(fmt.Sprintf(`{"id":%d,"realm_id":1,"name":"r%d",%s}`, id, id, fields))
			if doc.Get("reach").Shape == record.Absent {
				doc = doc.With("reach", record.NewText("branch"))
			}
			for _, m := range mustParse(more).Members {
				doc = doc.With(m.Name, m.Value)
			}
			w.roles[id] = doc
		}
		role(1, row.has, `{"platform":[{"uri":"users","methods":["GET","POST","PUT"]},{"uri":"customer","methods":["GET"]}]}`)
		role(2, row.gives, `{"assignable_by":["r1"]}`)
		w.users[5] = mustParse(`{"id":5,"realm_id":1,"cid":1,"name":"c","roles":["r1"]}`)
		l := w.law(admin.Caller{Token: admin.Token{ID: 7, CID: 1, UserID: 5, Enabled: true, Expire: now + 9}, Scope: 1})
		if !l.Session(true) {
			t.Fatal("the caller is not let in")
		}
		if fault := w.may(l, usersPath, policy.POST); fault != nil {
			t.Fatalf("%s: %v", row.has, fault)
		}
		_, fault := l.NewUser(w.realms[1], mustParse(`{"name":"n","roles":["r2"]}`), 0)
		if got := fault == nil; got != row.may {
			t.Errorf("who has %s gives %s: %v, want %v", row.has, row.gives, fault, row.may)
		}
	}
}
