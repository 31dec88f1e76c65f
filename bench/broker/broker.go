package broker

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says what a broker is like. The zero value is a plain broker that lets everybody in.
type Config struct {
	Address string      // to listen on; empty: a free port of loopback
	TLS     *tls.Config // nil: plain TCP

	// Users are the credentials, each with its account: the user name, or the password where the
	// user name is not one. nil: everybody.
	Users map[string]uint64

	// Accounts are the parents of accounts; 0 for a root. nil: there are none, and everybody sees
	// every message. With accounts a message belongs to its sender's, retained ones too, and
	// carries the user properties cid and timestamp.
	Accounts map[uint64]uint64

	// Dialect understands $filter and comma lists as the vendor does, and discards what clients
	// publish below flespi/.
	Dialect bool

	// OneCopy sends a message once to a session, with the identifiers of all its subscriptions that
	// match. Otherwise there is a copy for each, as mosquitto does.
	OneCopy bool

	// NoIdentifiers is a broker that knows no subscription identifiers, and says so.
	NoIdentifiers bool
}

// Message is an application message.
type Message struct {
	Topic, Payload string
	QoS            byte
	Retain         bool
	Account        uint64  // 0: none
	Timestamp      float64 // Unix seconds; 0: now
	User           []UserProperty

	properties properties
	sender     *session
}

// Received is a packet that a client sent, as far as tests ask for it.
type Received struct {
	ClientID, User string
	Type           byte   // the packet's type
	Topic          string // of PUBLISH and of the will; the filters of SUBSCRIBE and UNSUBSCRIBE, by spaces
	Payload        string
	Properties     []UserProperty
}

const maxReceived = 10_000

type retainedKey struct {
	account uint64
	topic   string
}

// Broker is a running broker.
type Broker struct {
	config   Config
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	fault    Fault
	conns    map[*conn]bool
	sessions map[string]*session
	retained map[retainedKey]Message
	received []Received
	turn     map[string]int // of shared groups: whose turn it is
	assigned int            // client ids that were given out
}

// Start starts a broker.
func Start(c Config) (*Broker, error) {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, err
	}
	if c.TLS != nil {
		listener = tls.NewListener(listener, c.TLS)
	}
	b := &Broker{
		config: c, listener: listener, conns: map[*conn]bool{}, sessions: map[string]*session{},
		retained: map[retainedKey]Message{}, turn: map[string]int{},
	}
	b.running.Go(b.accept)
	return b, nil
}

// Addr returns the address that the broker listens on.
func (b *Broker) Addr() string { return b.listener.Addr().String() }

func (b *Broker) accept() {
	for {
		raw, err := b.listener.Accept()
		if err != nil {
			return
		}
		c := newConn(b, raw)
		b.mu.Lock()
		if b.closed {
			raw.Close()
		} else {
			b.conns[c] = true
			b.running.Go(c.serve)
			b.running.Go(c.write)
		}
		b.mu.Unlock()
	}
}

// Close ends all connections and waits until everything has ended.
func (b *Broker) Close() {
	b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for _, s := range b.sessions {
		s.stopWill()
	}
	b.mu.Unlock()
	b.Cut()
	b.running.Wait()
}

// Cut ends all connections as a network does that fails.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.cut()
	}
}

// Sessions returns how many sessions there are, with and without a connection.
func (b *Broker) Sessions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	return len(b.sessions)
}

// Received returns what clients have sent so far, the last maxReceived packets of it.
func (b *Broker) Received() []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Received(nil), b.received...)
}

// Publish publishes a message as the platform does: on any topic, for any account.
func (b *Broker) Publish(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.route(m)
}

// route keeps a retained message and hands it to all whom it is for.
func (b *Broker) route(m Message) {
	if m.Timestamp == 0 {
		m.Timestamp = float64(time.Now().UnixMilli()) / 1000
	}
	if m.Retain {
		key := retainedKey{m.Account, m.Topic}
		if b.retained[key] = m; m.Payload == "" {
			delete(b.retained, key)
		}
	}
	b.expire()
	groups := map[string][]member{}
	for _, s := range b.sessions {
		var matching []*subscription
		for _, sub := range s.subscriptions {
			switch {
			case !b.wants(s, sub, m):
			case sub.group != "":
				key := strconv.FormatUint(s.account, 10) + " " + sub.asked
				groups[key] = append(groups[key], member{s, sub})
			default:
				matching = append(matching, sub)
			}
		}
		s.deliver(m, matching, false)
	}
	for key, members := range groups {
		b.one(key, members, m)
	}
}

// readers returns how many subscriptions a message is for, the sender's own among them.
func (b *Broker) readers(m Message) (n int) {
	if m.Timestamp == 0 {
		m.Timestamp = float64(time.Now().UnixMilli()) / 1000
	}
	m.sender = nil
	for _, s := range b.sessions {
		for _, sub := range s.subscriptions {
			if b.wants(s, sub, m) {
				n++
			}
		}
	}
	return n
}

type member struct {
	s   *session
	sub *subscription
}

// one hands a message to one member of a shared group: of those that are connected, the one that
// has waited longest.
func (b *Broker) one(key string, members []member, m Message) {
	connected := members[:0]
	for _, x := range members {
		if x.s.conn != nil {
			connected = append(connected, x)
		}
	}
	if len(connected) == 0 {
		return
	}
	next := connected[0]
	for _, x := range connected {
		if x.s.served[key] < next.s.served[key] {
			next = x
		}
	}
	b.turn[key]++
	next.s.served[key] = b.turn[key]
	next.s.deliver(m, []*subscription{next.sub}, false)
}

// wants reports whether a message is for a subscription: filter, account, age, and not its own.
func (b *Broker) wants(s *session, sub *subscription, m Message) bool {
	if sub.noLocal && m.sender == s || !sub.matches(m.Topic) || m.Timestamp <= sub.modifiedSince {
		return false
	}
	if b.config.Accounts == nil {
		return true
	}
	if sub.account != 0 {
		return m.Account == sub.account
	}
	return b.inside(m.Account, s.account)
}

// inside reports whether an account is in the branch of another.
func (b *Broker) inside(account, branch uint64) bool {
	for ; account != 0; account = b.config.Accounts[account] {
		if account == branch {
			return true
		}
	}
	return false
}

// account returns the account of a credential.
func (b *Broker) account(user, password string) (uint64, bool) {
	if b.config.Users == nil {
		return 0, true
	}
	if account, found := b.config.Users[user]; found {
		return account, true
	}
	account, found := b.config.Users[password]
	return account, found
}

// platform reports whether only the platform may publish on a topic.
func (b *Broker) platform(topic string) bool {
	return strings.HasPrefix(topic, "$") || b.config.Dialect && (topic == "flespi" || strings.HasPrefix(topic, "flespi/"))
}

// expire forgets sessions whose time is over.
func (b *Broker) expire() {
	for id, s := range b.sessions {
		if s.conn == nil && s.expiry != forever && time.Since(s.left) >= time.Duration(s.expiry)*time.Second {
			s.stopWill()
			delete(b.sessions, id)
		}
	}
}
