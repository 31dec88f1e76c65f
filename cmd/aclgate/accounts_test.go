package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"aclgate/bench/backend"
)

// rootPolicy names the root alone: the backend knows the accounts below it.
const rootPolicy = `accounts: [{id: 1, name: operator}]
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
`

// A token of an account that only the backend names is a fault that says what to do.
func TestAccountOfATokenIsNamed(t *testing.T) {
	s := newSite(t, siteOptions{settings: "scope: {accounts: backend}\n", policy: strings.Replace(rootPolicy, "cid: 1,", "cid: 11,", 1)})
	code, _, stderr := once(t, "check", "-c", s.file())
	const want = "tokens[0].cid: no account has the id 11: with scope.accounts backend the policy file names the accounts of its tokens all the same: " +
		"add {id: 11, parent: …} under accounts:; what is above and below it the backend says"
	if code != exitSettings || !strings.Contains(stderr, want) {
		t.Errorf("got %d %s", code, stderr)
	}
	s.policy(strings.NewReplacer("cid: 1,", "cid: 11,", "operator}", "operator}, {id: 11, parent: 1}").Replace(rootPolicy))
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK {
		t.Errorf("got %d %s", code, stderr)
	}
}

// Ensure that with the accounts of the backend a gateway starts, serves and checks in every mode, and
// that a scope may be an account that the policy does not name.
func TestAccountsOfTheBackend(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		scope   string
		options backend.Options
		live    string
	}{
		{"mode: header", backend.Options{Key: upstreamKey}, "the backend obeys x-flespi-cid"},
		{"mode: header, trust_header: true", backend.Options{Key: upstreamKey}, "nothing to ask the backend"},
		{"mode: both", backend.Options{Key: upstreamKey}, "live: read "},
		{"mode: ids", backend.Options{Key: upstreamKey, IgnoreCID: true}, "live: read "},
	} {
		g := startGate(t, siteOptions{
			settings: "scope: {accounts: backend, " + row.scope + "}\n", policy: rootPolicy,
			backend: backend.New(backend.DemoWorld(), row.options),
		})
		for cid, want := range map[string]string{
			"":   `{"result":[{"id":101},{"id":102},{"id":103},{"id":201},{"id":202}]}`,
			"12": `{"result":[{"id":201},{"id":202}]}`,
		} {
			req, _ := http.NewRequest(http.MethodGet, g.api+"/gw/devices/all?fields=id", nil)
			req.Header.Set("Authorization", "FlespiToken "+validKey)
			if cid != "" {
				req.Header.Set("x-flespi-cid", cid)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", row.scope, err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(text) != want {
				t.Errorf("%s: account %q: got %d %s, want %s", row.scope, cid, resp.StatusCode, text, want)
			}
		}
		code, stdout, stderr := once(t, "check", "--live", "-c", g.file())
		if code != exitOK || !strings.Contains(stdout, row.live) {
			t.Errorf("%s: check --live: got %d %s%s", row.scope, code, stdout, stderr)
		}
		if out := g.runs(exitFailed, "account", "list"); !strings.Contains(out, "accounts and limits are the backend's (scope.accounts: backend)") {
			t.Errorf("%s: account list: got %s", row.scope, out)
		}
		g.end()
	}
}
