package proxy

import (
	"io"
	"net"
	"regexp"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// own is an error of the gateway that is no policy, in flespi's shape.
func own(status int, reason string) string {
	return `{"errors":[{"code":` + itoa(status) + `,"reason":"` + reason + `"}]}`
}

var refusalRows = []struct {
	name, sent string
	status     int
	body       string
}{
	{"no token", request("", "GET", "/gw/devices/1", ""), 401, bodyUnauthorized},
	{"no token, unknown path", request("", "GET", "/x", ""), 401, bodyUnauthorized},
	{"unknown token", request("nobody-has-this-key", "GET", "/gw/devices/1", ""), 401, bodyUnauthorized},
	{"malformed token", request("bad key!", "GET", "/gw/devices/1", ""), 401, bodyUnauthorized},
	{"short token", request("short", "GET", "/gw/devices/1", ""), 401, bodyUnauthorized},
	{"noapi", request("noapi-token", "GET", "/gw/devices/1", ""), 403, bodyNotPermitted},
	{"no entry", request(readerKey, "DELETE", "/gw/devices/1", ""), 403, bodyNotPermitted},
	{"unknown path of an acl token", request(readerKey, "GET", "/x/y", ""), 403, bodyNotPermitted},
	{"unknown method of an acl token", request(readerKey, "POST", "/gw/devices/1", "{}"), 403, bodyNotPermitted},
	{"closed", request(rootKey, "GET", "/platform/tokens/all", ""), 403, bodyNotPermitted},
	{"denied id", request(readerKey, "GET", "/gw/devices/3/messages", ""), 403,
		`{"errors":[{"code":6,"id":3,"reason":"access denied to '\/devices\/3'"}],"result":[]}`},
	{"denied ids, in the order asked", request(readerKey, "GET", "/gw/devices/9,4", ""), 403,
		`{"errors":[{"code":6,"id":9,"reason":"access denied to '\/devices\/9'"},` +
			`{"code":6,"id":4,"reason":"access denied to '\/devices\/4'"}],"result":[]}`},
	{"account", request(readerKey, "GET", "/gw/devices/1", "", "x-flespi-cid: 12"), 403,
		`{"errors":[{"code":6,"id":12,"reason":"access denied to '\/accounts\/12'"}],"result":[]}`},
	{"account in the body", request(readerKey, "PUT", "/gw/devices/1", `{"cid":12}`), 403,
		`{"errors":[{"code":6,"id":12,"reason":"access denied to '\/accounts\/12'"}],"result":[]}`},
	{"id in the body", request(readerKey, "PUT", "/gw/devices/1", `{"id":2}`), 403,
		`{"errors":[{"code":6,"id":2,"reason":"access denied to '\/devices\/2'"}],"result":[]}`},
	{"unknown path", request(allKey, "GET", "/x/y", ""), 404, own(404, "unknown path")},
	{"unknown method", request(allKey, "POST", "/gw/devices/1", "{}"), 405, own(405, "this path does not take the method")},
	{"no length", "PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nAuthorization: " + allKey + "\r\n\r\n", 411, own(411, "send Content-Length")},
	{"unframed body", "DELETE /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nAuthorization: " + allKey + "\r\n\r\n{}", 400,
		own(400, head.UnframedFault.Reason)},
	{"chunked", "PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n", 411,
		own(411, "chunked bodies are off here: send Content-Length")},
	{"GET with a body too long", request(allKey, "GET", "/gw/devices/1", `{"x":"`+strings.Repeat("y", 9000)+`"}`), 400, own(400, textData)},
	{"GET with a body too long once encoded", request(allKey, "GET", "/gw/devices/1", `{"x":"`+strings.Repeat("{", 3000)+`"}`), 400, own(400, textData)},
	{"expectation", "PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 1\r\nExpect: x\r\n\r\nx", 417,
		own(417, "the only expectation that can be met is 100-continue")},
	{"host", "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", 421, own(421, "this host is not served here")},
	{"version", "GET / HTTP/2.0\r\nHost: gw.test\r\n\r\n", 505, own(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")},
	{"too many ids", request(allKey, "GET", "/gw/devices/1,2,3,4", ""), 400, own(400, "too many ids in one list")},
	{"query", request(allKey, "PUT", "/gw/devices/1?a%22%3Cb=1", "{}"), 400, own(400, `unknown query parameter: 'a\"\u003cb'`)},
	{"coding", request(allKey, "PUT", "/gw/devices/1", "{}", "Content-Encoding: br"), 415, own(415, textCoding)},
	{"nothing left", request("no-device-at-all", "GET", "/gw/devices/all", ""), 200, `{"result":[]}`},
}

// Every refusal, status and body to the byte (SPEC 5).
func TestRefusals(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), func(_ *Options, l *policy.Engine, c *head.Config) {
		c.Hosts, l.MaxIDs = []string{"gw.test"}, 3
	})
	w.token("noapi-token", "noapi", 11, "")
	w.token("no-device-at-all", "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":[]}]`)
	for _, row := range refusalRows {
		if got := w.raw(row.sent); got.status != row.status || got.body != row.body {
			t.Errorf("%s: got %d %s, want %d %s", row.name, got.status, got.body, row.status, row.body)
		} else {
			checkOwnHeaders(t, row.name, got)
		}
	}
}

var decisionID = regexp.MustCompile(`^[0-9a-f]{24}$`)

func checkOwnHeaders(t *testing.T, name string, got answer) {
	t.Helper()
	want := map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Authorization, x-flespi-cid, Origin",
		"Content-Length": itoa(len(got.body)),
	}
	for k, v := range want {
		if values := got.header.Values(k); len(values) != 1 || values[0] != v {
			t.Errorf("%s: got %s %q, want %q", name, k, values, v)
		}
	}
	if id := got.header.Get("x-aclgate-decision"); !decisionID.MatchString(id) {
		t.Errorf("%s: got decision %q", name, id)
	}
	if got.status == 503 && got.header.Get("Retry-After") == "" {
		t.Errorf("%s: no Retry-After", name)
	}
}

// Decision ids are never the same, also on one connection.
func TestDecisionsAreUnique(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	seen := map[string]bool{}
	for range 100 {
		seen[w.call(allKey, "GET", "/gw/devices/1", "").header.Get("x-aclgate-decision")] = true
	}
	if len(seen) != 100 {
		t.Errorf("got %d different ids of 100 answers", len(seen))
	}
}

// 405 names the methods of the path; HEAD gets the same without a body, and a token with an ACL
// does not learn the difference.
func TestMethodNotTaken(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	for _, row := range []struct {
		key, method, target string
		status              int
		allow, body         string
	}{
		{allKey, "POST", "/gw/devices/1", 405, "GET, PUT, PATCH, DELETE", own(405, "this path does not take the method")},
		{allKey, "GET", "/gw/devices", 405, "POST", own(405, "this path does not take the method")},
		{allKey, "BREW", "/gw/devices/1/commands", 405, "POST", own(405, "this path does not take the method")},
		{allKey, "HEAD", "/gw/devices/1", 405, "GET, PUT, PATCH, DELETE", ""},
		{allKey, "HEAD", "/gw/nothing/1", 404, "", ""},
		{readerKey, "HEAD", "/gw/devices/1", 403, "", ""},
		{"", "HEAD", "/gw/devices/1", 401, "", ""},
	} {
		got := w.call(row.key, row.method, row.target, "")
		if got.status != row.status || got.body != row.body || got.header.Get("Allow") != row.allow {
			t.Errorf("%s %s: got %d Allow %q %s", row.method, row.target, got.status, got.header.Get("Allow"), got.body)
		}
	}
}

// An answer to HEAD ends with its head: the next request on the connection gets its own.
func TestHeadKeepsTheConnection(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	c := w.dial()
	defer c.Close()
	io.WriteString(c, "HEAD /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: "+allKey+"\r\n\r\n"+
		request(allKey, "GET", "/gw/devices/1", ""))
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 405 ") || !strings.HasPrefix(rest, "HTTP/1.1 200 ") {
		t.Errorf("got %q", text)
	}
}

// What concerns tokens alone is one answer, to the byte: which it was stands in the log.
func TestUnauthorizedTellsNothing(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	edit := func(key string, f func(*policy.Token)) {
		w.token(key, "standard", 11, "")
		f(w.tokens[digestOf(key)])
	}
	edit("expired-token", func(tok *policy.Token) { tok.Expire = 1 })
	edit("disabled-token", func(tok *policy.Token) { tok.Enabled = false })
	edit("elsewhere-token", func(tok *policy.Token) { tok.Sources = &policy.Sources{Masks: []string{"10.*"}} })
	edit("page-token", func(tok *policy.Token) { tok.Origins = []string{"https://a.example"} })
	strip := regexp.MustCompile(`x-aclgate-decision: [0-9a-f]{24}|Date: [^\r]*`)
	text := func(lines ...string) string {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example\r\nConnection: close\r\n"+
			strings.Join(append(lines, "", ""), "\r\n"))
		all, _ := io.ReadAll(c)
		return strip.ReplaceAllString(string(all), "")
	}
	want := text()
	if !strings.HasPrefix(want, "HTTP/1.1 401 ") {
		t.Fatalf("got %q", want)
	}
	for _, value := range []string{
		"FlespiToken", "FlespiToken ", "FlespiToken nobody-has-this-key", "FlespiToken a b", "FlespiToken " + strings.Repeat("a", 257),
		"Basic dXNlcjpwYXNzd29yZA==", "FlespiToken  " + allKey, "FlespiToken \"" + allKey + "\"", "Token " + allKey, "expired-token",
		"disabled-token", "elsewhere-token", "page-token", "",
	} {
		if got := text("Authorization: " + value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

// The backend's 401 is about the gateway's own credential: the client hears a 502, the operator an
// alarm. Where the caller's key goes upstream it passes.
func TestBackendUnauthorized(t *testing.T) {
	w := textWired(t, reply("401 Unauthorized", `{"errors":[]}`, "WWW-Authenticate: Basic", "Content-Type: application/json"))
	got := w.call(allKey, "GET", "/gw/devices/1", "")
	if got.status != 502 || got.body != own(502, "the backend refused the gateway") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if n := w.counter("aclgate_upstream_unauthorized_total"); n != 1 {
		t.Errorf("got %v alarms, want 1", n)
	}
	callers := textWired(t, reply("401 Unauthorized", `{"errors":[]}`, "WWW-Authenticate: Basic", "Content-Type: application/json"),
		func(o *Options, l *policy.Engine, _ *head.Config) {
			o.Key, l.CallersKey = func() string { return "" }, true
		})
	got = callers.call(allKey, "GET", "/gw/devices/1", "")
	if got.status != 401 || got.body != `{"errors":[]}` || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("got %d %s %q", got.status, got.body, got.header)
	}
}

// A redirect is a 502: followed with the gateway's credential it would be an open door, passed on
// it would lead around the gateway.
func TestRedirects(t *testing.T) {
	for _, status := range []string{"301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"} {
		w := textWired(t, reply(status, "", "Location: http://evil.test/"))
		got := w.call(allKey, "GET", "/gw/devices/1", "")
		if got.status != 502 || got.body != own(502, "the backend answered with a redirect") || got.header.Get("Location") != "" {
			t.Errorf("%s: got %d %s %q", status, got.status, got.body, got.header.Get("Location"))
		}
	}
}

// A backend that is broken is a 502 or 504 in JSON, whatever it said, and never a page of some
// library.
func TestBrokenBackend(t *testing.T) {
	rows := []struct {
		name   string
		answer func(net.Conn, *wireRequest)
		status int
	}{
		{"hangs up", hangUp, 502},
		{"no HTTP", func(c net.Conn, _ *wireRequest) { io.WriteString(c, "<html>hello</html>\r\n\r\n") }, 502},
		{"half a head", func(c net.Conn, _ *wireRequest) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le"); c.Close() }, 502},
		{"half a body", func(c net.Conn, _ *wireRequest) { io.WriteString(c, plain("12345")[:70]); c.Close() }, 502},
		{"two lengths", func(c net.Conn, _ *wireRequest) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
		}, 502},
		{"length and chunks", func(c net.Conn, _ *wireRequest) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		}, 502},
		{"switches", func(c net.Conn, _ *wireRequest) {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
		}, 502},
	}
	for _, row := range rows {
		w := newWired(t, startWire(t, row.answer))
		got := w.call(allKey, "GET", "/gw/devices/1", "")
		if got.status != row.status || got.body != own(502, "the backend cannot be reached or broke off") {
			t.Errorf("%s: got %d %s", row.name, got.status, got.body)
		}
		checkOwnHeaders(t, row.name, got)
	}
}
