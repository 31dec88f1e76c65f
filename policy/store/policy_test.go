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

// TestFormatsAgree reads texts that are JSON and YAML as both.
func TestFormatsAgree(t *testing.T) {
	for _, text := range jsonTexts() {
		checkFormatsAgree(t, text)
	}
}

// jsonTexts are policies as JSON, sound and not.
func jsonTexts() []string {
	head := `{"accounts":[{"id":1},{"id":2,"parent":1}],` + "\n " + `"tokens":[`
	token := func(rest string) string {
		return head + `{"id":5,"key_sha256":"` + digestOf(7) + `","cid":1,"expire":9,` + rest + `},` + "\n" + `{"id":6}]}`
	}
	acl := func(entry string) string { return token(`"access":{"type":"acl","acl":[` + entry + `]}`) }
	return []string{
		`{}`, `{"tokens":[]}`, `{"tokens":null}`, `{"tokens":{}}`, `{"tokens":7}`, `[]`, `7`, `null`, `{"accounts":7,"tokens":[7,null,[],{}]}`,
		head + `]}`, head + `{}]}`, head + `{},{}],"roles":[]}`, `{"tokens":[{"id":5,"cid":7}],"accounts":[{"id":1}]}`,
		`{"tokens":[{"id":1}],"tokens":[{"id":2}]}`, `{"accounts":[],"accounts":[],"tokens":[]}`,
		token(`"access":{"type":2,"acl":[]}`), token(`"access":{"type":0,"acl":[]},"cid":2`), token(`"access":{"type":"standard"},"enabled":"yes"`),
		token(`"access":{"type":"standard"},"info":"жук \"ü\" \\"`), token(`"access":{"type":"standard"},"ips":["10.0.0.1"],"origins":[null]`),
		token(`"access":{"type":"standard"},"expires":1`), token(`"access":{"type":"standard"},"ttl":1.5`), token(`"access":{"type":"standard"},"cid":1e3`),
		acl(`{"uri":"gw\/devices","methods":["GET"],"ids":[1,2]}`), acl(`{"uri":"gw/devices","methods":["get"],"ids":["007"]}`), acl(`{"uri":"gw/abacus"}`),
		acl(`{"uri":"gw/devices","ids":null}`), acl(`{"uri":"gw/devices","ids":"in-groups","submodules":[{"name":"messages"},7]}`),
		strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70),
	}
}

func checkFormatsAgree(t *testing.T, text string) {
	t.Helper()
	fromYAML, yamlFaults := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4)
	fromJSON, jsonFaults := ReadPolicy("p.json", []byte(text), catalogue(t), 4)
	if got, want := strings.ReplaceAll(jsonFaults.Error(), "p.json", "p.yaml"), yamlFaults.Error(); got != want {
		t.Errorf("as JSON\n%s\nas YAML\n%s\nof\n%s", got, want, text)
	}
	if (fromYAML == nil) != (fromJSON == nil) || fromYAML != nil && !reflect.DeepEqual(deref(fromYAML), deref(fromJSON)) {
		t.Errorf("records differ of\n%s", text)
	}
}

// TestJSONFaults names where a text stops to be JSON.
func TestJSONFaults(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"{\n \"tokens\": [{\"id\": 1},\n ]}", "p.json:2:22: this is not JSON"},
		{`{"tokens":[{"id":1}`, "p.json:1:20: this is not JSON"},
		{`{"tokens":[]} {}`, "p.json:1:15: a second value begins here"},
		{"# a comment", "p.json: the file is empty"},
		{`{"tokens":[{"id":01}]}`, "p.json:1:19: this is not JSON"},
		{"  ", "p.json: the file is empty"},
		{"\xef\xbb\xbf{}", "p.json:1:1: the file begins with a byte order mark"},
		{"{\"info\": \"\xff\"}", "p.json:1:11: this is not UTF-8 text"},
		{`{"a":"\ud800"}`, "p.json:1:7: this is not JSON: invalid surrogate pair"},
	} {
		p, faults := ReadPolicy("p.json", []byte(row.text), nil, 4)
		if p != nil || !strings.HasPrefix(faults.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", row.text, faults, row.want)
		}
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

func deref(p *Policy) (all []Record) {
	for _, r := range p.Records() {
		all = append(all, *r)
	}
	return all
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

// compact returns a policy of n tokens as JSON in one line.
func compact(n int) string {
	var b strings.Builder
	b.WriteString(`{"accounts":[{"id":1,"name":"operator"}],"tokens":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"key_sha256":"%s","info":"customer %d","cid":1,"expire":"2030-01-01T00:00:00Z","access":{"type":"acl","acl":[`, i+1, digestOf(i), i)
		fmt.Fprintf(&b, `{"uri":"gw/devices","methods":["GET","PUT"],"ids":[%d,%d,%d],"submodules":[{"name":"messages","methods":["GET"]},{"name":"telemetry","methods":["GET"]}]},`, i+1, i+2, i+3)
		b.WriteString(`{"uri":"gw/calcs","methods":["GET"],"ids":"all"}]}}`)
	}
	return b.String() + "]}"
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

// lineless returns a record without lines, and without the difference between a nil and an empty
// list where it has no meaning.
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
	for _, text := range [][]byte{Template(nil), Template(nil, rec), Template([]policy.Account{{ID: 1, Name: "a: \"b\" #"}, {ID: 7, Parent: 1}}, rec)} {
		if p, faults := ReadPolicy("p.yaml", text, catalogue(t), 4); p == nil || len(faults) > 0 {
			t.Errorf("the template has faults:\n%v", faults)
		}
	}
	uncommented := strings.NewReplacer("#  ", "  ", "  # - {id: 11", "  - {id: 11").Replace(string(Template(nil, rec)))
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
