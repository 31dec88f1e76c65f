package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Transport sends requests to the backend. It may be used by any number of goroutines.
type Transport struct {
	backends []*backend
	timing   timing
	began    time.Time
	turn     atomic.Uint32 // spreads requests over urls that are equally busy

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // the reaper, the probes and the lookups
}

// New returns a transport that is ready to use; nothing is dialed yet. The error names
// every fault of the options. Close must be called.
func New(o Options) (*Transport, error) {
	origins, err := parseOrigins(o.URLs)
	if err := errors.Join(o.validate(), err); err != nil {
		return nil, err
	}
	files, err := loadTLS(&o, origins)
	if err != nil {
		return nil, err
	}
	t := &Transport{began: time.Now()}
	t.timing.firstByte = o.FirstByte.Milliseconds()
	t.timing.idle = o.Idle.Milliseconds()
	t.ctx, t.stop = context.WithCancel(context.Background())
	tick := tickOf(&o)
	t.timing.tick = tick.Milliseconds()
	for i, origin := range origins {
		t.backends = append(t.backends, t.backend(&o, origin, files))
		t.backends[i].number = uint(i)
	}
	t.start(&o, tick)
	return t, nil
}

// tickOf returns how often limits are looked at: four times a second, or more often where
// a limit is short.
func tickOf(o *Options) time.Duration {
	return max(5*time.Millisecond, min(250*time.Millisecond, o.FirstByte/4, o.Idle/4))
}

// backend makes the state of one url.
func (t *Transport) backend(o *Options, origin origin, files *tlsFiles) *backend {
	b := &backend{
		limit:    o.Dial,
		ctx:      t.ctx,
		eject:    int64(o.EjectFailures),
		ejectFor: o.EjectFor.Milliseconds(),
	}
	b.origin, b.timing = origin, &t.timing
	b.names = newNames(o, origin)
	b.max, b.queueMax, b.queueFor = o.MaxConns, o.QueueMax, o.QueueFor
	if origin.secure {
		b.files = files
	}
	return b
}

// start begins the work that goes on beside the requests.
func (t *Transport) start(o *Options, tick time.Duration) {
	t.work.Go(func() { t.reap(tick) })
	for _, b := range t.backends {
		if b.names != nil {
			t.work.Go(func() { t.follow(b) })
		}
		if o.Probe != "" {
			t.work.Go(func() { t.probe(b, o.Probe) })
		}
	}
}

// reap moves the clock and enforces every limit until the transport is closed.
func (t *Transport) reap(tick time.Duration) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
			now := time.Since(t.began).Milliseconds()
			t.timing.now.Store(now)
			for _, b := range t.backends {
				b.sweep(now)
			}
		}
	}
}

// Close closes every connection. Requests in flight end with ErrCanceled, those that wait
// or come later with ErrBusy. It waits for the transport's goroutines.
func (t *Transport) Close() {
	t.stop()
	for _, b := range t.backends {
		b.close()
	}
	t.work.Wait()
}

// Do sends the request and waits for the head of the answer. On success the caller reads
// the body from a and closes it; on failure, which is an *Error, a needs no Close, though
// it does no harm. Any status is a success. Do allocates nothing on a kept connection.
func (t *Transport) Do(r *Request, a *Answer) error {
	a.Close()
	a.url, a.fresh = "", false
	if err := r.check(); err != nil {
		return a.refuse(ErrRequest, err)
	}
	var tried uint64
	for {
		b := t.choose(tried)
		err := b.attempt(r, a)
		b.judge(err)
		tried |= 1 << b.number
		if err == nil || !a.unsent || t.choose(tried) == nil {
			return err
		}
	}
}

// attempt sends the request, and once more if that is harmless. From then on only fresh
// connections will do, on which it cannot happen again.
func (b *backend) attempt(r *Request, a *Answer) error {
	err := b.try(r, a)
	if err == nil || !a.stale || !r.repeatable() {
		return err
	}
	b.counts.repeats.Add(1)
	a.fresh = true
	return b.try(r, a)
}
