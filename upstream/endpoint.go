package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"aclgate/config/tlsfiles"
	"aclgate/upstream/share"
)

// endpoint is one url: its connections and what is known of its health.
type endpoint struct {
	pool
	number   uint               // place among the urls
	resolver *resolver          // nil: the url has an address
	limit    time.Duration      // for one dial with its lookup and handshake
	files    *tlsfiles.Reloader // nil for http
	ctx      context.Context

	failures     atomic.Int64 // in a row
	failedAt     atomic.Int64 // time of the last one
	ejectedUntil atomic.Int64 // ejected until then
	eject        int64        // failures that eject; 0: never
	ejectFor     time.Duration

	counts struct{ dials, dialErrors, failures, repeats atomic.Uint64 }
}

// pick returns the url to ask: one that is not ejected before those that are, the least busy of
// them; and of the ejected the one whose last failure is longest ago, because an answer that may
// fail is better than none. Nil if all were tried.
func (t *Transport) pick(tried uint64) *endpoint {
	var best *endpoint
	start := uint32(0)
	if len(t.endpoints) > 1 {
		start = t.turn.Add(1)
	}
	now := t.clock.Now()
	for i := range t.endpoints {
		e := t.endpoints[(int(start)+i)%len(t.endpoints)]
		if tried&(1<<e.number) == 0 && (best == nil || e.better(best, now)) {
			best = e
		}
	}
	return best
}

// better reports whether e should be asked rather than other.
func (e *endpoint) better(other *endpoint, now time.Duration) bool {
	mine, others := e.ejected(now), other.ejected(now)
	switch {
	case mine != others:
		return others
	case mine:
		return e.failedAt.Load() < other.failedAt.Load()
	default:
		return e.busy.Load() < other.busy.Load()
	}
}

func (e *endpoint) ejected(now time.Duration) bool { return int64(now) < e.ejectedUntil.Load() }

// succeeded ends a row of failures. An ejection lasts its time all the same: an answer to an old
// request says nothing about the new ones.
func (e *endpoint) succeeded() {
	if e.failures.Load() != 0 {
		e.failures.Store(0)
	}
}

// failed counts a failure. After an ejection the row goes on, so a single failure more takes the
// url out again.
func (e *endpoint) failed() {
	now := e.clock.Now()
	e.counts.failures.Add(1)
	e.failedAt.Store(int64(now))
	if n := e.failures.Add(1); e.eject > 0 && n >= e.eject {
		e.ejectedUntil.Store(int64(now + e.ejectFor))
	}
}

// observe counts the end of an exchange, up to the head of its answer.
func (e *endpoint) observe(err error) {
	switch {
	case err == nil:
		e.succeeded()
	case errors.Is(err, ErrDial), errors.Is(err, ErrBroken), errors.Is(err, ErrTimeout):
		e.failed()
	}
}

// roundTrip sends the request once, if it gets a connection.
func (e *endpoint) roundTrip(r *Request, a *Answer) error {
	a.stale, a.unsent = false, false
	c, err := e.acquire(r.Holder, a)
	if err != nil {
		a.unsent = errors.Is(err, ErrDial) || errors.Is(err, ErrTimeout)
		return err
	}
	if !a.attach(c) {
		e.release(c)
		return a.setError(ErrCanceled, nil)
	}
	if r.Confirm != nil {
		if err := r.Confirm(); err != nil {
			a.detach()
			e.release(c)
			return a.setError(ErrWithdrawn, err)
		}
	}
	return c.exchange(r, a)
}

// acquire returns a connection to use: an idle one on which nothing came meanwhile, or a new one;
// always a new one if a.fresh. The errors are *Error.
func (e *endpoint) acquire(who share.Holder, a *Answer) (*conn, error) {
	e.busy.Add(1)
	a.url = e.url
	got, err := e.take(who, a)
	if err != nil {
		e.busy.Add(-1)
		return nil, a.setError(err, nil)
	}
	// With one dead connection there are often more: a backend that restarted.
	c, slot := got.conn, got.slot
	for c != nil && (a.fresh || c.idleOver(e.clock.Now()) || !c.idleOK()) {
		slot = e.replace(c)
		c = nil
		if !a.fresh {
			c = e.takeIdle(slot)
		}
	}
	if c != nil {
		return c, nil
	}
	if c, err = e.connect(slot, a); err != nil {
		e.freeSlot(slot)
		e.busy.Add(-1)
		return nil, err
	}
	return c, nil
}

// connect dials in the slot that the caller holds, which is the connection's then.
func (e *endpoint) connect(slot *share.Hold, a *Answer) (*conn, error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.limit)
	defer cancel()
	if !a.attach(dialing(cancel)) {
		return nil, a.setError(ErrCanceled, nil)
	}
	defer a.detach()
	e.counts.dials.Add(1)
	c, err := e.dial(ctx)
	if err == nil && !e.register(slot, c) {
		c.close()
		err = context.Canceled
	}
	if err != nil {
		e.counts.dialErrors.Add(1)
		return nil, a.setError(dialKind(err), err)
	}
	return c, nil
}

// dialing is what Cancel interrupts while a connection is being made.
type dialing context.CancelFunc

func (d dialing) interrupt() { d() }

// dial connects, and shakes hands if the url says https.
func (e *endpoint) dial(ctx context.Context) (*conn, error) {
	tcp, err := e.dialTCP(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newRawConn(tcp)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	c := &conn{net: l, raw: l, pool: &e.pool, idleFor: e.idleFor}
	c.wait.Start(e.clock, phaseHeld)
	c.remote = tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	if e.files == nil {
		return c, nil
	}
	config := e.files.Config().Clone()
	config.ServerName = e.name
	secure := tls.Client(l, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, tlsfiles.Explain(err, "upstream.tls.ca_file")
	}
	c.net = secure
	return c, nil
}

func (e *endpoint) dialTCP(ctx context.Context) (net.Conn, error) {
	if e.resolver != nil {
		return e.resolver.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", e.address)
}
