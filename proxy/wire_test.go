package proxy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

const (
	readerKey = "reader-of-devices-1-and-2"
	allKey    = "standard-of-account-11"
	rootKey   = "master-of-account-1"
)

// wired is a gateway in front of raw sockets that all answer the same.
type wired struct {
	*fixture
	backend *wireBackend
}

func newWired(t *testing.T, b *wireBackend, change ...setup) *wired {
	t.Helper()
	f := newFixture(t, b.url, append([]setup{withResolver}, change...)...)
	f.accounts([2]int64{1, 0}, [2]int64{11, 1}, [2]int64{12, 1})
	f.token(rootKey, "master", 1, "")
	f.token(allKey, "standard", 11, "")
	f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[1,2]}]`)
	return &wired{f, b}
}

// textWired is a gateway whose backend answers with text.
func textWired(t *testing.T, text string, change ...setup) *wired {
	t.Helper()
	return newWired(t, startText(t, text), change...)
}

func (w *wired) host() string { return strings.TrimPrefix(w.backend.url, "http://") }

// The printed request, to the byte: request line, Host, the gateway's credential, one account at
// the root too, the gateway's own X-Forwarded-*, the allow list by its own spelling, the length of
// a body, the body.
func TestPrintedRequest(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	own := func(cid string) string {
		return " HTTP/1.1\r\nHost: " + w.host() + "\r\nAuthorization: FlespiToken " + upstreamKey + "\r\nx-flespi-cid: " + cid +
			"\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gw.test\r\n"
	}
	form := "Content-Type: application/x-www-form-urlencoded"
	rows := []struct{ name, sent, want string }{
		{"read", request(readerKey, "GET", "/gw/devices/1", ""), "GET /gw/devices/1" + own("11") + "\r\n"},
		{"root", request(rootKey, "GET", "/gw/devices/all", ""), "GET /gw/devices/all" + own("1") + "\r\n"},
		{
			"named account", request(rootKey, "GET", "/gw/devices/all?fields=id&cid=12", ""),
			"GET /gw/devices/all?fields=id" + own("12") + "\r\n",
		},
		{"rewritten", request(readerKey, "GET", "/%67w/devices/%61ll", ""), "GET /gw/devices/1,2" + own("11") + "\r\n"},
		{"no length on GET", request(readerKey, "GET", "/gw/devices/1", "", "Content-Length: 0"), "GET /gw/devices/1" + own("11") + "\r\n"},
		{
			"form data is JSON", request(allKey, "POST", "/gw/devices", `[ {"name":"é"} ]`, form),
			"POST /gw/devices" + own("11") + "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n" + `[ {"name":"é"} ]`,
		},
		{"empty PUT", request(allKey, "PUT", "/gw/devices/1", ""), "PUT /gw/devices/1" + own("11") + "Content-Length: 0\r\n\r\n"},
		{"empty POST", request(allKey, "POST", "/gw/devices/1/calculate", ""), "POST /gw/devices/1/calculate" + own("11") + "Content-Length: 0\r\n\r\n"},
		{"DELETE", request(allKey, "DELETE", "/gw/devices/1", ""), "DELETE /gw/devices/1" + own("11") + "\r\n"},
		{
			"DELETE with a body", request(allKey, "DELETE", "/gw/devices/1/messages", `{"from":1}`),
			"DELETE /gw/devices/1/messages" + own("11") + "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n" + `{"from":1}`,
		},
		{
			"data", request(readerKey, "GET", `/gw/devices/1/messages?data={"from":1,"to":2}`, ""),
			"GET /gw/devices/1/messages?data=%7B%22from%22:1,%22to%22:2%7D" + own("11") + "\r\n",
		},
	}
	for _, row := range rows {
		w.raw(row.sent)
		if got := w.backend.one(t).raw; got != row.want {
			t.Errorf("%s: got\n%q, want\n%q", row.name, got, row.want)
		}
	}
}

// Of the client's headers an allow list passes, by its own spelling, in the order in which they
// came; everything else stays here.
func TestAllowList(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	pass := []string{
		"Accept: application/json", "Accept: */*", "Accept-Encoding: gzip", "Accept-Language: de", `If-None-Match: "a"`, `If-Match: "b"`,
		"If-Modified-Since: x", "If-Unmodified-Since: x", "If-Range: x", "Range: bytes=0-1", "User-Agent: test/1",
		"x-flespi-app: app", "x-flespi-trace: trace", "traceparent: 00-1-2-00", "tracestate: a=b", "X-Request-Id: 7",
	}
	stay := []string{
		"Cookie: a=b", "Via: 1.1 x", "TE: trailers", "Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: evil",
		"X-Forwarded-Proto: https", "X-Real-IP: 1.2.3.4", "Proxy-Authorization: Basic x", "Origin: https://a.example",
		"Referer: https://a.example/", "Upgrade: websocket", "Content-Type: text/plain", "Keep-Alive: 5", "X-Extra: 1", "Client-Cert: x",
		"User-Agent: second", "User-Agent: \xe9", "x-aclgate-denied: 1", "Sec-Fetch-Mode: cors", "Priority: u=1",
	}
	w.raw(request(allKey, "GET", "/gw/devices/1", "", slices.Concat(pass, stay)...))
	r := w.backend.one(t)
	if got := r.raw[strings.Index(r.raw, "Accept"):]; got != strings.Join(pass, "\r\n")+"\r\n\r\n" {
		t.Errorf("got %q, want %q", got, pass)
	}
	w.raw(request(allKey, "GET", "/gw/devices/1", "", "ACCEPT: a", "accept-encoding:   gzip  ", "X-REQUEST-ID: 1"))
	if got := w.backend.one(t).raw; !strings.HasSuffix(got, "\r\nAccept: a\r\nAccept-Encoding: gzip\r\nX-Request-Id: 1\r\n\r\n") {
		t.Errorf("got %q, want the spelling of the list", got)
	}
}

// upstream.headers adds names to the list.
func TestPassHeaders(t *testing.T) {
	more := func(o *Options, _ *policy.Engine, _ *head.Config) { o.PassHeaders = []string{"X-Tenant", "Accept"} }
	w := textWired(t, plain(`{"result":[]}`), more)
	w.raw(request(allKey, "GET", "/gw/devices/1", "", "x-tenant: 5", "x-tenant: 6", "X-Tenants: 7", "Accept: a"))
	r := w.backend.one(t)
	if got := r.all("X-Tenant"); !slices.Equal(got, []string{"5"}) {
		t.Errorf("got X-Tenant %q, want the first line alone", got)
	}
	if len(r.all("X-Tenants")) != 0 || len(r.all("Accept")) != 1 {
		t.Errorf("got %q", r.raw)
	}
}

// Where errors of denied items have to be merged into the answer, nothing is asked for that would
// make it partial, encoded or empty.
func TestConditionalHeadersStayBehindDenials(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	conditional := []string{
		"Accept-Encoding: gzip", `If-None-Match: "a"`, `If-Match: "b"`, "If-Modified-Since: x", "If-Unmodified-Since: x", "If-Range: x",
		"Range: bytes=0-1",
	}
	w.raw(request(readerKey, "GET", "/gw/devices/1,3", "", append(conditional, "Accept: a")...))
	r := w.backend.one(t)
	for _, line := range conditional {
		name, _, _ := strings.Cut(line, ":")
		if got := r.all(name); len(got) != 0 {
			t.Errorf("got %s: %q, want it left out", name, got)
		}
	}
	if r.target() != "/gw/devices/1" || len(r.all("Accept")) != 1 {
		t.Errorf("got %q", r.raw)
	}
	w.raw(request(readerKey, "GET", "/gw/devices/all", "", conditional...))
	r = w.backend.one(t)
	if len(r.all("Range")) != 1 {
		t.Errorf("got %q, want Range where nothing is denied", r.raw)
	}
}

// Without a credential of the gateway's own the caller's key goes upstream, printed anew whatever
// its scheme was.
func TestCallersKey(t *testing.T) {
	callers := func(o *Options, engine *policy.Engine, _ *head.Config) {
		o.Key, engine.CallersKey = func() string { return "" }, true
	}
	w := textWired(t, plain(`{"result":[]}`), callers)
	for _, value := range []string{"FlespiToken " + allKey, "bearer " + allKey, allKey} {
		w.raw("GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nauthorization: " + value + "\r\n\r\n")
		r := w.backend.one(t)
		if got := r.all("Authorization"); !slices.Equal(got, []string{"FlespiToken " + allKey}) {
			t.Errorf("%s: got %q", value, got)
		}
	}
	w.call(allKey, "GET", "/gw/devices/{name==\"a\"}", "")
	for _, r := range w.backend.take() {
		if got := r.all("Authorization"); !slices.Equal(got, []string{"FlespiToken " + allKey}) {
			t.Errorf("%s: got %q", r.line, got)
		}
	}
}

// Behind a trusted proxy the last address that is no trusted proxy's own is the client's; nobody
// else is believed.
func TestForwardedFor(t *testing.T) {
	trust := func(list ...string) setup {
		return func(o *Options, _ *policy.Engine, _ *head.Config) {
			for _, p := range list {
				o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
			}
		}
	}
	rows := []struct {
		trusted []string
		lines   []string
		source  string
		proto   string
	}{
		{nil, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https"}, "127.0.0.1", "http"},
		{[]string{"10.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https"}, "127.0.0.1", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https"}, "9.9.9.9", "https"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 6.6.6.6, 9.9.9.9"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For: 6.6.6.6, 9.9.9.9,10.1.1.1"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 10.1.1.1"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9, nonsense"}, "", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9, unknown"}, "", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 6.6.6.6, 9.9.9.9:4711"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9:471100"}, "", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: [9.9.9.9]"}, "", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: [2001:db8::1]:443"}, "2001:db8::1", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: [2001:db8::1]x"}, "", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9, ,"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9:1, 10.1.1.1:2"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: HTTPS"}, "9.9.9.9", "https"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https , http"}, "9.9.9.9", "https"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: ::ffff:9.9.9.9"}, "9.9.9.9", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For: fe80::1%any text\x80"}, "fe80::1", "http"},
		{[]string{"127.0.0.0/8"}, []string{"X-Forwarded-Proto: ftp"}, "127.0.0.1", "http"},
		{[]string{"127.0.0.0/8"}, nil, "127.0.0.1", "http"},
	}
	for _, row := range rows {
		w := textWired(t, plain(`{"result":[]}`), trust(row.trusted...))
		w.raw(request(allKey, "GET", "/gw/devices/1", "", row.lines...))
		r := w.backend.one(t)
		if got := r.all("X-Forwarded-For"); strings.Join(got, "|") != row.source {
			t.Errorf("%v %v: got source %q, want %q", row.trusted, row.lines, got, row.source)
		}
		if got := r.all("X-Forwarded-Proto"); !slices.Equal(got, []string{row.proto}) {
			t.Errorf("%v %v: got scheme %q, want %q", row.trusted, row.lines, got, row.proto)
		}
	}
}
