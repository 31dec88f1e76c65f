package store

import (
	"reflect"
	"strings"
	"testing"

	"aclgate/policy"
)

// plainDocs are rows that need no strict reader, each with a key or a form that those before lack.
var plainDocs = []string{
	`{"id":1,"key_sha256":"` + plainDigest + `","cid":1,"expire":1,"access":{"type":1}}`,
	`{"id":9223372036854775807,"key_sha256":"` + plainDigest + `","info":"a b","cid":2,"expire":253402300799,"access":{"type":0}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"ttl":5,"created":7,"created_by":3,"user_id":4,"realm_id":5,"enabled":false,"access":{"type":3}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2,"acl":[{"uri":"gw/devices","methods":["GET","POST","PUT","PATCH","DELETE"],"ids":[3,1,3]}]}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2,"acl":[{"uri":"gw/devices","methods":[],"ids":[]},{"uri":"x","methods":["GET"],"ids":"all"}]}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2,"acl":[{"uri":"u","methods":["GET"],"ids":"in-groups","submodules":[]},{"uri":"u","methods":["PUT"]}]}}`,
	`{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2,"acl":[{"uri":"u","methods":["GET"],"submodules":[{"name":"a","methods":["GET"]},{"name":"b","methods":[]}]}]}}`,
}

const plainDigest = "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090"

// oddDocs are rows that the strict reader has to judge: faults, and what is sound but written otherwise.
var oddDocs = []string{
	``, `{}`, `{"id":1`, `null`,
	strings.Replace(plainDocs[0], `"id":1`, `"id":01`, 1),
	strings.Replace(plainDocs[0], `"id":1`, `"id":0`, 1),
	strings.Replace(plainDocs[0], `"id":1`, `"id":-1`, 1),
	strings.Replace(plainDocs[0], `"id":1`, `"id":9223372036854775808`, 1),
	strings.Replace(plainDocs[0], `6ca1`, `6cg1`, 1),
	strings.Replace(plainDocs[0], `6ca1`, `6ca`, 1),
	strings.Replace(plainDocs[0], plainDigest, ``, 1),
	strings.Replace(plainDocs[0], plainDigest, plainDigest[:8], 1),
	strings.Replace(plainDocs[0], `"expire":1,`, ``, 1),
	strings.Replace(plainDocs[1], `253402300799`, `253402300800`, 1),
	strings.Replace(plainDocs[1], `a b`, `a\u0020b`, 1),
	strings.Replace(plainDocs[1], `a b`, "ü", 1),
	strings.Replace(plainDocs[1], `a b`, "a\x7f", 1),
	strings.Replace(plainDocs[2], `"created":7,`, ``, 1),
	strings.Replace(plainDocs[2], `"ttl":5`, `"ttl":3162240001`, 1),
	strings.Replace(plainDocs[4], `"PUT"`, `"put"`, 1),
	strings.Replace(plainDocs[4], `"PUT"`, `"HEAD"`, 1),
	strings.Replace(plainDocs[4], `"PUT"`, `"PUT",`, 1),
	strings.Replace(plainDocs[4], `"type":2`, `"type":1`, 1),
	strings.Replace(plainDocs[4], `gw/devices`, ``, 1),
	strings.Replace(plainDocs[4], `gw/devices`, `mqtt`, 1),
	strings.Replace(plainDocs[5], `"all"`, `"every"`, 1),
	strings.Replace(plainDocs[0], `}}`, `},"metadata":{}}`, 1),
	strings.Replace(plainDocs[0], `}}`, `},"id":2}`, 1),
	plainDocs[0] + plainDocs[0], plainDocs[0] + " ", " " + plainDocs[0],
}

// checkPlain compares with the strict reader, and reports whether a row was plain.
func checkPlain(t *testing.T, doc []byte) bool {
	t.Helper()
	var quick, strictly rowReader
	strictly.maxDepth = 4
	got := quick.plain(doc)
	if got == nil {
		return false
	}
	want, metadata, faults, err := strictly.token(got.Token.ID, doc)
	if err != nil || len(faults) > 0 || metadata != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nreads as  %+v\nstrictly  %+v, metadata %q, faults %v, error %v", doc, got, want, metadata, faults, err)
	}
	return true
}

// A row that is plain reads as the strict reader reads it; any other is left to that one.
func TestPlainRows(t *testing.T) {
	for _, doc := range plainDocs {
		if !checkPlain(t, []byte(doc)) {
			t.Errorf("the strict reader was asked for %s", doc)
		}
	}
	for _, doc := range oddDocs {
		if checkPlain(t, []byte(doc)) {
			t.Errorf("the strict reader was not asked for %q", doc)
		}
	}
}

// What it takes out of a row lasts when the row's bytes are used again.
func TestPlainKeepsNothingOfTheRow(t *testing.T) {
	for _, text := range plainDocs {
		var r rowReader
		doc := []byte(text)
		rec := r.plain(doc)
		clear(doc)
		if again := r.plain([]byte(text)); !reflect.DeepEqual(rec, again) {
			t.Errorf("%s: after its bytes changed it is %+v", text, rec)
		}
	}
}

// What AppendDoc writes of a token without networks, origins and topics is plain, whatever the numbers:
// else a load is as slow as before and no test says so.
func TestWrittenRowsArePlain(t *testing.T) {
	rec := &Record{Token: policy.Token{ID: 3, CID: 4, Info: "x", TTL: 1, Created: 1, Enabled: true, Access: policy.ACLAccess, Digest: DigestOf([]byte("k"))}}
	rec.Entries = []policy.Entry{{URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{1, 9})}}
	doc := AppendDoc(nil, rec, nil)
	if !checkPlain(t, doc) {
		t.Errorf("the strict reader was asked for %s", doc)
	}
}

// FuzzPlain: whatever is taken for plain, the strict reader reads the same way.
func FuzzPlain(f *testing.F) {
	for _, doc := range append(plainDocs, oddDocs...) {
		f.Add([]byte(doc))
	}
	b := func(acl string) string {
		return `{"id":2,"key_sha256":"` + plainDigest + `","cid":2,"expire":5,"access":{"type":2,"acl":[` + acl + `]}}`
	}
	e := `{"uri":"u","methods":["GET","GET"]`
	for _, a := range []string{e + `,"ids":[1,1,2,01]}`, e + `,"ids":[9223372036854775807,9223372036854775808]}`, e + `,"ids":[5,4,4],"submodules":[{"name":"a","methods":["GET"]},{"name":"a","methods":["GET"]}]}`, e + `},`, ``, `{"uri":"mqtt","methods":[],"topic":"a/#","actions":["publish"]}`, e + `,"topic":"x"}`, `{"uri":"*","methods":["DELETE"],"ids":"in-groups"}`} {
		f.Add([]byte(b(a)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkPlain(t, doc) })
}
