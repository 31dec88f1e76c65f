package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	document "aclgate/policy/record"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// grantFile has an account with the id of a grant.
const grantFile = `accounts: [{id: 1}, {id: 5, parent: 1}, {id: 11, parent: 1}, {id: 12, parent: 1}, {id: 13, parent: 1}]
tokens: []
grants:
  - {id: 5, cid: 12, name: vans, grantees: [13, 11], access: [{uri: gw/devices, ids: [9, 7], levels: [view, command]}]}
  - {id: 6, cid: 12, name: all, grantees: [11], enabled: false, access: [{uri: account, levels: [operate-as]}]}
  - {id: 7, cid: 12, name: for nobody, expire: 4102444800, access: [{uri: gw/calcs, ids: all, levels: [view]}]}
`

func granted(g *policy.Grants, cid int64) (ids []int64) {
	for _, grant := range g.To(cid) {
		ids = append(ids, grant.ID)
	}
	return ids
}

// Grants of a policy file are obeyed as they stand there; they go into a database and come out of it
// as they were.
func TestGrantsOfAFile(t *testing.T) {
	ctx := context.Background()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tr, faults := store.ReadTransfer("p.yaml", []byte(grantFile), cat, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	g := tr.Policy.Grants()
	if got := granted(g, 11); !slices.Equal(got, []int64{5}) {
		t.Errorf("account 11 got %v, want grant 5: 6 is disabled", got)
	}
	if a := g.To(13)[0].Access[0]; !slices.Equal(a.IDs.IDs(), []int64{7, 9}) || a.Levels != policy.LevelView|policy.LevelCommand {
		t.Errorf("got %+v", a)
	}
	e := memory.New()
	o := store.LiveOptions{Engine: e, MaxDepth: 4}
	load := func() {
		if _, err := store.Write(ctx, o, "test", func(tx *store.Tx) error {
			_, err := tr.Import(tx, true, nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	load()
	var b strings.Builder
	if err := store.Export(ctx, e, &b, 4, false); err != nil {
		t.Fatal(err)
	}
	again, faults := store.ReadTransfer("q.yaml", []byte(b.String()), cat, 4)
	if err := faults.Err(); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if d, err := again.Compare(ctx, e, true); err != nil || d.Same[store.Grants] != 3 || d.Same[store.Accounts] != 5 {
		t.Errorf("what was exported differs: %v, %v", d, err)
	}
	tr, _ = store.ReadTransfer("p.yaml", []byte(strings.Replace(grantFile, "[13, 11]", "[13]", 1)), cat, 4)
	load()
	p, faults := store.LoadPolicy(ctx, e, cat, 4)
	if faults.Err() != nil || granted(p.Grants(), 11) != nil || len(granted(p.Grants(), 13)) != 1 {
		t.Errorf("got %v and %v, %v, want that a grantee less is one link less", granted(p.Grants(), 11), granted(p.Grants(), 13), faults)
	}
}

func TestFaultsOfGrants(t *testing.T) {
	cat, _ := routes.Default()
	for _, row := range []struct{ line, want string }{
		{`{id: 5, cid: 14, name: a, access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "grants[0].cid: no account has the id 14"},
		{`{id: 5, cid: 12, name: a, grantees: [14], access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "no account has the id 14"},
		{`{id: 5, cid: 12, name: a, grantees: [1], access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "account 1 is the grantor or lies above it"},
		{`{id: 5, cid: 12, name: a, grantees: [12], access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "account 12 is the grantor"},
		{`{id: 5, cid: 12, name: a, grantees: 11, access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "expected a list of accounts"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/devices, levels: [view]}]}`, `access[0].ids: expected a list of ids or "all"`},
		{`{id: 5, cid: 12, name: a, access: [{uri: account, ids: all, levels: [view]}]}`, "access[0].ids: expected no ids"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/devices, ids: all, levels: [look]}]}`, "access[0].levels[0]: expected view, edit, delete or command"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/devices, ids: all, levels: []}]}`, "access[0].levels: expected at least one level"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/calcs, ids: all, levels: [command]}]}`, "command is a level of gw/devices"},
		{`{id: 5, cid: 12, name: a, access: [{uri: account, levels: [edit]}]}`, "expected view, operate-as or create-T"},
		{`{id: 5, cid: 12, name: a, access: []}`, "expected a list of objects"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/devices, ids: [7], levels: [view]}, {uri: gw/devices, ids: [8], levels: [edit]}]}`, "expected one element for gw/devices"},
		{`{id: 5, cid: 12, name: a, access: [{uri: gw/device, ids: [7], levels: [view]}]}`, `no collection of items with accounts is called "gw/device"`},
		{`{id: 5, name: a, access: [{uri: gw/devices, ids: [7], levels: [view]}]}`, "cid"},
	} {
		text := "accounts: [{id: 1}, {id: 11, parent: 1}, {id: 12, parent: 1}]\ntokens: []\ngrants:\n  - " + row.line + "\n"
		_, faults := store.ReadPolicy("p.yaml", []byte(text), cat, 4)
		if len(faults) == 0 || !strings.Contains(faults[0].String(), row.want) || !strings.HasPrefix(faults[0].String(), "p.yaml:4:") {
			t.Errorf("%s\n got %v\nwant %s", row.line, faults, row.want)
		}
	}
}

// A database's grants are obeyed change by change: the links, the grant itself, and what somebody broke
// by hand gives nothing.
func TestGrantsAreFollowed(t *testing.T) {
	ctx := context.Background()
	l := store.NewLive(store.LiveOptions{Engine: memory.New(), MaxDepth: 4, MaxStaleness: time.Minute, Logger: quiet})
	write := func(change func(tx *store.Tx) error) {
		t.Helper()
		if _, err := l.Write(ctx, "test", change); err != nil {
			t.Fatal(err)
		}
	}
	const doc = `{"id":5,"cid":1,"name":"a","access":[{"uri":"gw/devices","ids":"all","levels":["view"]}]}`
	write(func(tx *store.Tx) error {
		for _, a := range []policy.Account{{ID: 1}, {ID: 2}} {
			if err := tx.PutAccount(a); err != nil {
				return err
			}
		}
		return tx.PutDoc(store.Grants, 5, []byte(doc))
	})
	want := func(why string, ids ...int64) {
		t.Helper()
		if got := granted(l.Grants(), 2); !slices.Equal(got, ids) {
			t.Errorf("%s: got %v, want %v", why, got, ids)
		}
	}
	want("no link")
	write(func(tx *store.Tx) error { return tx.Link(5, 2) })
	want("linked", 5)
	write(func(tx *store.Tx) error {
		v, _ := document.Parse([]byte(doc))
		return tx.PutDoc(store.Grants, 5, v.With("enabled", document.NewBool(false)).Append(nil))
	})
	want("disabled")
	write(func(tx *store.Tx) error { return tx.PutDoc(store.Grants, 5, []byte(doc)) })
	want("enabled again", 5)
	write(func(tx *store.Tx) error { return tx.Unlink(5, 2) })
	want("unlinked")
	write(func(tx *store.Tx) error { return tx.Link(5, 2) })
	write(func(tx *store.Tx) error { return tx.Delete(store.Grants, 5) })
	want("deleted")
}
