package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"aclgate/bench/backend"
	"aclgate/cmd/internal/app"
)

const realmPassword = "correct horse battery"

// realmPolicy is a policy with a realm; %s are the hash of realmPassword and more of the realm.
const realmPolicy = `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}, {id: 12, name: depot, parent: 1}]
realms:
  - {id: 1, cid: 11, public_id: acme, name: ACME, token_params: {access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}%[2]s}
users:
  - {id: 5, realm_id: 1, name: anna, password_hash: %[1]s, email: anna@example.com}
tokens:
  - {id: 1, key: owners-root-key, cid: 1, expire: 4102444800, access: {type: master}}
`

func realmHash(t *testing.T) string {
	t.Helper()
	v, err := app.HashPassword(realmPassword, 4)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// realmBackend has two devices of account 11 and one of 12.
func realmBackend(t *testing.T) *backend.Server {
	t.Helper()
	w := backend.NewWorld(backend.Account{ID: 1}, backend.Account{ID: 11, Parent: 1}, backend.Account{ID: 12, Parent: 1})
	for id, cid := range map[int64]int64{1: 11, 2: 11, 3: 12} {
		if err := w.Add("gw/devices", backend.Item{ID: id, CID: cid, Fields: backend.Fields{"name": fmt.Sprint("d", id)}}); err != nil {
			t.Fatal(err)
		}
	}
	return backend.New(w, backend.Options{Key: upstreamKey})
}

// login logs in, and returns status, the key and the whole answer.
func (g *gate) login(realm, name, password string) (status int, key, answer string) {
	g.t.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	resp, err := http.Post(g.api+"/realm/"+realm+"/login", "application/json", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	var a struct{ Result []struct{ Token string } }
	if json.Unmarshal(text, &a) == nil && len(a.Result) == 1 {
		key = a.Result[0].Token
	}
	return resp.StatusCode, key, string(text)
}

// Users of a policy file log in, and have what the file says of them at that moment.
func TestRealmOfAPolicyFile(t *testing.T) {
	t.Parallel()
	hash := realmHash(t)
	s := newSite(t, siteOptions{settings: "scope: {mode: ids}\nrealms: {bcrypt_cost: 4}\n", policy: fmt.Sprintf(realmPolicy, hash, ""), backend: realmBackend(t)})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)

	g.want("", "GET", "/realm/acme/info", "", 200, `{"result":[{"name":"ACME","public_info":{}}]}`)
	g.want("", "GET", "/realm/none/info", "", 404, "no such realm")
	const failed = `{"errors":[{"code":401,"reason":"wrong name or password"}],"result":[]}`
	for _, c := range [][2]string{{"acme", "bert"}, {"none", "anna"}} {
		if status, _, answer := g.login(c[0], c[1], realmPassword); status != 401 || answer != failed {
			t.Errorf("%v: got %d %s", c, status, answer)
		}
	}
	status, key, answer := g.login("acme", "Anna", realmPassword)
	if status != 200 || len(key) != 64 || answer != `{"result":[{"token":"`+key+`"}]}` {
		t.Fatalf("got %d %s", status, answer)
	}
	g.want(key, "GET", "/gw/devices/all?fields=id", "", 200, `{"result":[{"id":1},{"id":2}]}`)
	g.want(key, "GET", "/gw/devices/3", "", 403, `"id":3`)
	g.want(key, "DELETE", "/gw/devices/1", "", 403, `"code":8`)
	g.want(key, "GET", "/realm/acme/user", "", 200, `"email":"anna@example.com"`)
	g.want(key, "PUT", "/realm/acme/user", `{"email":"x@example.com"}`, 405, "policy file")
	g.want(key, "GET", "/realm/other/user", "", 403, `"code":8`)
	g.want("owners-root-key", "GET", "/realm/acme/user", "", 403, `"code":8`)
	g.want("", "GET", "/realm/acme/user", "", 401, "invalid or expired token")
	g.want("", "GET", "/realm/acme/login", "", 401, "")
	g.want("", "POST", "/realm/acme/login", "{", 400, "username")
	g.want("", "POST", "/realm/acme/login?data=%7B%7D", "", 400, "in the body")

	// What the file says counts for sessions that there are.
	s.policy(strings.Replace(fmt.Sprintf(realmPolicy, hash, ""), "type: acl, acl: [{uri: gw/devices, methods: [GET]}]", "type: standard", 1))
	if got := s.reload(); got != 200 {
		t.Fatalf("reload: %d", got)
	}
	g.want(key, "DELETE", "/gw/devices/1", "", 200, "")
	s.policy(fmt.Sprintf(realmPolicy, hash, ", enabled: false"))
	if got := s.reload(); got != 200 {
		t.Fatalf("reload: %d", got)
	}
	g.want(key, "GET", "/gw/devices/all", "", 401, "invalid or expired token")
	g.want("", "GET", "/realm/acme/info", "", 404, "no such realm")
	scrape := s.scrape()
	for _, want := range []string{`aclgate_logins_total{outcome="succeeded"} 1`, `aclgate_logins_total{outcome="failed"} 2`, "aclgate_sessions 1"} {
		if !strings.Contains(scrape, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A hash that the command prints is one that the policy file takes.
func TestUserHash(t *testing.T) {
	s := newSite(t, siteOptions{settings: "realms: {bcrypt_cost: 4}\n"})
	hash := func(password string) (string, error) {
		var out bytes.Buffer
		root := newRoot(&out, &out)
		root.SetIn(strings.NewReader(password + "\n"))
		root.SetArgs([]string{"-c", s.file(), "user", "hash"})
		err := root.Execute()
		return out.String(), err
	}
	if out, err := hash(realmPassword); err != nil || !strings.HasPrefix(out, "$aclgate1$2b$04$") {
		t.Errorf("got %s, %v", out, err)
	}
	if out, err := hash("short"); err == nil || strings.Contains(out+err.Error(), "short") {
		t.Errorf("got %s, %v", out, err)
	}
}
