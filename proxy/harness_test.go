package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// upstreamKey is the gateway's own credential in the tests.
const upstreamKey = "UPSTREAM-SECRET-0123456789"

// fixture is a gateway that runs in the test's own process, in front of a backend of the test's
// choice.
type fixture struct {
	t       testing.TB
	addr    string
	gateway *Gateway
	server  *Server
	metrics *prometheus.Registry
	tokens  map[policy.Digest]*policy.Token
	tree    atomic.Pointer[policy.Tree]
	grants  atomic.Pointer[policy.Grants]
	blocked sync.Map // accounts

	mu       sync.RWMutex  // of tokens, once requests are served
	revision atomic.Uint64 // of tokens and tree
}

func (f *fixture) Tree() *policy.Tree { return f.tree.Load() }

func (f *fixture) Grants() *policy.Grants { return f.grants.Load() }

func (f *fixture) Blocked(cid int64) bool {
	_, blocked := f.blocked.Load(cid)
	return blocked
}

func (f *fixture) Revision(uint64) uint64 { return f.revision.Load() }

func (f *fixture) Fresh(time.Time) bool { return true }

func (f *fixture) Lookup(d policy.Digest, _ time.Time) (*policy.Token, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if t := f.tokens[d]; t != nil {
		return t, nil
	}
	return nil, policy.TokenUnknown
}

// reload changes the policy and returns when the change is in force.
func (f *fixture) reload(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.revision.Add(1)
}

// revoke takes a token away.
func (f *fixture) revoke(key string) { f.reload(func() { delete(f.tokens, digestOf(key)) }) }

// setup changes what a fixture is made of before it starts.
type setup func(*Options, *policy.Engine, *head.Config)

// newFixture starts a gateway for the accounts and tokens of a policy, in front of the backend at
// url. It ends with the test.
func newFixture(t testing.TB, url string, change ...setup) *fixture {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	transport, err := upstream.New(upstream.Options{
		URLs: []string{url}, Dial: time.Second, FirstByte: 5 * time.Second, Silence: 5 * time.Second, Idle: 5 * time.Second,
		MaxConns: 256, QueueMax: 256, QueueFor: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, tokens: map[policy.Digest]*policy.Token{}, metrics: prometheus.NewRegistry()}
	engine := &policy.Engine{Catalogue: cat, MaxIDs: 10000}
	o := Options{
		Engine: engine, Tokens: f, Accounts: f, Grants: f, Blocks: f, Backend: transport, Metrics: metrics.New(f.metrics, cat),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Key: func() string { return upstreamKey },
		Origins: []string{"*"}, CORSMaxAge: 600, MaxBody: 8 << 20, MaxUpload: 1 << 30, MaxURL: 8000,
	}
	c := head.Config{MaxHeadBytes: 64 << 10, Read: 5 * time.Second, Write: 5 * time.Second, Idle: 5 * time.Second}
	for _, apply := range change {
		apply(&o, engine, &c)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr, f.gateway = ln.Addr().String(), New(o)
	f.server = NewServer(f.gateway, ln, c)
	t.Cleanup(transport.Close)
	f.serve()
	return f
}

// serve runs the server until the test ends.
func (f *fixture) serve() {
	done := make(chan error, 1)
	go func() { done <- f.server.Serve() }()
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		f.server.Shutdown(ctx)
		<-done
	})
}

// accounts gives the fixture its tree: pairs of id and parent.
func (f *fixture) accounts(pairs ...[2]int64) {
	f.t.Helper()
	var list []policy.Account
	for _, p := range pairs {
		list = append(list, policy.Account{ID: p[0], Parent: p[1]})
	}
	tree, faults := policy.NewTree(list, 4)
	if len(faults) > 0 {
		f.t.Fatal(faults)
	}
	f.tree.Store(tree)
}

// jsonACE is an entry as the cases spell it.
type jsonACE struct {
	URI        string
	Methods    []string
	IDs        json.RawMessage
	Topic      string
	Actions    []string
	Submodules *[]struct {
		Name    string
		Methods []string
	}
}

func methodSet(names []string) (s policy.MethodSet) {
	for _, n := range names {
		s |= policy.Methods(policy.ParseMethod([]byte(n)))
	}
	return s
}

func (e jsonACE) entry(t testing.TB) policy.Entry {
	t.Helper()
	out := policy.Entry{URI: e.URI, Methods: methodSet(e.Methods)}
	var ids []int64
	switch {
	case len(e.IDs) == 0:
	case string(e.IDs) == `"all"`:
		out.Rule = policy.IDsAll
	case string(e.IDs) == `"in-groups"`:
		out.Rule = policy.IDsInGroups
	case json.Unmarshal(e.IDs, &ids) == nil:
		out.Rule, out.IDs = policy.IDsList, policy.NewIDSet(ids)
	default:
		t.Fatalf("ids %s", e.IDs)
	}
	out.Topic = e.Topic
	for _, a := range e.Actions {
		out.Actions |= map[string]policy.Actions{"publish": policy.Publish, "subscribe": policy.Subscribe}[a]
	}
	if e.Submodules != nil {
		out.HasSubmodules = true
		for _, s := range *e.Submodules {
			out.Submodules = append(out.Submodules, policy.Submodule{Name: s.Name, Methods: methodSet(s.Methods)})
		}
	}
	return out
}

// token adds a token. acl is JSON; it is only looked at for access type acl.
func (f *fixture) token(key, access string, cid int64, acl string) {
	f.t.Helper()
	kinds := map[string]policy.Access{
		"master": policy.Master, "standard": policy.Standard, "acl": policy.ACLAccess, "noapi": policy.NoAPI,
	}
	tok := &policy.Token{ID: int64(len(f.tokens) + 1), CID: cid, Access: kinds[access], Enabled: true, Expire: 4102444800}
	tok.Digest = digestOf(key)
	if tok.Access == policy.ACLAccess {
		var aces []jsonACE
		if err := json.Unmarshal([]byte(acl), &aces); err != nil {
			f.t.Fatal(err)
		}
		var entries []policy.Entry
		for _, a := range aces {
			entries = append(entries, a.entry(f.t))
		}
		tok.ACL = policy.NewACL(entries, f.gateway.Engine.Catalogue)
	}
	f.tokens[tok.Digest] = tok
}

// dial opens a connection to the gateway.
func (f *fixture) dial() net.Conn {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// disconnect resets a connection: one that is only closed looks like one whose client still reads.
func disconnect(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw sends bytes over a fresh connection and reads one answer.
func (f *fixture) raw(request string) answer {
	f.t.Helper()
	c := f.dial()
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		f.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	return f.read(bufio.NewReader(c), method)
}

func (f *fixture) read(r *bufio.Reader, method string) answer {
	f.t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		f.t.Fatalf("cannot read an answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("cannot read the body of an answer: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// call sends one ordinary request. headers are complete lines without CRLF.
func (f *fixture) call(key, method, target, body string, headers ...string) answer {
	f.t.Helper()
	return f.raw(request(key, method, target, body, headers...))
}

func request(key, method, target, body string, headers ...string) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n")
	if key != "" {
		b.WriteString("Authorization: FlespiToken " + key + "\r\n")
	}
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" || method == "PUT" || method == "PATCH" {
		b.WriteString("Content-Length: " + itoa(len(body)) + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// readLines decodes a JSONL file of cases.
func readLines[T any](t testing.TB, path string) []T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []T
	for line := range strings.Lines(string(text)) {
		var row T
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// chunkedBodies is listen.chunked: accept.
func chunkedBodies(_ *Options, _ *policy.Engine, c *head.Config) { c.Chunked = true }
