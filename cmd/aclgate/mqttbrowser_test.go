package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aclgate/bench/broker"
)

// pageView is what a visitor of bench/clients/mqtt/page.html sees, for one key.
type pageView struct {
	Key, State string
	List       []string
}

// webPage serves the page, and remembers what its visitor saw.
type webPage struct {
	*httptest.Server
	t      *testing.T
	chrome *safeBuffer // what the browser says

	mu   sync.Mutex
	seen []pageView
}

// startPage serves the page over TLS. The test is left out where npm's mqtt is missing.
func startPage(t *testing.T) *webPage {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	const folder = "../../bench/clients/mqtt"
	library := ""
	for _, modules := range append(filepath.SplitList(os.Getenv("NODE_PATH")), folder+"/node_modules") {
		if file := filepath.Join(modules, "mqtt/dist/mqtt.min.js"); library == "" && exists(file) {
			library = file
		}
	}
	if library == "" {
		t.Skip("npm's mqtt is not here: npm ci --prefix bench/clients/mqtt")
	}
	p := &webPage{t: t, chrome: new(safeBuffer)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.html", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, folder+"/page.html") })
	mux.HandleFunc("GET /mqtt.min.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, library) })
	mux.HandleFunc("POST /seen", p.remember)
	p.Server = httptest.NewUnstartedServer(mux)
	p.TLS = &tls.Config{Certificates: []tls.Certificate{keyPair()}}
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (p *webPage) remember(_ http.ResponseWriter, r *http.Request) {
	var v pageView
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		p.t.Error(err)
	}
	p.mu.Lock()
	p.seen = append(p.seen, v)
	p.mu.Unlock()
}

// views returns all that was seen so far.
func (p *webPage) views() []pageView {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// await waits until the visitor has seen this at or after the view number from, and returns the
// number of the next view.
func (p *webPage) await(from int, want pageView) (next int) {
	p.t.Helper()
	var views []pageView
	for range 1200 {
		views = p.views()
		for i := from; i < len(views); i++ {
			if v := views[i]; v.Key == want.Key && v.State == want.State && slices.Equal(v.List, want.List) {
				return i + 1
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.t.Fatalf("the page never shows %+v, but %+v\n%s", want, views[from:], p.chrome.String())
	return 0
}

// visit opens the page in Chromium, with the keys and the address of an API over TLS. The test is left out where it is missing.
func (p *webPage) visit(api string, keys ...string) {
	p.t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		p.t.Skip("chromium is not installed: apt-get install -y chromium")
	}
	profile, err := os.MkdirTemp("", "aclgate-chromium-")
	if err != nil {
		p.t.Fatal(err)
	}
	pair := keyPair()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		p.t.Fatal(err)
	}
	pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	cmd := exec.Command(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+profile,
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(pin[:]), // the test's own, and no other
		p.URL+"/page.html?"+url.Values{"api": {strings.Replace(api, "http:", "https:", 1)}, "key": keys}.Encode())
	cmd.Stdout, cmd.Stderr = p.chrome, p.chrome
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it is a whole group
		cmd.Wait()
		os.RemoveAll(profile)
	})
}

// browserPolicy has a token with some channels, and two that are for pages of one origin.
const browserPolicy = lawAccounts + `  - {id: 3, key: for-this-page, cid: 1, expire: 4102444800, origins: [%q], access: {type: acl, acl: [{uri: gw/channels, methods: [GET], ids: [10103]}]}}
%s`

// TestMQTTBrowser: a page with npm's mqtt in a real browser finds MQTT by /auth/regions, comes by wss,
// lists what its token may see, and loses live what is revoked. A token for other origins is refused.
func TestMQTTBrowser(t *testing.T) {
	p := startPage(t)
	policy := func(ids string) string {
		token := ""
		if ids != "" {
			token = fmt.Sprintf(lawToken, ids)
		}
		return fmt.Sprintf(browserPolicy, p.URL, token)
	}
	g := startMQTT(t, siteOptions{policy: policy("10101, 10102"), files: pems(), listen: ", tls: {cert_file: cert.pem, key_file: cert.key}"},
		", tls: {cert_file: cert.pem, key_file: cert.key}")
	name := func(id int, text string) {
		g.broker.Publish(broker.Message{Topic: channelName(id), Payload: text, QoS: 1, Retain: true})
	}
	for _, id := range []int{10101, 10102, 10103} {
		name(id, "first")
	}
	change := func(ids string) {
		t.Helper()
		g.policy(policy(ids))
		if status := g.reload(); status != 200 {
			t.Fatalf("reload: %d", status)
		}
	}
	p.visit(g.api, "some-channels", "for-this-page")
	const key = "some-channels"
	at := p.await(0, pageView{key, "connected", []string{"10101 first", "10102 first"}})
	p.await(0, pageView{"for-this-page", "connected", []string{"10103 first"}})
	name(10103, "second")
	name(10101, "second")
	at = p.await(at, pageView{key, "connected", []string{"10101 second", "10102 first"}})
	change("10102")
	at = p.await(at, pageView{key, "disconnected 152", nil})
	at = p.await(at, pageView{key, "connected", []string{"10102 first"}})
	name(10101, "third")
	name(10102, "third")
	at = p.await(at, pageView{key, "connected", []string{"10102 third"}})
	change("")
	at = p.await(at, pageView{key, "disconnected 135", nil})
	p.await(at, pageView{key, "refused 134", nil})
	for _, v := range p.views() {
		list := strings.Join(v.List, ", ")
		if v.Key == key && (strings.Contains(list, "10103") || strings.Contains(list, "10101 third")) {
			t.Errorf("the page showed %+v", v)
		}
	}
}

// TestMQTTBrowserOrigins: beside a token that may, a token for pages of another origin is refused.
func TestMQTTBrowserOrigins(t *testing.T) {
	p := startPage(t)
	g := startMQTT(t, siteOptions{policy: fmt.Sprintf(browserPolicy, "https://elsewhere.test", ""), files: pems(),
		listen: ", tls: {cert_file: cert.pem, key_file: cert.key}"}, ", tls: {cert_file: cert.pem, key_file: cert.key}")
	p.visit(g.api, "for-this-page", validKey)
	p.await(0, pageView{validKey, "connected", nil})
	p.await(0, pageView{"for-this-page", "refused 134", nil})
}
