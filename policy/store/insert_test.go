package store

import (
	"strings"
	"testing"

	"aclgate/policy"
)

// A token is put behind the last one, wherever that ends, and nothing else of the file moves.
func TestInsertToken(t *testing.T) {
	const head = "# ours\naccounts: [{id: 1}] # one\n"
	const one = "  - {id: 3, key_sha256: " + digestOne + ", cid: 1, expire: 4102444800, access: {type: noapi}}\n"
	const long = "  - id: 3\n    key_sha256: " + digestOne + "\n    cid: 1\n    expire: 4102444800 # of old\n    access: {type: acl, acl: [\n      {uri: gw/devices, methods: [GET]},\n    ]}\n"
	rec := &Record{Token: policy.Token{ID: 9, Digest: DigestOf([]byte("a-new-key")), CID: 1, Info: "new", Enabled: true, Expire: 4102444800, Access: policy.Standard}}
	token := string(TokenYAML(rec))
	flush := strings.ReplaceAll(token[2:], "\n  ", "\n")
	rows := []struct{ name, text, want string }{
		{"no key", head, head + "tokens:\n" + token},
		{"no line end", head + "# end", head + "# end\ntokens:\n" + token},
		{"no value", head + "tokens: # none\n# later\n", head + "tokens: # none\n" + token + "# later\n"},
		{"empty list", head + "tokens: []  # none\n", head + "tokens:  # none\n" + token},
		{"empty list first", "tokens: []\n" + head, "tokens:\n" + token + head},
		{"one", head + "tokens:\n" + one, head + "tokens:\n" + one + token},
		{"one without line end", head + "tokens:\n" + strings.TrimSuffix(one, "\n"), head + "tokens:\n" + one + token},
		{"in between", "tokens:\n" + one + "\n# the tree\n" + head, "tokens:\n" + one + token + "\n# the tree\n" + head},
		{"many lines", "tokens:\n" + long + head, "tokens:\n" + long + token + head},
		{"at the margin", "tokens:\n" + one[2:] + head, "tokens:\n" + one[2:] + flush + head},
	}
	for _, row := range rows {
		got, err := InsertToken("p.yaml", []byte(row.text), rec, 4)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: got %v\n%s, want\n%s", row.name, err, got, row.want)
		}
	}
	for text, want := range map[string]string{
		head + "tokens: [{id: 3, key_sha256: " + digestOne + ", cid: 1, expire: 4102444800, access: {type: noapi}}]\n": "p.yaml:3: the tokens are written in brackets: leave out --into, and put the YAML that is printed",
		strings.Replace(head, "1}", "1\r}", 1) + "tokens: []\n":                                                        "some lines end with a carriage return alone",
		head + "tokens: [\n]\n":             "p.yaml:3: the empty list of tokens is not written as []",
		"accounts: [{id: 2}]\ntokens: []\n": "no account has the id 1",
		"accounts: {\n":                     "p.yaml:",
		head + "tokens:\n" + strings.Replace(one, "id: 3", "id: 9", 1): "with the token in it, it would not read",
	} {
		if got, err := InsertToken("p.yaml", []byte(text), rec, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\n%s, want %q", text, err, got, want)
		}
	}
}

const digestOne = "abababababababababababababababababababababababababababababababab"

// FuzzInsertToken: whatever policy a token is put into, the result is that policy and the token.
func FuzzInsertToken(f *testing.F) {
	for _, text := range agreeing() {
		f.Add(text)
	}
	rec := &Record{Token: policy.Token{ID: 1<<62 + 1, Digest: DigestOf([]byte("a-new-key")), CID: 1, Enabled: true, Expire: 4102444800, Access: policy.Standard}}
	f.Fuzz(func(t *testing.T, text string) {
		before, _ := ReadPolicy("p.yaml", []byte(text), nil, 4)
		out, err := InsertToken("p.yaml", []byte(text), rec, 4)
		if err != nil {
			return
		}
		after, faults := ReadPolicy("p.yaml", out, nil, 4)
		if faults.Err() != nil || !extends(before, after, rec) {
			t.Errorf("%v\n%s\nof\n%s", faults, out, text)
		}
		kept := map[string]int{}
		for line := range strings.Lines(string(out)) {
			kept[strings.TrimSpace(line)]++
		}
		for line := range strings.Lines(text) {
			if line := strings.TrimSpace(line); kept[line] == 0 && !strings.Contains(line, "[]") {
				t.Errorf("the line %q was lost:\n%s", line, out)
			}
		}
	})
}
