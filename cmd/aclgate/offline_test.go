package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// databaseSite is a site with a database of platformPolicy, where accounts are made here.
func databaseSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: killedSettings, policy: platformPolicy})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	return s
}

// With --offline the commands do what they do with a gateway, on a database that nobody serves; one
// that serves it obeys them.
func TestOffline(t *testing.T) {
	s := databaseSite(t)
	if out := s.runs(exitFailed, "token", "list"); !strings.Contains(out, "is the gateway running?") {
		t.Errorf("got %s", out)
	}
	s.runs(exitOK, "limit", "new", "--cid", "1", "--name", "small", "--set", "tokens_count=1", "--offline")
	if out := s.runs(exitOK, "account", "--offline", "new", "--parent", "1", "--name", "Shop", "--limit", "1"); out != "112\n" {
		t.Fatalf("got %s", out)
	}
	out := s.runs(exitOK, "token", "new", "--offline", "--cid", "112", "--access", `{"type":1}`)
	key := regexp.MustCompile(`(?m)^[A-Za-z0-9]{64}$`).FindString(out)
	for said, args := range map[string][]string{
		"limit tokens_count of account 112 is reached (1)": {"token", "new", "--offline", "--cid", "112"},
		"there is no token 99: aclgate token list shows":   {"token", "revoke", "--offline", "99"},
		"has accounts below it":                            {"account", "delete", "--offline", "11"},
	} {
		if out := s.runs(exitFailed, args...); !strings.Contains(out, said) {
			t.Errorf("%v: got %s, want %q", args, out, said)
		}
	}
	s.runs(exitUsage, "token", "revoke", "--offline", "20", "--wait")
	for said, args := range map[string][]string{"Shop": {"account", "list"}, "small": {"limit", "list"}, `"cid": 112`: {"token", "show", "20"}} {
		if out := s.runs(exitOK, append(args, "--offline")...); !strings.Contains(out, said) {
			t.Errorf("%v: got %s, want %q", args, out, said)
		}
	}
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	if status, text := call(t, key, "GET", g.api+"/auth/info", ""); status != 200 {
		t.Errorf("the token that was made: got %d %s", status, text)
	}
	s.runs(exitOK, "token", "revoke", "--offline", "20")
	g.refuses(key, 200, `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`)
	asked := s.runs(exitOK, "changes")
	if !strings.Contains(asked, "offline") {
		t.Errorf("the history does not say where a change came from: %s", asked)
	}
	tokenOnly := s.runs(exitOK, "changes", "--token", "20", "--output", "json")
	g.end()
	if out := s.runs(exitOK, "changes", "--offline"); out != asked {
		t.Errorf("without a gateway the history is another one:\n%s\nand\n%s", out, asked)
	}
	if out := s.runs(exitOK, "changes", "--offline", "--token", "20", "--output", "json"); out != tokenOnly || strings.Count(out, "\n") != 2 {
		t.Errorf("got\n%s, want\n%s", out, tokenOnly)
	}
}

// People are let in offline, too: by a password or a session that a gateway knows that is started later.
func TestOfflineUsers(t *testing.T) {
	t.Parallel()
	s := databaseSite(t)
	s.runs(exitOK, "realm", "new", "--offline", "--cid", "11", "--name", "ACME")
	for want, args := range map[string][]string{
		"1\n": {"user", "new", "--offline", "--realm", "1", "--name", "anna", "--role", "account-admin"}, "": {"role", "list", "--output", "json", "--offline"},
	} {
		if out := s.runs(exitOK, args...); !strings.HasPrefix(out, want) {
			t.Errorf("%v: got %q, want %q", args, out, want)
		}
	}
	file := filepath.Join(s.folder, "password.txt")
	if err := os.WriteFile(file, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.runs(exitOK, "user", "password", "1", "--offline", "--password-file", file)
	key := strings.TrimSpace(s.runs(exitOK, "user", "login", "1", "--offline"))
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.runs(exitOK, "explain", "--key-file", file, "GET", "/gw/devices/1"); strings.Contains(out, "token-noapi") || !strings.Contains(out, "role member") {
		t.Errorf("a session is not explained as its user's: %s", out)
	}
	if out := s.runs(exitFailed, "user", "show", "7", "--offline"); !strings.Contains(out, "there is no user 7: aclgate user list") {
		t.Errorf("got %s", out)
	}
	realm := regexp.MustCompile(`"public_id": "([^"]+)"`).FindStringSubmatch(s.runs(exitOK, "realm", "show", "1", "--offline"))
	if realm == nil {
		t.Fatal("the realm has no public_id")
	}
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	g.want(key, "GET", "/auth/info", "", 200, "")
	if status, _, text := g.login(realm[1], "anna", "correct horse battery"); status != 200 {
		t.Errorf("got %d %s", status, text)
	}
	s.runs(exitOK, "user", "logout", "1", "--offline")
	g.refuses(key, 1200, "")
	for want, args := range map[string][]string{
		"1\tanna\n": {"user", "logout", ""}, "1\tACME\n": {"user", "new", "--realm", ""}, "": {"grant", "link", ""}, "1\toperator\n11\tACME\n12\tHarbour\n111\tNorth\n": {"grant", "link", "1", ""},
	} {
		if code, out, _ := once(t, append([]string{"__complete", "-c", s.file()}, args...)...); code != exitOK || !strings.HasPrefix(out, want+":4\n") {
			t.Errorf("%v: got %d %q, want %q", args, code, out, want)
		}
	}
}

// What was deleted comes back for a while, with what it names there, and never a token.
func TestUndelete(t *testing.T) {
	t.Parallel()
	s := databaseSite(t)
	s.runs(exitOK, "limit", "new", "--cid", "11", "--name", "small", "--offline")
	s.runs(exitOK, "account", "edit", "111", "--limit", "1", "--offline")
	s.runs(exitOK, "account", "delete", "111", "--offline")
	s.runs(exitOK, "limit", "delete", "1", "--offline")
	if out := s.runs(exitOK, "undelete", "--output", "json"); !strings.Contains(out, `{"kind":"account","id":111,"name":"North","deleted":"`) {
		t.Errorf("got %s", out)
	}
	listed := regexp.MustCompile(`(?m)^(account  111  North  |limit    1    small  )`).FindAllString(s.runs(exitOK, "undelete"), -1)
	if len(listed) != 2 {
		t.Errorf("got %q", listed)
	}
	for said, args := range map[string][]string{
		"account 111 names limit 1, which is not there": {"account", "111"}, "there is no account 7": {"account", "7"}, "account 11 is there": {"account", "11"},
	} {
		if out := s.runs(exitFailed, append([]string{"undelete"}, args...)...); !strings.Contains(out, said) {
			t.Errorf("%v: got %s, want %q", args, out, said)
		}
	}
	s.runs(exitUsage, "undelete", "token", "18")
	s.runs(exitUsage, "undelete", "device", "1")
	s.runs(exitOK, "undelete", "limit", "1")
	s.runs(exitOK, "undelete", "account", "111")
	if out := s.runs(exitOK, "account", "show", "111", "--offline"); !strings.Contains(out, `"limit_id": 1`) || !strings.Contains(out, "North") {
		t.Errorf("got %s", out)
	}
	if out := s.runs(exitFailed, "token", "show", "18", "--offline"); !strings.Contains(out, "there is no token 18") {
		t.Errorf("a token came back: %s", out)
	}
	if out := s.runs(exitOK, "account", "new", "--parent", "11", "--name", "next", "--offline"); out != "112\n" {
		t.Errorf("an id was given twice: %s", out)
	}
	s.runs(exitOK, "store", "verify", "--offline")
}

// Shells complete ids, with their names, from the running gateway; without one they offer nothing.
func TestCompletion(t *testing.T) {
	s := databaseSite(t)
	completes := func(want string, args ...string) {
		t.Helper()
		code, out, _ := once(t, append([]string{"__complete", "-c", s.file()}, args...)...)
		if code != exitOK || !strings.HasPrefix(out, want+":4\n") {
			t.Errorf("%v: got %d %q, want %q", args, code, out, want)
		}
	}
	completes("", "account", "show", "")
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	const accounts = "1\toperator\n11\tACME\n12\tHarbour\n111\tNorth\n"
	completes(accounts, "account", "edit", "")
	completes(accounts, "token", "new", "--cid", "")
	completes("1\n17\n18\n19\n", "token", "revoke", "")
	completes("", "limit", "delete", "")
	completes("", "account", "delete", "11", "")
}

// refuses waits, for so many tries, until the gateway refuses a key, and compares what it then says. It
// looks for news of its database every 20 ms.
func (g *gate) refuses(key string, tries int, part string) {
	g.t.Helper()
	for range tries {
		if status, _ := call(g.t, key, "GET", g.api+"/auth/info", ""); status == 401 {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	g.want(key, "GET", "/auth/info", "", 401, part)
}

// Whatever lists or shows records does so without a gateway, too.
func TestEveryListHasOffline(t *testing.T) {
	n := 0
	for path, c := range commands(t) {
		if name := c.Name(); name != "list" && name != "show" && name != "export" && path != "aclgate changes" && path != "aclgate undelete" && path != "aclgate store status" {
			continue
		}
		n++
		if path != "aclgate store export" && c.Flag("offline") == nil { // which works on the database alone
			t.Errorf("%s has no --offline", path)
		}
	}
	if n < 15 {
		t.Errorf("only %d commands are found", n)
	}
	s := newSite(t, siteOptions{settings: "scope: {owners: store, mode: ids}\n"})
	for call, want := range map[string]string{"item list --offline": "", "token list --offline": "ID  ACCOUNT", "account list --offline": "store.kind is file"} {
		if _, out, errs := once(t, append(strings.Fields(call), "-c", s.file())...); !strings.HasPrefix(out+errs, want) {
			t.Errorf("%s: got %s%s, want %q", call, out, errs, want)
		}
	}
}
