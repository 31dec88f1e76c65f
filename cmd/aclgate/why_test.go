package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/config"
)

const whyKey = "why-may-i-not-see-device-7"

const whyPolicy = `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}]
tokens:
  - id: 17
    key: ` + whyKey + `
    info: ops viewer
    cid: 1
    expire: 4102444800
    access:
      type: acl
      acl:
        - {uri: storage, methods: [GET]}
        - {uri: gw/channels, methods: [GET], ids: [2025]}
`

// decision sends a request and returns the decision id of its answer.
func (g *gate) decision(method, target string, header ...string) string {
	g.t.Helper()
	req, err := http.NewRequest(method, g.api+target, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "FlespiToken "+whyKey)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("X-Aclgate-Decision")
}

func startWhy(t *testing.T, settings string) *gate {
	t.Helper()
	g := startGate(t, siteOptions{settings: settings})
	g.policy(whyPolicy) // by a reload, which the audit log shows
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	return g
}

// From the x-aclgate-decision of a denied request to the line of the policy file that denied it:
// one command, whether the gateway still runs or not.
func TestWhy(t *testing.T) {
	g := startWhy(t, "audit: {path: audit.jsonl}\n")
	ids := map[string]string{}
	for _, target := range []string{"/gw/channels/2024", "/gw/channels/name=secretname", "/gw/devices/7", "/gw//x", "/gw/channels/2025/logs/x%22y"} {
		ids[target] = g.decision("GET", target+"?fields=id")
	}
	foreign := g.decision("GET", "/gw/channels/all", "x-flespi-cid", "999")
	move := g.decision("PUT", "/gw/channels/2025/cid")
	rows := []struct {
		id   string
		want []string
	}{
		{ids["/gw/channels/2024"], []string{"DENY (denied-items), answered 403", "policy.yaml:12", "GET /gw/channels/2024", "Add 2024 to the ids of entry 2 (policy.yaml:12)"}},
		{ids["/gw/devices/7"], []string{"DENY (no-entry)", "for GET on gw/devices, best rank first: none decides", "policy.yaml:3"}},
		{ids["/gw//x"], []string{"DENY (bad-target)", "Asked     GET /gw//x\n", "from 127.0.0.1", "Meaning"}},
		{foreign, []string{"DENY (foreign-account)", "there is no account 999"}},
		{move, []string{"DENY (no-entry)", "PUT"}},
	}
	for _, when := range []string{"running", "ended"} {
		for _, row := range rows {
			code, stdout, stderr := once(t, "why", "-c", g.file(), row.id)
			if code != 0 {
				t.Fatalf("%s: got code %d: %s", when, code, stderr)
			}
			for _, want := range row.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%s: %q is missing in\n%s", when, want, stdout)
				}
			}
			if strings.Contains(stdout+stderr, whyKey) || strings.Contains(stdout, "secretname") {
				t.Errorf("%s: what is not to be shown is:\n%s", when, stdout)
			}
		}
		g.end()
	}
	g.auditIsClean()
}

// auditIsClean looks for what an audit log must not hold, and for what it must.
func (g *gate) auditIsClean() {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.folder, "audit.jsonl"))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, secret := range []string{whyKey, "upstream-key", adminKey, "secretname", "fields=id"} {
		if strings.Contains(string(text), secret) {
			g.t.Errorf("the audit log shows %q", secret)
		}
	}
	if n := strings.Count(string(text), `"event":"reload"`); n != 1 {
		g.t.Errorf("got %d reloads in the audit log, want 1: %s", n, text)
	}
}

func TestWhyOfNothing(t *testing.T) {
	g := startWhy(t, "")
	for _, row := range []struct {
		id   string
		code int
		want string
	}{
		{"xyz", 2, "24 hex digits"},
		{"00112233445566778899aabb", 1, "there is no audit log to search"},
	} {
		code, _, stderr := once(t, "why", "-c", g.file(), row.id)
		if code != row.code || !strings.Contains(stderr, row.want) {
			t.Errorf("%s: got %d %q, want %d %q", row.id, code, stderr, row.code, row.want)
		}
	}
}

func TestAuditTail(t *testing.T) {
	g := startWhy(t, "audit: {path: audit.jsonl, allow_sample: 1}\n")
	g.decision("GET", "/gw/channels/2024")
	g.decision("GET", "/gw/channels/2025")
	g.decision("GET", "/gw/devices/7")
	if code, _, stderr := once(t, "reload", "-c", g.file()); code != exitOK { // changes nothing, so nothing is noted
		t.Fatalf("reload: %s", stderr)
	}
	g.end()
	for _, row := range []struct {
		flags []string
		want  []string // reasons, in order
	}{
		{nil, []string{"start", "reload", "denied-items", "permitted", "no-entry"}},
		{[]string{"--verdict", "deny"}, []string{"denied-items", "no-entry"}},
		{[]string{"--reason", "no-entry"}, []string{"no-entry"}},
		{[]string{"--token", "17", "-n", "1"}, []string{"no-entry"}},
		{[]string{"--token", "18"}, nil},
		{[]string{"--token", "17", "--since", "1ns"}, nil},
		{[]string{"--token", "17", "--since", "1h"}, []string{"denied-items", "permitted", "no-entry"}},
	} {
		code, stdout, stderr := once(t, append([]string{"audit", "tail", "-c", g.file(), "--json"}, row.flags...)...)
		var got []string
		for line := range strings.Lines(stdout) {
			var l struct{ Reason, Event string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			got = append(got, l.Reason+l.Event)
		}
		if code != 0 || fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%v: got %d %v %s, want %v", row.flags, code, got, stderr, row.want)
		}
	}
	if _, stdout, _ := once(t, "audit", "tail", "-c", g.file(), "-n", "1"); !strings.Contains(stdout, "GET /gw/devices/7") {
		t.Errorf("got %q", stdout)
	}
	if _, stdout, _ := once(t, "audit", "tail", "-c", g.file()); !strings.Contains(stdout, "Z  start revision 1\n") || strings.Contains(stdout, `""`) {
		t.Errorf("got %q", stdout)
	}
}

// Following goes on over the end of a file, and shows each line once.
func TestAuditTailFollows(t *testing.T) {
	t.Parallel()
	g := startWhy(t, "audit: {path: audit.jsonl}\n")
	first := g.decision("GET", "/gw/channels/2024")
	path := filepath.Join(g.folder, "audit.jsonl")
	g.appears(path, first)
	ctx, stop := context.WithCancel(t.Context())
	var out, errs safeBuffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"audit", "tail", "-c", g.file(), "-f"}, &out, &errs) }()
	wanted := []string{first}
	for i := range 3 {
		id := g.decision("GET", fmt.Sprintf("/gw/channels/%d", 3000+i))
		wanted = append(wanted, id)
		g.appears(path, id)
		for range 400 {
			if strings.Contains(out.String(), id) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if i == 1 {
			os.Rename(path, path+".1")
			os.WriteFile(path, nil, 0o600)
			path += ".1" // the gateway still writes there
		}
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("got code %d: %s", code, errs.String())
	}
	for _, id := range wanted[:3] {
		if n := strings.Count(out.String(), id); n != 1 {
			t.Errorf("got %s %d times in\n%s", id, n, out.String())
		}
	}
}

// A file that was truncated is shown from its beginning, also if it is longer by the next look than
// what was read of it.
func TestAuditTailOfTruncated(t *testing.T) {
	line := func(n int) string {
		return fmt.Sprintf(`{"time":"2026-11-22T02:02:56Z","decision":"%024d","verdict":"deny","reason":"no-entry","method":"GET","status":403,"target":"/gw/devices/7"}`+"\n", n)
	}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	put := func(text string, flags int) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	put(line(1)+line(2), 0)
	var out strings.Builder
	follow := &tail{flags: &tailFlags{lines: 10}, out: &out}
	if err := follow.past(config.Audit{Path: config.File{Path: path, Text: path}}); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		text  string
		flags int
		want  string
	}{
		{line(3), os.O_APPEND, "3"},
		{"", os.O_APPEND, ""},
		{line(4), os.O_TRUNC, "4"},
		{line(5) + line(6) + line(7), os.O_TRUNC, "567"},
		{line(8)[:40], os.O_APPEND, ""},
		{line(8)[40:], os.O_APPEND, "8"},
		{line(1) + line(2) + line(3) + line(9), os.O_TRUNC, "1239"},
	} {
		put(step.text, step.flags)
		out.Reset()
		if err := follow.look(path); err != nil {
			t.Fatal(err)
		}
		got := ""
		for shown := range strings.Lines(out.String()) {
			got += strings.TrimLeft(strings.Fields(shown)[1], "0")
		}
		if got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
}

// appears waits until a file holds a text.
func (g *gate) appears(path, text string) {
	g.t.Helper()
	for range 1000 {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), text) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	g.t.Fatalf("%s never holds %s", path, text)
}
