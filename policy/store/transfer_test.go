package store_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// everything is a policy with every field there is, and texts that have to be escaped somewhere.
//
//go:embed testdata/everything.yaml
var everything string

func imported(t *testing.T, file, text string) *memory.Engine {
	t.Helper()
	tr, faults := store.ReadTransfer(file, []byte(text), nil, 4)
	if tr == nil {
		t.Fatalf("cannot read:\n%s\n%v", text, faults)
	}
	e := memory.New()
	o := store.LiveOptions{Engine: e, MaxDepth: 4}
	_, err := store.Write(context.Background(), o, "operator", func(tx *store.Tx) error {
		_, err := tr.Import(tx, true, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func exported(t *testing.T, e store.Engine) string {
	t.Helper()
	var b bytes.Buffer
	if err := store.Export(context.Background(), e, &b, 4, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// all reads a policy into what can be compared: accounts and records without lines.
func all(p *store.Policy) (records []store.Record, accounts any) {
	for _, rec := range p.Records() {
		r := *rec
		r.Token.Line, r.Token.Used = 0, nil
		for i := range r.Entries {
			r.Entries[i].Line = 0
		}
		records = append(records, r)
	}
	return records, p.Tree.Accounts()
}

// A policy goes through the database and back without a change, as often as one likes: it reads as
// the same records, the second export equals the first, and metadata stay what they were.
func TestRoundTrip(t *testing.T) {
	first := exported(t, imported(t, "p.yaml", everything))
	second := exported(t, imported(t, "p.yaml", first))
	if first != second {
		t.Errorf("the first export\n%s\nthe second\n%s", first, second)
	}
	before, faults := store.ReadPolicy("p.yaml", []byte(everything), nil, 4)
	after, more := store.ReadPolicy("p.yaml", []byte(first), nil, 4)
	if before == nil || after == nil {
		t.Fatal(faults, more)
	}
	records, accounts := all(before)
	got, gotAccounts := all(after)
	byID := map[int64]store.Record{}
	for _, r := range got {
		byID[r.Token.ID] = r
	}
	for _, r := range records {
		if !reflect.DeepEqual(byID[r.Token.ID], r) {
			t.Errorf("token %d was\n%+v\nis\n%+v", r.Token.ID, r, byID[r.Token.ID])
		}
	}
	if len(got) != len(records) || !reflect.DeepEqual(accounts, gotAccounts) {
		t.Errorf("got %d tokens, %+v, want %d, %+v", len(got), gotAccounts, len(records), accounts)
	}
	const metadata = `    metadata: {"yes": "no", "number": 123456789012345678901234567890.50, "octal": "010", "quoted": "1", "null": null, ` +
		`"\u0436\U0001f600": [[], {}, "a\nb", "it's", true, -1e5]}`
	if !strings.Contains(first, metadata) {
		t.Errorf("got\n%s\nwant in it\n%s", first, metadata)
	}
	if strings.Contains(first, "plain-key") {
		t.Error("the export has a key")
	}
	pol, faults := store.LoadPolicy(context.Background(), imported(t, "p.yaml", everything), nil, 4)
	if pol == nil || pol.Len() != before.Len() {
		t.Errorf("loaded for a command: %v, %v", pol, faults)
	}
}

// An import says what it does, does it or nothing, and leaves alone what the file does not name.
func TestImport(t *testing.T) {
	e := imported(t, "p.yaml", everything)
	o := store.LiveOptions{Engine: e, MaxDepth: 4}
	run := func(text string, replace bool) (string, error) {
		tr, faults := store.ReadTransfer("p.yaml", []byte(text), nil, 4)
		if tr == nil {
			t.Fatal(faults)
		}
		d, err := tr.Compare(context.Background(), e, replace)
		if err != nil {
			t.Fatal(err)
		}
		_, err = store.Write(context.Background(), o, "operator", func(tx *store.Tx) error {
			_, err := tr.Import(tx, replace, nil)
			return err
		})
		return d.String(), err
	}
	if got, err := run(everything, true); err != nil || got != "accounts: 0 new, 0 changed, 0 removed, 3 as they were; tokens: 0 new, 0 changed, 0 removed, 6 as they were" {
		t.Errorf("again: got %s, %v", got, err)
	}
	const other = "accounts: [{id: 1, name: new}]\ntokens: [{id: 9, key_sha256: 0000000000000000000000000000000000000000000000000000000000000001, cid: 1, expire: 4102444800, access: {type: master}}]\n"
	if _, err := run(other, false); !errors.Is(err, store.ErrTaken) {
		t.Errorf("the key of another token: got %v", err)
	}
	if got, err := run(other, true); err != nil || got != "accounts: 0 new, 1 changed, 2 removed, 0 as they were; tokens: 1 new, 0 changed, 6 removed, 0 as they were" {
		t.Errorf("instead: got %s, %v", got, err)
	}
	if got := exported(t, e); strings.Count(got, "- id:") != 1 {
		t.Errorf("got\n%s", got)
	}
}

// patched writes a token with some of its fields changed.
func patched(tx *store.Tx, id int64, patch string) error {
	row, err := tx.Get(store.Tokens, id)
	if err != nil {
		return err
	}
	fields := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(row.Doc, &fields), json.Unmarshal([]byte(patch), &fields)); err != nil {
		return err
	}
	doc, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return tx.PutDoc(store.Tokens, id, doc)
}

// What is written is judged as a whole: what a transaction leaves has to be a policy.
func TestTransactionsAreJudged(t *testing.T) {
	e := imported(t, "p.yaml", everything)
	l := newLive(t, e, nil)
	before := exported(t, e)
	for name, change := range map[string]func(*store.Tx) error{
		"an account that is not there": func(tx *store.Tx) error { return patched(tx, 1, `{"cid":99}`) },
		"a field that is not there":    func(tx *store.Tx) error { return patched(tx, 1, `{"admin":true}`) },
		"another key":                  func(tx *store.Tx) error { return patched(tx, 1, `{"key":"12345678"}`) },
		"another id":                   func(tx *store.Tx) error { return patched(tx, 1, `{"id":77}`) },
		"no end":                       func(tx *store.Tx) error { return patched(tx, 1, `{"expire":0}`) },
		"no object":                    func(tx *store.Tx) error { return tx.PutDoc(store.Tokens, 1, []byte(`null`)) },
		"an account that is its own":   func(tx *store.Tx) error { return tx.PutDoc(store.Accounts, 1, []byte(`{"id":1,"parent":1}`)) },
		"an account with a bad field":  func(tx *store.Tx) error { return tx.PutDoc(store.Accounts, 1, []byte(`{"id":1,"enabled":3}`)) },
		"an account with tokens":       func(tx *store.Tx) error { return tx.Delete(store.Accounts, 9223372036854775807) },
		"an account with others":       func(tx *store.Tx) error { return tx.Delete(store.Accounts, 11) },
		"no such token":                func(tx *store.Tx) error { return tx.Delete(store.Tokens, 4) },
	} {
		if _, err := l.Write(context.Background(), "operator", change); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if after := exported(t, e); after != before {
		t.Errorf("what was refused changed something:\n%s", after)
	}
	key, digest := store.NewKey()
	var id int64
	_, err := l.Write(context.Background(), "operator", func(tx *store.Tx) (err error) {
		if id, err = tx.NewID(store.Tokens); err != nil {
			return err
		}
		return tx.PutDoc(store.Tokens, id, fmt.Appendf(nil, `{"id":%d,"key_sha256":"%x","created":1700000000,"cid":1,"ttl":3600,"access":{"type":1},"metadata":{"a":1.50}}`, id, digest[:]))
	})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := l.Load(store.DigestOf([]byte(key)))
	if err != nil || rec.Token.Created != 1700000000 || rec.Token.TTL != 3600 || rec.Token.Used == nil {
		t.Fatalf("got %+v, %v", rec, err)
	}
	for _, patch := range []string{`{"info":"x"}`, `{"enabled":false}`} {
		if _, err := l.Write(context.Background(), "operator", func(tx *store.Tx) error { return patched(tx, id, patch) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := exported(t, e); !strings.Contains(got, `metadata: {"a": 1.50}`) {
		t.Errorf("an edit lost the metadata:\n%s", got)
	}
	if rec, _ = l.Load(store.DigestOf([]byte(key))); rec.Token.Enabled || rec.Token.Info != "x" {
		t.Errorf("got %+v", rec.Token)
	}
}

// Last uses go to the engine and come back after a restart.
func TestLastUsesOfADatabase(t *testing.T) {
	e := imported(t, "p.yaml", everything)
	l := newLive(t, e, nil)
	rec, err := l.Load(store.DigestOf([]byte("plain-key-of-a-token")))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	rec.Token.Touch(now)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	l.Run(ctx) // which saves at its end
	again := newLive(t, e, nil)
	if rec, err = again.Load(rec.Token.Digest); err != nil || rec.Token.LastUsed() != now || again.LastUse(rec.Token.ID) != now {
		t.Errorf("got %+v, %v, want a use at %d", rec, err, now)
	}
}

// After any changes, what is obeyed is what is in the engine.
func TestVerify(t *testing.T) {
	e := imported(t, "p.yaml", everything)
	l := newLive(t, e, nil)
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		id := int64(random.IntN(20) + 100)
		_, err := l.Write(context.Background(), "operator", func(tx *store.Tx) error {
			if random.IntN(3) == 0 {
				return tx.Delete(store.Tokens, id)
			}
			rec := &store.Record{}
			rec.Token.ID, rec.Token.CID, rec.Token.Expire, rec.Token.Access = id, 1, 4_000_000_000, 2
			rec.Token.Digest = digestOf(id, fmt.Sprint(random.IntN(3)))
			return tx.PutToken(rec, nil)
		})
		if err != nil && !errors.Is(err, store.ErrNoRow) {
			t.Fatal(err)
		}
	}
	v, err := l.Verify(context.Background())
	if err != nil || !v.Same() || v.Engine.Tokens < 6 || len(v.BadRows) > 0 {
		t.Errorf("got %+v, %v", v, err)
	}
	was := v.Engine.Checksum
	write(t, e, func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1,"name":"other"}`)) })
	if v, err = l.Verify(context.Background()); err != nil || !v.Same() || v.Engine.Checksum == was {
		t.Errorf("after a change: got %+v, %v, was %s", v, err, was)
	}
}

// Wait returns at once when all have applied a change, and by the bound when one was not heard of.
func TestWait(t *testing.T) {
	t.Parallel()
	e := memory.New()
	l := newLive(t, e, func(o *store.LiveOptions) { o.MaxStaleness = 2 * time.Second })
	head, err := l.Write(context.Background(), "operator", func(tx *store.Tx) error { return tx.PutAccount(l.Tree().Accounts()[0]) })
	if err != nil {
		t.Fatal(err)
	}
	if all, heard, err := l.Wait(context.Background(), head.Rev); err != nil || !heard || len(all) != 1 || !all[0].Obeys {
		t.Errorf("got %+v, %t, %v", all, heard, err)
	}
	if err := e.Beat(context.Background(), store.Beat{Replica: "b", Applied: 1}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	all, _, err := l.Wait(context.Background(), head.Rev)
	if err != nil || time.Since(began) < 1900*time.Millisecond {
		t.Errorf("a silent gateway: got %+v, %v after %v, want to wait for the bound", all, err, time.Since(began))
	}
}

// Realms, users and roles go through a database and back too.
func TestRoundTripOfRoles(t *testing.T) {
	const text = `accounts:
  - {id: 1}
  - {id: 11, parent: 1}
realms:
  - {id: 2, cid: 11, public_id: acme, name: ACME}
roles:
  - {id: 3, name: HR, reach: own, access: {type: acl, acl: []}}
  - {id: 4, realm_id: 2, name: dispatcher, reach: branch, when: {account_roles: [agent]}, platform: [{uri: users, methods: [GET]}], access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}
users:
  - {id: 5, realm_id: 2, name: anna, roles: [dispatcher, HR]}
tokens: []
`
	e := imported(t, "p.yaml", text)
	first := exported(t, e)
	if second := exported(t, imported(t, "p.yaml", first)); first != second {
		t.Errorf("the first export\n%s\nthe second\n%s", first, second)
	}
	before, _ := store.ReadPolicy("p.yaml", []byte(text), nil, 4)
	after, faults := store.ReadPolicy("p.yaml", []byte(first), nil, 4)
	loaded, more := store.LoadPolicy(context.Background(), e, nil, 4)
	if before == nil || after == nil || loaded == nil {
		t.Fatal(faults, more)
	}
	for _, table := range []store.Table{store.Realms, store.Roles, store.Users} {
		n := 0
		for id, doc := range before.Docs(table) {
			n++
			if got := after.Doc(table, id); string(got) != string(doc) || string(loaded.Doc(table, id)) != string(doc) {
				t.Errorf("%s/%d: got %s, loaded %s, want %s", table, id, got, loaded.Doc(table, id), doc)
			}
		}
		if n == 0 {
			t.Errorf("%s: none was compared", table)
		}
	}
}
