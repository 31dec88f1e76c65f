package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the second policy says of users and roles counts for the sessions that there are, once it is reloaded.
func TestShadowKnowsUsers(t *testing.T) {
	t.Parallel()
	policy := strings.NewReplacer("name: anna,", "name: anna, roles: [viewer],", "acl: [{uri: gw/devices, methods: [GET]}]", "acl: []").Replace(fmt.Sprintf(realmPolicy, realmHash(t), "")) +
		"roles:\n  - {id: 1, name: viewer, reach: own, access: {type: acl, acl: [{uri: gw/devices, methods: [DELETE]}]}}\n"
	second := filepath.Join(t.TempDir(), "second.yaml")
	save := func(text string) {
		if err := os.WriteFile(second, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(policy)
	s := newSite(t, siteOptions{
		settings: fmt.Sprintf("scope: {mode: ids}\nrealms: {bcrypt_cost: 4}\npolicy: {shadow: %q}\n", second), policy: policy, backend: realmBackend(t),
	})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	_, key, _ := g.login("acme", "anna", realmPassword)
	differences := func(want string) {
		t.Helper()
		g.want(key, "DELETE", "/gw/devices/1/messages", "", 200, "")
		if got := g.series(`aclgate_shadow_differences_total{enforced="allow",reason="no-entry",shadow="deny"}`); got != want {
			t.Errorf("got %q denials of the second policy, want %q", got, want)
		}
	}
	differences("")
	save(strings.Replace(policy, "reach: own, access: {type: acl, acl: [{uri: gw/devices", "reach: own, access: {type: acl, acl: [{uri: gw/channels", 1))
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	differences("1")
	save(policy)
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	differences("1")
}
