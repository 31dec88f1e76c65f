package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load sends requests of a token that stays valid until stop is called, which returns how many
// there were. A single failure fails the test.
func (g *gate) load(workers int) (stop func() int64) {
	var sent atomic.Int64
	var group sync.WaitGroup
	quit := make(chan struct{})
	for range workers {
		group.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				if status, body := call(g.t, validKey, "GET", g.api+"/gw/channels/2025?fields=id", ""); status != 200 {
					g.t.Errorf("a request failed during reloads: %d %s", status, body)
					return
				}
				sent.Add(1)
			}
		})
	}
	return func() int64 {
		close(quit)
		group.Wait()
		return sent.Load()
	}
}

// 1,000 reloads under load: no request fails, and a token that a reload revokes is refused by every
// request that starts after the reload returned (SPEC 6).
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	reloads := 100
	if *long {
		reloads = 1000
	}
	g := startGate(t, siteOptions{})
	stop := g.load(2)
	for i := range reloads / 2 {
		key := fmt.Sprintf("revoked-%04d", i)
		g.policy(fmt.Sprintf(gatePolicy, fmt.Sprintf(gateToken, 2, key)))
		if got := g.reload(); got != 200 {
			t.Fatalf("reload %d answered %d", i, got)
		}
		if status, body := call(t, key, "GET", g.api+"/gw/channels/2025?fields=id", ""); status != 200 {
			t.Fatalf("a new token is refused after its reload: %d %s", status, body)
		}
		g.policy(fmt.Sprintf(gatePolicy, ""))
		if got := g.reload(); got != 200 {
			t.Fatalf("reload %d answered %d", i, got)
		}
		if status, _ := call(t, key, "GET", g.api+"/gw/channels/2025?fields=id", ""); status != 401 {
			t.Fatalf("a revoked token is answered %d after its reload, want 401", status)
		}
	}
	if sent := stop(); sent == 0 {
		t.Error("there was no load")
	}
}

// A policy file that is broken, half-written or gone changes nothing; it is refused with every
// fault, and metrics say so.
func TestBrokenPolicyChangesNothing(t *testing.T) {
	g := startGate(t, siteOptions{})
	whole := fmt.Sprintf(gatePolicy, fmt.Sprintf(gateToken, 2, "second-token"))
	rows := map[string]string{
		"broken": "accounts: [{id: 1}]\ntokens: [{id: 1}]\n", "cut": whole[:len(whole)/2], "empty": "", "no yaml": "\t{", "comments": "\n# tokens:\n---\n  # none\n",
	}
	for name, text := range rows {
		g.policy(text)
		if got := g.reload(); got != 422 {
			t.Errorf("%s: reload answered %d, want 422", name, got)
		}
		if status, _ := call(t, validKey, "GET", g.api+"/gw/channels/2025", ""); status != 200 {
			t.Errorf("%s: a token of the old policy is answered %d", name, status)
		}
	}
	if err := os.Remove(filepath.Join(g.folder, "policy.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := g.reload(); got != 422 {
		t.Errorf("gone: reload answered %d, want 422", got)
	}
	if _, text := call(t, "", "GET", g.admin+"/metrics", ""); !strings.Contains(text, "\naclgate_policy_stale 1") {
		t.Error("aclgate_policy_stale is not 1")
	}
	g.policy(whole)
	if got := g.reload(); got != 200 {
		t.Errorf("mended: reload answered %d", got)
	}
	if _, text := call(t, "", "GET", g.admin+"/metrics", ""); !strings.Contains(text, "\naclgate_policy_stale 0") {
		t.Error("aclgate_policy_stale is not 0 again")
	}
}

// A file that somebody saves is obeyed without a reload.
func TestSavedPolicyIsObeyed(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{})
	g.policy(fmt.Sprintf(gatePolicy, fmt.Sprintf(gateToken, 2, "second-token")))
	for range 100 {
		if status, _ := call(t, "second-token", "GET", g.api+"/gw/channels/2025", ""); status == 200 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the saved policy is not obeyed")
}
