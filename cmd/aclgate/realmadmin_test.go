package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// realmGate is a gateway over a database where a realm of account 11 was made at the command line, with a
// user called anna.
func realmGate(t *testing.T) (g *gate, publicID string) {
	t.Helper()
	g = startPlatform(t, true, "scope: {owners: store, mode: ids}\naudit: {path: audit.jsonl, allow_sample: 1}\nrealms: {bcrypt_cost: 4}\n")
	if out := g.runs(exitOK, "realm", "new", "--cid", "11", "--name", "ACME"); out != "1\n" {
		t.Fatalf("got %q", out)
	}
	if out := g.runs(exitOK, "user", "new", "--realm", "1", "--name", "anna", "--email", "anna@example.com"); out != "1\n" {
		t.Fatalf("got %q", out)
	}
	g.password("1", realmPassword)
	id := regexp.MustCompile(`"public_id": "([a-z0-9]{26})"`).FindStringSubmatch(g.runs(exitOK, "realm", "show", "1"))
	if id == nil {
		t.Fatal("the realm has no public id")
	}
	return g, id[1]
}

// password gives a user a password.
func (g *gate) password(user, password string) {
	g.t.Helper()
	file := filepath.Join(g.folder, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.runs(exitOK, "user", "password", user, "--password-file", file)
}

// wants compares an answer of the public listener with what is expected.
func (g *gate) wants(status int, key, method, path, body, says string) {
	g.t.Helper()
	got, text := call(g.t, key, method, g.api+path, body)
	if got != status || !strings.Contains(text, says) {
		g.t.Errorf("%s %s %s: got %d %s, want %d %s", method, path, body, got, text, status, says)
	}
}

// A realm is made, people log in, get and lose roles, and what was answered is true of the next request;
// on both listeners and at the command line.
func TestRealmsAreAdministered(t *testing.T) {
	t.Parallel()
	g, realm := realmGate(t)
	status, anna, _ := g.login(realm, "anna", realmPassword)
	if status != 200 {
		t.Fatalf("got %d", status)
	}
	const users = "/platform/realms/1/users/all?fields=id,name"
	g.wants(200, anna, "GET", "/platform/customer", "", `"id":11`)
	g.wants(403, anna, "GET", users, "", `"code":8`)
	g.runs(exitOK, "user", "edit", "1", "--role", "account-admin")
	g.wants(200, anna, "GET", users, "", `{"result":[{"id":1,"name":"anna"}]}`)
	g.wants(200, anna, "POST", "/platform/realms/1/users?fields=id", `{"name":"ben","password":"another horse battery"}`, `{"result":[{"id":2}]}`)
	g.wants(403, anna, "GET", "/platform/tokens/all", "", `"code":8`)
	g.wants(403, anna, "POST", "/platform/realms/1/roles", `{"name":"x","access":{"type":1}}`, `"code":8`)
	g.runs(exitOK, "role", "new", "--realm", "1", "--name", "hr", "--reach", "branch", "--access", `{"type":2,"acl":[]}`, "--administers", "users=GET,PUT", "--given-by", "account-admin", "--when", "agent")
	for args, says := range map[string]string{"role list": "branch  acl, 0 entries  users        account-admin", "realm list": "ACME", "user list": "account-admin", "role show 1": `"agent"`, "user show 1": `"anna@example.com"`} {
		if out := g.runs(exitOK, strings.Fields(args)...); !strings.Contains(out, says) || strings.Contains(out, "password") {
			t.Errorf("aclgate %s: got %s, want %s", args, out, says)
		}
	}
	g.runs(exitOK, "user", "edit", "1", "--role", "")
	g.wants(403, anna, "GET", users, "", `"code":8`)
	// A master logs in for a user, and out.
	_, body := call(t, masterKey, "POST", g.api+"/platform/realms/1/users/2/login", "")
	ben := regexp.MustCompile(`[A-Za-z0-9]{64}`).FindString(body)
	g.wants(200, ben, "GET", "/platform/customer", "", `"id":11`)
	g.wants(200, masterKey, "POST", "/platform/realms/1/users/2/logout?fields=ended", "", `{"result":[{"ended":1}]}`)
	g.wants(401, ben, "GET", "/platform/customer", "", "")
	if key := strings.TrimSpace(g.runs(exitOK, "user", "login", "1")); len(key) != 64 {
		t.Errorf("got %q", key)
	}
	// Another realm's own page, and what a user may change there.
	g.wants(200, anna, "PUT", "/realm/"+realm+"/user", `{"email":"a@example.com"}`, `a@example.com`)
	g.wants(200, masterKey, "PUT", "/platform/realms/1/users/1?fields=email", `{"metadata":{"a":1}}`, `a@example.com`)
	g.runs(exitOK, "role", "delete", "1")
	g.runs(exitUsage, "realm", "new", "--name", "x")
	g.runs(exitUsage, "realm", "edit", "1", "--home", "x")
	g.runs(exitUsage, "user", "new", "--name", "x")
	g.runs(exitUsage, "role", "new", "--name", "x")
	g.runs(exitFailed, "realm", "new", "--cid", "11", "--name", "x", "--home", "12")
}

// SPEC 14, 5: a user, a realm and what was made with a session never act once more after the answer
// that ended them; not when they come back either.
func TestEndedUsersNeverActOnceMore(t *testing.T) {
	t.Parallel()
	g, realm := realmGate(t)
	for what, steps := range map[string][2][3]string{
		"disabled": {{"PUT", "/platform/realms/1/users/1", `{"enabled":false}`}, {"PUT", "/platform/realms/1/users/1", `{"enabled":true}`}},
		"closed":   {{"PUT", "/platform/realms/1", `{"enabled":false}`}, {"POST", "/platform/realms/1/users/1/logout", ""}},
		"password": {{"PUT", "/platform/realms/1/users/1", `{"password":"` + realmPassword + `"}`}, {"PUT", "/platform/realms/1", `{"enabled":true}`}},
	} {
		g.asOperator("PUT", "/platform/realms/1", `{"enabled":true}`)
		status, key, _ := g.login(realm, "anna", realmPassword)
		if status != 200 {
			t.Fatalf("%s: got %d", what, status)
		}
		for _, step := range steps {
			if status, body := g.asOperator(step[0], step[1], step[2]); status != 200 {
				t.Fatalf("%s: %v: got %d %s", what, step, status, body)
			}
			g.wants(401, key, "GET", "/auth/info", "", "")
		}
	}
	g.asOperator("PUT", "/platform/realms/1", `{"enabled":true}`)
	_, key, _ := g.login(realm, "anna", realmPassword)
	g.wants(200, masterKey, "DELETE", "/platform/realms/1", "", `{"result":[{"id":1}]}`)
	g.wants(401, key, "GET", "/auth/info", "", "")
	if status, _, answer := g.login(realm, "anna", realmPassword); status != 401 {
		t.Errorf("got %d %s of a realm that is gone", status, answer)
	}
	if out := g.runs(exitOK, "realm", "new", "--cid", "11", "--name", "ACME"); out != "2\n" { // no id is used twice
		t.Errorf("got %q", out)
	}
}

// SPEC 14, 2: no password, verifier or key of a session is in an answer, the history, the audit log, a
// metric, or an export.
func TestPasswordsAreSaidNowhere(t *testing.T) {
	g, realm := realmGate(t)
	_, key, _ := g.login(realm, "anna", realmPassword)
	g.wants(200, key, "PUT", "/realm/"+realm+"/user", `{"current_password":"`+realmPassword+`","password":"another horse battery"}`, `"id":1`)
	_, made := call(t, masterKey, "POST", g.api+"/platform/realms/1/users/1/login", "")
	g.wants(200, masterKey, "PUT", "/platform/realms/1/users/1?data="+url.QueryEscape(`{"password":"a third horse battery"}`), "", `"id":1`)
	g.wants(400, masterKey, "PUT", "/platform/realms/1/users/1?data="+url.QueryEscape(`{"password":"horse battery staple","x":1}`), "", `"code":2`)
	said := map[string]string{
		"changes": g.runs(exitOK, "changes", "--output", "json"), "metrics": g.scrape(), "audit": g.auditText(`"table":"users"`, 1),
		"export": g.runs(exitOK, "store", "export"), "user": g.runs(exitOK, "user", "show", "1"),
	}
	_, said["tokens"] = call(t, masterKey, "GET", g.api+"/platform/tokens/user_id=1?fields=key,info", "")
	_, said["logs"] = call(t, masterKey, "GET", g.api+"/platform/realms/1/logs", "")
	for where, text := range said {
		for _, secret := range []string{key, regexp.MustCompile(`[A-Za-z0-9]{64}`).FindString(made), "horse battery", "$aclgate1", "$2b$"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s says %s", where, secret)
			}
		}
	}
	if !strings.Contains(said["changes"], "wrote=password") {
		t.Errorf("the history does not say who wrote the password: %s", said["changes"])
	}
}

// SPEC 14, 3: a master learns nothing of realms, users and roles beside or above it: the answer for one
// that is there is the one for one that is not, byte by byte but for the number.
func TestForeignRealmsAreNowhere(t *testing.T) {
	t.Parallel()
	g, _ := realmGate(t)
	g.runs(exitOK, "realm", "new", "--cid", "1", "--name", "operators")
	g.runs(exitOK, "user", "new", "--realm", "2", "--name", "root")
	g.runs(exitOK, "role", "new", "--realm", "2", "--name", "x", "--access", `{"type":0}`)
	for _, path := range []string{"/platform/realms/%d", "/platform/realms/%d/users/2", "/platform/realms/%d/roles/1", "/platform/realms/%d/users/all", "/platform/realms/1/users/%d", "/platform/realms/1/roles/%d"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			there, status := "", 0
			for _, id := range []int{2, 77} {
				got, text := call(t, masterKey, method, g.api+fmt.Sprintf(path, id), map[string]string{"PUT": `{"name":"y"}`}[method])
				text = regexp.MustCompile(`\b(2|77)\b`).ReplaceAllString(text, "N")
				if id == 77 && (got != status || text != there) {
					t.Errorf("%s %s: got %d %s for one that is there, %d %s for one that is not", method, path, status, there, got, text)
				}
				there, status = text, got
			}
		}
	}
	g.wants(200, masterKey, "GET", "/platform/realms/all?limit=9", "", `"pagination":{"count":1,`)
}

// The pages about realms and roles are followed command by command.
func TestRealmsAndRolesPages(t *testing.T) {
	g := startPlatform(t, true, "scope: {owners: store, mode: ids}\nrealms: {bcrypt_cost: 4}\n")
	file := filepath.Join(g.folder, "password.txt")
	if err := os.WriteFile(file, []byte(realmPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pages := readText(t, docs+"realms.md")
	made, ended, _ := strings.Cut(pages, "## Change, close and end")
	ran := 0
	for _, page := range []string{made, readText(t, docs+"roles.md"), ended} {
		for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(page, -1) {
			for line := range strings.Lines(block[1]) {
				g.runs(exitOK, words(strings.Replace(strings.TrimSpace(line), "password.txt", file, 1))[1:]...)
				ran++
			}
		}
	}
	if ran < 15 {
		t.Errorf("only %d commands were run", ran)
	}
}
