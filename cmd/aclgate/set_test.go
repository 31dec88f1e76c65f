package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aclgate/policy/record"
)

// every command that makes or changes records, and the kind that it writes.
var writers = map[string]*record.Kind{
	"token": record.Tokens, "account": record.Subaccounts, "limit": record.Limits, "grant": record.Grants, "realm": record.Realms,
	"user": record.Users, "role": record.Roles,
}

// Every field that can be written is reached from the command line: --set takes it, the help names it, and
// the shell offers it. A password is no argument, which other programs would see.
func TestEveryFieldCanBeSet(t *testing.T) {
	all := commands(t)
	for name, kind := range writers {
		for verb, post := range map[string]bool{"new": true, "edit": false} {
			c := all["aclgate "+name+" "+verb]
			if c == nil || c.Flags().Lookup("set") == nil {
				t.Errorf("%s %s has no --set", name, verb)
				continue
			}
			code, offered, _ := once(t, "__complete", name, verb, "--set", "")
			help := strings.FieldsFunc(c.Long, func(r rune) bool { return strings.ContainsRune(" ,.\n", r) })
			for _, field := range kind.Writable(post) {
				shown := slices.Contains(help, field)
				if completes := code == exitOK && strings.Contains("\n"+offered, "\n"+field+"=\t"); completes == (field == "password") || !shown && field != "password" {
					t.Errorf("%s %s --set %s=: offered %v, in the help %v", name, verb, field, completes, shown)
				}
			}
		}
	}
}

// What --set says is what the record has then.
func TestSet(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	for _, args := range [][]string{
		{"account", "edit", "1", "--set", `metadata={"a":1}`},
		{"token", "new", "--cid", "1", "--access", `{"type":1}`, "--set", "ips=10.0.0.0/8", "--set", `origins=["https://a.example"]`, "--set", "info=7"},
		{"realm", "new", "--cid", "1", "--name", "r", "--set", "registration=first-sight"},
		{"user", "new", "--realm", "1", "--name", "u", "--access", `{"type":0}`, "--set", `metadata={"b":2}`},
		{"user", "edit", "1", "--set", "enabled=false"},
		{"role", "new", "--realm", "1", "--name", "q", "--access", `{"type":0}`, "--set", "reach=branch"},
		{"grant", "new", "--cid", "1", "--give", "gw/devices=7:view", "--set", "expire=2099-01-01"},
		{"limit", "new", "--cid", "1", "--name", "l", "--set", "blocking_duration=2h"},
	} {
		g.runs(exitOK, args...)
	}
	var tokens []struct{ ID int64 }
	for line := range strings.Lines(g.runs(exitOK, "token", "list", "--output", "json")) {
		var row struct{ ID int64 }
		if json.Unmarshal([]byte(line), &row) == nil {
			tokens = append(tokens, row)
		}
	}
	newest := slices.MaxFunc(tokens, func(a, b struct{ ID int64 }) int { return int(a.ID - b.ID) })
	text, _ := json.Marshal(newest.ID)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"account", "show", "1"}, `"a": 1`},
		{[]string{"token", "show", string(text)}, `"ips": "10.0.0.0/8"`},
		{[]string{"token", "show", string(text)}, `"https://a.example"`},
		{[]string{"token", "show", string(text)}, `"info": "7"`},
		{[]string{"realm", "show", "1"}, `"registration": "first-sight"`},
		{[]string{"user", "show", "1"}, `"b": 2`},
		{[]string{"user", "show", "1"}, `"enabled": false`},
		{[]string{"user", "show", "1"}, `"access": {`},
		{[]string{"role", "list", "--output", "json"}, `"reach":"branch"`},
		{[]string{"grant", "show", "1"}, `"expire": 4070908800`},
		{[]string{"limit", "show", "1"}, `"blocking_duration": 7200`},
	} {
		if out := g.runs(exitOK, row.args...); !strings.Contains(out, row.want) {
			t.Errorf("%v: got %s, want %s", row.args, out, row.want)
		}
	}
	g.runs(exitOK, "token", "edit", string(text), "--access", `{"type":0}`)
	if out := g.runs(exitUsage, "token", "edit", string(text), "--set", "key=x"); !strings.Contains(out, `there is no field "key" that could be written`) {
		t.Errorf("got %s", out)
	}
}

// --key-file takes the key wherever the token goes: into the output, a policy file or a database. What is
// there already stays, and where no token is made, no file is left.
func TestTokenKeyFile(t *testing.T) {
	t.Parallel()
	g, d := startGate(t, siteOptions{}), startDatabase(t)
	policy := filepath.Join(g.folder, "policy.yaml")
	access := `{"type":2,"acl":[{"uri":"gw/channels","methods":["GET"]}]}`
	made := func(g *gate, id int, name string, args ...string) string {
		t.Helper()
		path := filepath.Join(g.folder, name)
		code, stdout, stderr := once(t, append([]string{"token", "new", "--cid", "1", "--access", access, "--key-file", path, "-c", g.file()}, args...)...)
		info, err := os.Stat(path)
		if code != exitOK || err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(stderr, fmt.Sprintf("token %d of account 1: the key is in %s,", id, path)) {
			t.Fatalf("got %d %s%s, %v", code, stdout, stderr, err)
		}
		key := strings.TrimSpace(readText(t, path))
		if len(key) != 64 || strings.Contains(stdout+stderr, key) {
			t.Errorf("got the key %q, and\n%s%s", key, stdout, stderr)
		}
		if code, _, stderr := once(t, append([]string{"token", "new", "--key-file", path, "-c", g.file()}, args...)...); code != exitFailed ||
			!strings.Contains(stderr, path+" exists already: no token was made") || strings.TrimSpace(readText(t, path)) != key {
			t.Errorf("over a file: got %d %s", code, stderr)
		}
		return stdout
	}
	if yaml := made(g, 2, "a.key"); !strings.HasPrefix(strings.TrimSpace(yaml), "- id: 2\n") {
		t.Errorf("got\n%s", yaml)
	}
	made(g, 2, "b.key", "--into", policy, "--set", "ips=127.0.0.1")
	g.reload()
	if out := made(d, 2, "c.key"); out != "" {
		t.Errorf("got %q", out)
	}
	for name, gate := range map[string]*gate{"b.key": g, "c.key": d} {
		if status, body := call(t, strings.TrimSpace(readText(t, gate.folder, name)), "GET", gate.api+"/gw/channels/all", ""); status != 200 {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	if !strings.Contains(readText(t, policy), `ips: ["127.0.0.1/32"]`) {
		t.Error("--set is not in the policy file")
	}
	none := filepath.Join(d.folder, "none.key")
	if code, _, _ := once(t, "token", "new", "--cid", "99", "--key-file", none, "-c", d.file()); code != exitFailed {
		t.Errorf("got %d of an account that is not there", code)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a file without a key is left")
	}
}

// What the API denies to the operator is not there: the commands say so, and how it would come to be there.
func TestDeniedInWords(t *testing.T) {
	const upstream = "upstream: {urls: ['http://127.0.0.1:9']}\n"
	for settings, want := range map[string]string{
		"scope: {mode: header}\n": "there is no account 12: aclgate account list shows those that are there, and an import makes another one: aclgate store import --help",
		"scope: {mode: ids, owners: store}\n": "there is no account 12: aclgate account list shows those that are there, and " +
			"aclgate account new --parent ID --name NAME makes another one",
		"scope: {mode: header, accounts: backend}\n": "there is no account 12: accounts are the backend's (scope.accounts: backend), which are read every scope.refresh",
	} {
		e := &env{file: filepath.Join(write(t, map[string]string{"aclgate.yaml": upstream + settings}), "aclgate.yaml")}
		for _, denied := range []string{"access denied to '/accounts/12'", "access denied to '/subaccounts/12'"} {
			if got := e.inCommands(denied); got != want {
				t.Errorf("%s%s: got %s, want %s", settings, denied, got, want)
			}
		}
		if got, want := e.inCommands("access denied to '/users/7'"), "there is no user 7: aclgate user list shows those that are there"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
