package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explainKey = "a-key-that-nobody-may-see-0123456789"

const explainPolicy = `
accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
tokens:
  - id: 17
    key: ` + explainKey + `
    info: ops viewer
    cid: 11
    expire: 2027-01-01T00:00:00Z
    access: {type: acl, acl: [{uri: gw/devices, methods: [GET], ids: [7, 9]}]}
  - {id: 18, key: another-key-0123456789, info: ops writer, cid: 1, expire: 2027-01-01T00:00:00Z, access: {type: master}}
`

// explainFiles writes a pair of files and returns the name of the settings.
func explainFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"policy.yaml": explainPolicy, "upstream.token": "upstream-key-0123456789\n", "key": explainKey + "\n",
		"aclgate.yaml": "listen: {address: 127.0.0.1:8080}\nadmin: {address: 127.0.0.1:9090}\n" +
			"upstream: {urls: [\"http://127.0.0.1:9000\"], token_file: upstream.token}\nstore: {kind: file, path: policy.yaml}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "aclgate.yaml")
}

func TestExplain(t *testing.T) {
	file := explainFiles(t)
	at := []string{"--at", "2026-05-04T12:00:00Z"}
	for _, row := range []struct {
		name string
		args []string
		code int
		want string // in stdout, or in stderr where the code is not 0
	}{
		{"by id", []string{"--token", "17", "GET", "/gw/devices/7/messages"}, 0, "ALLOW (permitted)"},
		{"a denial is explained, too", []string{"--token", "17", "GET", "/gw/devices/8"}, 0, "Add 8 to the ids of entry 1 (policy.yaml:11)"},
		{"by info", []string{"--info", "VIEWER", "GET", "/gw/devices/8"}, 0, "DENY (denied-items)"},
		{"by key", []string{"--key-file", filepath.Join(filepath.Dir(file), "key"), "GET", "/gw/devices/8"}, 0, `Token     17 "ops viewer"`},
		{"account", []string{"--token", "18", "--cid", "11", "GET", "/gw/devices/all"}, 0, "x-flespi-cid: 11"},
		{"later", []string{"--token", "17", "--at", "1900000000", "GET", "/gw/devices/8"}, 0, "expired at 2027-01-01"},
		{"a filter", []string{"--token", "17", "--mqtt", "subscribe", "flespi/message/gw/devices/+"}, 0, "is asked for flespi/message/gw/devices/9"},
		{"a delivery", []string{"--token", "17", "--mqtt", "deliver", "flespi/message/gw/devices/8"}, 0, "DENY (denied-items)"},
		{"a publish", []string{"--token", "18", "--mqtt", "publish", "flespi/rest/x"}, 0, "DENY (topic-rest)"},
		{"a topic as JSON", []string{"--token", "17", "--mqtt", "--json", "deliver", "a"}, 0, `"reason": "no-topic-entry"`},
		{"no action", []string{"--token", "17", "--mqtt", "GET", "/gw/devices/8"}, 2, "explain --mqtt takes subscribe FILTER"},
		{"no token", []string{"--token", "19", "GET", "/gw/devices/8"}, 1, "no token has the id 19"},
		{"several", []string{"--info", "ops", "GET", "/gw/devices/8"}, 1, "several tokens have \"ops\" in its info: name one by --token: 17, 18"},
		{"nobody", []string{"GET", "/gw/devices/8"}, 2, "name a token"},
		{"two names", []string{"--token", "17", "--info", "ops", "GET", "/gw/devices/8"}, 2, "--info and --token exclude each other: give one of them"},
		{"small letters", []string{"--token", "17", "get", "/gw/devices/8"}, 0, "The method is explained as GET"},
		{"no path", []string{"--token", "17", "GET", "http://host/gw"}, 2, "a path begins with /"},
		{"bad cid", []string{"--token", "17", "--cid", "x", "GET", "/gw"}, 2, "--cid is the id of an account"},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := append([]string{"explain", "-c", file}, row.args...)
			if row.name != "later" {
				args = append(args, at...)
			}
			code, stdout, stderr := runExplainCommand(args)
			got := stdout
			if row.code != 0 {
				got = stderr
			}
			if code != row.code || !strings.Contains(got, row.want) {
				t.Errorf("got code %d and %q, want %d and %q", code, got, row.code, row.want)
			}
			if strings.Contains(stdout+stderr, explainKey) {
				t.Error("the key is shown")
			}
		})
	}
}

// What a shell makes of --key-file <(pass show ops) can be read only once.
func TestExplainTakesTheKeyOfAPipe(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	path := fmt.Sprintf("/dev/fd/%d", out.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip("this system does not show files that are open")
	}
	_, err = in.WriteString(explainKey + "\n")
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runExplainCommand([]string{"explain", "-c", explainFiles(t), "--key-file", path, "GET", "/gw/devices/8"})
	if code != 0 || !strings.Contains(stdout, `17 "ops viewer"`) {
		t.Errorf("got code %d and %s%s", code, stdout, stderr)
	}
}

func TestExplainTakesTheKeyOfTheEnvironment(t *testing.T) {
	t.Setenv(keyVariable, explainKey)
	code, stdout, _ := runExplainCommand([]string{"explain", "-c", explainFiles(t), "GET", "/gw/devices/8"})
	if code != 0 || !strings.Contains(stdout, `17 "ops viewer"`) {
		t.Errorf("got code %d and %s", code, stdout)
	}
}

func TestExplainPrintsJSON(t *testing.T) {
	code, stdout, _ := runExplainCommand([]string{"explain", "-c", explainFiles(t), "--json", "--at", "1777000000",
		"--token", "17", "GET", "/gw/devices/all?fields=id"})
	var report struct {
		Verdict string
		Backend struct{ Target string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 {
		t.Fatalf("code %d: %v in %s", code, err, stdout)
	}
	if report.Verdict != "narrow" || report.Backend.Target != "/gw/devices/7,9?fields=id" {
		t.Errorf("got %+v, want narrow to 7,9", report)
	}
}

func runExplainCommand(args []string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}
