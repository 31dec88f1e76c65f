package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const masterKey = "key-of-a-master-token"

// platformPolicy has a master of account 11, and account 12 beside it, which is blocked.
const platformPolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME, parent: 1}
  - {id: 111, name: North, parent: 11}
  - {id: 12, name: Harbour, parent: 1, enabled: false}
tokens:
  - {id: 1, key: key-of-the-root-master, cid: 1, expire: 4102444800, access: {type: master}}
  - {id: 17, key: ` + masterKey + `, cid: 11, expire: 4102444800, access: {type: master}}
  - {id: 18, key: key-of-a-standard-token, cid: 111, expire: 4102444800, access: {type: standard}}
  - {id: 19, key: key-of-a-blocked-token, cid: 12, expire: 4102444800, access: {type: master}}
`

// startPlatform starts a gateway with this policy: in a database, or in its file.
func startPlatform(t *testing.T, database bool, settings string) *gate {
	t.Helper()
	o := siteOptions{settings: "log: {level: error}\n" + settings}
	if database {
		o.store = "kind: sqlite, path: gate.db"
	}
	s := newSite(t, o)
	s.replace("policy.yaml", platformPolicy)
	if database {
		s.runs(exitOK, "store", "migrate")
		s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	}
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

// exchangeOf sends one request with headers and returns the whole answer.
func exchangeOf(t *testing.T, key, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "FlespiToken "+key)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// A master administers its branch on the public listener, the operator everything on the admin
// listener; what was answered is true of the next request.
func TestPlatformOverHTTP(t *testing.T) {
	g := startPlatform(t, true, "scope: {owners: store, mode: ids}\naudit: {path: audit.jsonl}\n")
	resp, body := exchangeOf(t, masterKey, "POST", g.api+"/platform/tokens?fields=id,cid", `{"access":{"type":0},"expire":4102444000}`, "x-flespi-cid", "111")
	key := regexp.MustCompile(`"key":"([A-Za-z0-9]{64})"`).FindStringSubmatch(body)
	if resp.StatusCode != 200 || key == nil || !strings.Contains(body, `"cid":111,"id":20`) {
		t.Fatalf("got %d %s", resp.StatusCode, body)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json"} {
		if resp.Header.Get(name) != want {
			t.Errorf("%s: got %q", name, resp.Header.Get(name))
		}
	}
	if resp.Header.Get("ETag") == "" || len(resp.Header.Get("X-Aclgate-Decision")) != 24 {
		t.Errorf("got %v", resp.Header)
	}
	wants := func(status int, key, method, path, body, says string) {
		t.Helper()
		got, text := call(t, key, method, g.api+path, body)
		if got != status || !strings.Contains(text, says) {
			t.Errorf("%s %s %s: got %d %s, want %d %s", method, path, body, got, text, status, says)
		}
	}
	wants(200, key[1], "GET", "/auth/info", "", `"cid":111`)
	wants(403, key[1], "GET", "/platform/tokens/all", "", `"code":8`)
	wants(200, masterKey, "PUT", "/platform/tokens/20", `{"enabled":false}`, `"enabled":false`)
	wants(401, key[1], "GET", "/auth/info", "", "invalid or expired token")
	wants(200, masterKey, "PUT", "/platform/tokens/20", `{"enabled":true}`, `"enabled":true`)
	wants(200, masterKey, "PUT", "/platform/subaccounts/111", `{"enabled":false}`, `"id":111`)
	wants(403, key[1], "GET", "/auth/info", "", `"code":403,"reason":"account 111 is blocked"`)
	wants(200, masterKey, "PUT", "/platform/subaccounts/111", `{"enabled":true}`, `"id":111`)
	wants(200, key[1], "GET", "/auth/info", "", `"cid":111`)
	wants(403, masterKey, "GET", "/platform/tokens/1", "", `access denied to '\/tokens\/1'`)
	wants(403, masterKey, "GET", "/platform/tokens/77", "", `access denied to '\/tokens\/77'`)
	wants(403, masterKey, "GET", "/platform/customer?cid=12", "", `access denied to '\/accounts\/12'`)
	wants(405, masterKey, "GET", "/platform/tokens", "", `method`)
	wants(404, masterKey, "GET", "/platform/tokens/17/logs/calculate", "", `"code":404`)
	wants(400, masterKey, "PUT", "/platform/tokens/20", `{"info":`, `"code":400`)
	wants(200, masterKey, "POST", "/platform/subaccounts", `{"name":"South"}`, `"id":112`)
	wants(200, masterKey, "DELETE", "/platform/subaccounts/112?items=release", "", `"id":112`)
	wants(403, "key-of-a-blocked-token", "GET", "/platform/customer", "", "account 12 is blocked")
	_, logs := call(t, masterKey, "GET", g.api+"/platform/tokens/20/logs", "")
	for _, want := range []string{`"by":"token"`, `"token_id":17`, `"cid":111`, `"event":"created"`, `"fields":["enabled"]`, `"decision":"` + resp.Header.Get("X-Aclgate-Decision")} {
		if !strings.Contains(logs, want) {
			t.Errorf("the logs say %s, want %s in them", logs, want)
		}
	}
	if status, text := g.asOperator("GET", "/platform/tokens/all?fields=id&limit=2", ""); status != 200 || !strings.Contains(text, `"pagination":{"count":5,"limit":2,"offset":0}`) {
		t.Errorf("the operator got %d %s", status, text)
	}
	if status, text := g.asOperator("DELETE", "/platform/tokens/20?wait=true", ""); status != 200 || !strings.Contains(text, `"heard":{"all":true,"replicas":[`) {
		t.Errorf("the operator got %d %s", status, text)
	}
	wants(401, key[1], "GET", "/auth/info", "", "")
	audit := g.auditText(`"table":"tokens"`, 4)
	for name, text := range map[string]string{"logs": logs, "audit": audit, "metrics": g.scrape(), "changes": g.runs(exitOK, "changes", "--output", "json")} {
		if strings.Contains(text, key[1]) {
			t.Errorf("%s show a key", name)
		}
	}
}

// With a policy file GET is served, and everything else is a 405 that names the file. What the file
// says of accounts is in force.
func TestPlatformOfAFile(t *testing.T) {
	g := startPlatform(t, false, "")
	resp, body := exchangeOf(t, masterKey, "PUT", g.api+"/platform/tokens/18", `{"info":"x"}`)
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET" || !strings.Contains(body, "policy.yaml") {
		t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	for path, want := range map[string]string{
		"/platform/tokens/all?fields=id,cid": `{"result":[{"cid":11,"id":17},{"cid":111,"id":18}]}`,
		"/platform/subaccounts/all":          `{"result":[{"cid":11,"id":111,"limit_id":null,"name":"North"}]}`,
		"/platform/customer":                 `{"result":[{"id":11,"name":"ACME"}]}`,
		"/platform/limits/all":               `{"result":[]}`,
		"/platform/tokens/17/logs":           `{"result":[]}`,
	} {
		if status, body := call(t, masterKey, "GET", g.api+path, ""); status != 200 || body != want {
			t.Errorf("%s: got %d %s, want %s", path, status, body, want)
		}
	}
	if status, body := call(t, "key-of-a-blocked-token", "GET", g.api+"/gw/channels/all", ""); status != 403 || !strings.Contains(body, "account 12 is blocked") {
		t.Errorf("a blocked account of a file: got %d %s", status, body)
	}
}

// platform.serve off closes all of it, as without it.
func TestPlatformOff(t *testing.T) {
	g := startPlatform(t, true, "platform: {serve: off}\n")
	if status, body := call(t, masterKey, "GET", g.api+"/platform/tokens/all", ""); status != 403 || !strings.Contains(body, `"code":8`) {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := g.asOperator("GET", "/platform/tokens/all", ""); status != 404 {
		t.Errorf("the operator got %d %s", status, body)
	}
	if out := g.runs(exitFailed, "account", "list"); !strings.Contains(out, "platform.serve is off") {
		t.Errorf("got %s", out)
	}
}

// platform.keys reveal shows new keys to masters who could make the token, each showing is in the
// history, and the database alone opens none of them.
func TestKeysAreShownAgain(t *testing.T) {
	g := startPlatformWithKeys(t)
	_, body := call(t, masterKey, "POST", g.api+"/platform/tokens?fields=id", `{"access":{"type":0},"expire":4102444000}`)
	var made struct {
		Result []struct {
			ID  int64
			Key string
		}
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || len(made.Result) != 1 {
		t.Fatalf("got %s, %v", body, err)
	}
	key := made.Result[0].Key
	for _, row := range []struct {
		who, path, says string
		shown           bool
	}{
		{masterKey, "/platform/tokens/20?fields=id,key", `"id":20`, true},
		{"key-of-the-root-master", "/platform/tokens/20?fields=key", `"key":"`, true},
		{masterKey, "/platform/tokens/20", `"id":20`, false},
		{masterKey, "/platform/tokens/18?fields=key", `{"key":null}`, false}, // older than the setting
		{key, "/platform/tokens/20?fields=key", `"code":8`, false},
	} {
		_, body := call(t, row.who, "GET", g.api+row.path, "")
		if !strings.Contains(body, row.says) || strings.Contains(body, key) != row.shown {
			t.Errorf("%s: got %s", row.path, body)
		}
	}
	_, logs := call(t, masterKey, "GET", g.api+"/platform/tokens/20/logs?fields=event,by", "")
	if logs != `{"result":[{"by":"token","event":"created"},{"by":"token","event":"shown"},{"by":"above","event":"shown"}]}` {
		t.Errorf("got %s", logs)
	}
	database, err := os.ReadFile(filepath.Join(g.folder, "gate.db"))
	if err != nil {
		t.Fatal(err)
	}
	wal, _ := os.ReadFile(filepath.Join(g.folder, "gate.db-wal"))
	if strings.Contains(string(database)+string(wal), key) {
		t.Error("the key stands in the database")
	}
}

func startPlatformWithKeys(t *testing.T) *gate {
	t.Helper()
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: "log: {level: error}\nplatform: {keys: reveal, keys_file: seal.key}\n"})
	s.replace("policy.yaml", platformPolicy)
	s.replace("seal.key", strings.Repeat("0f", 32)+"\n")
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

// platform.max_ttl and platform.max_expire bound what anybody may give a token.
func TestBoundsOfTokens(t *testing.T) {
	g := startPlatform(t, true, "platform: {max_ttl: 1h, max_expire: 30d}\n")
	for body, status := range map[string]int{
		`{"access":{"type":0},"ttl":3600}`:          200,
		`{"access":{"type":0},"ttl":3601}`:          403,
		`{"access":{"type":0},"expire":4102444800}`: 403,
	} {
		if got, text := g.asOperator("POST", "/platform/tokens?cid=11", body); got != status {
			t.Errorf("%s: got %d %s", body, got, text)
		}
	}
}
