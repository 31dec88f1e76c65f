package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A policy goes from the file to SQLite, on to PostgreSQL and back to a file: whatever it says, the last
// export equals the first one, and nothing is left to be imported. -long has 100,000 tokens.
func TestFromFileToFileByTwoDatabases(t *testing.T) {
	t.Parallel()
	d := newShared(t)
	n := 300
	if *long {
		n = 100_000
	}
	for name, text := range map[string]string{
		"every field":     readText(t, "../../policy/store/testdata/everything.yaml"),
		"managed records": readText(t, "../../policy/store/testdata/managed.yaml"),
		"many":            manyTokens(n),
	} {
		t.Run(name, func(t *testing.T) {
			lite := newSite(t, siteOptions{policy: text, store: "kind: sqlite"})
			lite.runs(exitOK, "store", "migrate")
			first := lite.carry(filepath.Join(lite.folder, "policy.yaml"))
			d.database = d.Database()
			shared := newSite(t, d.options(d.Port, ""))
			shared.runs(exitOK, "store", "migrate", "--url-file", filepath.Join(shared.folder, "owner.dsn"))
			second := shared.carry(first)
			again := newSite(t, siteOptions{policy: "accounts: [{id: 1}]\ntokens: []\n", store: "kind: sqlite"})
			again.runs(exitOK, "store", "migrate")
			third := again.carry(second)
			for _, other := range []string{second, third} {
				if was, is := readText(t, first), readText(t, other); was != is {
					t.Errorf("the first export\n%.2000s\nanother\n%.2000s", was, is)
				}
			}
			if out := shared.runs(exitOK, "store", "import", "--replace", "--dry-run", filepath.Join(lite.folder, "policy.yaml")); !onlySame(out) {
				t.Errorf("the first file is not what PostgreSQL has: %s", out)
			}
		})
	}
}

// carry imports a policy file into the database of a site, and returns the file that it is exported to.
func (s *site) carry(file string) string {
	s.t.Helper()
	s.runs(exitOK, "store", "import", file)
	out := filepath.Join(s.folder, "export.yaml")
	if err := os.WriteFile(out, []byte(s.runs(exitOK, "store", "export")), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// onlySame reports whether an import would change nothing.
func onlySame(out string) bool {
	return strings.Count(out, " 0 new, 0 changed, 0 removed") == strings.Count(out, " new, ") && strings.Contains(out, "tokens: ")
}

// manyTokens returns a policy of so many tokens in a tree of accounts, with texts in several scripts.
func manyTokens(n int) string {
	var b strings.Builder
	b.WriteString("accounts:\n  - {id: 1, name: root}\n")
	for i := range n / 10 {
		fmt.Fprintf(&b, "  - {id: %d, name: \"конто %d 😀\", parent: %d}\n", i+2, i, 1+i%3*min(i, 1))
	}
	b.WriteString("tokens:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {id: %d, key_sha256: %064x, info: \"令牌 \\\"%d\\\" \\u0000\", cid: %d, ttl: %d, created: 1700000000, ips: [\"10.%d.0.0/16\"], metadata: {n: %d.50},\n"+
			"     access: {type: acl, acl: [{uri: gw/devices, methods: [GET], ids: [%d, %d]}, {uri: mqtt, topic: \"a/%d/#\"}]}}\n",
			i+1, i+1, i, 1+i%(n/10), 300+i, i%256, i, i+1, i+7, i)
	}
	return b.String()
}
