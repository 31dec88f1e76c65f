package proxy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// exchange sends a request and returns every byte of the answer, until the gateway ends the
// connection.
func (w *wired) exchange(sent string) string {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	io.WriteString(c, sent)
	text, _ := io.ReadAll(c)
	return string(text)
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

// An answer that needs no change passes byte for byte: status and body, whatever they are.
func TestAnswersPass(t *testing.T) {
	long := strings.Repeat("0123456789", 20000)
	rows := []struct {
		name, answer string
		status       int
		body         string
	}{
		{"ok", plain(`{"result":[ 1 ]}` + "\n"), 200, `{"result":[ 1 ]}` + "\n"},
		{"created", reply("201 Created", "x"), 201, "x"},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, ""},
		{"not modified, with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n", 304, ""},
		{"partial", reply("206 Partial Content", "bc", "Content-Range: bytes 1-2/4"), 206, "bc"},
		{"refused", reply("403 Forbidden", `{"errors":[{"code":1}]}`, "Content-Type: application/json"), 403, `{"errors":[{"code":1}]}`},
		{"missing", reply("404 Not Found", "<p>", "Content-Type: text/html"), 404, "<p>"},
		{"conflict", reply("409 Conflict", "x"), 409, "x"},
		{"broken", reply("500 Internal Server Error", "oops", "Content-Type: text/plain"), 500, "oops"},
		{"unavailable", reply("503 Service Unavailable", "", "Retry-After: 7"), 503, ""},
		{"unknown status", reply("599 Odd", "x"), 599, "x"},
		{"empty", plain(""), 200, ""},
		{"binary", reply("200 OK", "\x00\xff\r\n\r\n0\r\n\r\n", "Content-Type: application/octet-stream"), 200, "\x00\xff\r\n\r\n0\r\n\r\n"},
		{"long", plain(long), 200, long},
		{"gzip", plain(gzipped(`{"result":[]}`), "Content-Encoding: gzip"), 200, gzipped(`{"result":[]}`)},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrail: x\r\n\r\n", 200, "abcde"},
		{"chunked, empty", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""},
		{"interim first", "HTTP/1.1 102 Processing\r\n\r\n" + plain("x"), 200, "x"},
		{"multiple choices", reply("300 Multiple Choices", "x"), 300, "x"},
	}
	for _, row := range rows {
		w := textWired(t, row.answer)
		got := w.call(allKey, "GET", "/gw/devices/1", "")
		if got.status != row.status || got.body != row.body {
			t.Errorf("%s: got %d %.80q, want %d %.80q", row.name, got.status, got.body, row.status, row.body)
		}
		if len(got.header.Values("Trail")) != 0 || !decisionID.MatchString(got.header.Get("x-aclgate-decision")) {
			t.Errorf("%s: got %q", row.name, got.header)
		}
	}
}

// Headers pass as they came, by name and order, less hop-by-hop ones and what is the gateway's to
// say.
func TestAnswerHeaders(t *testing.T) {
	pass := []string{
		"Content-Type: application/json; charset=utf-8", "eTaG: \"x\"", "X-Twice: 1", "X-Twice: 2", "Server: flespi",
		"Last-Modified: x", "X-RateLimit-Left: 5", "Content-Language: de", "Content-Disposition: attachment", "Link: <x>", "Vary: Accept",
		"Expires: 0", "X-Empty:", "Content-Encoding: identity",
	}
	stay := []string{
		"Set-Cookie: a=b", "set-cookie: c=d", "Set-Cookie2: x", "Alt-Svc: h3=\":443\"", "WWW-Authenticate: Basic", "Access-Control-Allow-Origin: *",
		"access-control-max-age: 5", "x-aclgate-decision: forged", "X-ACLGATE-Denied: 1", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic",
		"Trailer: x", "Upgrade: h2c", "Connection: X-Hop, keep-alive", "X-Hop: 1", "Proxy-Connection: x", "TE: x",
	}
	w := textWired(t, reply("200 OK", "{}", slices.Concat(stay, pass)...))
	text, _, _ := strings.Cut(w.exchange(request(allKey, "GET", "/gw/devices/1", "")), "\r\n\r\n")
	lines := strings.Split(text, "\r\n")[1:]
	for _, line := range pass {
		if !slices.Contains(lines, strings.TrimSuffix(line, ":")+map[bool]string{true: ": "}[strings.HasSuffix(line, ":")]) {
			t.Errorf("%q does not pass: %q", line, lines)
		}
	}
	for _, line := range stay {
		name, value, _ := strings.Cut(line, ":")
		for _, got := range lines {
			n, v, _ := strings.Cut(got, ":")
			if strings.EqualFold(n, name) && v == value {
				t.Errorf("%q passes", got)
			}
		}
	}
	// fasthttp writes its own Date and takes none.
	if got := strings.Count(text, "\r\nDate:"); got != 1 {
		t.Errorf("got %d Date lines", got)
	}
	if got := strings.Count(strings.ToLower(text), "x-aclgate-decision"); got != 1 {
		t.Errorf("got %d decisions", got)
	}
}

// No shared cache may keep an answer, whatever the backend says of that.
func TestPrivate(t *testing.T) {
	for sent, want := range map[string]string{
		"": "private", "Cache-Control: public, max-age=60": "private, max-age=60", "cache-control: no-cache": "private, no-cache",
		"Cache-Control: max-age=5 , S-MaxAge=9,Proxy-Revalidate": "private, max-age=5",
		"Cache-Control: private, no-store":                       "private, no-store",
		`Cache-Control: no-cache="a, public", public`:            `private, no-cache="a, public"`,
		`Cache-Control: no-cache="a, public`:                     "private",
		"Cache-Control:":                                         "private",
	} {
		w := textWired(t, plain("{}", strings.Fields(sent)...))
		if sent != "" {
			w = textWired(t, plain("{}", sent))
		}
		if got := w.call(allKey, "GET", "/gw/devices/1", "").header.Values("Cache-Control"); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

// A cut answer never looks whole: what is short is a 502, what streams ends in an error at the
// client.
func TestCutAnswers(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	rows := []struct{ name, sent string }{
		{"by length", "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + long},
		{"by chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + long + "\r\n"},
		{"inside a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + long},
		{"inside the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + long + "\r\n0\r\n"},
		{"a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + long + "\r\nzz\r\n\r\n"},
	}
	for _, row := range rows {
		w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) { io.WriteString(c, row.sent); c.Close() }))
		for _, version := range []string{"1.1", "1.0"} {
			text := w.exchange("GET /gw/devices/1 HTTP/" + version + "\r\nHost: a\r\nAuthorization: " + allKey + "\r\n\r\n")
			c := w.dial()
			io.WriteString(c, "GET /gw/devices/1 HTTP/"+version+"\r\nHost: a\r\nAuthorization: "+allKey+"\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				if version == "1.0" {
					continue // a reset may take the head along
				}
				t.Errorf("%s, %s: %v", row.name, version, err)
				continue
			}
			if _, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode == 200 {
				t.Errorf("%s, HTTP/%s: the answer looks whole: %.60q…", row.name, version, text)
			}
			c.Close()
		}
	}
}

// A client of HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
func TestHTTP10(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, row := range []struct{ name, answer, want string }{
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"},
		{"chunked and long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32000\r\n" + long + "\r\n0\r\n\r\n", long},
		{"with a length", plain("abc"), "abc"},
		{"with a length and long", plain(long), long},
	} {
		w := textWired(t, row.answer)
		text := w.exchange("GET /gw/devices/1 HTTP/1.0\r\nHost: a\r\nAuthorization: " + allKey + "\r\n\r\n")
		head, body, _ := strings.Cut(text, "\r\n\r\n")
		if body != row.want || strings.Contains(head, "chunked") || !strings.Contains(head, "\r\nConnection: close") {
			t.Errorf("%s: got %q and %d bytes, want %d", row.name, head, len(body), len(row.want))
		}
	}
	w := textWired(t, "HTTP/1.0 200 OK\r\n\r\nuntil the end")
	w.backend.answer = func(c net.Conn, _ *wireRequest) { io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nuntil the end"); c.Close() }
	if got := w.call(allKey, "GET", "/gw/devices/1", ""); got.body != "until the end" {
		t.Errorf("got %q", got.body)
	}
}

// A backend that does not answer in time is a 504; one whose answer stalls in the middle is cut.
func TestSlowBackend(t *testing.T) {
	stuck := make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if strings.HasPrefix(r.target(), "/gw/devices/2") {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		}
		<-stuck
	})
	t.Cleanup(func() { close(stuck) }) // before the backend waits for its connections
	transport, err := upstream.New(upstream.Options{
		URLs: []string{b.url}, Dial: time.Second, FirstByte: 50 * time.Millisecond, Silence: 50 * time.Millisecond, Idle: 50 * time.Millisecond, MaxConns: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	w := newWired(t, b, func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = transport })
	for _, target := range []string{"/gw/devices/1", "/gw/devices/2"} {
		got := w.call(allKey, "GET", target, "")
		if got.status != 504 || got.body != own(504, "the backend did not answer in time") {
			t.Errorf("%s: got %d %s", target, got.status, got.body)
		}
		checkOwnHeaders(t, target, got)
	}
}

// Too many at once for the backend is a 503 that says when to come back.
func TestBusyBackend(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	b := startWire(t, func(c net.Conn, _ *wireRequest) {
		arrived <- struct{}{}
		<-release
		io.WriteString(c, plain("{}"))
	})
	transport, err := upstream.New(upstream.Options{
		URLs: []string{b.url}, Dial: time.Second, FirstByte: 5 * time.Second, Silence: 5 * time.Second, Idle: 5 * time.Second, MaxConns: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	w := newWired(t, b, func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = transport })
	first := make(chan answer, 1)
	go func() { first <- w.call(allKey, "GET", "/gw/devices/1", "") }()
	<-arrived
	got := w.call(allKey, "GET", "/gw/devices/1", "")
	if got.status != 503 || got.body != own(503, "the backend is busy") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	checkOwnHeaders(t, "busy", got)
	close(release)
	if got := <-first; got.status != 200 {
		t.Errorf("got %d for the one that was there", got.status)
	}
}
