package proxy

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

var resolvingRows = []struct {
	name, answer string
	status       int
	body, target string
}{
	{"some", plain(`{"result":[{"id":2},{"id":9}],"pagination":{"limit":1000,"offset":0,"count":2}}`), 200, `{}`, "/gw/devices/2?fields=name"},
	{"all of them", plain(`{"result":[{"id":2},{"id":1}],"pagination":{"limit":1000,"offset":0,"count":2}}`), 200, `{}`, "/gw/devices/1,2?fields=name"},
	{"foreign ones", plain(`{"result":[{"id":9}],"pagination":{"limit":1000,"offset":0,"count":1}}`), 200, bodyEmpty, ""},
	{"none", plain(`{"result":[]}`), 200, bodyEmpty, ""},
	{"a row without id", plain(`{"result":[{"id":1},{"name":"x"}]}`), 502, own(502, "the backend cannot be reached or broke off"), ""},
	{"an id that is text", plain(`{"result":[{"id":"1"}]}`), 502, own(502, "the backend cannot be reached or broke off"), ""},
	{"an id that is too large", plain(`{"result":[{"id":18446744073709551617}]}`), 502, own(502, "the backend cannot be reached or broke off"), ""},
	{"no list", plain(`{"result":{"id":1}}`), 502, own(502, "the backend cannot be reached or broke off"), ""},
	{"no JSON", plain(`<html>`), 502, own(502, "the backend cannot be reached or broke off"), ""},
	{"cut", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\nConnection: close\r\n\r\n" + `{"result":[{"id":1}`, 502, "", ""},
	{"refused", reply("400 Bad Request", `{"errors":[{"code":3}]}`, "Content-Type: application/json"), 200, bodyEmpty, ""},
	{"not found", reply("404 Not Found", `{"result":[]}`), 200, bodyEmpty, ""},
	{"forbidden", reply("403 Forbidden", `<html>`), 200, bodyEmpty, ""},
	{"too often", reply("429 Too Many Requests", `{"errors":[{"code":429}]}`, "Content-Type: application/json"), 429, `{"errors":[{"code":429}]}`, ""},
	{"redirected", reply("302 Found", "", "Location: /x"), 502, own(502, "the backend answered with a redirect"), ""},
	{"unauthorized", reply("401 Unauthorized", "{}"), 502, own(502, "the backend refused the gateway"), ""},
}

// What the backend says to the gateway's own question decides what becomes of a match: its ids are
// cut to what the entry permits; what is against the client's selector is the client's answer; what
// is broken is a 502, and nothing is forwarded.
func TestResolving(t *testing.T) {
	for _, row := range resolvingRows {
		w := newWired(t, startWire(t, func(c net.Conn, r *wireRequest) {
			if strings.HasPrefix(r.target(), "/gw/devices/name") {
				io.WriteString(c, row.answer)
				if strings.Contains(row.answer, "Connection: close") {
					c.Close()
				}
				return
			}
			io.WriteString(c, plain(`{}`))
		}))
		got := w.call(readerKey, "GET", "/gw/devices/name=t*?fields=name", "", "x-flespi-cid: 11")
		sent := w.backend.take()
		if got.status != row.status || row.body != "" && got.body != row.body {
			t.Errorf("%s: got %d %s, want %d %s", row.name, got.status, got.body, row.status, row.body)
		}
		question := sent[0]
		if want := "/gw/devices/name=t*?fields=id&limit=1000&offset=0"; !sameTarget(want, question.target()) || question.all("x-flespi-cid")[0] != "11" {
			t.Errorf("%s: asked %q", row.name, question.raw)
		}
		if row.target == "" && len(sent) != 1 || row.target != "" && (len(sent) != 2 || sent[1].target() != row.target) {
			t.Errorf("%s: forwarded %v, want %q", row.name, sent[1:], row.target)
		}
		if got.header.Get("x-aclgate-denied") != "" || strings.Contains(got.body, `"code":6`) {
			t.Errorf("%s: a match tells which of its ids are denied", row.name)
		}
	}
}

// seen is what is known of a backend and x-flespi-cid.
type seen policy.Reason

func (s seen) Refusal() policy.Reason { return policy.Reason(s) }

// While the backend is known to ignore the scope, or nobody has checked yet, requests that nothing
// else limits get a 503; tokens with ids go on, dictionaries too.
func TestScopeIgnored(t *testing.T) {
	for _, reason := range []policy.Reason{policy.ScopeIgnored, policy.ScopeUnchecked} {
		t.Run(reason.String(), func(t *testing.T) { scopeRefused(t, seen(reason)) })
	}
}

func scopeRefused(t *testing.T, s seen) {
	w := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) { o.ScopeProbe = s })
	w.token("all-devices-by-entry", "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":"all"}]`)
	for _, row := range []struct {
		key, target string
		status      int
	}{
		{readerKey, "/gw/devices/1", 200}, {readerKey, "/gw/devices/all", 200}, {readerKey, "/gw/channel-protocols/all", 200},
		{allKey, "/gw/devices/1", 503}, {allKey, "/gw/devices/all", 503}, {rootKey, "/gw/devices/name=x", 503},
		{"all-devices-by-entry", "/gw/devices/1", 503}, {allKey, "/auth/info", 200}, {allKey, "/platform/tokens/all", 403},
	} {
		got := w.call(row.key, "GET", row.target, "")
		if got.status != row.status {
			t.Errorf("%s %s: got %d %s, want %d", row.key, row.target, got.status, got.body, row.status)
		}
		if row.status == 503 {
			checkOwnHeaders(t, row.target, got)
		}
	}
	for _, r := range w.backend.take() {
		if strings.HasPrefix(r.target(), "/gw/devices/") && r.target() != "/gw/devices/1" && r.target() != "/gw/devices/1,2" {
			t.Errorf("forwarded %s", r.line)
		}
	}
}

// When the client goes away while its match is resolved, no further pages are asked for.
func TestClientLeavesMatch(t *testing.T) {
	t.Parallel()
	page := `{"result":[{"id":9%d},` + strings.Repeat(`{"id":1},`, 998) + `{"id":9%d}]}`
	arrived, ended := make(chan struct{}, 1000), make(chan struct{}, 1)
	w := newWired(t, startWire(t, func(c net.Conn, r *wireRequest) {
		arrived <- struct{}{}
		_, text, _ := strings.Cut(r.target(), "offset=")
		if offset, _ := strconv.Atoi(text); offset < 2997 {
			io.WriteString(c, plain(fmt.Sprintf(page, offset, offset+999)))
			return
		}
		io.Copy(io.Discard, c)
		ended <- struct{}{}
	}))
	c := w.dial()
	io.WriteString(c, request(readerKey, "GET", "/gw/devices/name=t*", ""))
	for range 4 {
		<-arrived
	}
	disconnect(c)
	select {
	case <-ended:
	case <-time.After(4 * time.Second): // its limit is 5 s
		t.Error("the question goes on")
	}
}
