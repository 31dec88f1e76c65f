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

// varying is what differs between two equal answers.
var varying = regexp.MustCompile(`(Date|x-aclgate-decision): [^\r]*`)

// Heads to the byte: which lines there are, how they are spelled, and in which order.
func TestHeads(t *testing.T) {
	const (
		common = "Vary: Authorization, x-flespi-cid, Origin\r\nx-aclgate-decision: -\r\n"
		cors   = "Access-Control-Allow-Origin: *\r\n" +
			"Access-Control-Expose-Headers: " + exposedNames + "\r\n"
		own    = "Date: -\r\nContent-Type: application/json\r\n"
		passed = "Content-Type: application/json\r\nCache-Control: private\r\nDate: -\r\n" + common
		origin = "Origin: https://a.example"
		end    = "Connection: close\r\n"
	)
	long := "/gw/devices/9," + numbered(1000000, 2000) // two requests to the backend, and one denied id
	for _, row := range []struct{ name, answer, sent, want string }{
		{"passed", plain("{}"), request(readerKey, "GET", "/gw/devices/1", "", origin),
			"200 OK\r\n" + passed + cors + end + "Content-Length: 2\r\n"},
		{"passed, with denied ids", reply("200 OK", "x"), request(readerKey, "GET", "/gw/devices/1,3", "", origin),
			"200 OK\r\nCache-Control: private\r\nDate: -\r\n" + common + cors + "x-aclgate-denied: 3\r\n" + end + "Content-Length: 1\r\n"},
		{"streamed", plain(longResult("")), request(readerKey, "GET", "/gw/devices/1,3", ""),
			"200 OK\r\n" + passed + end + "Transfer-Encoding: chunked\r\n"},
		{"without a body", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", request(readerKey, "GET", "/gw/devices/1", ""),
			"304 Not Modified\r\nETag: x\r\nCache-Control: private\r\nDate: -\r\n" + common + end},
		{"joined", plain(`{"result":[]}`), request(longKey, "GET", long, "", origin),
			"200 OK\r\n" + own + "Cache-Control: no-store\r\n" + common + cors + "Transfer-Encoding: chunked\r\n" + end},
		{"joined, nothing given", reply("403 Forbidden", "no", "Content-Type: text/plain"), request(longKey, "GET", long, "", origin),
			"403 Forbidden\r\nDate: -\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nCache-Control: no-store\r\n" + common +
				"x-aclgate-denied: 9\r\n" + cors + end},
		{"method", "", request(allKey, "POST", "/gw/devices/1", "{}", origin),
			"405 Method Not Allowed\r\n" + own + "Content-Length: 71\r\nCache-Control: no-store\r\n" + common + cors +
				"Allow: GET, PUT, PATCH, DELETE\r\n" + end},
		{"options", "", request("", "OPTIONS", "/gw/devices/1", ""),
			"204 No Content\r\nDate: -\r\nCache-Control: no-store\r\n" + common + "Allow: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n" + end},
	} {
		w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) { io.WriteString(c, row.answer) }),
			func(o *Options, _ *policy.Engine, _ *head.Config) { o.MaxURL = 8000 })
		w.token(longKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":[`+numbered(1000000, 2000)+`]}]`)
		c := w.dial()
		io.WriteString(c, row.sent)
		text, _ := io.ReadAll(c)
		got, _, _ := strings.Cut(varying.ReplaceAllString(string(text), "$1: -"), "\r\n\r\n")
		if want := "HTTP/1.1 " + strings.TrimSuffix(row.want, "\r\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, got, want)
		}
	}
}
