package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/routes"
)

func catalogue(t testing.TB) *policy.Catalogue {
	t.Helper()
	c, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sample is the policy of SPEC 8.
const sample = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
tokens:
  - id: 17
    key_sha256: 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090   # or key
    info: ops viewer
    cid: 11
    expire: 2027-01-01T00:00:00Z      # or unix seconds
    access: {type: acl, acl: [{uri: gw/devices, methods: [GET], ids: [7, 9], submodules: [{name: messages, methods: [GET]}]}]}
`

func TestSample(t *testing.T) {
	p, faults := ReadPolicy("p.yaml", []byte(sample), catalogue(t), 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	rec := deref(p)[0]
	tok := rec.Token
	if tok.ID != 17 || tok.CID != 11 || tok.Expire != 1798761600 || tok.Info != "ops viewer" || tok.Line != 5 || !tok.Enabled {
		t.Errorf("got %+v", tok)
	}
	if found := p.Find(tok.Digest); found == nil || !reflect.DeepEqual(*found, rec) || tok.Digest.Short() != "6ca13d52" {
		t.Errorf("not found under its digest %s", tok.Digest.Short())
	}
	e := rec.Entries[0]
	if e.URI != "gw/devices" || e.Methods != policy.Methods(policy.GET) || e.Rule != policy.IDsList || string(e.IDs.Text()) != "7,9" || !e.HasSubmodules || e.Line != 10 {
		t.Errorf("got %+v", e)
	}
	if !p.Tree.Contains(1, 11) {
		t.Error("account 11 is not below 1")
	}
}

// head stands before the tokens of the rows below; the first token is in line 5.
const head = "accounts:\n- {id: 1}\n- {id: 2, parent: 1}\ntokens:\n"

func digestOf(i int) string { return fmt.Sprintf("%064x", i) }

func TestBothReadersAgree(t *testing.T) {
	for _, text := range agreeing() {
		checkAgree(t, text)
	}
}

// agreeing are files in many spellings, sound and not.
func agreeing() []string {
	token := func(rest string) string {
		return head + "- id: 5\n  key_sha256: " + digestOf(7) + "\n  cid: 1\n  expire: 9\n" + rest
	}
	acl := func(entry string) string { return token("  access: {type: acl, acl: [" + entry + "]}\n") }
	return []string{
		sample, head, head + "- x\n", head + "-\n", "tokens: []", "tokens:", "", "{}", "tokens:\n- {}\n", head + "- {id: 1,\n  cid: 2}\n",
		token("  access: {type: master}\n"), token("  access: {\"type\":0,\"acl\":[]}\n"), token("  access:\n    type: acl\n    acl:\n    - uri: gw/devices\n      ids:\n      - 7\n      - 8\n"),
		token("  access: {type: standard}\n  info: \"a: b # c\"\n"), token("  access: {type: standard}\n  info: a # c\n"), token("  access: {type: standard}\n  info: a#c: d\n"),
		token("  access: {type: standard}\n  info: 'it''s'\n"), token("  access: {type: standard}\n  info: a\n    b\n"), token("  access: {type: standard}\n  info: |\n    b\n  - c\n"),
		token("  access: {type: standard}\n  info: \"a\n- id: 7\n\"\n"), token("  access: {type: standard}\n  info: жук ü\n"), token("  access: {type: standard}\n  info: ~\n"),
		token("  access: {type: standard}\n  ips: 10.0.0.0/8, 192.168.*\n  origins: '*'\n"), token("  access: {type: standard}\n  ips: [10.0.0.1, \"FE80::*\"]\n  origins: [https://a.example, null]\n"),
		token("  access: {type: standard}\n  origins: [{preset: flespi}]\n  ips: []\n"), token("  access: {type: standard}\n  enabled: yes\n"), token("  access: {type: standard}\n  enabled: false\n"),
		token("  access: {type: standard}\n  ttl: 30d\n  created: 5\n  accessed: 7\n  blocked: 0\n  metadata: {a: {b: [1]}}\n"), token("  access: {type: standard}\n  ttl: 30d\n"), token("  access: {type: standard}\n  blocked: 1\n"),
		acl("{uri: gw/devices, methods: [GET], ids: all}, {uri: storage, methods: [PUT, PATCH]}"), acl("{uri: gw/devices, methods: [GET], ids: \"in-groups\", submodules: []}"),
		acl("{uri: gw/devices, methods: [GET], ids: null}"), acl("{uri: gw/devices, methods: [get]}"), acl("{uri: gw/nowhere, methods: [GET]}"), acl("{uri: mqtt, topic: \"a/#\", actions: [publish]}"),
		acl("{uri: gw/devices, ids: [007]}"), acl("{uri: gw/devices, ids: [1, 2,]}"), acl("{uri: gw/devices, uri: gw}"), acl("{uri: gw/devices, methods: &a [GET]}, {uri: gw, methods: *a}"),
		acl("{uri: gw\\/devices}"), acl("{\"uri\":\"gw\\/devices\",\"methods\":[\"GET\"]}"), acl("{uri: gw/devices, submodules: [{name: cid, methods: [PUT]}]}"), acl("{uri: gw/devices, submodules: [{name: messages}, messages]}"),
		strings.ReplaceAll(sample, "\n", "\r\n"), sample + "roles: []\n", sample + "---\n{}\n", sample + "  # the end\n# of it", strings.Replace(sample, "tokens:", "tokens: # all", 1), "x: \"a\n" + sample + "\"\n",
		"a:\r\r\n" + sample, "# \u2028\n" + sample + "- {id: 5}\n", sample + "  - {id: 5, info: \"\u0085\"}\n  - {id: 5}\n",
		token("  access: {type: standard}\n  info: a\u0085b\n"), token("  access: {type: standard} # \u2028  cid: 2\n"), token("  access: {type: standard}\n  info: a\rb\n"),
		head + "  - {id: 5, key: secret-one, cid: 1, expire: 2030-01-01T00:00:00Z, access: {type: noapi}}\n  - {id: 6, key: secret-one, cid: 7, expire: 5, access: {type: 3}}\n",
	}
}

// checkAgree reads a text item by item and as a whole.
func checkAgree(t *testing.T, text string) {
	t.Helper()
	p, faults := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4)
	r := newReader("p.yaml", catalogue(t), 4)
	r.readWhole([]byte(text))
	whole, wholeFaults := r.finish()
	if got, want := faults.Error(), wholeFaults.Error(); got != want {
		t.Errorf("by items\n%s\nas a whole\n%s\nof\n%s", got, want, text)
	}
	if (p == nil) != (whole == nil) {
		t.Fatalf("one reader takes it, the other does not:\n%s", text)
	}
	if p != nil && !reflect.DeepEqual(deref(p), deref(whole)) {
		t.Errorf("records differ of\n%s\n%+v\n%+v", text, deref(p), deref(whole))
	}
}

func deref(p *Policy) (all []Record) {
	for _, r := range p.Records() {
		all = append(all, *r)
	}
	return all
}

func TestQuickReadsTheCommonShapes(t *testing.T) {
	for _, text := range []string{sample, typical(3), flow(3)} {
		p, ok := split([]byte(text), nil)
		if !ok {
			t.Fatalf("not split:\n%s", text)
		}
		for range p.count {
			it, _ := p.items.next()
			q := quick{words: map[string]string{}}
			if _, _, ok := q.read(it); !ok {
				t.Errorf("left to the slow reader:\n%s", it.text)
			}
		}
	}
}

// typical returns a policy of n tokens with an ACL each in block style.
func typical(n int) string {
	var b strings.Builder
	b.WriteString("accounts:\n  - {id: 1, name: operator}\ntokens:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - id: %d\n    key_sha256: %s\n    info: customer %d\n    cid: 1\n    expire: 2030-01-01T00:00:00Z\n", i+1, digestOf(i), i)
		fmt.Fprintf(&b, "    access:\n      type: acl\n      acl:\n        - uri: gw/devices\n          methods: [GET, PUT]\n          ids: [%d, %d, %d]\n", i+1, i+2, i+3)
		b.WriteString("          submodules:\n            - {name: messages, methods: [GET]}\n            - {name: telemetry, methods: [GET]}\n")
		b.WriteString("        - {uri: gw/calcs, methods: [GET], ids: all}\n")
	}
	return b.String()
}

// flow returns a policy of n tokens, each in one line.
func flow(n int) string {
	var b strings.Builder
	b.WriteString("accounts: [{id: 1}]\ntokens:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {\"id\":%d,\"key_sha256\":\"%s\",\"cid\":1,\"ttl\":3600,\"created\":5,\"access\":{\"type\":2,\"acl\":[{\"uri\":\"storage\",\"methods\":[\"GET\"]}]}}\n", i+1, digestOf(i))
	}
	return b.String()
}

func TestPrintedTokensReadBack(t *testing.T) {
	for _, text := range agreeing() {
		if p, _ := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4); p != nil {
			checkPrinted(t, p)
		}
	}
}

// checkPrinted prints every record and reads it again.
func checkPrinted(t *testing.T, p *Policy) {
	t.Helper()
	b := []byte("accounts:\n")
	for _, a := range p.Tree.Accounts() {
		b = fmt.Appendf(b, "- {id: %d}\n", a.ID)
	}
	b = append(b, "tokens:\n"...)
	for _, r := range p.Records() {
		b = append(b, TokenYAML(r)...)
	}
	again, faults := ReadPolicy("p.yaml", b, nil, 4)
	if again == nil || again.Len() != p.Len() {
		t.Fatalf("printed, it does not read:\n%v\n%s", faults, b)
	}
	records := deref(p)
	for i, r := range again.Records() {
		got, want := *r, records[i]
		if !reflect.DeepEqual(lineless(got), lineless(want)) {
			t.Errorf("printed, it reads differently:\n%+v\n%+v", got, want)
		}
	}
}

// lineless returns a record without lines, and without the difference between
// a nil and an empty list where it has no meaning.
func lineless(r Record) Record {
	r.Token.Line = 0
	entries := append([]policy.Entry(nil), r.Entries...)
	for i := range entries {
		entries[i].Line = 0
	}
	r.Entries = entries
	return r
}

func TestTemplate(t *testing.T) {
	key, digest := NewKey()
	rec := &Record{Token: policy.Token{ID: 1, Digest: digest, CID: 1, Expire: 5, Enabled: true, Access: policy.Master}}
	for _, text := range [][]byte{Template(), Template(rec)} {
		if p, faults := ReadPolicy("p.yaml", text, catalogue(t), 4); p == nil || len(faults) > 0 {
			t.Errorf("the template has faults:\n%v", faults)
		}
	}
	uncommented := strings.NewReplacer("#  ", "  ", "  # - {id: 11", "  - {id: 11").Replace(string(Template(rec)))
	if i := strings.Index(uncommented, "  - id: 17"); i > 0 {
		uncommented = uncommented[:i] + "tokens:\n" + strings.Replace(uncommented[i:], "tokens:\n", "", 1)
	}
	if p, faults := ReadPolicy("p.yaml", []byte(uncommented), catalogue(t), 4); p == nil || len(faults) > 0 || p.Len() != 2 {
		t.Errorf("the example in the template has faults:\n%v\n%s", faults, uncommented)
	}
	if !strict.IsKey(key) || len(key) != 64 || DigestOf([]byte(key)) != digest {
		t.Errorf("bad new key of length %d", len(key))
	}
}
