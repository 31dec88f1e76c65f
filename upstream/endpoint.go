package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// backend is one url: its connections and what is known of its health.
type backend struct {
	pool
	number uint          // place among the urls
	names  *names        // nil: the url has an address
	limit  time.Duration // for one dial with its lookup and handshake
	files  *tlsFiles     // nil for http
	ctx    context.Context

	failures atomic.Int64 // in a row
	failedAt atomic.Int64 // time of the last one
	outUntil atomic.Int64 // ejected until then
	eject    int64        // failures that eject; 0: never
	ejectFor int64

	counts struct{ dials, dialErrors, failures, repeats atomic.Uint64 }
}

// choose returns the url to ask: one that is not ejected before those that are, the
// least busy of them; and of the ejected the one whose last failure is longest ago,
// because an answer that may fail is better than none. Nil if all were tried.
func (t *Transport) choose(tried uint64) *backend {
	var best *backend
	start := uint32(0)
	if len(t.backends) > 1 {
		start = t.turn.Add(1)
	}
	now := t.timing.now.Load()
	for i := range t.backends {
		b := t.backends[(int(start)+i)%len(t.backends)]
		if tried&(1<<b.number) == 0 && (best == nil || b.better(best, now)) {
			best = b
		}
	}
	return best
}

// better reports whether b should be asked rather than other.
func (b *backend) better(other *backend, now int64) bool {
	mine, others := b.ejected(now), other.ejected(now)
	switch {
	case mine != others:
		return others
	case mine:
		return b.failedAt.Load() < other.failedAt.Load()
	default:
		return b.busy.Load() < other.busy.Load()
	}
}

func (b *backend) ejected(now int64) bool { return now < b.outUntil.Load() }

// succeeded ends a row of failures. An ejection lasts its time all the same: an answer
// to an old request says nothing about the new ones.
func (b *backend) succeeded() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
	}
}

// failed counts a failure. After an ejection the row goes on, so a single failure more
// takes the url out again.
func (b *backend) failed() {
	now := b.timing.now.Load()
	b.counts.failures.Add(1)
	b.failedAt.Store(now)
	if n := b.failures.Add(1); b.eject > 0 && n >= b.eject {
		b.outUntil.Store(now + b.ejectFor)
	}
}

// judge counts the end of an exchange, up to the head of its answer.
func (b *backend) judge(err error) {
	switch {
	case err == nil:
		b.succeeded()
	case errors.Is(err, ErrDial), errors.Is(err, ErrBroken), errors.Is(err, ErrTimeout):
		b.failed()
	}
}

// try sends the request once, if it gets a connection.
func (b *backend) try(r *Request, a *Answer) error {
	a.stale, a.unsent = false, false
	c, err := b.acquire(a, a.fresh)
	if err != nil {
		a.unsent = errors.Is(err, ErrDial) || errors.Is(err, ErrTimeout)
		return err
	}
	if !a.attach(c) {
		b.release(c)
		return a.refuse(ErrCanceled, nil)
	}
	return c.exchange(r, a)
}

// acquire returns a connection to use: an idle one on which nothing came meanwhile, or a
// new one; always a new one if fresh. The errors are *Error.
func (b *backend) acquire(a *Answer, fresh bool) (*conn, error) {
	b.busy.Add(1)
	a.url = b.url
	c, err := b.slot(a)
	if err != nil {
		b.busy.Add(-1)
		return nil, a.refuse(err, nil)
	}
	// Behind one dead connection there are often more: a backend that restarted.
	for c != nil && (fresh || !c.silent()) {
		b.discard(c)
		c = nil
		if !fresh {
			c = b.another()
		}
	}
	if c != nil {
		return c, nil
	}
	if c, err = b.connect(a); err != nil {
		b.vacate()
		b.busy.Add(-1)
		return nil, err
	}
	return c, nil
}

// connect dials in the slot that the caller holds.
func (b *backend) connect(a *Answer) (*conn, error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.limit)
	defer cancel()
	if !a.attach(dialing(cancel)) {
		return nil, a.refuse(ErrCanceled, nil)
	}
	defer a.detach()
	b.counts.dials.Add(1)
	c, err := b.dial(ctx)
	if err == nil && !b.adopt(c) {
		c.close()
		err = context.Canceled
	}
	if err != nil {
		b.counts.dialErrors.Add(1)
		return nil, a.refuse(dialKind(err), err)
	}
	return c, nil
}

// dialing is what Cancel interrupts while a connection is being made.
type dialing context.CancelFunc

func (d dialing) interrupt() { d() }

// dial connects, and shakes hands if the url says https.
func (b *backend) dial(ctx context.Context) (*conn, error) {
	tcp, err := b.dialTCP(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newLink(tcp)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	c := &conn{net: l, link: l, pool: &b.pool, timing: b.timing}
	c.remote = tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	if b.files == nil {
		return c, nil
	}
	secure := tls.Client(l, b.files.config(b.name))
	if err := secure.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, err
	}
	c.net = secure
	return c, nil
}

func (b *backend) dialTCP(ctx context.Context) (net.Conn, error) {
	if b.names != nil {
		return b.names.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", b.address)
}
