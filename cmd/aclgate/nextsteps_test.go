package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The default id of --into is above those of the file that it goes into, whatever the settings name.
func TestTokenNewIntoAnotherFile(t *testing.T) {
	folder := write(t, map[string]string{
		"aclgate.yaml": "upstream: {urls: ['http://127.0.0.1:9']}\nstore: {path: none.yaml}\n",
		"p.yaml":       "accounts: [{id: 1}]\ntokens: []\n",
	})
	path := filepath.Join(folder, "p.yaml")
	for _, row := range []struct {
		code int
		want string
		args []string
	}{
		{exitOK, "put token 1 into", nil},
		{exitOK, "put token 2 into", nil},
		{exitOK, "put token 9 into", []string{"--id", "9"}},
		{exitOK, "put token 10 into", nil},
		{exitFailed, "nothing was written: the token in line 11 of " + path + " has the id 2: name another one with --id, or leave --id out", []string{"--id", "2"}},
	} {
		code, stdout, stderr := once(t, append([]string{"token", "new", "--into", path, "-c", filepath.Join(folder, "aclgate.yaml")}, row.args...)...)
		if code != row.code || !strings.Contains(stdout+stderr, row.want) {
			t.Errorf("%v: got %d %s%s, want %q", row.args, code, stdout, stderr, row.want)
		}
	}
}

// With a policy file and without admin.token_file, no command names --offline, which needs a database.
func TestFileStoreOffersNoDatabase(t *testing.T) {
	file := filepath.Join(write(t, map[string]string{"a.yaml": "upstream: {urls: ['http://127.0.0.1:9']}\nstore: {path: policy.yaml}\n"}), "a.yaml")
	code, _, stderr := once(t, "account", "list", "-c", file)
	if code != exitFailed || !strings.Contains(stderr, "admin.token_file") || !strings.Contains(stderr, "read policy.yaml, where the records stand") || strings.Contains(stderr, "--offline") {
		t.Errorf("got %d %s", code, stderr)
	}
	file = filepath.Join(write(t, map[string]string{"a.yaml": "upstream: {urls: ['http://127.0.0.1:9']}\nstore: {kind: sqlite, path: gate.db}\n"}), "a.yaml")
	if code, _, stderr := once(t, "account", "list", "-c", file); code != exitFailed || !strings.Contains(stderr, "or say --offline") {
		t.Errorf("with a database: got %d %s", code, stderr)
	}
}

// --wait names the gateways that obey, and those that were not heard of.
func TestWaitNamesGateways(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"heard":{"all":true,"replicas":[{"name":"a","applied":true},{"name":"b","applied":true}]}}`:   "a obeys\nb obeys\n",
		`{"heard":{"all":false,"replicas":[{"name":"a","applied":true},{"name":"b","applied":false}]}}`: "a obeys\nb was not heard of: its lease has run out, so that it serves nobody\n",
		`{"heard":{"all":true,"replicas":[]}}`:                                                          "the gateway that was asked obeys: its database knows of no other\n",
		`{}`:                                                                                            "",
	} {
		var said strings.Builder
		var a platformAnswer
		if err := json.Unmarshal([]byte(answer), &a); err != nil {
			t.Fatal(err)
		}
		if err := (&env{stderr: &said}).heard(&a); said.String() != want || (err != nil) != strings.Contains(answer, `"all":false`) {
			t.Errorf("%s: got %v %q, want %q", answer, err, said.String(), want)
		}
	}
	g := startDatabase(t)
	if out := g.runs(exitOK, "token", "revoke", "1", "--wait"); out != "revoked token 1\nthe gateway that was asked obeys: its database knows of no other\n" {
		t.Errorf("got %q", out)
	}
}

// What backup prints keeps the database that there was, and puts the copy in its place.
func TestRestoreAsBackupSays(t *testing.T) {
	t.Parallel()
	s := databaseSite(t)
	out := s.runs(exitOK, "store", "backup", filepath.Join(s.folder, "gate.db.backup"))
	s.runs(exitOK, "account", "new", "--offline", "--parent", "1", "--name", "After")
	line := regexp.MustCompile(`(?m)^mkdir .*$`).FindString(out)
	for i, want := range []bool{true, false} { // what was moved aside is not overwritten by a second time
		said, err := exec.Command("sh", "-c", line).CombinedOutput()
		if (err == nil) != want {
			t.Fatalf("%d: %q: got %v %s", i, line, err, said)
		}
	}
	if out := s.runs(exitOK, "account", "list", "--offline"); strings.Contains(out, "After") {
		t.Errorf("got %s", out)
	}
	s.runs(exitOK, "store", "verify", "--offline")
	if text := readText(t, s.folder, "before-restore", "gate.db"); len(text) == 0 {
		t.Error("the database of before is lost")
	}
}

// An entry without methods is warned of where it is made and where it is checked.
func TestEntryWithoutMethodsIsWarnedOf(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	const access, want = `{"type":2,"acl":[{"uri":"gw/devices","ids":[1]}]}`, "access.acl[entry 1]: the entry has no methods, so it permits nothing"
	policy := filepath.Join(s.folder, "policy.yaml")
	for _, args := range [][]string{{"token", "new", "--cid", "1", "--access", access, "--into", policy}, {"check"}} {
		if out := s.runs(exitOK, args...); !strings.Contains(out, want) {
			t.Errorf("%v: got %s, want %q", args, out, want)
		}
	}
}
