package mqtt

import (
	"crypto/sha256"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
)

// lingerFor is how long a client that was told of the end may still send, unread: a reset would
// discard what it was told.
const lingerFor = time.Second

// ending says what the broker is told at the end of a session (SPEC 16.6).
type ending uint8

const (
	destroyed ending = iota // by us: the session is forgotten, and its will
	cut                     // as a network that fails: the will is published
	left                    // the client's DISCONNECT was passed on
)

// session is one client connection with the broker connection behind it.
type session struct {
	server  *Server
	conn    net.Conn
	source  netip.Addr
	guest   *guest        // nil: CONNECT was judged
	counted bool          // among those whose token is known
	evicted atomic.Bool   // another has its place
	caller  record.Caller // once CONNECT was admitted
	origin  []byte

	reader    *wire.Reader    // of up
	aliases   wire.Aliases    // of up
	path      []byte          // of up: where the topic of a message is named anew
	dropped   map[uint16]bool // of up: denied QoS 2 messages of 3.x, whose PUBREL is still to come
	flows     flows           // deliveries whose acknowledgements are still to come
	version   wire.Version
	keepAlive time.Duration
	lasting   bool         // CONNECT asked for a session expiry
	maxPacket int          // that the client takes, in bytes; 0: any
	inflight  int          // messages with QoS 1 and 2 that the client may have under way
	heard     atomic.Int64 // when the client's last packet came, unix nanoseconds
	serving   atomic.Bool  // CONNECT was answered

	broker        atomic.Pointer[broker.Conn] // nil: none yet
	withheldCount atomic.Int64                // deliveries that the client was not shown

	toClient writer
	toBroker writer

	rights rights
	table  table
	shape  sync.Mutex // held by whoever changes what is subscribed to at the broker, until that is sent

	begun func() // gives the session back to the limits; nil: it was not taken
	ended atomic.Bool
	told  atomic.Bool    // the client was told: linger
	said  sync.WaitGroup // the client was told, and nothing more is sent to it
}

// rights are what a session may do, as the policy in force says.
type rights struct {
	mu          sync.Mutex // guards all of it; the judge is for one goroutine at a time
	digest      policy.Digest
	token       *policy.Token
	judge       *topic.Judge
	items       Items  // of the judge
	moves       uint64 // how often it was given other items
	revision    uint64
	fingerprint [sha256.Size]byte
}

func newSession(s *Server, conn net.Conn, origin string) *session {
	x := &session{server: s, conn: conn, dropped: map[uint16]bool{}}
	if origin != "" {
		x.origin = []byte(origin)
	}
	x.source = sourceOf(conn)
	x.reader = wire.NewReader(conn, wire.Client, 0, s.o.MaxConnect)
	x.toClient.send, x.toClient.count = patient(conn, s.o.Write), x.countOut
	x.table.init()
	x.flows.next = map[uint16]step{}
	x.said.Add(1)
	return x
}

// run serves the connection to its end. A panic ends this session and no other.
func (x *session) run() {
	defer x.server.remove(x)
	defer x.conn.Close()
	defer func() {
		if x.begun != nil {
			x.begun()
		}
	}()
	defer x.leaveLobby()
	if !x.guard(func() { x.connect() }) || !x.serving.Load() {
		x.linger()
		return
	}
	var down sync.WaitGroup
	down.Go(func() { x.guard(x.down) })
	x.guard(x.up)
	down.Wait()
	x.linger()
}

// guard calls f and reports whether it did not panic.
func (x *session) guard(f func()) (good bool) {
	defer func() {
		if fault := recover(); fault != nil {
			if m := x.server.o.Metrics; m != nil {
				m.Add(metrics.Panics, 1)
			}
			x.server.o.Log.Error("an MQTT session panicked", "error", fault, "stack", string(debug.Stack()))
			x.guard(func() { x.end(wire.Unspecified, destroyed) }) // it ends once: this ends, too
		}
	}()
	f()
	return true
}

// linger reads on, unread, for a moment.
func (x *session) linger() {
	x.said.Wait()
	n := x.server.lingering.Add(1)
	defer x.server.lingering.Add(-1)
	if most := x.server.o.MaxWaiting; x.told.Load() && (most == 0 || n <= int64(most)) {
		_, _ = io.Copy(io.Discard, x.conn)
	}
	x.reader.Release()
}

// end ends the session, once: the client is told why, if it speaks 5, and the broker as e says.
func (x *session) end(why wire.Reason, e ending) { x.endAs(why, e, endReason(why)) }

// endAs is end with what is remembered as the reason.
func (x *session) endAs(why wire.Reason, e ending, reason policy.Reason) {
	if x.ended.Swap(true) {
		return
	}
	if x.serving.Load() {
		x.guard(func() { x.note(record.End, reason, why, nil) }) // what panics in here must not keep anything open
	}
	now := time.Now()
	_ = x.conn.SetWriteDeadline(now.Add(lingerFor))
	var last printable
	if x.serving.Load() && x.version == wire.V5 && why != wire.Success {
		last = &wire.Disconnect{Reason: why}
	}
	if x.toClient.tryClose(last) {
		x.hangUp(now)
	} else {
		go func() { // whoever is writing is done by the deadline; others are not to wait for that
			x.toClient.close(last)
			x.hangUp(now)
		}()
	}
	x.table.wake()
	if e != destroyed && x.serving.Load() {
		why := wire.Unspecified
		x.guard(func() { why = x.whyEnd(now) })
		if why != wire.Success {
			e = destroyed // its will may be what it may not publish any more
		}
	}
	conn := x.broker.Load()
	switch {
	case conn == nil:
	case e == destroyed:
		// A broker that does not read keeps this waiting, and nobody else.
		x.server.running.Go(func() { _ = conn.Destroy() })
	default:
		if e == left {
			x.toBroker.close(nil) // what the client sent before it left
		}
		_ = conn.Cut()
	}
}

// whyEnd is inForce with the lock of rights.
func (x *session) whyEnd(now time.Time) wire.Reason {
	x.rights.mu.Lock()
	defer x.rights.mu.Unlock() // whatever panics below: others wait for it
	return x.inForce(now)
}

// hangUp closes the sending side first. Where that cannot be done, the connection ends.
func (x *session) hangUp(now time.Time) {
	defer x.said.Done()
	half, able := x.conn.(interface{ CloseWrite() error })
	if !able || half.CloseWrite() != nil {
		_ = x.conn.Close()
		return
	}
	x.told.Store(true)
	_ = x.conn.SetReadDeadline(now.Add(lingerFor))
}

// look is called now and then: it reports whether the session has to end, because its client is silent
// for too long or its rights have changed, and how; Success: it has not.
func (x *session) look(now time.Time) (why wire.Reason, how ending) {
	if !x.serving.Load() || x.ended.Load() {
		return wire.Success, destroyed
	}
	silent := now.Sub(time.Unix(0, x.heard.Load()))
	if x.keepAlive > 0 && silent > x.keepAlive*3/2 {
		return wire.KeepAliveTimeout, cut
	}
	return x.whyEnd(now), destroyed
}

// inForce puts the judge on the policy, tree and index of this moment. It returns why the session
// has to end: rights that have changed, or a token that is not valid any more. The lock of rights
// is held.
func (x *session) inForce(now time.Time) wire.Reason {
	r := &x.rights
	o := &x.server.o
	if !o.Tokens.Fresh(now) {
		return wire.ServerBusy
	}
	tree := o.Accounts.Tree()
	if revision := o.Tokens.Revision(r.digest.Key()); revision != r.revision || tree != r.judge.Tree {
		token, err := o.Tokens.Lookup(r.digest, now)
		if err != nil {
			return wire.NotAuthorized
		}
		permit := o.Law.Permit(token)
		if permit.Fingerprint(tree) != r.fingerprint {
			return wire.Administrative
		}
		r.judge.SetPermit(permit)
		r.token, r.revision = token, revision
	}
	in := &r.judge.Input
	in.At, in.Tree = now.Unix(), tree
	if o.Grants != nil {
		in.Grants, in.Blocks = o.Grants.Grants(), o.Blocks
	}
	if o.Items != nil {
		r.follow(o.Items(tree), now)
	}
	if r.token.Valid(in.At, x.source, x.origin) != policy.NotJudged {
		return wire.NotAuthorized
	}
	if o.Blocked != nil && o.Blocked(r.token) {
		return wire.QuotaExceeded
	}
	r.token.Touch(in.At)
	return wire.Success
}

// follow gives the judge the items of this moment. What it remembers of groups is good while they are
// the same, and not too old.
func (r *rights) follow(items Items, now time.Time) {
	if items != r.items {
		r.moves++
		r.items, r.judge.Items = items, items
	}
	r.judge.Revision = r.moves
	if items.Old(now) {
		r.judge.Revision = 0
	}
}
