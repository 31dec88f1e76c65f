package head

import (
	"strings"
	"testing"
)

// get is a request with the header lines given, Host included.
func get(lines ...string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + joined(lines)
}

func put(lines ...string) string { return "PUT / HTTP/1.1\r\nHost: a\r\n" + joined(lines) }

func joined(lines []string) string {
	lines = append(lines, "", "")
	return strings.Join(lines, "\r\n")
}

// faultRow is a stream and what its first request is refused for; nil: it is served.
type faultRow struct {
	name, stream string
	want         *Fault
}

func checkFaults(t *testing.T, config Config, rows []faultRow) {
	t.Helper()
	l := quietListener(t, config)
	for _, row := range rows {
		if got := fault(l, row.stream); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// Ensure that lines end in CRLF and are headers, and nothing else is read past.
func TestLines(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"plain", get(), nil},
		{"two empty lines before", "\r\n\r\n" + get(), nil},
		{"three empty lines before", "\r\n\r\n\r\n" + get(), errEmptyLines},
		{"bare LF before", "\n" + get(), errCRLF},
		{"bare LF ends a line", "GET / HTTP/1.1\nHost: a\r\n\r\n", errCRLF},
		{"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\n\n", errCRLF},
		{"bare CR in a line", get("X: a\rb"), errControl},
		{"two CR", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", errControl},
		{"NUL in a value", get("X: a\x00b"), errControl},
		{"DEL in a value", get("X: a\x7f"), errControl},
		{"VT behind a value", get("X: a\x0b"), errControl},
		{"HTAB in a value", get("X: a\tb"), nil},
		{"byte from 0x80 in a value", get("X: \xe9"), nil},
		{"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", errRequestLine},
		{"PROXY preamble", "\r\n\r\n\x00\r\nQUIT\n", errRequestLine},
		{"fold", get("X: a", " b"), errFold},
		{"fold behind the request line", "GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n", errFold},
		{"space before the colon", get("X-Flespi-Cid : 7"), errName},
		{"tab before the colon", get("X-Flespi-Cid\t: 7"), errName},
		{"space in a name", get("X Flespi-Cid: 7"), errName},
		{"no colon", get("X"), errName},
		{"empty name", get(": x"), errName},
		{"name not ASCII", get("X\xc3\xa9: 1"), errName},
	})
}

// Ensure that the request line has one reading.
func TestRequestLine(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"no version", "GET /\r\n\r\n", errRequestLine},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", errRequestLine},
		{"space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", errRequestLine},
		{"tab for space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", errRequestLine},
		{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", errRequestLine},
		{"two-digit version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", errRequestLine},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errVersion},
		{"HTTP/0.9 spelled out", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", errVersion},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", nil},
		{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", errHost},
		{"method no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", errRequestLine},
		{"unknown method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	})
}

// Ensure that the target is a path, or names this very host.
func TestTarget(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"raw bytes that clients send", "GET /a/{b=\"c|d\"}?x=^<>,[]%zz HTTP/1.1\r\nHost: a\r\n\r\n", nil},
		{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
		{"backslash", `GET /a\b HTTP/1.1` + "\r\nHost: a\r\n\r\n", errTarget},
		{"not ASCII", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
		{"authority-form", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", errTarget},
		{"no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
		{"absolute-form", "GET HTTP://A/x HTTP/1.1\r\nHost: a\r\n\r\n", nil},
		{"absolute-form, other host", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", errAuthority},
		{"absolute-form, other port", "GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n", errAuthority},
		{"absolute-form, other scheme", "GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n", errAuthority},
		{"absolute-form, userinfo", "GET http://u:p@a/x HTTP/1.1\r\nHost: a\r\n\r\n", errAuthority},
		{"absolute-form, no path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
		{"absolute-form, query alone", "GET http://a?/x HTTP/1.1\r\nHost: a\r\n\r\n", errAuthority},
		{"foreign scheme", "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
	})
}

// Ensure that a head is bounded in lines and bytes.
func TestLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	checkFaults(t, Config{MaxHeadBytes: 20 << 10}, []faultRow{
		{"100 header lines", get(strings.Split(strings.Repeat("X: 1\n", 98)+"X: 1", "\n")...), nil},
		{"101 header lines", get(strings.Split(strings.Repeat("X: 1\n", 99)+"X: 1", "\n")...), errTooManyLines},
		{"8 KiB line", get("X: " + long(8<<10-3)), nil},
		{"longer line", get("X: " + long(8<<10-2)), errLineTooLong},
		{"too large", get("A: "+long(8000), "B: "+long(8000), "C: "+long(8000)), errTooLarge},
		{"endless request line", "GET /" + long(20<<10), errURITooLong},
	})
}

// fault returns the fault of the first request of a stream.
func fault(l *Listener, stream string) *Fault {
	c := l.wrap(&script{stream: stream, cut: whole})
	if !c.Next() {
		return &Fault{Reason: "no request"}
	}
	return c.Head().Fault
}

// Ensure that what was read is what stands there.
func TestHeadFields(t *testing.T) {
	stream := "PUT http://Gw.test:8080/gw/devices/1?x=2 HTTP/1.1\r\nhOST:\tGW.test:8080 \r\nAuthorization: FlespiToken k \r\nX-Flespi-Cid: 5\r\n" +
		"Content-Type: application/json\r\nContent-Encoding: identity\r\nOrigin: https://o\r\nConnection: Upgrade , , CLOSE\r\n" +
		"Expect: 100-Continue\r\nAccept:\r\nContent-Length:  2\t\r\n\r\n{}"
	c := quietListener(t, Config{Hosts: []string{"gw.TEST:1"}}).wrap(&script{stream: stream, cut: whole})
	if !c.Next() {
		t.Fatal("there is no request")
	}
	want := `PUT /gw/devices/1?x=2 1.0=false close=true expect=true length=2/true host="GW.test:8080" auth="FlespiToken k" cid="5"` +
		` type="application/json" coding="identity" origin="https://o"`
	if got, _, _ := strings.Cut(show(c.Head()), ` "hOST"`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := c.Head().Get("ACCEPT"); got == nil || len(got) != 0 {
		t.Errorf("got %q for an empty header, want it empty and not nil", got)
	}
	if got := c.Head().Get("Accept-Language"); got != nil {
		t.Errorf("got %q for an absent header, want nil", got)
	}
	if got := len(c.Head().Fields); got != 10 {
		t.Errorf("got %d fields, want 10", got)
	}
}
