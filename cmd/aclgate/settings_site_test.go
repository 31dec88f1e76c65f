package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/bench/backend"
	"aclgate/bench/broker"
	"aclgate/cmd/internal/app"
	"aclgate/config"
)

// outlook is what clients of a gateway see, as far as the settings change it. The zero outlook,
// with mode, origin, maxAge and the sizes of newOutlook, is that of the defaults.
type outlook struct {
	hosts, publicURL, region string
	publicHealth             bool
	cert, certKey, clientCA  bool
	trustsProxy              bool
	refusesChunks            bool
	origin, maxAge           string // origin: "*", the one that is allowed, or "-" for none
	maxHead, maxBody         int
	maxUpload                int
	adminKey                 bool

	callersKey, passesCustom        bool
	identity, twoURLs               bool
	backendTLS, ownCert, ownCertKey bool
	backendConns                    int
	maxURL                          int
	conditions                      bool
	noQueue, shortQueue             bool

	mode                     config.ScopeMode
	staleEarly               bool
	deniesMatch, strictLinks bool

	unenforced                bool
	oneID, oneResolved        bool
	oneWrite                  bool
	tooDeep                   bool
	unknownRoutes             bool
	backendKeys, gadgets      bool
	noPlatform                bool
	passesFoo, refusesQuery   bool
	perToken, perAccount      bound
	strangers                 bound
	audit, auditsAll, logText bool
	level                     string

	mqtt mqttOutlook
}

// bound is a limit. It takes effect where both parts are set.
type bound struct {
	slow       bool // nothing comes back while a test runs
	burst      int
	concurrent bool // one at a time
}

// values are settings by path, as the file has them.
type values map[string]string

// outlookOf returns what the settings mean.
func outlookOf(v values) *outlook {
	o := &outlook{
		mode: config.ScopeHeader, origin: "*", maxAge: "600", maxHead: 64 << 10, maxBody: 8 << 20, maxUpload: 1 << 30, maxURL: 8000,
		level: "info",
	}
	for path, value := range v {
		o.mqtt.on = o.mqtt.on || strings.HasPrefix(path, "mqtt.")
		for _, c := range choices[path] {
			if c.value == value && c.means != nil {
				c.means(o)
				break
			}
		}
	}
	return o
}

// faulty reports whether the settings do not fit each other, or the policy.
func (o *outlook) faulty(v values) bool {
	halfPair := o.cert != o.certKey || o.clientCA && !o.cert || o.ownCert != o.ownCertKey || o.mqtt.faulty(o.mode)
	stale := o.staleEarly && v["scope.refresh"] != "20ms" || v["scope.max_staleness"] == "45s" && v["scope.refresh"] == "1m"
	return halfPair || stale || o.tooDeep || o.mode == config.ScopeNone // the policy has several accounts
}

const settingsPolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 2, name: guest}
  - {id: 11, name: fleet, parent: 1}
  - {id: 12, name: depot, parent: 1}
  - {id: 13, name: yard, parent: 11}
tokens:
  - {id: 1, key: root-master-key, cid: 1, expire: 4102444800, access: {type: master}}
  - {id: 2, key: fleet-standard-key, cid: 11, expire: 4102444800, access: {type: standard}}
  - id: 3
    key: fleet-acl-key
    cid: 11
    expire: 4102444800
    access: {type: acl, acl: [{uri: gw/devices, methods: [GET, PUT], ids: [101, 102]}, {uri: gw/calcs, methods: [GET], ids: [21]}]}
  - {id: 4, key: fleet-bound-key, cid: 11, ips: 192.0.2.7, expire: 4102444800, access: {type: standard}}
  - {id: 5, key: guest-key-one, cid: 2, expire: 4102444800, access: {type: standard}}
  - {id: 6, key: guest-key-two, cid: 2, expire: 4102444800, access: {type: standard}}
`

// settingsKeys are every credential of the test.
var settingsKeys = []string{
	"root-master-key", "fleet-standard-key", "fleet-acl-key", "fleet-bound-key", "guest-key-one", "guest-key-two",
	upstreamKey, adminKey, brokerKey,
}

// settingsWorld is the items behind the gateway. What belongs to account 12 is called foreign.
func settingsWorld(t *testing.T) *backend.World {
	w := backend.NewWorld(
		backend.Account{ID: 1, Name: "operator"}, backend.Account{ID: 2, Name: "guest"},
		backend.Account{ID: 11, Parent: 1, Name: "fleet"}, backend.Account{ID: 12, Parent: 1, Name: "depot"},
		backend.Account{ID: 13, Parent: 11, Name: "yard"},
	)
	add := func(uri string, id, cid int64, name string) {
		if err := w.Add(uri, backend.Item{ID: id, CID: cid, Fields: backend.Fields{"name": name}}); err != nil {
			t.Fatal(err)
		}
	}
	add("gw/devices", 101, 11, "truck-1")
	add("gw/devices", 102, 11, "car-1")
	add("gw/devices", 103, 11, "truck-2")
	add("gw/devices", 131, 13, "van-1")
	add("gw/devices", 901, 12, "truck-foreign")
	add("gw/devices", 902, 12, "car-foreign")
	add("gw/calcs", 21, 11, "trips")
	add("gw/calcs", 29, 12, "foreign trips")
	add("gw/gadgets", 71, 11, "gadget")
	add("gw/gadgets", 979, 12, "foreign gadget")
	add("gw/geofences", 51, 11, "yard")
	add("gw/geofences", 959, 12, "foreign yard")
	add("storage/cdns", 31, 11, "pictures")
	w.Link("gw/calcs", 21, "devices", 101, 102, 103)
	w.Link("gw/calcs", 21, "geofences", 51, 959)
	w.Link("gw/calcs", 29, "devices", 901)
	return w
}

// pems are a certificate that is its own authority, good for servers and clients, and its key.
var pems = sync.OnceValue(func() map[string]string {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		panic(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(cryptorand.Reader, form, form, &secret.PublicKey, secret)
	if err != nil {
		panic(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		panic(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return map[string]string{"cert.pem": public, "cert.key": private, "client.pem": public, "client.key": private}
})

func keyPair() tls.Certificate {
	pair, err := tls.X509KeyPair([]byte(pems()["cert.pem"]), []byte(pems()["cert.key"]))
	if err != nil {
		panic(err)
	}
	return pair
}

func certPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(pems()["cert.pem"]))
	return pool
}

// yamlOf writes settings as a file.
func yamlOf(v values, prefix, indent string) string {
	var b strings.Builder
	done := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(v)) {
		rest, below := strings.CutPrefix(path, prefix)
		key, _, deeper := strings.Cut(rest, ".")
		switch {
		case !below || done[key]:
		case deeper:
			done[key] = true
			fmt.Fprintf(&b, "%s%s:\n%s", indent, key, yamlOf(v, prefix+key+".", indent+"  "))
		default:
			fmt.Fprintf(&b, "%s%s: %s\n", indent, key, v[path])
		}
	}
	return b.String()
}

// trial is a gateway with some settings, and its backend.
type trial struct {
	t       *testing.T
	o       *outlook
	values  values
	folder  string
	backend *backend.Server
	broker  *broker.Broker
	held    chan struct{} // while it is not nil, requests for account 2 wait at the backend
	mu      sync.Mutex

	log        safeBuffer
	api, admin string
	client     *http.Client
	used       map[string]int // requests by key that the limits have counted
	strangers  int            // those without a valid one
}

// newTrial writes the files of a gateway with these settings.
func newTrial(t *testing.T, v values) *trial {
	t.Helper()
	s := &trial{t: t, o: outlookOf(v), values: v, folder: t.TempDir(), used: map[string]int{}}
	all := maps.Clone(base)
	if s.o.mqtt.on {
		maps.Copy(all, mqttBase)
	}
	maps.Copy(all, v)
	text := yamlOf(all, "", "")
	if s.o.mqtt.on {
		text = strings.ReplaceAll(text, "$BROKER", s.startBroker())
	}
	for _, name := range []string{"$URL1", "$URL2"} {
		if strings.Contains(text, name) {
			text = strings.ReplaceAll(text, name, s.listenBackend())
		}
	}
	files := map[string]string{
		"aclgate.yaml": text, "policy.yaml": settingsPolicy, "other/policy.yaml": settingsPolicy, "shadow.yaml": "accounts: [{id: 1}]\ntokens: []\n",
		"up.token": upstreamKey + "\n", "admin.token": adminKey + "\n", "routes.yaml": gadgetRoutes(),
		"broker.token": brokerKey + "\n",
	}
	maps.Copy(files, pems())
	for name, text := range files {
		path := filepath.Join(s.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// gadgetRoutes is the built-in catalogue with one collection more.
var gadgetRoutes = sync.OnceValue(func() string {
	var out bytes.Buffer
	if code := run(context.Background(), []string{"routes", "--export"}, &out, io.Discard); code != exitOK {
		panic("no catalogue")
	}
	return out.String() + "- uri: gw/gadgets\n  id: int\n  scoped: true\n  routes:\n  - {path: '/{}', methods: [GET]}\n"
})

// listenBackend has the backend listen at one address more, and returns its URL.
func (s *trial) listenBackend() string {
	if s.backend == nil {
		o := backend.Options{Key: upstreamKey, Record: 1 << 10, IgnoreCID: s.o.mode == config.ScopeIDs}
		if s.o.callersKey {
			o.Key = ""
		}
		s.backend = backend.New(settingsWorld(s.t), o)
		s.backend.SetFault(s.hold)
		s.t.Cleanup(s.backend.Close)
	}
	if !s.o.backendTLS {
		url, err := s.backend.Start("127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		return url
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{keyPair()}, ClientCAs: certPool()}
	if s.o.ownCert {
		c.ClientAuth = tls.RequireAnyClientCert
	}
	go s.backend.Serve(tls.NewListener(ln, c))
	return "https://" + ln.Addr().String()
}

// hold lets requests for calcs wait as long as the test wants.
func (s *trial) hold(r *backend.Request) *backend.Canned {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil && strings.Contains(r.Target, "/calcs/") {
		<-held
	}
	return nil
}

// file returns the path of the settings.
func (s *trial) file() string { return filepath.Join(s.folder, "aclgate.yaml") }

// String names the settings.
func (s *trial) String() string { return strings.ReplaceAll(yamlOf(s.values, "", ""), "\n", "\n\t") }

// serving is a gateway that takes requests.
type serving struct {
	stop  context.CancelFunc
	ended chan error
}

// serve does what the command does, but for the signals, and returns once the addresses are taken.
// The error is why it does not come to that.
func (s *trial) serve() (*serving, error) {
	e := &env{file: s.file(), stdout: io.Discard, stderr: io.Discard}
	read, err := e.settings()
	if err != nil {
		return nil, err
	}
	logs := app.NewLogWriter(&s.log)
	ready := make(chan [2]net.Addr, 1)
	a, err := app.New(read, newLogger(read.Log, logs, false), app.Options{
		LogLost: logs.Lost, Ready: func(api, admin net.Addr) { ready <- [2]net.Addr{api, admin} },
	})
	if err != nil {
		logs.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &serving{stop, make(chan error, 1)}
	go func() {
		err := a.Serve(ctx)
		a.Close()
		logs.Close()
		g.ended <- err
	}()
	select {
	case err := <-g.ended:
		stop()
		return nil, err
	case at := <-ready:
		s.connect(at[0], at[1])
		return g, nil
	}
}

// connect makes the client that the settings ask for.
func (s *trial) connect(api, admin net.Addr) {
	scheme := "http://"
	transport := &http.Transport{DisableCompression: true}
	if s.o.cert {
		scheme = "https://"
		transport.TLSClientConfig = &tls.Config{RootCAs: certPool(), ServerName: "127.0.0.1"}
		if s.o.clientCA {
			transport.TLSClientConfig.Certificates = []tls.Certificate{keyPair()}
		}
	}
	port := func(a net.Addr) string { return fmt.Sprintf("127.0.0.1:%d", a.(*net.TCPAddr).Port) }
	s.api, s.admin = scheme+port(api), "http://"+port(admin)
	s.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// end ends the gateway, in order.
func (s *trial) end(g *serving) {
	s.client.CloseIdleConnections()
	g.stop()
	select {
	case err := <-g.ended:
		if err != nil {
			s.t.Errorf("it ends with %v", err)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("it does not end")
	}
}
