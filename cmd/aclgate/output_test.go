package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noTable are the commands that print no table: why there is nothing for --output to say.
var noTable = map[string]string{
	"aclgate": "help", "aclgate help": "help", "aclgate audit": "help", "aclgate item": "help", "aclgate store": "help", "aclgate token": "help",
	"aclgate user": "help", "aclgate completion": "help", "aclgate completion bash": "a script", "aclgate completion zsh": "a script",
	"aclgate completion fish": "a script", "aclgate completion powershell": "a script",
	"aclgate check": "faults, each as file:line:col", "aclgate demo": "a screen", "aclgate init": "names of files", "aclgate serve": "a log, whose form log.format says",
	"aclgate reload": "one line", "aclgate version": "one line", "aclgate schema": "is JSON", "aclgate user hash": "one line",
	"aclgate item assign": "one line", "aclgate item import": "one line", "aclgate item export": "CSV",
	"aclgate store accept": "one line", "aclgate store backup": "three lines", "aclgate store export": "YAML", "aclgate store import": "one line",
	"aclgate store migrate": "one line", "aclgate store prune": "one line", "aclgate store roles": "SQL",
	"aclgate token new": "a key and YAML", "aclgate token show": "one record", "aclgate token edit": "one record",
	"aclgate token revoke": "one line", "aclgate token enable": "one line", "aclgate token disable": "one line",
	"aclgate account": "help", "aclgate account new": "one line", "aclgate account show": "is JSON", "aclgate account edit": "one line",
	"aclgate account delete": "one line", "aclgate account enable": "one line", "aclgate account disable": "one line",
	"aclgate limit": "help", "aclgate limit new": "one line", "aclgate limit show": "is JSON", "aclgate limit edit": "one line", "aclgate limit delete": "one line",
	"aclgate grant": "help", "aclgate grant new": "one line", "aclgate grant show": "is JSON", "aclgate grant edit": "one line", "aclgate grant delete": "one line",
	"aclgate grant enable": "one line", "aclgate grant disable": "one line", "aclgate grant link": "one line", "aclgate grant unlink": "one line",
	"aclgate realm": "help", "aclgate realm new": "one line", "aclgate realm show": "is JSON", "aclgate realm edit": "one line", "aclgate realm delete": "one line",
	"aclgate realm enable": "one line", "aclgate realm disable": "one line",
	"aclgate role": "help", "aclgate role new": "one line", "aclgate role show": "is JSON", "aclgate role edit": "one line", "aclgate role delete": "one line",
	"aclgate user new": "one line", "aclgate user show": "is JSON", "aclgate user edit": "one line", "aclgate user delete": "one line",
	"aclgate user enable": "one line", "aclgate user disable": "one line", "aclgate user password": "one line", "aclgate user login": "a key", "aclgate user logout": "one line",
	"aclgate bench backend": "one line", "aclgate bench world": "one line",
}

// Every command either prints no table, or knows --output json.
func TestEveryTableHasJSON(t *testing.T) {
	for path, c := range commands(t) {
		has := c.Flags().Lookup("output") != nil
		if _, exempt := noTable[path]; exempt == has {
			t.Errorf("%s: --output is there: %v, and it is said to print no table: %v", path, has, exempt)
		}
	}
}

// What --output json prints is JSON with what the table says, and nothing else is printed with it.
func TestOutputJSON(t *testing.T) {
	g := startWhy(t, "audit: {path: audit.jsonl, allow_sample: 1}\nscope: {owners: store, mode: ids}\n")
	g.policy(whyPolicy + "owners: {gw/channels: {11: [2024, \"2026-2029\"]}}\n")
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	id := g.decision("GET", "/gw/channels/2024")
	g.appears(filepath.Join(g.folder, "audit.jsonl"), id)
	if err := os.WriteFile(filepath.Join(g.folder, "new.yaml"), []byte(strings.Replace(whyPolicy, "2025", "2024", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := "suite: s\ntokens: [{name: viewer, id: 17}]\ncases:\n  - {name: c, as: viewer, request: GET /gw/channels/2024, expect: {verdict: allow}}\n"
	if err := os.WriteFile(filepath.Join(g.folder, "a_test.yaml"), []byte(cases), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		call string
		code int
		want string
	}{
		{"audit summary", 0, `"reason":"denied-items"`},
		{"audit tail --verdict deny", 0, `"decision":"` + id + `"`},
		{"diff --new " + filepath.Join(g.folder, "new.yaml"), 0, `"different": 1`},
		{"explain --token 17 GET /gw/channels/2024", 0, `"verdict": "deny"`},
		{"explain --live --token 17 GET /gw/channels/2024", 0, `"verdict": "deny"`},
		{"explain --token 17 --mqtt deliver a", 0, `"verdict": "deny"`},
		{"health", 0, `"state":"ok"`},
		{"health --ready", 0, `"name":"draining","state":"ok"`},
		{"item list", 0, `"ids": "2024,2026-2029"`},
		{"metrics", 0, "\"name\": \"aclgate_requests_total\",\n    \"type\": \"counter\""},
		{"routes", 0, `"route": "/gw/devices/{}"`},
		{"routes /gw/devices/7/messages", 0, `"addresses": "submodule messages"`},
		{"test", 4, `"failed": 1`},
		{"why " + id, 0, `"reason":"denied-items"`},
	} {
		code, stdout, stderr := once(t, append(strings.Fields(row.call), "--output", "json", "-c", g.file())...)
		if code != row.code || stderr != "" || !strings.Contains(stdout, row.want) || !isJSON(stdout) {
			t.Errorf("%s: got %d %q and\n%.600s\nwant %d and %s", row.call, code, stderr, stdout, row.code, row.want)
		}
	}
	if code, stdout, stderr := once(t, "why", id, "--json", "-c", g.file()); code != 0 || !isJSON(stdout) {
		t.Errorf("--json: got %d %s%s", code, stdout, stderr)
	}
	if code, _, stderr := once(t, "health", "--output", "yaml", "-c", g.file()); code != exitUsage || !strings.Contains(stderr, "expected text or json") {
		t.Errorf("--output yaml: got %d %s", code, stderr)
	}
}

// The same for what needs a database.
func TestOutputJSONOfADatabase(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	rows := map[string]string{
		"changes": `"Revision":1`, "store status": `"tokens": 1`, "store status --offline": `"schema": `,
		"store verify": `"bad_rows": `, "store verify --offline": `"Tokens": 1`,
	}
	if *long {
		rows["bench store --tokens 20"] = `"what": "load"`
	}
	for call, want := range rows {
		code, stdout, stderr := once(t, append(strings.Fields(call), "--output", "json", "-c", g.file())...)
		if code != exitOK || !strings.Contains(strings.ToLower(stdout), strings.ToLower(want)) || !isJSON(stdout) {
			t.Errorf("%s: got %d %q and\n%.600s\nwant %s", call, code, stderr, stdout, want)
		}
	}
}

// isJSON reports whether a text is one JSON value or more, and nothing else.
func isJSON(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	for n := 0; ; n++ {
		var v any
		if err := d.Decode(&v); err != nil {
			return err == io.EOF && n > 0
		}
	}
}
