package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rotating is a gateway whose backend takes one key at a time, with an audit log.
type rotating struct {
	*gate
	takes *atomic.Value // the key, a string
}

func startRotating(t *testing.T) *rotating {
	t.Helper()
	takes := new(atomic.Value)
	takes.Store(upstreamKey)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "FlespiToken "+takes.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":[]}`)
	}))
	t.Cleanup(backend.Close)
	s := newSite(t, siteOptions{
		upstream: fmt.Sprintf("urls: [%q]", backend.URL),
		settings: "scope: {trust_header: true}\naudit: {path: audit.jsonl}\n",
	})
	g := &rotating{&gate{start(t, "serve", "-c", s.file()), s}, takes}
	g.await(g.admin+"/readyz", 200)
	return g
}

// reloadBy asks for a reload with a key and returns status and body.
func (g *rotating) reloadBy(key string) (int, string) {
	g.t.Helper()
	req, _ := http.NewRequest(http.MethodPost, g.admin+"/reload", nil)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (g *rotating) served(key string) bool {
	g.t.Helper()
	status, _ := call(g.t, key, "GET", g.api+"/gw/channels/2025", "")
	return status == 200
}

// comes waits for what a file that changed brings about.
func (g *rotating) comes(what string, ok func() bool) {
	g.t.Helper()
	for range 400 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Fatalf("never: %s; it wrote %s", what, g.stderr.String())
}

// Both keys are read again when their files change, without a reload.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	g := startRotating(t)
	if !g.served(validKey) {
		t.Fatal("a request is refused from the start")
	}
	g.takes.Store("second-upstream-key")
	g.replace("up.token", "second-upstream-key\n")
	g.comes("the new credential", func() bool { return g.served(validKey) })
	g.replace("admin.token", "second-admin-key\n")
	g.comes("the new admin key", func() bool { status, _ := g.reloadBy("second-admin-key"); return status == 200 })
	if status, _ := g.reloadBy(adminKey); status != 401 {
		t.Errorf("the old admin key gets %d, want 401", status)
	}
}

// A reload that cannot read a credential reads the policy all the same, says so in the log and the
// audit log, and so does the one that mends it. Settings that changed are named.
func TestReloadSaysWhatItCannotDo(t *testing.T) {
	g := startRotating(t)
	os.Remove(filepath.Join(g.folder, "up.token"))
	g.policy(fmt.Sprintf(gatePolicy, fmt.Sprintf(gateToken, 2, "second-token")))
	if status, body := g.reloadBy(adminKey); status != 422 || !strings.Contains(body, "upstream.token_file") {
		t.Errorf("got %d %s, want a 422 that names the setting", status, body)
	}
	if !g.served("second-token") {
		t.Error("the policy was not read")
	}
	g.appears(filepath.Join(g.folder, "audit.jsonl"), `"event":"reload","result":"failed"`)
	g.comes("the failure in the log", func() bool { return strings.Contains(g.stderr.String(), "reload refused") })
	g.replace("up.token", upstreamKey+"\n")
	if status, body := g.reloadBy(adminKey); status != 200 || strings.Contains(body, "restart") {
		t.Errorf("got %d %s, want a reload", status, body)
	}
	g.comes("the mended reload in the log", func() bool { return strings.Contains(g.stderr.String(), "what failed before can be read again") })
	text, _ := os.ReadFile(g.file())
	g.replace("aclgate.yaml", string(text)+"# changed\n")
	if status, body := g.reloadBy(adminKey); status != 200 || !strings.Contains(body, "settings need a restart") {
		t.Errorf("got %d %s, want a word of the settings", status, body)
	}
	g.comes("the settings in the log", func() bool { return strings.Contains(g.stderr.String(), "settings need a restart") })
	for _, secret := range []string{upstreamKey, adminKey} {
		if strings.Contains(g.stderr.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

// A policy that is put back as it was mends a reload that failed, and the log says so.
func TestMendedPolicyIsLogged(t *testing.T) {
	t.Parallel()
	g := startRotating(t)
	g.policy("tokens: [")
	if got := g.reload(); got != 422 {
		t.Errorf("got %d, want 422", got)
	}
	g.policy(fmt.Sprintf(gatePolicy, ""))
	g.comes("the mended policy in the log", func() bool { return strings.Contains(g.stderr.String(), "the policy can be read again") })
}
