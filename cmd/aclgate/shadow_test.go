package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// secondPolicy gives the token of whyPolicy other rights.
func secondPolicy(acl string) string {
	return fmt.Sprintf("accounts: [{id: 1}, {id: 11, parent: 1}]\ntokens:\n"+
		"  - {id: 17, key: %s, cid: 1, expire: 4102444800, access: {type: acl, acl: [%s]}}\n", whyKey, acl)
}

// The second policy is reloaded with the first; a broken one is named, and the last sound one goes
// on being asked.
func TestShadowIsReloaded(t *testing.T) {
	t.Parallel()
	second := filepath.Join(t.TempDir(), "second.yaml")
	save := func(text string) {
		if err := os.WriteFile(second+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(second+".new", second); err != nil {
			t.Fatal(err)
		}
	}
	save(secondPolicy("{uri: gw/channels, methods: [GET]}"))
	g := startWhy(t, fmt.Sprintf("policy: {shadow: %q}\naudit: {path: audit.jsonl}\n", second))
	const denies = `aclgate_shadow_differences_total{enforced="allow",reason="no-entry",shadow="deny"}`
	if g.decision("GET", "/gw/channels/2025"); g.series(denies) != "" {
		t.Errorf("got %s denials of the shadow, want none", g.series(denies))
	}
	save(secondPolicy("{uri: storage, methods: [GET]}"))
	if status := g.reload(); status != 200 {
		t.Errorf("got %d of the reload", status)
	}
	if g.decision("GET", "/gw/channels/2025"); g.series(denies) != "1" {
		t.Errorf("got %q denials of the shadow, want 1", g.series(denies))
	}
	save("tokens: nonsense\n")
	if status := g.reload(); status != 422 {
		t.Errorf("got %d of a reload with a broken second policy, want 422", status)
	}
	if g.decision("GET", "/gw/channels/2025"); g.series(denies) != "2" {
		t.Errorf("got %q denials of the shadow, want 2", g.series(denies))
	}
	code, _, stderr := once(t, "check", "-c", g.file())
	if code != exitSettings || !strings.Contains(stderr, "second.yaml:1:") {
		t.Errorf("check: got %d %s, want the fault of the second policy", code, stderr)
	}
}

// SIGHUP opens the audit log anew, for whoever moved it away.
func TestHangupReopensTheAuditLog(t *testing.T) {
	g := startWhy(t, "audit: {path: audit.jsonl}\n")
	path := filepath.Join(g.folder, "audit.jsonl")
	g.appears(path, g.decision("GET", "/gw/channels/2024"))
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		if _, err := os.Stat(path); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.appears(path, g.decision("GET", "/gw/channels/2024"))
	if failing := g.series("aclgate_audit_failing"); failing != "0" {
		t.Errorf("got aclgate_audit_failing %q, want 0", failing)
	}
}
