package record_test

import (
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// FuzzBodies: whatever a body holds, what becomes of it is a document that reads as itself, a change
// of it by the same body changes nothing, its row has the fields of the table alone, and of a token
// the store reads it. Faults are 400, code 2, and repeat no long text of the client's.
func FuzzBodies(f *testing.F) {
	for _, text := range []string{
		`{"access":{"type":2,"acl":[{"uri":"gw","ids":[1],"methods":["GET"],"submodules":[]}]},"ttl":5,"ips":"10.*","origins":["x"]}`, `[{"name":"x","limit_id":null}]`,
		`{"api_calls":-1}`, `{"key":"0123456789012345678901234567890123456789012345678901234567890123"}`, `{"home":{"type":2,"subaccount_id":1},"name":"r","token_params":{"access":{"type":1}}}`,
		`{"name":"u","password":"passwordpassword"}`, `{"access":[{"uri":"gw/devices","ids":"all","levels":["view"]}]}`, `{"platform":[{"uri":"platform/users","methods":["GET"]}],"name":"x","reach":"own"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		body, err := record.Parse(text)
		if err != nil {
			return
		}
		for _, k := range record.Kinds() {
			docs, fault := k.ReadNew(body)
			if fault != nil {
				if a := fault.Class.Answer(); a.Status != 400 || a.Code != 2 || len(fault.Path) > 256 {
					t.Errorf("%s: %s", k.Path, fault.Append(nil))
				}
				continue
			}
			for _, doc := range docs {
				checkDocument(t, k, doc)
			}
		}
	})
}

func checkDocument(t *testing.T, k *record.Kind, doc record.Value) {
	t.Helper()
	again, fault := k.ReadNew(doc)
	if fault != nil || !again[0].Equal(doc) {
		t.Fatalf("%s: %s reads as %v (%v)", k.Path, doc, again, fault)
	}
	change := doc.Without("cid")
	if read, fault := k.ReadChange(change); fault == nil {
		for _, join := range []func(a, b record.Value) (record.Value, *record.Fault){k.Put, k.Patch} {
			if after, fault := join(doc, read); fault != nil || !hasNull(change) && !after.Equal(doc) {
				t.Fatalf("%s: %s changed by itself is %s (%v)", k.Path, doc, after, fault)
			}
		}
	}
	for _, m := range k.Row(doc).Members {
		if f := k.Field(m.Name); f == nil || !f.Readable() {
			t.Fatalf("%s: the row has %s", k.Path, m.Name)
		}
	}
	if k == record.Tokens {
		base := &store.Record{Token: policy.Token{ID: 5, CID: 11, Created: 1700000000, TTL: 1, Enabled: true, Access: policy.Master}}
		if doc.Get("ttl").Text == "0" && (doc.Get("expire").Shape == record.Absent || doc.Get("expire").Text == "0") {
			return // the law refuses it
		}
		if _, err := store.Merge(base, doc.Append(nil)); err != nil {
			t.Fatalf("the store does not read %s: %v", doc, err)
		}
	}
}

// hasNull reports whether a null is anywhere in it: in PATCH it takes away.
func hasNull(v record.Value) bool { return strings.Contains(v.String(), "null") }
