package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The kind of a topic says neither an item nor what a client made up.
func TestFamilyOfATopic(t *testing.T) {
	for topic, want := range map[string]string{
		"flespi/state/gw/devices/7/telemetry/speed": "flespi/state/gw/devices", "flespi/state/gw/+/7": "flespi/state/gw", "flespi/log/#": "flespi/log",
		"flespi/SECRET": "flespi", "flespi/state/7": "flespi/state", "flespi": "own topic", "SECRET/x": "own topic", "/flespi": "own topic", "#": "#", "+/x": "+", "": "",
	} {
		if got := family(topic); got != want {
			t.Errorf("%q: got %q, want %q", topic, got, want)
		}
	}
}

// What real clients would lose is grouped, with what lets it pass: asked of a gateway, read from its
// log.
func TestAuditSummary(t *testing.T) {
	const policy = gatePolicy
	g := startGate(t, siteOptions{
		settings: "audit: {path: audit.jsonl, allow_sample: 1}\n",
		policy:   strings.Replace(policy, "%s", strings.NewReplacer("%d", "5", "%s", "key-of-five").Replace(gateToken), 1),
	})
	for _, c := range []struct{ key, method, target, header string }{
		{validKey, "GET", "/gw/channels/all?sort=name&a%2Fb=1", ""}, {"key-of-five", "GET", "/gw/channels/all?sort=x", ""},
		{validKey, "PUT", "/gw/channels/2025?filter=x", ""}, {validKey, "GET", "/gw/channels/all?Limit=x", ""},
		{validKey, "GET", "/gw/channels/all?token=SECRETSECRET", ""}, {validKey, "GET", "/gw/channels/all", "X-Original-URL"},
		{"key-of-five", "GET", "/gw/channels/2025/messages", ""}, {"key-of-five", "GET", "/gw/channels/2026", ""},
		{"key-of-five", "GET", "/gw/channels/2026?fields=id", ""}, {validKey, "GET", "/gw/gizmos/1", ""}, {validKey, "GET", "/gw/channels/2025", ""},
	} {
		req := newRequest(c.method, g.api+c.target)
		req.Header.Set("Authorization", "FlespiToken "+c.key)
		if c.header != "" {
			req.Header.Set(c.header, "/SECRETSECRET")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	var code int
	var text, stderr string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if code, text, stderr = once(t, "audit", "summary", "-c", g.file()); strings.HasPrefix(text, "11 requests") {
			break
		}
	}
	if code != exitOK || strings.Contains(text, "SECRET") {
		t.Fatalf("got %d %s\n%s", code, stderr, text)
	}
	squeezed := strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"11 requests in the log, 8 groups of refusals",
		"2 denied-items GET /gw/channels/{} token 5", "2 dropped sort token 1, token 5", "1 dropped a/b token 1",
		"1 bad-query filter from 127.0.0.1", "policy.query: [filter], if the backend knows it",
		"1 bad-query Limit from 127.0.0.1", "1 bad-query token from 127.0.0.1", "1 bad-head X-Original-Url from 127.0.0.1",
		"1 unknown-route GET /gw/gizmos/1 token 1", "policy.routes_file, if the backend has this route",
		"add to the settings: policy: {query: [filter, sort]}",
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("got\n%s\nwant %q in it", text, want)
		}
	}
	_, text, _ = once(t, "audit", "summary", "--output", "json", "-n", "2", "-c", g.file())
	var rows []struct {
		Reason, Name string
		Requests     int
		Clients      []string
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != 2 || rows[0].Requests != 2 || !slices.Equal(rows[0].Clients, []string{"token 5"}) {
		t.Errorf("got %v of %s", err, text)
	}
	if code, text, _ := once(t, "audit", "summary", "--since", "0s", "--output", "yaml", "-c", g.file()); code != exitUsage || text != "" {
		t.Errorf("got %d %s of an output that there is not", code, text)
	}
}
