package upstream

import (
	"strings"
	"testing"
)

// wireRow is a request and the bytes it must be, with HOST for the authority of the url.
type wireRow struct {
	name string
	r    Request
	want string
}

func wireRows() []wireRow {
	long := strings.Repeat("17,", 5000)
	return []wireRow{
		{"get", Request{Method: "GET", Target: []byte("/gw/devices/7,9?fields=id")},
			"GET /gw/devices/7,9?fields=id HTTP/1.1\r\nHost: HOST\r\n\r\n"},
		{"what a library would clean", Request{Method: "GET", Target: []byte("//a/../b/./%2e%2E/%41?x=%20+")},
			"GET //a/../b/./%2e%2E/%41?x=%20+ HTTP/1.1\r\nHost: HOST\r\n\r\n"},
		{"head in its order and case", Request{Method: "DELETE", Target: []byte("/a"), Head: []byte("x-b: 1\r\nAuthorization: FlespiToken K\r\nX-b: 2\r\n")},
			"DELETE /a HTTP/1.1\r\nHost: HOST\r\nx-b: 1\r\nAuthorization: FlespiToken K\r\nX-b: 2\r\n\r\n"},
		{"body", Request{Method: "PUT", Target: []byte("/a"), HasBody: true, Body: []byte(`{"a":1}`)},
			"PUT /a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 7\r\n\r\n{\"a\":1}"},
		{"empty body", Request{Method: "POST", Target: []byte("/a"), HasBody: true},
			"POST /a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n"},
		{"delete with body", Request{Method: "DELETE", Target: []byte("/a"), Body: []byte("[]")},
			"DELETE /a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n[]"},
		{"long target", Request{Method: "GET", Target: []byte("/" + long)},
			"GET /" + long + " HTTP/1.1\r\nHost: HOST\r\n\r\n"},
		{"head larger than every buffer", Request{Method: "GET", Target: []byte("/"), Head: []byte("a: " + strings.Repeat("b", 80000) + "\r\n")},
			"GET / HTTP/1.1\r\nHost: HOST\r\na: " + strings.Repeat("b", 80000) + "\r\n\r\n"},
		{"body of 40 kB", Request{Method: "POST", Target: []byte("/"), Body: []byte(strings.Repeat("z", 40000))},
			"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 40000\r\n\r\n" + strings.Repeat("z", 40000)},
		{"body of 1 MB", Request{Method: "POST", Target: []byte("/"), Body: []byte(strings.Repeat("z", 1000000))},
			"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("z", 1000000)},
	}
}

// Ensure that what is on the wire is the printed request, byte for byte. A library that prints the
// target anew turns a judged list of ids back into something else.
func TestWireBytes(t *testing.T) {
	rows := wireRows()
	seen := make(chan string, 1)
	url := listen(t, func(p *peer) {
		for request := p.request(); request != ""; request = p.request() {
			seen <- request
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	transport := start(t, options(url))
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			wantAsk(t, transport, &row.r, "200 ok")
			want := strings.Replace(row.want, "HOST", strings.TrimPrefix(url, "http://"), 1)
			if got := <-seen; got != want {
				t.Errorf("got %.200q\nwant %.200q", got, want)
			}
		})
	}
	if s := transport.Stats()[0]; s.Dials != 1 || s.Reuses != uint64(len(rows)-1) {
		t.Errorf("got %d dials, %d reuses; want 1, %d", s.Dials, s.Reuses, len(rows)-1)
	}
}

// Ensure that the last wall holds: what is not one message is not sent.
func TestMalformedRequest(t *testing.T) {
	dialed := make(chan bool, 1)
	transport := start(t, options(listen(t, func(*peer) { dialed <- true })))
	good := Request{Method: "GET", Target: []byte("/")}
	rows := map[string]func(r *Request){
		"no method":              func(r *Request) { r.Method = "" },
		"HEAD":                   func(r *Request) { r.Method = "HEAD" },
		"method with space":      func(r *Request) { r.Method = "GET /" },
		"no target":              func(r *Request) { r.Target = nil },
		"absolute target":        func(r *Request) { r.Target = []byte("http://x/") },
		"space in target":        func(r *Request) { r.Target = []byte("/a b") },
		"line end in target":     func(r *Request) { r.Target = []byte("/a\r\nx:y") },
		"fragment":               func(r *Request) { r.Target = []byte("/a#b") },
		"high byte in target":    func(r *Request) { r.Target = []byte("/\x80") },
		"head without line end":  func(r *Request) { r.Head = []byte("a: b") },
		"head with empty line":   func(r *Request) { r.Head = []byte("a: b\r\n\r\nGET / HTTP/1.1\r\n") },
		"head begins with empty": func(r *Request) { r.Head = []byte("\r\na: b\r\n") },
		"head with two LF":       func(r *Request) { r.Head = []byte("a: b\n\nGET / HTTP/1.1\r\n") },
		"two bodies":             func(r *Request) { r.Body, r.BodyReader = []byte("a"), strings.NewReader("b") },
		"inset before the path":  func(r *Request) { r.Segment = insetOf(0, 7, 9) },
		"inset behind the path":  func(r *Request) { r.Segment = insetOf(2, 7, 9) },
		"negative inset":         func(r *Request) { r.Segment = insetOf(-1, 7, 9) },
		"negative length":        func(r *Request) { r.BodyReader, r.BodyLength = strings.NewReader("b"), -2 },
	}
	for name, spoil := range rows {
		r := good
		spoil(&r)
		_, err := ask(transport, &r)
		t.Run(name, func(t *testing.T) { wantKind(t, err, ErrRequest) })
	}
	if len(dialed) > 0 {
		t.Error("a malformed request reached the backend")
	}
}

// Ensure that every fault of the options is named and none of their secrets.
func TestOptionFaults(t *testing.T) {
	rows := []struct{ url, want string }{
		{"127.0.0.1:9000", "url number 1"},
		{"ftp://a", "must begin with http"},
		{"http://", "no valid host"},
		{"http://:80", "no valid host"},
		{"http://u:secret@a", "user information"},
		{"http://u:secret@a b\x7f", "is not a URL"},
		{"http://a/path", "has a path"},
		{"http://a?", "query"},
		{"http://a?secret=1", "query"},
		{"http://a#", "fragment"},
		{"http://a:0", "out of range"},
		{"http://a:65536", "out of range"},
		{"http://a:", "empty port"},
		{"http://ü", "no valid host"},
		{"http://[fe80::1%25eth0]", "no valid host"},
	}
	for _, row := range rows {
		_, err := New(options(row.url))
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want %q", row.url, err, row.want)
		}
	}
	_, err := New(Options{URLs: []string{"http://a", "http://a"}, CertFile: "x", QueueMax: 1, EjectFailures: 1, HealthCheck: "x"})
	for _, want := range []string{"twice", "go together", "dial", "first byte", "idle", "connection", "queue", "ejection", "probe"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := New(options()); err == nil {
		t.Error("no url was taken")
	}
}
