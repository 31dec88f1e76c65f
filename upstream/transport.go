package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/config/tlsfiles"
	"aclgate/upstream/socket"
)

// viaName is the header of the hop marker.
const viaName = "x-aclgate-via"

// Transport sends requests to the backend. It may be used by any number of goroutines.
type Transport struct {
	endpoints []*endpoint
	clock     *socket.Clock
	turn      atomic.Uint32 // spreads requests over urls that are equally busy

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // the sweep, the health checks and the lookups
}

// New returns a transport that is ready to use; nothing is dialed yet. The error names every fault
// of the options. Close must be called.
func New(o Options) (*Transport, error) {
	origins, err := parseOrigins(o.URLs)
	if err := errors.Join(o.validate(), err); err != nil {
		return nil, err
	}
	files, err := openTLS(&o, origins)
	if err != nil {
		return nil, err
	}
	t := &Transport{clock: socket.NewClock(o.FirstByte, o.Silence, o.Idle)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	for i, origin := range origins {
		t.endpoints = append(t.endpoints, t.newEndpoint(&o, origin, files))
		t.endpoints[i].number = uint(i)
	}
	t.start(&o)
	return t, nil
}

// openTLS reads the TLS files. Nil if no url needs them.
func openTLS(o *Options, origins []origin) (*tlsfiles.Reloader, error) {
	files := tlsfiles.Files{CA: o.CAFile, Cert: o.CertFile, Key: o.KeyFile}
	if slices.ContainsFunc(origins, func(o origin) bool { return o.secure }) {
		r, err := tlsfiles.Client(files)
		if err != nil {
			return nil, fmt.Errorf("upstream: %w", err)
		}
		return r, nil
	}
	if files.CA != "" || files.Cert != "" {
		return nil, errors.New("upstream: TLS files are given, but no url is https")
	}
	return nil, nil
}

// TLSFault returns why the TLS files could not be read again after they changed; nil if they are as
// they were read. The settings read before stay in use.
func (t *Transport) TLSFault() error {
	for _, e := range t.endpoints {
		if e.files != nil {
			return e.files.Fault()
		}
	}
	return nil
}

// newEndpoint makes the state of one url.
func (t *Transport) newEndpoint(o *Options, origin origin, files *tlsfiles.Reloader) *endpoint {
	e := &endpoint{
		limit:    o.Dial,
		ctx:      t.ctx,
		eject:    int64(o.EjectFailures),
		ejectFor: o.EjectFor,
	}
	e.origin, e.clock, e.firstByte, e.silence, e.idleFor = origin, t.clock, o.FirstByte, o.Silence, o.Idle
	e.own = "Host: " + origin.host + "\r\n"
	if o.Marker != "" {
		e.own += viaName + ": " + o.Marker + "\r\n"
	}
	e.resolver = newResolver(o, origin)
	e.queueFor = o.QueueFor
	e.divide(o.MaxConns, o.QueueMax)
	if origin.secure {
		e.files = files
	}
	return e
}

// start begins the work that goes on beside the requests.
func (t *Transport) start(o *Options) {
	t.work.Go(func() { t.clock.Run(t.ctx.Done(), t.sweep) })
	for _, e := range t.endpoints {
		if e.resolver != nil {
			t.work.Go(func() { e.refreshNames() })
		}
		if o.HealthCheck != "" {
			t.work.Go(func() { e.checkHealth(o.HealthCheck) })
		}
	}
}

// sweep enforces every limit.
func (t *Transport) sweep(now time.Duration) {
	for _, e := range t.endpoints {
		e.sweep(now)
	}
}

// Close closes every connection. Requests in flight end with ErrCanceled, those that wait or come
// later with ErrBusy. It waits for the transport's goroutines.
func (t *Transport) Close() {
	t.stop()
	for _, e := range t.endpoints {
		e.close()
	}
	t.work.Wait()
}

// Do sends the request and waits for the head of the answer. On success the caller reads the body
// from a and closes it; on failure, which is an *Error, a needs no Close, though it does no harm.
// Any status is a success. Do allocates nothing on a kept connection.
func (t *Transport) Do(r *Request, a *Answer) error {
	a.Close()
	a.url, a.fresh = "", false
	if err := r.check(); err != nil {
		return a.setError(ErrRequest, err)
	}
	var tried uint64
	for {
		e := t.pick(tried)
		err := e.do(r, a)
		e.observe(err)
		tried |= 1 << e.number
		if err == nil || !a.unsent || t.pick(tried) == nil {
			return err
		}
	}
}

// do sends the request, and once more if that is harmless. From then on only fresh connections will
// do, on which it cannot happen again.
func (e *endpoint) do(r *Request, a *Answer) error {
	err := e.roundTrip(r, a)
	if err == nil || !a.stale || !r.repeatable() {
		return err
	}
	e.counts.repeats.Add(1)
	a.fresh = true
	return e.roundTrip(r, a)
}
