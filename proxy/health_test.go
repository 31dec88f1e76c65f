package proxy

import (
	"errors"
	"io"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// Health is answered on the public listener only where the settings say so, to GET and HEAD, without
// a token, and without the reason.
func TestPublicHealth(t *testing.T) {
	var fault error
	served := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, c *head.Config) {
		o.PublicHealth, c.Health = func() error { return fault }, true
	})
	closed := textWired(t, plain(`{"result":[]}`))
	rows := []struct {
		request string
		fault   error
		want    string
		without string // where it is not served
	}{
		{request("", "GET", "/healthz", ""), nil, "200", "401"},
		{request("", "GET", "/readyz", ""), nil, "200", "401"},
		{request("", "GET", "/healthz", ""), errors.New("the backend 10.0.0.1 is down"), "200", "401"},
		{request("", "GET", "/readyz", ""), errors.New("the backend 10.0.0.1 is down"), "503", "401"},
		{request("", "HEAD", "/readyz", ""), nil, "200", "401"},
		{"GET /readyz HTTP/1.0\r\n\r\n", nil, "200", "400"},
		{"OPTIONS / HTTP/1.0\r\n\r\n", nil, "200", "200"},
		{request("", "OPTIONS", "/gw/devices/all", ""), nil, "204", "204"},
		{request("", "POST", "/healthz", ""), nil, "401", "401"},
		{request("", "GET", "/readyz?limit=1", ""), nil, "401", "401"},
		{request("", "GET", "/metrics", ""), nil, "401", "401"},
	}
	for _, row := range rows {
		fault = row.fault
		for w, want := range map[*wired]string{served: row.want, closed: row.without} {
			c := w.dial()
			io.WriteString(c, row.request)
			text, _ := io.ReadAll(c)
			line, _, _ := strings.Cut(string(text), "\r\n")
			if status := strings.Fields(line + " ? ?")[1]; status != want {
				t.Errorf("%.30q: got %s, want %s", row.request, status, want)
			}
			if strings.Contains(string(text), "10.0.0.1") {
				t.Errorf("%.30q: says what is wrong: %s", row.request, text)
			}
			if _, body, _ := strings.Cut(string(text), "\r\n\r\n"); strings.HasPrefix(row.request, "HEAD") && body != "" {
				t.Errorf("%.30q: got a body", row.request)
			}
		}
	}
	if n := len(served.backend.take()); n != 0 {
		t.Errorf("the backend got %d requests", n)
	}
}
