package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"reflect"
	"testing"

	"aclgate/policy"
)

// checkPacked packs a record and unpacks it again, with others around it.
func checkPacked(t *testing.T, r *reader, rec Record) {
	t.Helper()
	other := Record{Token: policy.Token{ID: 1, Access: policy.Master}}
	kind := r.policy.kinds.of(rec.Entries, &r.lint)
	r.policy.add(&other, r.policy.kinds.of(nil, &r.lint))
	place := r.policy.add(&rec, kind)
	r.policy.add(&other, r.policy.kinds.of(nil, &r.lint))
	u := unpacker(r.policy.arena.at(place))
	if got := r.policy.unpack(&u); !reflect.DeepEqual(*got, rec) {
		t.Fatalf("packed %+v\nunpacked %+v", rec, *got)
	}
	if got := r.policy.unpack(&u); !reflect.DeepEqual(*got, other) {
		t.Fatalf("behind %+v got %+v", rec, *got)
	}
	if id, line := headOf(r.policy.arena.at(place)); id != rec.Token.ID || line != rec.Token.Line {
		t.Fatalf("got token %d in line %d of %+v", id, line, rec)
	}
}

func TestPackedRecords(t *testing.T) {
	long := make([]int64, 30000) // more than a chunk
	for i := range long {
		long[i] = policy.MaxID - 3*int64(len(long)-i)
	}
	network := netip.MustParsePrefix
	records := []Record{
		{},
		{Token: policy.Token{
			Access: policy.NoAPI, Enabled: true, Expire: maxTime, CID: policy.MaxID, ID: policy.MaxID, Digest: policy.Digest{31: 9},
			TTL: maxTTL, Created: 1, Info: "ж\x00", Line: math.MaxInt32,
		}},
		{Token: policy.Token{TTL: 5}, Made: Made{By: 3}},
		{Token: policy.Token{Info: "x"}, Made: Made{User: policy.MaxID, Realm: 1}},
		{Token: policy.Token{Origins: []string{}, Sources: &policy.Sources{}}},
		{Token: policy.Token{Origins: []string{"a b", "c"}, Sources: &policy.Sources{Masks: []string{"10.*", "1?"}}}},
		{Token: policy.Token{Origins: []string{"a", "b c"}, Sources: &policy.Sources{Networks: []netip.Prefix{network("::ffff:10.0.0.0/104"), network("10.0.0.0/8")}}}},
		{Entries: []policy.Entry{
			{URI: "mqtt", Topic: "a/+", Actions: policy.Publish | policy.Subscribe, Line: 3}, {URI: "mqtt", Line: 4},
			{URI: "gw", Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{1}), Line: 5}, {URI: "mqtt", Topic: "ж/#", Actions: policy.Subscribe},
		}},
		{Token: policy.Token{Line: 9}, Entries: []policy.Entry{
			{URI: "gw", Rule: policy.IDsList, IDs: policy.NewIDSet(long), Line: 2}, {URI: "gw", Rule: policy.IDsList, Line: 7},
			{URI: "gw", Rule: policy.IDsAll, Line: 7}, {URI: "gw", Rule: policy.IDsInGroups, Methods: 62, HasSubmodules: true},
			{Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{1}), HasSubmodules: true, Submodules: []policy.Submodule{{Name: "cid", Methods: 2}, {Name: "x"}}},
		}},
	}
	r := newReader("p.yaml", nil, 4)
	for range 2 { // the second time every kind is known
		for _, rec := range records {
			checkPacked(t, r, rec)
		}
	}
	if n := len(r.policy.kinds.list); n != 3 || len(r.policy.sources) != 4 || len(r.policy.origins) != 4 {
		t.Errorf("got %d kinds, %d sources, %d origins", n, len(r.policy.sources), len(r.policy.origins))
	}
}

// TestIndex looks for records whose hashes are equal, follow each other, or are spread.
func TestIndex(t *testing.T) {
	for name, digest := range map[string]func(i int) policy.Digest{
		"equal": func(i int) (d policy.Digest) { // two words that cancel each other out
			binary.LittleEndian.PutUint64(d[:], bits.RotateLeft64(uint64(i), 17))
			binary.LittleEndian.PutUint64(d[8:], uint64(i))
			return d
		},
		"low":    func(i int) (d policy.Digest) { binary.BigEndian.PutUint64(d[24:], uint64(i)); return d },
		"high":   func(i int) (d policy.Digest) { binary.LittleEndian.PutUint64(d[:], uint64(i)); return d },
		"spread": func(i int) policy.Digest { return DigestOf(fmt.Append(nil, i)) },
	} {
		p := newPolicy()
		ids := newHashIndex(&p.arena, hashID)
		const n = 3000
		for i := range n {
			d := digest(i)
			if p.digests.withDigest(&d) != nil || ids.withID(int64(i)) != nil {
				t.Fatalf("%s: %d is found before it is there", name, i)
			}
			kind := p.kinds.of(nil, new(lint))
			place := p.add(&Record{Token: policy.Token{ID: int64(i), Digest: d}}, kind)
			p.digests.add(place)
			ids.add(place)
		}
		for i := range n {
			if rec := p.Find(digest(i)); rec == nil || rec.Token.ID != int64(i) || ids.withID(int64(i)) == nil {
				t.Fatalf("%s: %d is not found", name, i)
			}
		}
		if p.Find(digest(n)) != nil || p.Len() != n || ids.withID(n) != nil {
			t.Errorf("%s: got %d records, want %d", name, p.Len(), n)
		}
	}
}

func TestKinds(t *testing.T) {
	text := typical(3) + "  - {id: 9, key: abcdefgh, cid: 1, expire: 5, access: {type: master}}\n"
	p, faults := ReadPolicy("p.yaml", []byte(text), nil, 4)
	if p == nil {
		t.Fatal(faults)
	}
	var seen []string
	for access, entries := range p.Kinds() {
		text := access.String()
		for i := range entries {
			text += " " + entries[i].URI + "=" + entries[i].Rule.String()
		}
		seen = append(seen, text)
	}
	if want := []string{"master", "acl gw/devices=list gw/calcs=all"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// notKept are the fields of a token that no file gives: what is made of others, and what others keep.
var notKept = map[string]bool{"ACL": true, "Used": true, "Line": true, "Deadline": true, "UserID": true, "User": true, "IsUser": true, "Roles": true, "Shown": true}

// TestEveryFieldIsKept sets each field of a token, alone, in a policy that is packed and printed. A
// field that a reader knows and pack or print forgets would be lost at load: one that limits the token
// would then limit nothing.
func TestEveryFieldIsKept(t *testing.T) {
	values := map[string]any{
		"Access": policy.Standard, "Enabled": true, "Expire": int64(4102444800), "CID": int64(1), "ID": int64(7),
		"Sources": &policy.Sources{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "Origins": []string{"https://a.example"},
		"Digest": policy.Digest{1, 2, 3}, "TTL": int64(60), "Created": int64(5), "Info": "words",
	}
	fields := reflect.TypeFor[policy.Token]()
	for i := range fields.NumField() {
		field := fields.Field(i)
		if notKept[field.Name] {
			continue
		}
		value, given := values[field.Name]
		if !given {
			t.Errorf("policy.Token has a new field %s: give it a value here, read, pack and print it", field.Name)
			continue
		}
		rec := Record{Token: policy.Token{ID: 7, CID: 1, Access: policy.Master, Expire: 4102444800, Digest: policy.Digest{9}}}
		if field.Name == "TTL" {
			rec.Token.Created = 5
		}
		reflect.ValueOf(&rec.Token).Elem().Field(i).Set(reflect.ValueOf(value))
		checkPacked(t, newReader("p.yaml", nil, 4), rec)
		text := append([]byte("accounts: [{id: 1}]\ntokens:\n"), TokenYAML(&rec)...)
		p, faults := ReadPolicy("p.yaml", text, nil, 4)
		if p == nil {
			t.Fatalf("%s: %v\n%s", field.Name, faults, text)
		}
		got := deref(p)[0].Token
		got.Line, got.Used = 0, nil
		if !reflect.DeepEqual(got, rec.Token) {
			t.Errorf("%s: printed and read again\n%+v\nis not\n%+v\n%s", field.Name, got, rec.Token, text)
		}
	}
}
