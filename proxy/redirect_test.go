package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// redirected sends one raw request to a Redirect and returns the answer.
func redirected(t *testing.T, origin, port string, hosts []string, raw string) *http.Response {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := NewRedirect(ln, head.Config{Hosts: hosts, Chunked: true, MaxConns: 10, Read: time.Second, Write: time.Second, Idle: time.Second}, origin, port)
	served := make(chan error, 1)
	go func() { served <- r.Serve() }()
	defer func() {
		r.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	got, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || method != "HEAD" && int64(len(body)) != got.ContentLength {
		t.Fatalf("%q: %d bytes of %d: %v", raw, len(body), got.ContentLength, err)
	}
	if !got.Close {
		t.Errorf("%q: the connection stays open", raw)
	}
	return got
}

// A plain listener sends clients to the same place over TLS, and nowhere else.
func TestRedirect(t *testing.T) {
	rows := []struct{ origin, port, line, host, want string }{
		{"", "443", "GET /gw/devices/all?fields=id", "api.example", "https://api.example/gw/devices/all?fields=id"},
		{"", "8443", "GET /", "api.example:8080", "https://api.example:8443/"},
		{"", "8443", "DELETE /gw/devices/1", "[::1]:80", "https://[::1]:8443/gw/devices/1"},
		{"", "443", "POST /gw/devices", "API.example.", "https://API.example/gw/devices"},
		{"https://gw.example:7443", "1", "HEAD /a", "other", "https://gw.example:7443/a"},
		{"", "443", "GET //evil.example/x", "a", "https://a//evil.example/x"},
		{"", "443", "GET http://a/gw/devices/1", "a", "https://a/gw/devices/1"},
		{"", "443", `GET /gw/devices/{"a"<1}%7e?x=\` + "é", "a", "https://a/gw/devices/%7B%22a%22%3C1%7D%7e?x=%5C%C3%A9"},
	}
	for _, row := range rows {
		got := redirected(t, row.origin, row.port, nil, fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\n\r\n", row.line, row.host))
		if got.StatusCode != 308 || got.Header.Get("Location") != row.want {
			t.Errorf("%s of %s: got %d %q, want 308 %q", row.line, row.host, got.StatusCode, got.Header.Get("Location"), row.want)
		}
	}
}

// What would not be read as a request elsewhere is not sent anywhere either.
func TestRedirectRefuses(t *testing.T) {
	rows := []struct {
		raw  string
		want int
	}{
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"OPTIONS / HTTP/1.0\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
		{"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX-Y: a\n\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	}
	for _, row := range rows {
		got := redirected(t, "", "443", []string{"a"}, row.raw)
		if got.StatusCode != row.want || got.Header.Get("Location") != "" {
			t.Errorf("%q: got %d to %q, want %d", row.raw, got.StatusCode, got.Header.Get("Location"), row.want)
		}
	}
}

// The gateway's own answers and the backend's carry listen.hsts, and the backend has no say in it.
func TestHSTS(t *testing.T) {
	const line = "Strict-Transport-Security"
	backend := reply("200 OK", `{"result":[{"id":2025}]}`, line+": max-age=1")
	for seconds, want := range map[int]string{0: "max-age=1", 3600: "max-age=3600"} {
		w := textWired(t, backend, func(o *Options, _ *policy.Engine, _ *head.Config) { o.HSTS = seconds })
		got := w.call(allKey, "GET", "/gw/channels/2025", "")
		if values := got.header.Values(line); len(values) != 1 || values[0] != want {
			t.Errorf("hsts of %d s: the backend's answer has %q, want %q", seconds, values, want)
		}
		own := w.call("", "GET", "/gw/channels/2025", "")
		if values := own.header.Values(line); len(values) != min(seconds, 1) || len(values) == 1 && values[0] != want {
			t.Errorf("hsts of %d s: the gateway's own answer has %q", seconds, values)
		}
	}
}
