package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// SPEC 10.8: the admin listener serves /realm/… to the holder of its token and to nobody else. What a login
// there makes is a session as any other.
func TestAdminListenerServesRealms(t *testing.T) {
	t.Parallel()
	g, realm := realmGate(t)
	ask := func(key, method, path, body string) (int, string, string) {
		t.Helper()
		req, err := http.NewRequest(method, g.admin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), resp.Header.Get("Retry-After")
	}
	const right = `{"username":"anna","password":"` + realmPassword + `"}`
	for _, row := range []struct {
		key, method, path, body string
		status                  int
		says                    string
	}{
		{adminKey, "GET", "/realm/" + realm + "/info", "", 200, `{"result":[{"name":"ACME","public_info":{}}]}` + "\n"},
		{adminKey, "GET", "/realm/nowhere/info", "", 404, "there is no such realm"},
		{adminKey, "GET", "/realm/" + realm + "/user", "", 403, `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`},
		{adminKey, "PUT", "/realm/" + realm + "/user", `{"email":"x@example.com"}`, 403, `"code":8`},
		{adminKey, "POST", "/realm/" + realm + "/login", `{"username":"anna","password":"wrong horse battery"}`, 401, `{"errors":[{"code":401,"reason":"wrong name or password"}],"result":[]}`},
		{adminKey, "POST", "/realm/" + realm + "/login", `{"username":"anna"}`, 400, "expected an object with username"},
		{adminKey, "POST", "/realm/" + realm + "/login?data=" + `{}`, right, 400, "into the body"},
		{adminKey, "GET", "/realm/" + realm + "/login", "", 405, ""},
		{adminKey, "POST", "/realm/" + realm + "/confirm", "{}", 404, "no such resource"},
		{adminKey, "GET", "/realm/" + realm, "", 404, ""},
		{"", "GET", "/realm/" + realm + "/info", "", 401, "admin token"},
		{"", "POST", "/realm/" + realm + "/login", right, 401, "admin token"},
		{masterKey, "POST", "/realm/" + realm + "/login", right, 401, "admin token"},
	} {
		if status, text, _ := ask(row.key, row.method, row.path, row.body); status != row.status || !strings.Contains(text, row.says) {
			t.Errorf("%s %s: got %d %s, want %d %s", row.method, row.path, status, text, row.status, row.says)
		}
	}
	status, text, _ := ask(adminKey, "POST", "/realm/"+realm+"/login", right)
	_, key, found := strings.Cut(text, `{"result":[{"token":"`)
	if status != 200 || !found || len(key) < 64 {
		t.Fatalf("got %d %s", status, text)
	}
	g.wants(200, key[:64], "GET", "/realm/"+realm+"/user", "", `"name":"anna"`)
	for range 20 { // failures are bounded here as they are there
		if status, text, retry := ask(adminKey, "POST", "/realm/"+realm+"/login", `{"username":"nobody","password":"wrong horse battery"}`); status == 429 && retry != "" {
			return
		} else if status != 401 {
			t.Fatalf("got %d %s", status, text)
		}
	}
	t.Error("logins may fail here without end")
}
