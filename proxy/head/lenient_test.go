package head

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
)

// Cookies are dropped unread: neither their length nor their number counts, but for the bound of the
// whole head; other lines are counted beside them as ever.
func TestCookies(t *testing.T) {
	rows := []struct {
		name   string
		lines  string
		status int // of the fault; 0: none
	}{
		{"long", "Cookie: " + strings.Repeat("c", 40<<10) + "\r\n", 0},
		{"many", strings.Repeat("cOOKIE:a=b\r\n", 300), 0},
		{"longer than the head may be", "Cookie: " + strings.Repeat("c", 70<<10) + "\r\n", 431},
		{"a control byte", "Cookie: a\x01b\r\n", 400},
		{"a bare line feed", "Cookie: a\nX: y\r\n", 400},
		{"white space before the colon", "Cookie : " + strings.Repeat("c", 9<<10) + "\r\n", 431},
		{"another long one", "Cookies: " + strings.Repeat("c", 9<<10) + "\r\n", 431},
		{"others are counted", strings.Repeat("Cookie: a\r\n", 50) + strings.Repeat("X: a\r\n", 99), 0},
		{"others are counted to the last", strings.Repeat("Cookie: a\r\n", 50) + strings.Repeat("X: a\r\n", 100), 431},
	}
	for _, row := range rows {
		text := []byte("GET / HTTP/1.1\r\nHost: a\r\n" + row.lines + "\r\n")
		for _, cut := range []int{1, 7, 4 << 10, len(text)} {
			var s scan
			end, fault := 0, (*Fault)(nil)
			for n := min(cut, len(text)); ; n = min(n+cut, len(text)) {
				if end, fault = s.find(text[:n], 64<<10); end != 0 || fault != nil || n == len(text) {
					break
				}
			}
			var h Head
			if fault == nil && end != len(text) {
				t.Fatalf("%s: the head ends at %d of %d", row.name, end, len(text))
			}
			if fault == nil {
				fault = (&rules{maxHead: 64 << 10}).parse(&h, text[s.start:end], false)
			}
			got := 0
			if fault != nil {
				got = fault.Status
			}
			if got != row.status {
				t.Errorf("%s, %d bytes at a time: got %d, want %d", row.name, cut, got, row.status)
			}
			if h.Get("Cookie") != nil {
				t.Errorf("%s: a cookie is kept", row.name)
			}
		}
	}
}

// One dot at the end of a host names the same host.
func TestHostWithDot(t *testing.T) {
	rows := map[string]int{
		"gw.test": 0, "gw.test.": 0, "GW.test.:443": 0, "gw.test..": 400, ".": 400, "..": 400, ".:80": 400,
		"other.test.": 421, "gw.test.x": 421, "[::1].": 400,
	}
	r := rules{maxHead: 64 << 10, hosts: []string{"gw.test"}}
	for host, want := range rows {
		var h Head
		got := 0
		if f := r.parse(&h, []byte("GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"), false); f != nil {
			got = f.Status
		}
		if got != want {
			t.Errorf("%s: got %d, want %d", host, got, want)
		}
	}
}

// Only the plain checks of load balancers do without a Host, by HTTP/1.0 alone.
func TestWithoutHost(t *testing.T) {
	rows := []struct {
		line   string
		health bool // is fine only where health is served
		always bool
	}{
		{"OPTIONS / HTTP/1.0", true, true},
		{"GET /healthz HTTP/1.0", true, false},
		{"HEAD /readyz HTTP/1.0", true, false},
		{"OPTIONS / HTTP/1.1", false, false},
		{"OPTIONS /x HTTP/1.0", false, false},
		{"GET / HTTP/1.0", false, false},
		{"GET /healthz HTTP/1.1", false, false},
		{"POST /healthz HTTP/1.0", false, false},
		{"GET /healthz?a HTTP/1.0", false, false},
		{"GET http://a/healthz HTTP/1.0", false, false},
	}
	for _, row := range rows {
		for _, health := range []bool{false, true} {
			for _, host := range []string{"", "Host:\r\n"} {
				var h Head
				f := (&rules{maxHead: 64 << 10, health: health}).parse(&h, []byte(row.line+"\r\n"+host+"\r\n"), false)
				if want := host == "" && (row.always || health && row.health); want != (f == nil) {
					t.Errorf("%s, health %v, %q: got %v, want it taken: %v", row.line, health, host, f, want)
				}
			}
		}
	}
}

// Who speaks HTTP to a TLS listener is told so; other protocols are not answered, and TLS goes on.
func TestPlainHTTPToTLS(t *testing.T) {
	const told = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nuse https"
	s := serveOn(t, tlsListener(t), Config{Read: 40 * short, PlainHTTP: []byte(told)}, echo)
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                 told,
		"POST /x HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("x", 20<<10): told,
		"\x00\x01\x02\x03\x04\x05":                                          "",
	} {
		nc := s.dial(t)
		send(t, nc, text)
		got, _ := io.ReadAll(nc)
		if want != string(got) && (want != "" || strings.Contains(string(got), "HTTP")) {
			t.Errorf("%.10q: got %q, want %q", text, got, want)
		}
	}
	nc := tls.Client(s.dial(t), &tls.Config{InsecureSkipVerify: true})
	send(t, nc, get("Connection: close"))
	expectEnd(t, nc, "GET / \n")
}
