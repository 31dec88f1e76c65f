package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// advisers is a world with a consultant, user 5, whose account has a client.
const advisers = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
  - {id: 12, name: Advisers, parent: 1}
  - {id: 13, name: Client, parent: 11, consultancy_account_id: 12}
realms: [{id: 1, cid: 1, public_id: ours, name: Ours}]
users:
  - {id: 5, realm_id: 1, cid: 12, name: anna, roles: [consultant]}
  - {id: 6, realm_id: 1, cid: 12, name: off, enabled: false}
tokens: []
`

// Where one header goes to the backend a role of reach own is lost as soon as an account lies below:
// nothing else says why the user sees nothing.
func TestExplainUserByHeader(t *testing.T) {
	s := newSite(t, siteOptions{settings: "scope: {mode: header}\n", policy: `accounts: [{id: 11, name: Fleet}, {id: 111, parent: 11}]
realms: [{id: 1, cid: 11, public_id: ours, name: Ours}, {id: 2, cid: 111, public_id: below, name: Below}]
users: [{id: 5, realm_id: 1, name: anna}, {id: 6, realm_id: 2, name: bob}]
tokens: []
`})
	const lost = "With scope.mode: header a role of reach own opens nothing in account 11 (Fleet), for accounts lie below it: it takes one of reach branch."
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	if out := s.runs(exitOK, "explain", "--user", "5", "GET", "/gw/devices/all"); !strings.Contains(words(out), lost) {
		t.Errorf("got %s, want %q", out, lost)
	}
	if out := s.runs(exitOK, "explain", "--user", "6", "DELETE", "/gw/devices/7"); !strings.Contains(out, "DENY (no-entry)") || strings.Contains(out, "opens nothing") {
		t.Errorf("without accounts below: got %s", out)
	}
}

// What a session of a user could do is explained and tested by their id, of a file and of a database, and
// the page about roles has a test that passes.
func TestExplainUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{policy: advisers, settings: "scope: {mode: ids}\n"})
	db := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", policy: advisers, settings: "scope: {mode: ids}\n"})
	db.runs(exitOK, "store", "migrate")
	db.runs(exitOK, "store", "import", filepath.Join(db.folder, "policy.yaml"))
	page := readText(t, "../../docs", "roles.md")
	_, suite, _ := strings.Cut(page, "suite: advisers")
	suite, _, _ = strings.Cut(suite, "```")
	file := filepath.Join(s.folder, "advisers_test.yaml")
	if err := os.WriteFile(file, []byte("suite: advisers"+suite), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []*site{s, db} {
		for _, row := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"explain", "--user", "5", "--cid", "13", "DELETE", "/gw/devices/7"}, exitOK, "DENY (no-entry)"},
			{[]string{"explain", "--user", "5", "--cid", "13", "DELETE", "/gw/devices/7"}, exitOK, "Hint None of the user's roles permits it: give another one (aclgate user edit ID --role), if the user is meant to do this. Path"},
			{[]string{"explain", "--user", "5", "GET", "/gw/devices/7"}, exitOK, "the role consultant, which reaches the clients of account 12 (Advisers): 13: gw GET, no"},
			{[]string{"explain", "--user", "5", "--cid", "11", "GET", "/gw/devices/7"}, exitOK, "DENY (foreign-account)"},
			{[]string{"explain", "--user", "6", "GET", "/gw/devices/7"}, exitOK, "DENY (token-disabled)"},
			{[]string{"explain", "--user", "9", "GET", "/gw/devices/7"}, exitFailed, "no user has the id 9"},
			{[]string{"explain", "--user", "5", "--token", "1", "GET", "/gw/devices/7"}, exitUsage, "user"},
			{[]string{"test", file}, exitOK, "3 cases, 0 failed"},
		} {
			code, stdout, stderr := once(t, append(row.args, "-c", of.file())...)
			if code != row.code || !strings.Contains(strings.Join(strings.Fields(stdout+stderr), " "), row.want) {
				t.Errorf("%v: got %d %s %s, want %d %s", row.args, code, stdout, stderr, row.code, row.want)
			}
		}
	}
	bad := filepath.Join(s.folder, "bad_test.yaml")
	if err := os.WriteFile(bad, []byte("suite: s\ntokens: [{name: a, user: 9}]\ncases:\n  - {name: x, as: a, request: GET /gw/devices/1, expect: allow}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := once(t, "test", bad, "-c", s.file()); code == exitOK || !strings.Contains(stdout+stderr, "has no user 9") {
		t.Errorf("got %d %s %s", code, stdout, stderr)
	}
}

// With claims, what a token from elsewhere that has them gives is explained.
func TestExplainUserWithClaims(t *testing.T) {
	mapped := strings.NewReplacer("roles: [consultant]", "email: a@example.com", "name: Ours}", "name: Ours, audience: a, claims: {issuer: corp, roles: [{claim: groups, value: advisers, gives: [consultant]}]}}").Replace(advisers)
	s := newSite(t, siteOptions{settings: "scope: {mode: ids}\n", policy: mapped})
	const role = "the role consultant"
	for claims, want := range map[string]bool{"": false, `{"groups":["advisers"]}`: true, `{"groups":["consultant"]}`: false, `{"groups":"advisers"}`: true} {
		args := []string{"explain", "--user", "5"}
		if claims != "" {
			args = append(args, "--claims", claims)
		}
		if out := s.runs(exitOK, append(args, "GET", "/gw/devices/7")...); strings.Contains(out, role) != want {
			t.Errorf("%s: got %s, want %q: %v", claims, out, role, want)
		}
	}
	for _, args := range [][]string{{"--user", "5", "--claims", "["}, {"--user", "5", "--claims", `["groups"]`}} {
		if out := s.runs(exitFailed, append(append([]string{"explain"}, args...), "GET", "/gw/devices/7")...); !strings.Contains(out, "cannot read the claims: expected") {
			t.Errorf("%v: got %s", args, out)
		}
	}
	s.runs(exitUsage, "explain", "--token", "5", "--claims", "{}", "GET", "/gw/devices/7")
}
