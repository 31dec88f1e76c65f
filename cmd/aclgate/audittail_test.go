package main

import (
	"strings"
	"testing"
)

// A line about an account that a request may not have names that account.
func TestAuditTailNamesTheAccount(t *testing.T) {
	t.Parallel()
	g := startWhy(t, "audit: {path: audit.jsonl}\n")
	g.decision("GET", "/gw/channels/all", "x-flespi-cid", "999")
	g.decision("GET", "/gw/devices/7")
	g.end() // the log is whole
	code, stdout, stderr := once(t, "audit", "tail", "-c", g.file())
	if code != exitOK || strings.Count(stdout, "asked for account") != 1 {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
	if out := g.runs(exitOK, "audit", "tail", "--reason", "foreign-account"); !strings.Contains(out, "GET /gw/channels/all  asked for account 999\n") {
		t.Errorf("got %s", out)
	}
}

// The line of a change says whether the record is there, for people and as JSON.
func TestAuditTailSaysDeleted(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	g.runs(exitOK, "token", "new", "--cid", "1")
	g.runs(exitOK, "token", "revoke", "2")
	g.end() // the log is whole
	out := g.runs(exitOK, "audit", "tail", "-n", "0")
	made, revoked := strings.Index(out, "operator tokens/2 new or changed"), strings.Index(out, "operator tokens/2 deleted")
	if made < 0 || revoked < made {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitOK, "audit", "tail", "-n", "0", "--output", "json"); strings.Count(out, `"gone":[2]`) != 1 {
		t.Errorf("got %s", out)
	}
}
