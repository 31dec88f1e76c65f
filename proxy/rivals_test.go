package proxy

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const nginxConfig = `daemon off; master_process off; pid %[1]s/pid; error_log /dev/null;
events {}
http {
  access_log off; client_max_body_size 100m; large_client_header_buffers 8 64k;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s; client_header_timeout 2s; client_body_timeout 2s;
    location / { proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_ignore_client_abort on; }
  }
}
`

const haproxyConfig = `global
  tune.bufsize 131072
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  timeout http-request 2s
frontend f
  bind %[2]s
  default_backend b
backend b
  server s %[3]s
`

// startRival starts an installed server with a configuration in front of backend, and returns its
// address.
func startRival(t *testing.T, name, config, backend string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, folder := ln.Addr().String(), t.TempDir()
	ln.Close()
	file := filepath.Join(folder, "config")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, folder, addr, backend), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, file)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen: %s", name, out.String())
	return ""
}

// opinion is what a server forwards of a case.
type opinion struct {
	addr    string
	backend *wireBackend
}

func (o opinion) of(t *testing.T, raw []byte) (all []understood) {
	o.backend.take()
	talk(t, o.addr, raw)
	for _, r := range withoutOwn(o.backend.take()) {
		all = append(all, forwardedAs(&r))
	}
	return all
}

func has(all []understood, u understood) bool {
	return slices.ContainsFunc(all, func(v understood) bool {
		// One slash at the end of a GET is dropped (SPEC 2), which rivals keep.
		return v.method == u.method && (samePath(v.path, u.path) || u.method == "GET" && samePath(strings.TrimSuffix(v.path, "/"), u.path))
	})
}

// What nginx and HAProxy both refuse is not forwarded, whoever asks: here a token that may do
// everything. It runs where both are installed.
func TestRivalsAgree(t *testing.T) {
	fresh := func() *wireBackend { return startText(t, plain("{}", "Connection: close")) }
	n, h, b := fresh(), fresh(), fresh()
	nginx := opinion{startRival(t, "nginx", nginxConfig, strings.TrimPrefix(n.url, "http://"), "-c"), n}
	haproxy := opinion{startRival(t, "haproxy", haproxyConfig, strings.TrimPrefix(h.url, "http://"), "-f"), h}
	g := newFixture(t, b.url, withResolver, chunkedBodies)
	g.accounts([2]int64{1, 0})
	g.token(rootKey, "master", 1, "")
	gateway := opinion{g.addr, b}
	count := map[string][]string{}
	for _, row := range caseFiles(t) {
		raw := withKey(row.bytes())
		ours, theirs, others := gateway.of(t, raw), nginx.of(t, raw), haproxy.of(t, raw)
		for _, u := range ours {
			inN, inH := has(theirs, u), has(others, u)
			if !inN && !inH {
				t.Errorf("%s: forwarded %s %s, which both refuse: nginx %v, haproxy %v [%s]", row.ID, u.method, u.path, theirs, others, row.Why)
			}
			count[word(inN, inH)] = append(count[word(inN, inH)], row.ID)
		}
		if len(ours) == 0 {
			key := "refused here, " + word(len(theirs) > 0, len(others) > 0)
			count[key] = append(count[key], row.ID)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%s: %d %v", what, len(count[what]), count[what])
	}
}

func word(nginx, haproxy bool) string {
	switch {
	case nginx && haproxy:
		return "taken by both"
	case nginx:
		return "taken by nginx alone"
	case haproxy:
		return "taken by haproxy alone"
	}
	return "taken by neither"
}
