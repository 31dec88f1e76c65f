package proxy

import (
	"slices"
	"strings"
	"testing"
)

// fasthttp keeps the target that it parsed first and prints that one: a rewritten `all` would go
// out as `all`, which no status code shows. What counts is what a raw socket gets.
func TestRewrittenTargetReachesTheWire(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	rows := []struct{ asked, want string }{
		{"/gw/devices/all", "/gw/devices/1,2"},
		{"/gw/devices/%61%6c%6c?fields=id", "/gw/devices/1,2?fields=id"},
		{"/gw/devices/2,3,1", "/gw/devices/2,1"},
		{"http://gw.test/gw/devices/all", "/gw/devices/1,2"},
		{"/gw/devices/all/messages", "/gw/devices/1,2/messages"},
	}
	for _, row := range rows {
		w.raw(request(readerKey, "GET", row.asked, ""))
		if got := w.backend.one(t); got.line != "GET "+row.want+" HTTP/1.1" {
			t.Errorf("%s: got %q, want %q", row.asked, got.line, row.want)
		}
	}
}

// Userinfo in the target or in Host replaces the Authorization header in some libraries: such a
// request is refused, and an ordinary absolute-form one has one credential, the gateway's.
func TestUserinfoIsNoCredential(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	for _, request := range []string{
		"GET http://a:b@gw.test/gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\n",
		"GET http://a:b@gw.test/gw/devices/1 HTTP/1.1\r\nHost: a:b@gw.test\r\n",
		"GET http://@gw.test/gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\n",
		"GET /gw/devices/1 HTTP/1.1\r\nHost: a:b@gw.test\r\n",
		"GET /gw/devices/1 HTTP/1.1\r\nHost: @gw.test\r\n",
	} {
		got := w.raw(request + "Authorization: FlespiToken " + allKey + "\r\n\r\n")
		if sent := w.backend.take(); got.status != 400 || len(sent) != 0 {
			t.Errorf("%q: got %d and %d requests at the backend", request, got.status, len(sent))
		}
	}
	w.raw(request(allKey, "GET", "http://GW.test/gw/devices/1", ""))
	r := w.backend.one(t)
	if got := r.all("Authorization"); !slices.Equal(got, []string{"FlespiToken " + upstreamKey}) {
		t.Errorf("got Authorization %q", got)
	}
	if got := r.all("Host"); !slices.Equal(got, []string{w.host()}) {
		t.Errorf("got Host %q, want %q", got, w.host())
	}
}

// Header.Set replaces only the first of two, so a second x-flespi-cid would travel. Here none of
// the client's does: two are refused, one is judged and printed anew, and other spellings do not
// exist.
func TestOneAccountUpstream(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	for _, lines := range [][]string{
		{"x-flespi-cid: 11", "x-flespi-cid: 12"}, {"x-flespi-cid: 11", "X-Flespi-Cid: 11"}, {"x_flespi_cid: 11"},
		{"x-flespi-cid: 11, 12"}, {"Connection: x-flespi-cid", "x-flespi-cid: 11"},
	} {
		got := w.raw(request(rootKey, "GET", "/gw/devices/1", "", lines...))
		if sent := w.backend.take(); got.status != 400 || len(sent) != 0 {
			t.Errorf("%q: got %d and %d requests at the backend", lines, got.status, len(sent))
		}
	}
	w.raw(request(rootKey, "GET", "/gw/devices/1", "", "X-FLESPI-CID:12"))
	r := w.backend.one(t)
	if got := r.all("x-flespi-cid"); !slices.Equal(got, []string{"12"}) {
		t.Errorf("got %q, want 12", got)
	}
}

// Trailers are no headers: fasthttp's Peek falls back to them.
func TestTrailersAreNoHeaders(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), chunkedBodies)
	got := w.raw("PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"2\r\n{}\r\n0\r\nAuthorization: FlespiToken " + allKey + "\r\n\r\n")
	if sent := w.backend.take(); got.status != 401 || len(sent) != 0 {
		t.Errorf("got %d and %d requests at the backend, want 401 and none", got.status, len(sent))
	}
	got = w.raw("PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nAuthorization: FlespiToken " + allKey +
		"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trail: 1\r\n\r\n")
	if r := w.backend.one(t); got.status != 200 || strings.Contains(r.raw, "X-Trail") || len(r.all("Transfer-Encoding")) != 0 || r.body != "{}" {
		t.Errorf("got %d, %q", got.status, r.raw)
	}
}

// HostClient repeats GET, HEAD and PUT up to five times on any error. Here a write that failed is
// not sent again, and a read on a fresh connection neither.
func TestNothingIsSentTwice(t *testing.T) {
	w := newWired(t, startWire(t, hangUp))
	for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
		target := "/gw/devices/1"
		if method == "POST" {
			target = "/gw/devices/1/calculate"
		}
		got := w.call(allKey, method, target, "")
		if sent := w.backend.take(); got.status != 502 || len(sent) != 1 {
			t.Errorf("%s: got %d and %d requests at the backend, want 502 and 1", method, got.status, len(sent))
		}
	}
}
