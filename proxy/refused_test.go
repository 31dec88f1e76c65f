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
		{request(readerKey, "PUT", "/gw/devices/1?reverse=VALUE", "{}"), `"target":"/gw/devices/1","parameter":"reverse"`},
		{request(readerKey, "PUT", "/gw/devices/1?%72ev%65rse%22=VALUE", "{}"), `"target":"/gw/devices/1","parameter":"reverse%22"`},
		{request(readerKey, "GET", "/gw/devices/1?fields=a&fields=VALUE", ""), `"parameter":"fields"`},
		{request(readerKey, "GET", "/gw/devices/1?api_Key=VALUE", ""), `"parameter":"api_Key"`},
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

// TestDroppedIsSaid: what of a query is left out is said to the client, counted and remembered.
func TestDroppedIsSaid(t *testing.T) {
	var seen keeper
	w := textWired(t, plain("{}"), seen.keep)
	for _, target := range []string{"/gw/devices/1?reverse=VALUE&limit=1&%22%C3%BC=VALUE", "/gw/devices/9?reverse=VALUE&%22%C3%BC=VALUE"} {
		got := w.call(readerKey, "GET", target, "")
		if names := got.header.Get("x-aclgate-dropped"); names != "reverse,%22%C3%BC" {
			t.Errorf("%s: got x-aclgate-dropped %q", target, names)
		}
		line := string(seen.take()[0].AppendJSON(nil))
		if !strings.Contains(line, `"dropped":"reverse,%22%C3%BC"`) || strings.Contains(line, "VALUE") {
			t.Errorf("%s: got %s", target, line)
		}
	}
	if sent := w.backend.one(t); sent.target() != "/gw/devices/1?limit=1" {
		t.Errorf("got %s at the backend", sent.target())
	}
	if got := w.counter("aclgate_query_dropped_total"); got != 4 {
		t.Errorf("got %v counted, want 4", got)
	}
	if got := w.call(readerKey, "GET", "/gw/devices/1?limit=1", ""); got.header.Get("x-aclgate-dropped") != "" {
		t.Errorf("got x-aclgate-dropped %q without need", got.header.Get("x-aclgate-dropped"))
	}
}

// A match that the backend refused is an empty result to its client, whatever the backend said; the
// operator finds the backend's words in the record, without the value that was compared.
func TestRefusedMatchesAreRecorded(t *testing.T) {
	for _, row := range []struct{ path, answer, reason, backend string }{
		{"/gw/devices/nme=VALUE", `no field nme`, "match-refused", "400 no field nme"},
		{"/gw/devices/1,nme=VALUE", `no field nme`, "match-refused", "400 no field nme"},
		{"/gw/devices/nme=VALUE*", `nothing is like VALUE`, "match-refused", "400"},
		{"/gw/devices/1,77,nme=VALUE", `nothing has nme=VALUE`, "denied-items", "400 nothing has nme"},
	} {
		var seen keeper
		w := textWired(t, reply("400 Bad Request", `{"errors":[{"code":1,"reason":"`+row.answer+`"}]}`), seen.keep)
		got := w.call(readerKey, "GET", row.path, "")
		if row.reason == "match-refused" && (got.status != 200 || got.body != bodyEmpty) {
			t.Errorf("%s: got %d %s", row.path, got.status, got.body)
		}
		line := string(seen.take()[0].AppendJSON(nil))
		if !strings.Contains(line, `"reason":"`+row.reason+`"`) || !strings.Contains(line, `"backend":"`+row.backend+`"`) {
			t.Errorf("%s: got %s", row.path, line)
		}
		if strings.Contains(line, "VALUE") {
			t.Errorf("%s: a value is in %s", row.path, line)
		}
	}
}
