package mqtt

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	fake "aclgate/bench/broker"
	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
)

func TestMain(m *testing.M) {
	// Tests that are parallel wait far longer than they compute. Fuzzing has a worker for each.
	flag.Parse()
	fuzz := flag.Lookup("test.fuzz").Value.String() != ""
	if !fuzz && flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "6")
	}
	goleak.VerifyTestMain(m)
}

const ownCredential = "the-gateways-own-credential"

// world is a gateway in front of a broker, with tokens that a test may change.
type world struct {
	t      testing.TB
	cat    *policy.Catalogue
	tree   *policy.Tree
	server *Server
	addr   string

	mu       sync.Mutex
	tokens   map[policy.Digest]*policy.Token
	revision uint64
	log      []string      // see served
	panics   policy.Digest // whose token cannot be looked for

	registry *prometheus.Registry
}

func (w *world) Lookup(d policy.Digest, _ time.Time) (*policy.Token, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d == w.panics {
		panic("a test wants it")
	}
	if t := w.tokens[d]; t != nil {
		return t, nil
	}
	return nil, policy.TokenUnknown
}

func (w *world) Fresh(time.Time) bool { return true }

func (w *world) Revision(uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revision
}

func (w *world) Tree() *policy.Tree { return w.tree }

// set puts a token in force, or takes it away with nil.
func (w *world) set(key string, t *policy.Token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision++
	if t == nil {
		delete(w.tokens, sha256.Sum256([]byte(key)))
		return
	}
	t.Digest = sha256.Sum256([]byte(key))
	w.tokens[t.Digest] = t
}

// newWorld puts a gateway in front of the broker at address. Key "master" is a master token, "acl"
// one with devices 7 and 9, their telemetry, and own topics below a/.
func newWorld(t testing.TB, address string, edit func(*Options)) *world {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w := &world{t: t, cat: cat, tree: tree, tokens: map[policy.Digest]*policy.Token{}}
	w.set("master-key", &policy.Token{ID: 1, CID: 1, Access: policy.Master, Enabled: true, Expire: 1 << 40})
	w.set("acl-key-1", w.acl(17, policy.Publish|policy.Subscribe, "a/#", 7, 9))
	b, err := broker.New(broker.Options{
		URL: "mqtt://" + address, Credential: func() string { return ownCredential },
		Dial: 2 * time.Second, Write: 10 * time.Second, MaxPacket: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	engine := &policy.Engine{Catalogue: cat, MaxIDs: 10_000}
	o := Options{
		Engine: engine, Law: topic.New(topic.Options{Engine: engine}), Tokens: w, Accounts: w, Broker: b,
		Metrics: w.metrics(), Served: w.served, Log: slog.New(slog.DiscardHandler), MaxConnect: 64 << 10, MaxPacket: 256 << 10, MaxSessions: 100, MaxFilters: 1000,
		MaxInflight: 100, TopicAliases: 10, MaxWillDelay: time.Minute, Connect: 5 * time.Second, Write: 10 * time.Second,
		Revoke: 200 * time.Millisecond, Refresh: 8 * time.Millisecond,
	}
	if edit != nil {
		edit(&o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr, w.server = l.Addr().String(), New(o)
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		w.server.Close(t.Context())
	})
	return w
}

func (w *world) metrics() *metrics.Metrics {
	w.registry = prometheus.NewRegistry()
	return metrics.New(w.registry, w.cat)
}

// served collects what would be in the audit log.
func (w *world) served(t *record.Topic, _ *topic.Subscription) {
	if t.Action == record.Deliver || (t.Action == record.Publish || t.Action == record.Will) && t.Verdict != policy.Deny {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := t.AppendTopic(nil)
	w.log = append(w.log, fmt.Sprintf("%v %v %v %#02x %d %s", t.Action, t.Verdict, t.Reason, t.Code, t.TokenID, text))
}

// acl makes an acl token with an entry for own topics and one for devices.
func (w *world) acl(id int64, actions policy.Actions, filter string, devices ...int64) *policy.Token {
	get := policy.Methods(policy.ParseMethod([]byte("GET")))
	entries := []policy.Entry{
		{URI: topic.EntryURI, Actions: actions, Topic: filter},
		{
			URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: policy.NewIDSet(devices), HasSubmodules: true,
			Submodules: []policy.Submodule{{Name: "telemetry", Methods: get}},
		},
	}
	return &policy.Token{ID: id, CID: 1, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40, ACL: policy.NewACL(entries, w.cat)}
}

// fakeWorld is newWorld in front of a fake broker, which knows the gateway's credential alone.
func fakeWorld(t *testing.T, edit func(*Options)) (*world, *fake.Broker) {
	t.Helper()
	f, err := fake.Start(fake.Config{Users: map[string]uint64{ownCredential: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return newWorld(t, f.Addr(), edit), f
}

// peer is a client.
type peer struct {
	net.Conn
	t testing.TB
	r *wire.Reader
	v wire.Version
}

// dial connects and says CONNECT with the key as user name.
func (w *world) dial(v wire.Version, key string, edit func(*wire.Connect)) *peer {
	w.t.Helper()
	raw, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { raw.Close() })
	p := &peer{Conn: raw, t: w.t, v: v, r: wire.NewReader(raw, wire.Server, v, 1<<20)}
	c := wire.Connect{Version: v, CleanStart: true, ClientID: []byte("client"), HasUser: true, User: []byte(key)}
	if edit != nil {
		edit(&c)
	}
	p.send(&c)
	return p
}

func (p *peer) send(packet printable) {
	p.t.Helper()
	b, err := packet.Append(nil, p.v)
	if err == nil {
		_, err = p.Write(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// next reads the next packet as text.
func (p *peer) next() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(5 * time.Second))
	f, err := p.r.Next()
	if err != nil {
		return "error: " + err.Error()
	}
	switch f.Type {
	case wire.CONNACK:
		var c wire.Connack
		err = c.Parse(f)
		return fmt.Sprintf("CONNACK %v %v", c.Code, err)
	case wire.SUBACK, wire.UNSUBACK:
		var s wire.Suback
		err = s.Parse(f)
		text := fmt.Sprintf("%v %d %v %v", f.Type, s.ID, s.Codes, err)
		for _, u := range s.Properties.User {
			text += fmt.Sprintf(" %s=%s", u.Name, u.Value)
		}
		return text
	case wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP:
		var a wire.Ack
		err = a.Parse(f)
		return fmt.Sprintf("%v %d %v %v", f.Type, a.ID, a.Reason, err)
	case wire.DISCONNECT:
		var d wire.Disconnect
		err = d.Parse(f)
		return fmt.Sprintf("DISCONNECT %v %v", d.Reason, err)
	case wire.PUBLISH:
		var m wire.Publish
		if err = m.Parse(f); err != nil {
			return err.Error()
		}
		if m.QoS == 1 {
			p.send(&wire.Ack{Type: wire.PUBACK, ID: m.ID})
		}
		return fmt.Sprintf("PUBLISH %s=%s %v", m.Topic, m.Payload, m.Properties.IDs)
	}
	return f.Type.String()
}

func (p *peer) want(want string) {
	p.t.Helper()
	if got := p.next(); got != want {
		p.t.Errorf("got %s, want %s", got, want)
	}
}

// silent checks that nothing came before the answer to a PINGREQ, which goes to the broker and
// back.
func (p *peer) silent() {
	p.t.Helper()
	p.send(&wire.Empty{Type: wire.PINGREQ})
	p.want("PINGRESP")
}

func (p *peer) subscribe(id uint16, identifier uint32, filters ...string) {
	s := wire.Subscribe{ID: id}
	if identifier != 0 {
		s.Properties.IDs = []uint32{identifier}
	}
	for _, f := range filters {
		s.Filters = append(s.Filters, wire.Subscription{Filter: []byte(f), QoS: 1})
	}
	p.send(&s)
}

func (p *peer) publish(qos uint8, name, payload string) {
	m := wire.Publish{QoS: qos, Topic: []byte(name), Payload: []byte(payload)}
	if qos > 0 {
		m.ID = 77
	}
	p.send(&m)
}

// joined returns lines as one text.
func joined(lines []string) string { return strings.Join(lines, " | ") }
