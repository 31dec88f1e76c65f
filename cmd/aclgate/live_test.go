package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What only the index knows, explain --live asks the backend; check --live reads the index once.
func TestLive(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{settings: "scope: {mode: ids}\n"})
	g.end()
	file := filepath.Join(g.folder, "aclgate.yaml")
	g.policy(strings.Replace(gatePolicy, "%s", "  - {id: 5, key: of-the-fleet, cid: 11, expire: 4102444800, access: {type: standard}}\n", 1))
	rows := []struct {
		args []string
		says string
	}{
		{[]string{"check", "--live"}, "live: read "},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/101"}, "gw/devices 101 permitted"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/201"}, "it belongs to account 12 (depot), outside the"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/name=truck*"}, "Backend   gets GET /gw/devices/101,102"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/101/../102"}, "bad-target"},
		{[]string{"explain", "--live", "--token", "5", "--cid", "12", "GET", "/gw/devices/all"}, "foreign-account"},
		{[]string{"explain", "--token", "5", "GET", "/gw/devices/101"}, "UNRESOLVED"},
	}
	for _, row := range rows {
		code, stdout, stderr := once(t, append(row.args, "-c", file)...)
		if code != exitOK || !strings.Contains(stdout, row.says) {
			t.Errorf("%v: got %d %s%s, want %q", row.args, code, stdout, stderr, row.says)
		}
	}
}
