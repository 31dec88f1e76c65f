package store_test

import (
	"bytes"
	"context"
	_ "embed"
	"strings"
	"testing"

	document "aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

//go:embed testdata/managed.yaml
var managedFile string

// What a policy file says of accounts and limits goes into a database and comes out of it as it was:
// a blocked account stays blocked, and a user's token is the user's.
func TestManagedRecordsAreTransferred(t *testing.T) {
	ctx := context.Background()
	into := func(text []byte) (*memory.Engine, string) {
		tr, faults := store.ReadTransfer("p.yaml", text, nil, 4)
		if err := faults.Err(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		e := memory.New()
		_, err := store.Write(ctx, store.LiveOptions{Engine: e, MaxDepth: 4}, "test", func(tx *store.Tx) error {
			_, err := tr.Import(tx, true, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		again, err := tr.Compare(ctx, e, true)
		if err != nil || again.Changed[store.Accounts]+again.Changed[store.Limits]+again.Changed[store.Tokens] > 0 {
			t.Errorf("a second import: %v, %v", again, err)
		}
		var b bytes.Buffer
		if err := store.Export(ctx, e, &b, 4, false); err != nil {
			t.Fatal(err)
		}
		return e, b.String()
	}
	e, exported := into([]byte(managedFile))
	again, twice := into([]byte(exported))
	if exported != twice {
		t.Errorf("exported\n%s\nread and exported again\n%s", exported, twice)
	}
	for _, e := range []*memory.Engine{e, again} {
		err := e.View(ctx, func(r store.Reader) error {
			for _, row := range []struct {
				table store.Table
				id    int64
				want  string
			}{
				{store.Accounts, 11, `{"account_roles":["agent"],"consultancy_account_id":12,"created":1767225600,"email":"a@example.com","enabled":false,"id":11,"limit_id":5,"metadata":{"a":[1,2.50]},"name":"2027","parent":1}`},
				{store.Limits, 5, `{"api_calls":100,"cid":1,"devices_count":0,"id":5,"name":"small"}`},
			} {
				got, err := r.Get(row.table, row.id)
				if err != nil || string(got.Doc) != row.want {
					t.Errorf("got %s, %v", got.Doc, err)
				}
			}
			got, err := r.Get(store.Tokens, 3)
			doc, _ := document.Parse(got.Doc)
			if err != nil || document.NumberOf(doc, "user_id") != 9 || document.NumberOf(doc, "realm_id") != 2 || document.NumberOf(doc, "created_by") != 7 || !doc.Get("metadata").Get("x").True() {
				t.Errorf("got %s, %v", got.Doc, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A limit that does not bound who bears it is a fault, with its place.
func TestFaultsOfManagedRecords(t *testing.T) {
	const accounts = "accounts:\n- {id: 1}\n- {id: 2, parent: 1, limit_id: 5}\n"
	for more, want := range map[string]string{
		"":                            "p.yaml:3:3: accounts[1].limit_id: no limit has the id 5",
		"limits: [{id: 5, cid: 2}]\n": "accounts[1].limit_id: limit 5 is account 2's, which is not above this one",
		"limits: [{id: 5, cid: 9}]\n": "limits[0].cid: no account has the id 9",
		"limits: [{id: 5, cid: 1, Api_calls: 3}]\n":                   "limits[0].Api_calls: this is spelled api_calls",
		"limits: [{id: 5, cid: 1, api_calls: -2}]\n":                  "limits[0].api_calls: expected a whole number",
		"limits: [{cid: 1}]\n":                                        "limits[0].id: is missing",
		"limits: [{id: 5, cid: 1}, {id: 5, cid: 1}]\n":                "limits[1].id: the limit in line 4 has this id too",
		"limits: [{id: 5, cid: 1}]\ntokens: []\nlimit: []\n":          "unknown key",
		"limits: [{id: 5, cid: 1}]\naccounts2: [{id: 7, enabled: 1}]": "unknown key",
	} {
		_, faults := store.ReadPolicy("p.yaml", []byte(accounts+more), nil, 4)
		if got := faults.Err(); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: got %v, want %s", more, got, want)
		}
	}
	for field, want := range map[string]string{
		"enabled: maybe": "enabled", "metadata: []": "an object", "account_roles: x": "strings", "created: 1700000000000": "milliseconds", "limit_id: x": "limit_id",
	} {
		_, faults := store.ReadPolicy("p.yaml", []byte("accounts:\n- {id: 1, "+field+"}\ntokens: []\n"), nil, 4)
		if got := faults.Err(); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: got %v, want %s", field, got, want)
		}
	}
}
