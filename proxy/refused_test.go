package proxy

import (
	"strings"
	"testing"
)

// Whoever moves clients behind the gateway has to see which of them send what it refuses, and why:
// the record of such a request has its source, its path and the name of what is wrong, and neither a
// value nor the query.
func TestRefusedRequestsAreRecorded(t *testing.T) {
	var seen keeper
	w := textWired(t, plain("{}"), seen.keep)
	for _, row := range []struct{ raw, want string }{
		{request(readerKey, "GET", "/gw/devices/1?reverse=VALUE", ""), `"target":"/gw/devices/1","parameter":"reverse"`},
		{request(readerKey, "GET", "/gw/devices/1?%72ev%65rse%22=VALUE", ""), `"target":"/gw/devices/1","parameter":"reverse%22"`},
		{request(readerKey, "GET", "/gw/devices/1?fields=a&fields=VALUE", ""), `"parameter":"fields"`},
		{request(readerKey, "GET", "/gw/devices/1?VALUE", ""), `"target":"/gw/devices/1","source"`},
		{request(readerKey, "GET", "/gw//VALUE=VALUE", ""), `"target":"/gw//VALUE=*"`},
		{request(readerKey, "GET", "/gw/devices/1?cid=1", "", "x-flespi-cid: 1"), `"parameter":"cid"`},
		{request(readerKey, "GET", "/gw/devices/1", "", "X-HTTP-Method-Override: VALUE"), `"target":"/gw/devices/1","header":"X-HTTP-Method-Override"`},
		{request(readerKey, "GET", "/gw/devices/1", "", "Authorization: VALUE"), `"header":"Authorization"`},
		{"GET /gw/devices/1 HTTP/1.1\r\nHost: VALUE VALUE\r\n\r\n", `"header":"Host"`},
	} {
		if got := w.raw(row.raw); got.status != 400 {
			t.Errorf("%s: got %d", row.raw, got.status)
		}
		line := string(seen.take()[0].AppendJSON(nil))
		if !strings.Contains(line, row.want) || !strings.Contains(line, `"source":"127.0.0.1"`) {
			t.Errorf("%s: got %s, want %s", row.raw, line, row.want)
		}
		if strings.Contains(strings.ReplaceAll(line, "/gw//VALUE=*", ""), "VALUE") {
			t.Errorf("%s: a value is in %s", row.raw, line)
		}
	}
}
