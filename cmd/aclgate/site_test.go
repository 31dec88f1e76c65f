package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/bench/backend"
)

const (
	upstreamKey = "upstream-key" // the gateway's own
	adminKey    = "admin-key-of-the-test"
	validKey    = "stays-valid" // of the token that every policy of the tests has
)

const gatePolicy = `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}, {id: 12, name: depot, parent: 1}]
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
%s`

const gateToken = `  - {id: %d, key: %s, cid: 1, expire: 4102444800, access: {type: acl, acl: [{uri: gw/channels, methods: [GET], ids: [2025]}]}}
`

// siteOptions are what a test may change about a site.
type siteOptions struct {
	settings string            // lines of aclgate.yaml
	listen   string            // more of listen, such as ", max_connections: 20"
	upstream string            // settings of upstream that name the urls; "": that of backend
	backend  *backend.Server   // nil: one of the demo's world
	policy   string            // "": gatePolicy with its one token
	store    string            // "": the policy file
	files    map[string]string // further files
}

// site is the files of a gateway, its addresses, and the simulated backend behind it. A gate runs
// on it in the test's process, a child in one of its own.
type site struct {
	t          *testing.T
	folder     string
	api, admin string // URLs
	backend    *backend.Server
}

func newSite(t *testing.T, o siteOptions) *site {
	t.Helper()
	if o.backend == nil {
		o.backend = backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey})
	}
	if o.upstream == "" {
		url, err := o.backend.Start("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.backend.Close)
		o.upstream = fmt.Sprintf("urls: [%q]", url)
	}
	if o.store == "" {
		o.store = "kind: file, path: policy.yaml"
	}
	if o.policy == "" {
		o.policy = fmt.Sprintf(gatePolicy, "")
	}
	if !strings.Contains(o.settings, "limits:") {
		o.settings += "limits: {unauthenticated: {rate: 0}}\n"
	}
	listen, admin := freeAddr(t), freeAddr(t)
	files := map[string]string{
		"aclgate.yaml": fmt.Sprintf("listen: {address: %q%s}\nadmin: {address: %q, token_file: admin.token}\n"+
			"upstream: {%s, token_file: up.token, timeouts: {idle: 2s}}\nstore: {%s}\n%s",
			listen, o.listen, admin, o.upstream, o.store, o.settings),
		"policy.yaml": o.policy, "up.token": upstreamKey + "\n", "admin.token": adminKey + "\n",
	}
	for name, text := range o.files {
		files[name] = text
	}
	return &site{t, write(t, files), "http://" + listen, "http://" + admin, o.backend}
}

// file returns the path of the settings.
func (s *site) file() string { return filepath.Join(s.folder, "aclgate.yaml") }

// replace replaces a file as an editor would: by rename.
func (s *site) replace(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// policy replaces the policy.
func (s *site) policy(text string) { s.t.Helper(); s.replace("policy.yaml", text) }

// reload asks the admin listener to reload and returns its status.
func (s *site) reload() int {
	s.t.Helper()
	req, _ := http.NewRequest(http.MethodPost, s.admin+"/reload", nil)
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// scrape returns what /metrics says.
func (s *site) scrape() string {
	s.t.Helper()
	resp, err := http.Get(s.admin + "/metrics")
	if err != nil {
		s.t.Fatalf("the admin listener does not answer: %v", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// series returns the value of a series, "" where there is none.
func (s *site) series(name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.scrape()) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// gate is `serve` on a site, in the test's process.
type gate struct {
	*program
	*site
}

// startGate starts a gateway and waits until it is ready.
func startGate(t *testing.T, o siteOptions) *gate {
	t.Helper()
	o.settings += "log: {level: error}\n"
	s := newSite(t, o)
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

// A gateway that starts while its backend is down serves nothing that x-flespi-cid alone limits before
// the backend was seen to obey it: one that ignores the header shows nobody's items to anybody.
func TestNothingBeforeTheFirstCheck(t *testing.T) {
	t.Parallel()
	for _, obeys := range []bool{true, false} {
		t.Run(fmt.Sprint("obeys ", obeys), func(t *testing.T) {
			address := freeAddr(t)
			s := newSite(t, siteOptions{upstream: fmt.Sprintf("urls: [%q]", "http://"+address), settings: "log: {level: error}\n"})
			g := &gate{start(t, "serve", "-c", s.file()), s}
			g.await(g.admin+"/healthz", 200)
			if status, body := call(t, validKey, "GET", g.api+"/gw/devices/all", ""); status != 503 || !strings.Contains(body, "not known yet") {
				t.Errorf("the backend is down: got %d %s, want 503", status, body)
			}
			b := backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, IgnoreCID: !obeys})
			if _, err := b.Start(address); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			for {
				status, body := call(t, validKey, "GET", g.api+"/gw/devices/all", "")
				switch {
				case status == 200 && !obeys:
					t.Fatalf("the header is ignored: got %s", body)
				case status == 200, status == 503 && !obeys && strings.Contains(body, "does not obey"):
					return
				case status != 503:
					t.Fatalf("got %d %s", status, body)
				}
			}
		})
	}
}
