package proxy

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

// looseRows are what fasthttp's own parser lets pass (v1.77): here each is refused before a byte
// reaches the backend, or it is harmless and says why.
var looseRows = []struct {
	name, raw string // KEY stands for the credential
	status    int
	forwarded int
}{
	{"bare LF ends a line", "GET /gw/devices/1 HTTP/1.1\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"bare LF in the fields", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\nKEY\r\n\r\n", 400, 0},
	{"bare LF ends the head", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\n", 400, 0},
	{"folded line", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nKEY\r\n\r\n", 400, 0},
	{"space in a name", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nX Y: a\r\nKEY\r\n\r\n", 400, 0},
	{"space before the colon", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nX : a\r\nKEY\r\n\r\n", 400, 0},
	{"credential twice", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nKEY\r\n\r\n", 400, 0},
	{"x-flespi-cid twice", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nx-flespi-cid: 11\r\nX-Flespi-Cid: 12\r\n\r\n", 400, 0},
	{"Content-Type twice", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nContent-Type: a/b\r\ncontent-type: a/b\r\nContent-Length: 2\r\n\r\n{}", 400, 0},
	{"x_flespi_cid", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nx_flespi_cid: 12\r\n\r\n", 400, 0},
	{"Content_Length", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nContent_Length: 2\r\n\r\n{}", 400, 0},
	{"length and chunks", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
	{"TE: identity", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nTransfer-Encoding: identity\r\n\r\n", 400, 0},
	{"length 02", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nContent-Length: 02\r\n\r\n{}", 400, 0},
	{"space behind a chunk size", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n", 400, 0},
	{"CR in a chunk extension", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nTransfer-Encoding: chunked\r\n\r\n2;a\rb\r\n{}\r\n0\r\n\r\n", 400, 0},
	{"NUL in a chunk extension", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nTransfer-Encoding: chunked\r\n\r\n2;\x00\r\n{}\r\n0\r\n\r\n", 400, 0},
	{"HTTP/9.9", "GET /gw/devices/1 HTTP/9.9\r\nHost: a\r\nKEY\r\n\r\n", 505, 0},
	{"HTTP/1.2", "GET /gw/devices/1 HTTP/1.2\r\nHost: a\r\nKEY\r\n\r\n", 505, 0},
	{"method that is no token", "G(T /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"method nobody knows", "BREW /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 405, 0},
	{"method in small letters", "get /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 405, 0},
	{"fragment", "GET /gw/devices/1#x HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"backslash", "GET /gw\\devices\\1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"quote as an id", "GET /gw/devices/\"1\" HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"angle bracket as an id", "GET /gw/devices/<1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"byte 0x80 in the target", "GET /gw/devices/\x80 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"userinfo in the target", "GET http://u:p@a/gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"userinfo in Host", "GET /gw/devices/1 HTTP/1.1\r\nHost: u@a\r\nKEY\r\n\r\n", 400, 0},
	{"authority of another", "GET http://b/gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	{"cid in a trailer", "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-flespi-cid: 12\r\n\r\n", 400, 0},
	{"body on GET", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\nContent-Length: 2\r\n\r\nx=", 400, 0},
	{"three empty lines first", "\r\n\r\n\r\nGET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nKEY\r\n\r\n", 400, 0},
	// RFC 9112 2.2 has servers skip one; old clients send one behind a body.
	{"two empty lines first", "\r\n\r\nGET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nKEY\r\n\r\n", 200, 1},
	// RFC 9110 5.5: a byte from 0x80 on is opaque. This header is not forwarded.
	{"byte 0x80 in a value", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nX: \x80\r\nConnection: close\r\nKEY\r\n\r\n", 200, 1},
}

func TestLooseInFasthttp(t *testing.T) {
	w := textWired(t, plain("{}"), chunkedBodies)
	for _, row := range looseRows {
		raw := strings.ReplaceAll(row.raw, "KEY", "Authorization: "+allKey)
		for _, bytewise := range []bool{false, true} {
			status := w.first(raw, bytewise)
			if n := len(w.backend.take()); status != row.status || n != row.forwarded {
				t.Errorf("%s, byte by byte %v: got %d and %d forwarded, want %d and %d", row.name, bytewise, status, n, row.status, row.forwarded)
			}
		}
	}
	// Where chunks are refused, every Transfer-Encoding is, whatever it says.
	strict := textWired(t, plain("{}"))
	for _, value := range []string{"chunked", "Chunked", "identity", "gzip, chunked", "x"} {
		raw := "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: " + allKey + "\r\nTransfer-Encoding: " + value + "\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
		if status := strict.first(raw, false); status != 411 || len(strict.backend.take()) != 0 {
			t.Errorf("Transfer-Encoding: %s: got %d, want 411", value, status)
		}
	}
}

// first sends bytes, in one piece or one by one, and returns the status of the first answer, 0 if
// none comes.
func (w *wired) first(raw string, bytewise bool) int {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	step := len(raw)
	if bytewise {
		step = 1
	}
	for i := 0; i < len(raw); i += step {
		if _, err := c.Write([]byte(raw[i : i+step])); err != nil {
			break
		}
	}
	return statusOf(c)
}

func statusOf(c net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	return resp.StatusCode
}
