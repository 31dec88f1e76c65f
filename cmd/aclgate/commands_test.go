package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aclgate/config"
	"aclgate/policy/store"
)

// check names every fault of a file, each with its place, and exits with 3.
func TestCheckNamesEveryFault(t *testing.T) {
	folder := write(t, map[string]string{
		"aclgate.yaml": "upstream: {urls: [\"http://127.0.0.1:9000\"]}\nstore: {kind: file, path: policy.yaml}\n",
		"policy.yaml": `accounts:
  - {id: 01, name: a}
  - {id: 2, parent: 99}
  - {id: 3, nme: x}
  - {name: nobody}
  - {id: 4, parent: 5}
  - {id: 5, parent: 4}
tokens:
  - {id: 1, key: short, cid: 2, expire: 1, access: {type: master}}
  - {id: x, key: long-enough, cid: 2, expire: 1, access: {type: master}}
  - {id: 3, key: long-enough, cid: 77, expire: 1, access: {type: master}}
  - {id: 4, key_sha256: abc, cid: 2, expire: 1, access: {type: master}}
  - {id: 5, key: another-key, cid: 2, access: {type: master}}
  - {id: 6, key: third-key-1, cid: 2, expire: never, access: {type: master}}
  - {id: 7, key: fourth-key1, cid: 2, expire: 1, access: {type: mastr}}
  - {id: 8, key: fifth-key-1, cid: 2, expire: 1}
  - {id: 9, cid: 2, expire: 1, access: {type: master}}
  - {id: 10, key: sixth-key-1, cid: 2, expire: 1, access: {type: acl, acl: [{methods: [GET]}]}}
  - {id: 11, key: seventh-ke1, cid: 2, expire: 1, access: {type: acl, acl: [{uri: gw/devices, methods: [GTE]}]}}
  - {id: 12, key: eighth-key1, cid: 2, expire: 1, access: {type: acl, acl: [{uri: gw/devices, ids: [0]}]}}
  - {id: 13, key: ninth-key-1, cid: 2, expire: 1, ips: 300.1.1.1, access: {type: master}}
  - {id: 14, key: tenth-key-1, cid: 2, ttl: 30d, access: {type: master}}
  - {id: 15, key: long-enough, cid: 2, expire: 1, access: {type: master}, extra: 1}
`,
	})
	code, _, stderr := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml"))
	if code != exitSettings {
		t.Errorf("exit code %d, want %d", code, exitSettings)
	}
	policy := filepath.Join(folder, "policy.yaml")
	for line := 2; line <= 23; line++ {
		if line == 8 { // "tokens:"
			continue
		}
		place := policy + ":" + itoa(line) + ":"
		if !strings.Contains(stderr, place) {
			t.Errorf("no fault is named in line %d:\n%s", line, stderr)
		}
	}
	if strings.Contains(stderr, "long-enough") {
		t.Error("a key is shown")
	}
}

// Faulty settings do not hide the faults of the policy.
func TestCheckReadsBothFiles(t *testing.T) {
	folder := write(t, map[string]string{
		"aclgate.yaml": "listne: {}\nupstream: {urls: [\"http://127.0.0.1:9000\"], token_file: up.token}\nstore: {kind: file, path: policy.yaml}\n",
		"policy.yaml":  "accounts: [{id: 0}]\ntokens: []\n",
	})
	_, _, stderr := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml"))
	for _, want := range []string{"aclgate.yaml:1:1: ", "aclgate.yaml:2:", "policy.yaml:1:17: ", "\n3 faults\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("got %s, want %q in it", stderr, want)
		}
	}
	folder = write(t, map[string]string{"aclgate.yaml": "store: {kind: file, path: ''}\n"})
	_, _, stderr = once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml"))
	if strings.Contains(stderr, "policy.yaml") {
		t.Errorf("got %s, want no policy read that nobody named", stderr)
	}
}

func itoa(n int) string {
	digits := ""
	for ; n > 0; n /= 10 {
		digits = string(rune('0'+n%10)) + digits
	}
	return digits
}

func TestExitCodes(t *testing.T) {
	empty := t.TempDir()
	rows := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"version", []string{"version"}, exitOK, "aclgate "},
		{"help", []string{"help"}, exitOK, "Available Commands"},
		{"no such command", []string{"serv"}, exitUsage, `aclgate has no command "serv": did you mean "serve"?`},
		{"explain without a path", []string{"explain", "GET"}, exitUsage, "METHOD and PATH"},
		{"no such verdict", []string{"audit", "tail", "--verdict", "dney"}, exitUsage, `did you mean "deny"?`},
		{"no such verdict at all", []string{"audit", "tail", "--verdict", "foo"}, exitUsage, "deny, narrow, allow"},
		{"no such reason", []string{"audit", "tail", "--reason", "denied-item"}, exitUsage, `did you mean "denied-items"?`},
		{"no such reason at all", []string{"audit", "tail", "--reason", "foo"}, exitUsage, "docs/reasons.md"},
		{"no such span", []string{"audit", "tail", "--since", "2x"}, exitUsage, "90s, 15m, 2h or 7d"},
		{"a span of days", []string{"audit", "tail", "--since", "2d", "-c", filepath.Join("testdata", "lonely.yaml")}, exitFailed, "audit.path"},
		{"no such flag", []string{"serve", "--nope"}, exitUsage, "nope"},
		{"no settings", []string{"serve", "-c", filepath.Join(empty, "none.yaml")}, exitSettings, "none.yaml"},
		{"init without url", []string{"init", "-c", filepath.Join(empty, "a.yaml")}, exitUsage, "--upstream"},
		{"init with a bad url", []string{"init", "-c", filepath.Join(empty, "a.yaml"), "--upstream", "ftp://x"}, exitUsage, "http://HOST:PORT"},
		{"token new", []string{"token", "new"}, exitOK, "key_sha256"},
		{"store roles", []string{"store", "roles"}, exitOK, "CREATE SCHEMA aclgate AUTHORIZATION aclgate_owner"},
		{"routes", []string{"routes", "/gw/devices/7/messages"}, exitOK, "submodule messages"},
		{"the catalogue", []string{"routes", "--export"}, exitOK, "- uri: gw/devices\n"},
		{"an unknown route", []string{"routes", "/gw/nothing"}, exitFailed, "unknown-route"},
		{"completion", []string{"completion", "bash"}, exitOK, "aclgate"},
		{"nobody is running", []string{"health", "-c", filepath.Join("testdata", "lonely.yaml")}, exitFailed, "is the gateway running"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			code, stdout, stderr := once(t, row.args...)
			if code != row.code {
				t.Errorf("exit code %d, want %d: %s", code, row.code, stderr)
			}
			if !strings.Contains(stdout+stderr, row.says) {
				t.Errorf("got %q, want %q in it", stdout+stderr, row.says)
			}
		})
	}
}

// An address that is taken is named, with what to do about it.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	for _, flag := range []string{"--listen", "--backend", "--admin", "--mqtt"} {
		args := []string{"demo", "--listen", freeAddr(t), "--backend", freeAddr(t), "--admin", freeAddr(t), "--mqtt", freeAddr(t), flag, taken}
		code, _, stderr := once(t, args...)
		if code != exitFailed || !strings.Contains(stderr, taken+" is in use") || !strings.Contains(stderr, flag) {
			t.Errorf("%s: got %d %s", flag, code, stderr)
		}
	}
}

// A policy that is missing or faulty is said once at start, as check says it.
func TestServeNamesAFaultOnce(t *testing.T) {
	files := map[string]string{"aclgate.yaml": "store: {kind: file, path: policy.yaml}\n"}
	for place, text := range map[string]string{"aclgate.yaml:1:27: store.path: ": "", "policy.yaml:1:17: ": "accounts: [{id: 0}]\n"} {
		if text != "" {
			files["policy.yaml"] = text
		}
		if text == "" {
			delete(files, "policy.yaml")
		}
		folder := write(t, files)
		code, _, stderr := once(t, "serve", "-c", filepath.Join(folder, "aclgate.yaml"))
		if code != exitSettings || !strings.HasPrefix(stderr, filepath.Join(folder, place)) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("got %d %s, want one line about %s", code, stderr, place)
		}
	}
}

// A duration in the log has a unit.
func TestLogHasUnits(t *testing.T) {
	var out bytes.Buffer
	newLogger(config.Log{Level: config.LogInfo, Format: config.LogJSON}, &out, false).Info("draining", "drain", 30*time.Second)
	if !strings.Contains(out.String(), `"drain":"30s"`) {
		t.Errorf("got %s", out.String())
	}
}

// What token new prints is read again as it was asked for, below the others.
func TestTokenNew(t *testing.T) {
	const settings = "upstream: {urls: [\"http://127.0.0.1:9000\"]}\nstore: {kind: file, path: policy.yaml}\n"
	text := "accounts: [{id: 1}, {id: 11, parent: 1}]\ntokens:\n"
	for _, want := range []string{"  - id: 1\n", "  - id: 17\n", "  - id: 18\n"} {
		folder := write(t, map[string]string{"aclgate.yaml": settings, "policy.yaml": text})
		file := filepath.Join(folder, "aclgate.yaml")
		args := []string{"token", "new", "--cid", "11", "--info", "ops: viewer", "-c", file}
		if strings.Contains(want, "17") {
			args = append(args, "--id", "17")
		}
		_, stdout, stderr := once(t, args...)
		for _, part := range []string{want, "    cid: 11\n", "T00:00:00Z\n", "      type: acl\n      acl: []   # nothing yet; for example [{uri: gw/devices"} {
			if !strings.Contains(stdout, part) {
				t.Errorf("got %s, want %q in it", stdout, part)
			}
		}
		key := newKeyOf(t, stderr)
		if digest := store.DigestOf([]byte(key)); strings.Contains(stdout, key) || !strings.Contains(stdout, fmt.Sprintf("key_sha256: %x\n", digest)) {
			t.Errorf("got\n%s of the key %s: the policy must hold its digest alone", stdout, key)
		}
		text += stdout
		folder = write(t, map[string]string{"aclgate.yaml": settings, "policy.yaml": text})
		if code, _, stderr := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml")); code != exitOK {
			t.Errorf("got %s of\n%s", stderr, text)
		}
	}
}

// newKeyOf returns the key that token new has written to the standard error.
func newKeyOf(t *testing.T, stderr string) string {
	t.Helper()
	key := regexp.MustCompile(`(?m)^[A-Za-z0-9]{64}$`).FindString(stderr)
	if key == "" {
		t.Fatalf("got %q, want a key in it", stderr)
	}
	return key
}

// --into puts the token into the policy: it is valid at once, comments stay, and so does the mode of
// the file. What cannot be done leaves the file as it was.
func TestTokenNewInto(t *testing.T) {
	g := startGate(t, siteOptions{})
	path := filepath.Join(g.folder, "policy.yaml")
	before, _ := os.ReadFile(path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := once(t, "token", "new", "--cid", "11", "--into", path, "-c", g.file())
	if want := "put token 2 into " + path + ". It may do nothing yet: say what in its acl, then \"aclgate check\"\n"; code != exitOK || stdout != want {
		t.Fatalf("got %d %q %q, want %q", code, stdout, stderr, want)
	}
	after, _ := os.ReadFile(path)
	info, _ := os.Stat(path)
	if !strings.HasPrefix(string(after), string(before)) || info.Mode().Perm() != 0o640 {
		t.Errorf("got mode %o and\n%s", info.Mode(), after)
	}
	key := newKeyOf(t, stderr)
	if strings.Contains(string(after), key) {
		t.Error("the key is in the policy")
	}
	if status := g.reload(); status != 200 {
		t.Fatalf("the policy does not read: %d", status)
	}
	if status, body := call(t, key, "GET", g.api+"/gw/devices/7", ""); status != 403 || !strings.Contains(body, `"code":8`) {
		t.Errorf("got %d %s with the new key", status, body)
	}
	code, _, stderr = once(t, "token", "new", "--cid", "77", "--into", path, "-c", g.file())
	if now, _ := os.ReadFile(path); code != exitFailed || !strings.Contains(stderr, path+" has no account 77: add it under accounts: first, or name another with --cid (accounts: 1") || string(now) != string(after) ||
		strings.Contains(stderr, "The key") {
		t.Errorf("got %d %s, and the policy\n%s", code, stderr, now)
	}
}

// --access says what the token may do, with a policy file too; what is no access is refused, and
// nothing is written.
func TestTokenNewAccess(t *testing.T) {
	g := startGate(t, siteOptions{})
	path := filepath.Join(g.folder, "policy.yaml")
	before := readText(t, path)
	for _, bad := range []string{"{", "7", `{"type":9}`, `{"type":2,"acls":[]}`} {
		code, _, stderr := once(t, "token", "new", "--cid", "11", "--access", bad, "--into", path, "-c", g.file())
		if code != exitUsage || !strings.Contains(stderr, "--access: expected JSON such as") || readText(t, path) != before {
			t.Errorf("%s: got %d %s", bad, code, stderr)
		}
	}
	const access = `{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"],"ids":[101]}]}`
	code, stdout, stderr := once(t, "token", "new", "--cid", "11", "--access", access, "--into", path, "-c", g.file())
	if code != exitOK || stdout != "put token 2 into "+path+"\n" {
		t.Fatalf("got %d %s%s", code, stdout, stderr)
	}
	if text := readText(t, path); !strings.Contains(text, "        - uri: gw/devices\n          methods: [GET]\n          ids: [101]\n") {
		t.Errorf("got\n%s", text)
	}
	if status := g.reload(); status != 200 {
		t.Fatalf("the policy does not read: %d", status)
	}
	key := newKeyOf(t, stderr)
	for id, want := range map[string]int{"101": 200, "102": 403} {
		if status, body := call(t, key, "GET", g.api+"/gw/devices/"+id, ""); status != want {
			t.Errorf("device %s: got %d %s, want %d", id, status, body, want)
		}
	}
}

// A token lasts as long as was asked for, a year unless something was.
func TestTokenNewLasts(t *testing.T) {
	year := "    expire: " + time.Now().AddDate(1, 0, 0).UTC().Format(time.DateOnly) + "T00:00:00Z\n"
	today := "    created: " + time.Now().UTC().Format(time.DateOnly)
	for _, row := range []struct {
		args     []string
		has, not string
	}{
		{nil, year, "ttl"},
		{[]string{"--expire", "2099-01-01"}, "    expire: 2099-01-01T00:00:00Z\n", "ttl"},
		{[]string{"--expire", "2099-01-01T02:00:00+02:00"}, "    expire: 2099-01-01T00:00:00Z\n", "created"},
		{[]string{"--ttl", "30d"}, "    ttl: 2592000\n" + today, "expire"},
		{[]string{"--ttl", "90s", "--expire", "2099-01-01"}, "    expire: 2099-01-01T00:00:00Z\n    ttl: 90\n" + today, year},
	} {
		_, stdout, stderr := once(t, append([]string{"token", "new", "--id", "1"}, row.args...)...)
		if !strings.Contains(stdout, row.has) || strings.Contains(stdout, row.not) {
			t.Errorf("%v: got %s%s, want %q and no %q", row.args, stdout, stderr, row.has, row.not)
		}
		folder := write(t, map[string]string{"policy.yaml": "accounts: [{id: 1}]\ntokens:\n" + stdout,
			"aclgate.yaml": "upstream: {urls: [\"http://127.0.0.1:9000\"]}\nstore: {kind: file, path: policy.yaml}\n"})
		if code, _, stderr := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml")); code != exitOK {
			t.Errorf("%v: got %s of\n%s", row.args, stderr, stdout)
		}
	}
}

func TestTokenNewRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--cid", "0"}, {"--id", "-1"},
		{"--expire", "2001-01-01"}, {"--expire", "1y"}, {"--expire", "01.02.2099"}, {"--expire", ""},
		{"--ttl", "-1s"}, {"--ttl", "1500ms"}, {"--ttl", "30"}, {"--ttl", ""},
	} {
		if code, stdout, _ := once(t, append([]string{"token", "new"}, args...)...); code != exitUsage || stdout != "" {
			t.Errorf("%q: got %d %s, want %d", args, code, stdout, exitUsage)
		}
	}
}

// The slash behind the address of a host is no path.
func TestInitTakesTheSlash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "aclgate.yaml")
	code, _, stderr := once(t, "init", "-c", file, "--upstream", "http://127.0.0.1:9000/")
	if text := readText(t, file); code != exitOK || !strings.Contains(text, `urls: ["http://127.0.0.1:9000"]`) {
		t.Errorf("got %d %s %s", code, stderr, text)
	}
}

// What init writes is sound as it is; a second account takes another mode, which init can write too.
func TestInitModes(t *testing.T) {
	second := func(folder string) {
		file := filepath.Join(folder, "policy.yaml")
		text := strings.Replace(readText(t, file), "  - {id: 1,", "  - {id: 2, name: second}\n  - {id: 1,", 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[string]struct{ one, two int }{
		"": {exitOK, exitOK}, "none": {exitOK, exitSettings}, "header": {exitOK, exitOK}, "ids": {exitOK, exitOK}, "both": {exitOK, exitOK},
	} {
		folder := t.TempDir()
		file := filepath.Join(folder, "aclgate.yaml")
		args := []string{"init", "-c", file, "--upstream", "http://127.0.0.1:9000"}
		if mode != "" {
			args = append(args, "--mode", mode)
		}
		if code, _, stderr := once(t, args...); code != exitOK {
			t.Fatalf("%s: init: %d %s", mode, code, stderr)
		}
		if err := os.WriteFile(filepath.Join(folder, "upstream.token"), []byte("the-backends-own-key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := once(t, "check", "-c", file); code != want.one {
			t.Errorf("%s, one account: got %d %s", mode, code, stderr)
		}
		second(folder)
		code, _, stderr := once(t, "check", "-c", file)
		const ways = "set header if the backend knows accounts and obeys x-flespi-cid, ids if its rows have a cid, ids with scope.owners store if they have none"
		if code != want.two || code != exitOK && (!strings.Contains(stderr, file+":") || !strings.Contains(stderr, ways)) {
			t.Errorf("%s, two accounts: got %d %s", mode, code, stderr)
		}
	}
	if code, _, _ := once(t, "init", "-c", filepath.Join(t.TempDir(), "a.yaml"), "--upstream", "http://h", "--mode", "all"); code != exitUsage {
		t.Errorf("a mode that is none: got %d", code)
	}
}

// init never touches a file that is there.
func TestInitOverwritesNothing(t *testing.T) {
	folder := write(t, map[string]string{"policy.yaml": "mine"})
	code, _, stderr := once(t, "init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", "http://127.0.0.1:9000")
	if code != exitFailed || !strings.Contains(stderr, "policy.yaml exists already: nothing was written; move it away, or begin in an empty folder") {
		t.Errorf("got %d %q", code, stderr)
	}
	if code, _, _ := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml")); code != exitSettings {
		t.Error("one of the two files was written")
	}
}

// The commands of a running gateway: health, reload.
func TestCommandsOfARunningGateway(t *testing.T) {
	g := startGate(t, siteOptions{})
	file := filepath.Join(g.folder, "aclgate.yaml")
	if code, stdout, stderr := once(t, "health", "--ready", "-c", file); code != exitOK || !strings.Contains(stdout, "draining: ok\n") {
		t.Errorf("health: %d %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := once(t, "health", "-c", file); code != exitOK || stdout != "ok\n" {
		t.Errorf("health: %d %s", code, stdout)
	}
	if _, stdout, _ := once(t, "health", "--json", "-c", file); stdout != `{"result":[{"state":"ok"}]}`+"\n" {
		t.Errorf("health --json: %s", stdout)
	}
	if code, stdout, stderr := once(t, "reload", "-c", file); code != exitOK || stdout != "reloaded\n" {
		t.Errorf("reload: %d %s%s", code, stdout, stderr)
	}
	g.policy("accounts: [{id: 0}]\ntokens: []\n")
	if code, _, stderr := once(t, "reload", "-c", file); code != exitSettings || !strings.HasPrefix(stderr, filepath.Join(g.folder, "policy.yaml:1:")) {
		t.Errorf("reload of a broken policy: %d %s", code, stderr)
	}
}
