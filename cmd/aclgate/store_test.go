package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aclgate/policy/store"
)

// runs runs the program on a site, and compares its exit code.
func (s *site) runs(code int, args ...string) (stdout string) {
	s.t.Helper()
	got, out, errs := once(s.t, append(args, "-c", s.file())...)
	if got != code {
		s.t.Fatalf("aclgate %s: exit code %d, want %d: %s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

// startDatabase starts a gateway over a database into which its policy was imported.
func startDatabase(t *testing.T) *gate {
	t.Helper()
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: "log: {level: error}\naudit: {path: audit.jsonl}\n"})
	s.runs(exitSettings, "serve") // there is no database, and none is made
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

const channel = "/gw/channels/2025?fields=id"

// An entry that can permit nothing is warned of when its token is made or changed, as check does of a file.
func TestTokenEntriesAreJudged(t *testing.T) {
	const access = `{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"]},{"uri":"gw/chanels","methods":["GET"]}]}`
	const want = `warning: access.acl[entry 2].uri: no route has the uri "gw/chanels", so the entry matches nothing: did you mean "gw/channels"?`
	g := startDatabase(t)
	g.replace("edit.json", `{"access":`+access+`}`)
	g.replace("empty.yaml", "accounts: [{id: 1}]\ntokens: []\n")
	for _, args := range [][]string{
		{"token", "new", "--cid", "1", "--access", access},
		{"token", "edit", "1", "--json", filepath.Join(g.folder, "edit.json")},
	} {
		if out := g.runs(exitOK, args...); strings.Count(out, "warning: ") != 1 || !strings.Contains(out, want) {
			t.Errorf("%v: got %s, want %s", args, out, want)
		}
	}
	g.runs(exitUsage, "token", "new", "--cid", "1", "--access", `{"type":2,"acl":[{"uri":"gw/devices","method":["GET"]}]}`)
	code, _, stderr := once(t, "token", "new", "--access", access, "--into", filepath.Join(g.folder, "empty.yaml"), "-c", filepath.Join(g.folder, "none.yaml"))
	if code != exitOK || !strings.Contains(stderr, want) {
		t.Errorf("a policy file: got %d %s", code, stderr)
	}
}

// What a token command has answered is true of every request that begins later, while others are
// served without a fault (SPEC 15.5, row 7).
func TestTokensOfADatabase(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	key := regexp.MustCompile(`(?m)^[A-Za-z0-9]{64}$`)
	stop := g.load(2)
	rounds := 5
	if *long {
		rounds = 20
	}
	for range rounds {
		out := g.runs(exitOK, "token", "new", "--cid", "1", "--access", `{"type":2,"acl":[{"uri":"gw/channels","methods":["GET"],"ids":[2025]}]}`)
		made := key.FindString(out)
		id := regexp.MustCompile(`Token (\d+)\.`).FindStringSubmatch(out)[1]
		want := func(status int, after string) {
			t.Helper()
			if got, body := call(t, made, "GET", g.api+channel, ""); got != status {
				t.Fatalf("after %s: got %d %s, want %d", after, got, body, status)
			}
		}
		want(200, "new")
		g.runs(exitOK, "token", "disable", id)
		want(401, "disable")
		g.runs(exitOK, "token", "enable", id, "--wait")
		want(200, "enable")
		g.runs(exitOK, "token", "edit", id, "--info", "ж 😀", "--expire", "2099-01-01")
		want(200, "edit")
		if list := g.runs(exitOK, "token", "list"); !strings.Contains(list, "ж 😀") || strings.Contains(list, made) {
			t.Errorf("got %s", list)
		}
		g.runs(exitOK, "token", "revoke", id, "--wait")
		want(401, "revoke")
		neverServed(t, manyAsked(), g.api, made, channel)
		g.runs(exitFailed, "token", "show", id)
	}
	if n := stop(); n == 0 {
		t.Error("nobody else sent a request")
	}
}

// The commands of the store work beside a running gateway, which obeys what they change, and say
// what is wrong.
func TestStoreCommands(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	exported := g.runs(exitOK, "store", "export")
	g.replace("exported.yaml", exported)
	if out := g.runs(exitOK, "store", "import", "--replace", filepath.Join(g.folder, "exported.yaml")); !strings.Contains(out, "0 new, 0 changed, 0 removed") {
		t.Errorf("importing an export: got %s", out)
	}
	g.replace("more.yaml", strings.Replace(exported, "tokens:\n", "tokens:\n  - {id: 900, key: a-key-of-the-import, cid: 1, expire: 4102444800, access: {type: standard}}\n", 1))
	more := filepath.Join(g.folder, "more.yaml")
	g.runs(exitOK, "store", "import", "--dry-run", more)
	if status, _ := call(t, "a-key-of-the-import", "GET", g.api+channel, ""); status != 401 {
		t.Errorf("after a dry run: got %d", status)
	}
	g.runs(exitOK, "store", "import", more)
	g.runs(exitOK, "store", "verify") // which follows first
	if status, body := call(t, "a-key-of-the-import", "GET", g.api+channel, ""); status != 200 {
		t.Errorf("after an import: got %d %s", status, body)
	}
	g.runs(exitOK, "store", "import", "--replace", filepath.Join(g.folder, "exported.yaml"))
	if out := g.runs(exitOK, "store", "verify"); strings.Contains(out, "900") {
		t.Errorf("got %s", out)
	}
	if status, _ := call(t, "a-key-of-the-import", "GET", g.api+channel, ""); status != 401 {
		t.Errorf("after it was removed: got %d", status)
	}
	for _, args := range [][]string{{"status"}, {"status", "--offline"}, {"verify", "--offline"}, {"prune"}, {"migrate"}} {
		g.runs(exitOK, append([]string{"store"}, args...)...)
	}
	copied := filepath.Join(g.folder, "copy.db")
	if out := g.runs(exitOK, "store", "backup", copied); !strings.Contains(out, "wrote "+copied+", ") || !strings.Contains(out, " KiB, for its owner alone") ||
		!strings.Contains(out, "aclgate changes\n") {
		t.Errorf("got %s", out)
	}
	g.runs(exitFailed, "store", "backup", copied)
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	g.replace("bad.yaml", "accounts: []\ntokens: [{id: 1}]\n")
	g.runs(exitSettings, "store", "import", filepath.Join(g.folder, "bad.yaml"))
	g.runs(exitOK, "check")
	g.runs(exitOK, "explain", "--token", "1", "GET", "/gw/channels/2025")
}

// asOperator calls the admin listener with its token.
func (s *site) asOperator(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.admin+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// The resources of the store need the admin token, show no digest, and judge bodies as files are.
func TestStoreResources(t *testing.T) {
	g := startDatabase(t)
	if status, _ := call(t, "no-admin-token", "GET", g.admin+"/platform/tokens/all", ""); status != 401 {
		t.Errorf("without the token: got %d", status)
	}
	for _, row := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/platform/tokens/all", "", 200, `"id":1`},
		{"GET", "/platform/tokens/1", "", 200, `"id":1`},
		{"GET", "/platform/tokens/x", "", 400, "a selector is all"},
		{"GET", "/platform/tokens/77", "", 403, `access denied to '\/tokens\/77'`},
		{"POST", "/platform/tokens", `{"cid":1,"access":{"type":1}}`, 400, "a token needs a limit in time"},
		{"POST", "/platform/tokens", `{"cid":99,"expire":4102444800,"access":{"type":1}}`, 403, `access denied to '\/accounts\/99'`},
		{"POST", "/platform/tokens", `{"cid":1,"expire":4102444800,"access":{"type":1},"key":"chosen-by-the-client"}`, 400, "read-only"},
		{"POST", "/platform/tokens", `[`, 400, "expected a value"},
		{"PUT", "/platform/tokens/1", `{"access":{"type":2,"acl":[{"uri":"gw","ids":null}]}}`, 400, "ids"},
		{"PUT", "/platform/tokens/1", `{"Enabled":false}`, 400, "Enabled"},
		{"PATCH", "/platform/tokens/1", `{}`, 400, "a field to change"},
		{"GET", "/platform/tokens", "", 405, "method"},
		{"GET", "/platform/oauth/all", "", 404, "no such resource"},
		{"GET", "/store/changes?token=1", "", 200, `"actor":"operator"`},
		{"GET", "/store/changes?after=x", "", 400, "whole number"},
		{"GET", "/store/status", "", 200, `"up":true`},
	} {
		status, body := g.asOperator(row.method, row.path, row.body)
		if status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s %s %s: got %d %s, want %d with %q", row.method, row.path, row.body, status, body, row.status, row.says)
		}
		if regexp.MustCompile(`[0-9a-f]{64}`).MatchString(body) {
			t.Errorf("%s %s shows a digest: %s", row.method, row.path, body)
		}
	}
}

// With a policy file the commands read it, print YAML for it, or say where to edit.
func TestTokensOfAFile(t *testing.T) {
	s := newSite(t, siteOptions{})
	if out := s.runs(exitOK, "token", "list"); !strings.Contains(out, "standard") {
		t.Errorf("got %s", out)
	}
	ended := newSite(t, siteOptions{policy: fmt.Sprintf("accounts: [{id: 1}]\ntokens: [{id: 1, key_sha256: %064d, cid: 1, expire: 2020-01-01T00:00:00Z, access: {type: standard}}]\n", 7)})
	if out := ended.runs(exitOK, "token", "list"); !strings.Contains(out, "ended 2020-01-01T00:00:00Z") {
		t.Errorf("a token that has ended: got %s", out)
	}
	if out := s.runs(exitOK, "token", "show", "1"); !strings.Contains(out, "key_sha256: ") {
		t.Errorf("got %s", out)
	}
	if out := s.runs(exitOK, "token", "edit", "1", "--info", "other"); !strings.Contains(out, `info: "other"`) {
		t.Errorf("got %s", out)
	}
	for _, args := range [][]string{{"token", "revoke", "1"}, {"token", "disable", "1"}, {"store", "status"}} {
		if out := s.runs(exitFailed, args...); !strings.Contains(out, "store.kind is file") {
			t.Errorf("got %s", out)
		}
	}
	s.runs(exitSettings, "store", "export")
}

// The history says who changed what, the audit log when it was obeyed, and neither holds a key or
// more than the beginning of a digest. With a file what writes names the file.
func TestHistoryOfADatabase(t *testing.T) {
	g := startDatabase(t)
	out := g.runs(exitOK, "token", "new", "--cid", "1", "--access", `{"type":1}`)
	made := regexp.MustCompile(`(?m)^[A-Za-z0-9]{64}$`).FindString(out)
	id := regexp.MustCompile(`Token (\d+)\.`).FindStringSubmatch(out)[1]
	g.runs(exitOK, "token", "edit", id, "--info", "north")
	if out := g.runs(exitOK, "token", "revoke", id); out != "revoked token "+id+" \"north\"\n" {
		t.Errorf("got %q", out)
	}
	short := g.runs(exitOK, "changes", "--token", id)
	for _, want := range []string{"operator\ttokens/" + id + "\tnew\t", "tokens/" + id + "\tinfo\t", "tokens/" + id + "\tdeleted\tdecision="} {
		if !strings.Contains(short, want) {
			t.Errorf("got %q, want %q in it", short, want)
		}
	}
	if n := strings.Count(short, "\n"); n != 3 {
		t.Errorf("got %d changes of one token, want 3:\n%s", n, short)
	}
	long := g.runs(exitOK, "changes", "--json")
	if n := strings.Count(long, "\n"); n < 4 || !strings.Contains(long, `"info":"north"`) {
		t.Errorf("got %d changes: %s", n, long)
	}
	g.runs(exitUsage, "changes", "--token", "x")
	if got := g.runs(exitOK, "store", "accept"); got != "0 records are not in doubt any more\n" {
		t.Errorf("got %q", got)
	}
	audit := g.auditText(`"event":"change"`, 3)
	digest := fmt.Sprintf("%x", store.DigestOf([]byte(made)))
	if !strings.Contains(audit, `"actor":"operator","table":"tokens","ids":[`+id+`]`) {
		t.Errorf("the audit log says %s", audit)
	}
	shown := g.runs(exitOK, "audit", "tail", "-n", "0")
	if !strings.Contains(shown, " operator tokens/"+id+" ") {
		t.Errorf("audit tail does not show the changes: %s", shown)
	}
	for name, text := range map[string]string{"changes": short + long, "audit": audit + shown, "metrics": g.scrape()} {
		if strings.Contains(text, made) || strings.Contains(text, digest[:9]) {
			t.Errorf("%s: a key, or more than 8 digits of a digest", name)
		}
	}
}

// auditText returns the audit log once a text stands in it so often.
func (g *gate) auditText(text string, times int) string {
	g.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(g.folder, "audit.jsonl"))
		if strings.Count(string(b), text) >= times {
			return string(b)
		}
		if time.Since(began) > 20*time.Second {
			g.t.Fatalf("the audit log does not say %s %d times: %s %v", text, times, b, err)
		}
	}
}

// With a policy file what would write is refused, and the answer names the file.
func TestAFileIsNotWritten(t *testing.T) {
	g := startGate(t, siteOptions{})
	for _, x := range [][2]string{{"POST", "/platform/tokens"}, {"PUT", "/platform/tokens/17"}, {"DELETE", "/platform/tokens/17"}, {"POST", "/store/accept"}} {
		req, err := http.NewRequest(x[0], g.admin+x[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		status, body := resp.StatusCode, string(text)
		if err != nil {
			t.Error(err)
		}
		if status != 405 || !strings.Contains(body, "policy.yaml") {
			t.Errorf("%s %s: got %d %s, want a 405 that names the policy file", x[0], x[1], status, body)
		}
	}
	if out := g.runs(exitFailed, "store", "accept"); !strings.Contains(out, "edit the policy file") {
		t.Errorf("got %q", out)
	}
}
