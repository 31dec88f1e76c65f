package proxy

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// counter returns the sum of a counter over its labels.
func (f *fixture) counter(name string) (sum float64) {
	f.t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// exposedNames are those of SPEC 5.
const exposedNames = "x-aclgate-decision, x-aclgate-denied, retry-after, x-ratelimit-limit, x-ratelimit-remaining, " +
	"x-ratelimit-reset, x-aclgate-dropped, etag, content-range, content-disposition, location"

// A browser asks OPTIONS before it sends a token; without Origin it is a plain question.
func TestOptions(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	got := w.raw("OPTIONS /gw/devices/all HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOrigin: https://a.example\r\n" +
		"Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-flespi-cid, X-My,,range2, no token,cache-control,x-my\r\n" +
		"Access-Control-Request-Private-Network: true\r\n\r\n")
	want := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
		"Access-Control-Allow-Headers": "authorization, content-type, x-flespi-cid, x-flespi-app, x-flespi-trace, traceparent, " +
			"tracestate, x-request-id, if-none-match, range, X-My, range2, cache-control",
		"Access-Control-Allow-Private-Network": "true",
		"Access-Control-Max-Age":               "600", "Allow": "", "Content-Type": "", "Content-Length": "",
	}
	if got.status != 204 || got.body != "" {
		t.Errorf("got %d %q", got.status, got.body)
	}
	for name, value := range want {
		if got.header.Get(name) != value {
			t.Errorf("got %s %q, want %q", name, got.header.Get(name), value)
		}
	}
	got = w.call("", "OPTIONS", "/gw/devices/all", "")
	if got.status != 204 || got.header.Get("Allow") != "GET, POST, PUT, PATCH, DELETE, OPTIONS" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d %q", got.status, got.header)
	}
	for _, target := range []string{"/gw//all", "/gw/devices/01?x=1&x", "/"} { // a browser would hide what is wrong
		if got := w.call("", "OPTIONS", target, ""); got.status != 204 {
			t.Errorf("%s: got %d, want 204", target, got.status)
		}
	}
	if sent := w.backend.take(); len(sent) != 0 {
		t.Errorf("got %d requests at the backend", len(sent))
	}
}

// Every answer to a request with Origin can be read by the page, errors included, if its origin is
// one of the list; the backend's own CORS headers never pass.
func TestOrigins(t *testing.T) {
	list := func(origins ...string) setup {
		return func(o *Options, _ *policy.Engine, _ *head.Config) { o.Origins = origins }
	}
	rows := []struct {
		list         []string
		origin, want string
	}{
		{[]string{"*"}, "https://a.example", "*"},
		{[]string{"https://a.example", "https://b.example"}, "https://b.example", "https://b.example"},
		{[]string{"https://a.example"}, "https://b.example", ""},
		{[]string{"https://a.example"}, "https://a.example.evil", ""},
		{nil, "https://a.example", ""},
		{[]string{"*"}, "", ""},
	}
	for _, row := range rows {
		w := textWired(t, plain(`{"result":[]}`, "Access-Control-Allow-Origin: https://evil", "Access-Control-Allow-Credentials: true"),
			list(row.list...))
		for _, target := range []string{"/gw/devices/1", "/gw/devices/3", "/gw//1", "/x"} {
			got := w.call(readerKey, "GET", target, "", strings.Split("Origin: "+row.origin, "\n")[:bit(row.origin != "")]...)
			exposes := exposedNames
			if row.want == "" {
				exposes = ""
			}
			if v := got.header.Values("Access-Control-Allow-Origin"); strings.Join(v, "|") != row.want {
				t.Errorf("%v %s %s: got %q, want %q", row.list, row.origin, target, v, row.want)
			}
			if v := got.header.Get("Access-Control-Expose-Headers"); v != exposes {
				t.Errorf("%v %s %s: got %q, want %q", row.list, row.origin, target, v, exposes)
			}
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: the backend's CORS headers pass", target)
			}
			if v := got.header.Values("Vary"); !slices.Contains(v, varyOn) {
				t.Errorf("%s: got Vary %q", target, v)
			}
		}
	}
}

// /auth/info is the token's own record, without its key, for each access type.
func TestOwnRecord(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	w.token("acl-with-everything", "acl", 11, `[
		{"uri":"gw/devices","methods":["GET","PUT"],"ids":[2,1],"submodules":[{"name":"messages","methods":["GET"]}]},
		{"uri":"gw/groups","methods":[],"ids":"all","submodules":[]},{"uri":"gw","methods":["POST"],"ids":"in-groups"},{"uri":"storage"},
		{"uri":"mqtt","topic":"a/#","actions":["subscribe","publish"]},{"uri":"mqtt","topic":"b","actions":["publish"]}]`)
	tok := w.tokens[digestOf("acl-with-everything")]
	tok.Info, tok.TTL, tok.Created, tok.Used = "ops \"<view>\"\n", 60, time.Now().Unix()-5, new(atomic.Int64)
	id := func(key string) string { return itoa(int(w.tokens[digestOf(key)].ID)) }
	tail := func(key string) string {
		return `,"accessed":0,"blocked":0,"cid":11,"created":0,"enabled":true,"expire":4102444800,"id":` + id(key) + `,"info":"","ttl":0}]}`
	}
	root := strings.Replace(tail(rootKey), `"cid":11`, `"cid":1`, 1)
	for _, row := range []struct{ key, want string }{
		{rootKey, `{"result":[{"access":{"type":1}` + root},
		{allKey, `{"result":[{"access":{"type":0}` + tail(allKey)},
		{readerKey, `{"result":[{"access":{"acl":[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[1,2]}],"type":2}` + tail(readerKey)},
	} {
		if got := w.call(row.key, "GET", "/auth/info", ""); got.status != 200 || got.body != row.want {
			t.Errorf("got %d %s, want %s", got.status, got.body, row.want)
		}
	}
	got := w.call("acl-with-everything", "GET", "/auth/info", "")
	want := `{"result":[{"access":{"acl":[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[1,2],"submodules":[{"name":"messages","methods":["GET"]}]},` +
		`{"uri":"gw/groups","methods":[],"ids":"all","submodules":[]},{"uri":"gw","methods":["POST"],"ids":"in-groups"},{"uri":"storage","methods":[]},` +
		`{"uri":"mqtt","methods":[],"topic":"a/#","actions":["publish","subscribe"]},{"uri":"mqtt","methods":[],"topic":"b","actions":["publish"]}],"type":2},` +
		`"accessed":` + itoa(int(tok.LastUsed())) + `,"blocked":0,"cid":11,"created":` + itoa(int(tok.Created)) + `,"enabled":true,"expire":4102444800,"id":` +
		itoa(int(tok.ID)) + `,"info":"ops \"\u003cview\u003e\"\u000a","ttl":60}]}`
	if got.body != want || tok.LastUsed() == 0 {
		t.Errorf("got %s, want %s", got.body, want)
	}
	if got := w.call(readerKey, "POST", "/auth/info", "{}"); got.status != 403 || len(w.backend.take()) != 0 {
		t.Errorf("got %d for POST", got.status)
	}
}

// /auth/regions names the gateway, to everyone: no client is sent around it.
func TestRegions(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	want := `{"result":[{"name":"aclgate","default":true,"rest":"http://gw.test"}]}`
	for _, key := range []string{"", "nobody-has-this-key", allKey, readerKey} {
		if got := w.call(key, "GET", "/auth/regions", ""); got.status != 200 || got.body != want {
			t.Errorf("got %d %s, want %s", got.status, got.body, want)
		}
	}
	if got := w.call("", "POST", "/auth/regions", "{}"); got.status != 401 {
		t.Errorf("got %d, want 401", got.status)
	}
	public := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) { o.PublicURL = "https://api.example" })
	if got := public.call("", "GET", "/auth/regions", ""); !strings.Contains(got.body, `"rest":"https://api.example"`) {
		t.Errorf("got %s", got.body)
	}
}

// /auth/regions sends MQTT clients to the gateway's own listeners, while there are any.
func TestRegionsNameTheListenersForMQTT(t *testing.T) {
	said := func(address string) func() string { return func() string { return address } }
	rows := []struct {
		mqtt, ws   func() string
		host, want string
	}{
		{said(":1883"), nil, "gw.test", `"rest":"http://gw.test","mqtt":"gw.test:1883"}`},
		{said(":1883"), said(":8083"), "gw.test:80", `"rest":"http://gw.test:80","mqtt-ws":"gw.test:8083","mqtt":"gw.test:1883"}`},
		{said(":1883"), nil, "[::1]:80", `,"mqtt":"[::1]:1883"}`},
		{said(":1883"), nil, "[::1]", `,"mqtt":"[::1]:1883"}`},
		{said("m.example:8883"), said(""), "gw.test", `"rest":"http://gw.test","mqtt":"m.example:8883"}`},
	}
	for _, row := range rows {
		w := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) { o.MQTT, o.MQTTWS = row.mqtt, row.ws })
		answer := w.exchange("GET /auth/regions HTTP/1.1\r\nHost: " + row.host + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, row.want) {
			t.Errorf("%s: got %s, want %s", row.host, answer, row.want)
		}
	}
}

// Expiry, time to live, addresses and origins bind every request anew.
func TestTokenValidity(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	now := time.Now().Unix()
	used := func(at int64) *atomic.Int64 { u := new(atomic.Int64); u.Store(at); return u }
	rows := []struct {
		name   string
		edit   func(*policy.Token)
		origin string
		status int
	}{
		{"expires later", func(t *policy.Token) { t.Expire = now + 1000 }, "", 200},
		{"expired", func(t *policy.Token) { t.Expire = now - 1 }, "", 401},
		{"neither", func(t *policy.Token) { t.Expire = 0 }, "", 401},
		{"used lately", func(t *policy.Token) { t.Expire, t.TTL, t.Used = 0, 60, used(now-30) }, "", 200},
		{"used long ago", func(t *policy.Token) { t.Expire, t.TTL, t.Used = 0, 60, used(now-90) }, "", 401},
		{"never used, created lately", func(t *policy.Token) { t.Expire, t.TTL, t.Used, t.Created = 0, 60, used(0), now-30 }, "", 200},
		{"either is enough", func(t *policy.Token) { t.Expire, t.TTL, t.Used = now-1, 60, used(now-30) }, "", 200},
		{"this address", func(t *policy.Token) { t.Sources = &policy.Sources{Masks: []string{"127.?.0.*"}} }, "", 200},
		{"another address", func(t *policy.Token) { t.Sources = &policy.Sources{Masks: []string{"128.*"}} }, "", 401},
		{"no address", func(t *policy.Token) { t.Sources = &policy.Sources{} }, "", 401},
		{"this page", func(t *policy.Token) { t.Origins = []string{"https://a.example"} }, "https://a.example", 200},
		{"another page", func(t *policy.Token) { t.Origins = []string{"https://a.example"} }, "https://b.example", 401},
		{"no page", func(t *policy.Token) { t.Origins = []string{"https://a.example"} }, "", 200},
		{"access of nobody", func(t *policy.Token) { t.Access = policy.NoAccess }, "", 403},
	}
	for _, row := range rows {
		key := "token-" + strings.ReplaceAll(row.name, " ", "-")
		key = strings.ReplaceAll(key, ",", "")
		w.token(key, "standard", 11, "")
		row.edit(w.tokens[digestOf(key)])
		got := w.call(key, "GET", "/gw/devices/1", "", strings.Split("Origin: "+row.origin, "\n")[:bit(row.origin != "")]...)
		if got.status != row.status {
			t.Errorf("%s: got %d, want %d", row.name, got.status, row.status)
		}
		if u := w.tokens[digestOf(key)].LastUsed(); row.status == 200 && w.tokens[digestOf(key)].Used != nil && u < now {
			t.Errorf("%s: the use is not noted: %d", row.name, u)
		}
	}
}
