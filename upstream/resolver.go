package upstream

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"aclgate/upstream/wake"
)

const (
	// lookUpEvery is how often names are looked up. Go does not tell how long an answer may be
	// kept, and what changes the address of a backend is made for clients that look every few
	// seconds.
	lookUpEvery = 10 * time.Second
	// vanishAfter is for how many lookups' time an address has to be missing until its connections
	// are given up: a minute. Some servers name a few of many addresses, others each time, and
	// connections should not follow every such turn. As long an address that could not be reached
	// is tried last.
	vanishAfter = 6
)

// resolver knows the addresses of the host of one url. They are looked up in the background, so no
// request waits for DNS but those that come before anything is known; and what was known stays in
// use for as long as lookups fail.
//
// New connections go to addresses of the last answer alone, in turn: one that is not named any more
// may have another owner by now, who would be sent our credential.
type resolver struct {
	host   string
	port   string
	dialer net.Dialer
	dns    *net.Resolver
	every  time.Duration
	wake   wake.Signal // a dial found the addresses dead

	mu    sync.Mutex
	list  []address
	turn  int
	begun time.Time // the last lookup
	err   error     // of the last lookup
}

// address is one that the host has or had.
type address struct {
	ip        netip.Addr
	missing   time.Time // since when answers do not name it; zero: the last one did
	lastUntil time.Time // until then it is tried last
}

// newResolver returns nil for a host that is an address itself.
func newResolver(o *Options, origin origin) *resolver {
	if _, err := netip.ParseAddr(origin.name); err == nil {
		return nil
	}
	r := &resolver{host: origin.name, dns: o.Resolver, every: o.LookUp, wake: wake.New()}
	_, r.port, _ = net.SplitHostPort(origin.address)
	if r.dns == nil {
		r.dns = net.DefaultResolver
	}
	if r.every == 0 {
		r.every = lookUpEvery
	}
	return r
}

// dial connects to one of the known addresses. Where none answers the name may have moved, so it is
// looked up, and what is new is tried in the time that is left.
func (r *resolver) dial(ctx context.Context) (net.Conn, error) {
	known := r.order()
	c, err := r.dialEach(ctx, known)
	if c != nil {
		return c, nil
	}
	if expired(ctx) || err != nil && r.lastError() != nil {
		r.wake.Wake() // those that come after us should know better
		return nil, why(ctx, err)
	}
	if failed := r.lookUp(ctx); failed != nil && err == nil {
		return nil, failed
	}
	fresh := slices.DeleteFunc(r.order(), func(ip netip.Addr) bool { return slices.Contains(known, ip) })
	if len(fresh) == 0 {
		return nil, why(ctx, err)
	}
	return r.dialEach(ctx, fresh)
}

// why returns err or, where no address was tried, that there was no time to: neither a connection
// nor an error would be taken for a connection.
func why(ctx context.Context, err error) error {
	return cmp.Or(err, ctx.Err(), context.DeadlineExceeded)
}

// expired reports whether no time is left. A dial may end a moment before its context.
func expired(ctx context.Context) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(end)
}

// dialEach tries one address after the other. None may use up all the time while others are left.
// Without an address there is neither a connection nor an error.
func (r *resolver) dialEach(ctx context.Context, ips []netip.Addr) (c net.Conn, err error) {
	for i, ip := range ips {
		if c, err = r.dialOne(ctx, ip, min(len(ips)-i, 4)); err == nil {
			r.reached(ip, true)
			return c, nil
		}
		if ctx.Err() == context.Canceled {
			break // the client left: that says nothing about the address
		}
		r.reached(ip, false)
	}
	return nil, err
}

// dialOne connects within one of so many parts of the time left.
func (r *resolver) dialOne(ctx context.Context, ip netip.Addr, parts int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
		defer cancel()
	}
	return r.dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), r.port))
}

// order returns the addresses of the last answer in the order to try them.
func (r *resolver) order() []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first, last []netip.Addr
	now := time.Now()
	r.turn++
	for i := range r.list {
		switch a := &r.list[(r.turn+i)%len(r.list)]; {
		case !a.missing.IsZero():
		case now.Before(a.lastUntil):
			last = append(last, a.ip)
		default:
			first = append(first, a.ip)
		}
	}
	return append(first, last...)
}

// reached notes whether an address could be connected to.
func (r *resolver) reached(ip netip.Addr, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.find(ip); a != nil && ok {
		a.lastUntil = time.Time{}
	} else if a != nil {
		a.lastUntil = time.Now().Add(vanishAfter * r.every)
	}
}

func (r *resolver) find(ip netip.Addr) *address {
	i := slices.IndexFunc(r.list, func(a address) bool { return a.ip == ip })
	if i < 0 {
		return nil
	}
	return &r.list[i]
}

// lookUp asks for the addresses. An answer without one is an error like any other: the addresses
// stay as they were.
func (r *resolver) lookUp(ctx context.Context) error {
	r.mu.Lock()
	r.begun = time.Now()
	r.mu.Unlock()
	ips, err := r.dns.LookupNetIP(ctx, "ip", r.host)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // the answer was not waited for
	}
	if r.err = err; err == nil {
		r.update(ips)
	}
	return err
}

// update takes over an answer.
func (r *resolver) update(ips []netip.Addr) {
	now := time.Now()
	for i := range ips {
		ips[i] = ips[i].Unmap()
		if r.find(ips[i]) == nil {
			r.list = append(r.list, address{ip: ips[i]})
		}
	}
	for i := range r.list {
		switch a := &r.list[i]; {
		case slices.Contains(ips, a.ip):
			a.missing = time.Time{}
		case a.missing.IsZero():
			a.missing = now
		}
	}
	r.list = slices.DeleteFunc(r.list, func(a address) bool {
		return !a.missing.IsZero() && now.Sub(a.missing) >= vanishAfter*r.every
	})
}

// vanished returns which addresses the host does not have any more.
func (r *resolver) vanished() func(netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := slices.Clone(r.list)
	return func(ip netip.Addr) bool {
		return !slices.ContainsFunc(kept, func(a address) bool { return a.ip.WithZone("") == ip })
	}
}

// lastError returns why the last lookup failed.
func (r *resolver) lastError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// due reports whether a lookup makes sense: the name is in use, and the last one did not begin just
// now. Requests look up for themselves what is not known, and would share a lookup of ours that got
// stuck.
func (r *resolver) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list) > 0 && time.Since(r.begun) >= r.every/10
}

// refreshNames looks the name up again and again until the transport is closed, and closes the
// connections to addresses that vanished.
func (e *endpoint) refreshNames() {
	for {
		e.resolver.wake.Sleep(e.ctx, e.resolver.every)
		if e.ctx.Err() != nil {
			return
		}
		if e.resolver.due() {
			ctx, cancel := context.WithTimeout(e.ctx, e.limit)
			e.resolver.lookUp(ctx)
			cancel()
		}
		e.closeStale(e.resolver.vanished())
	}
}

// LookupFault returns why the last lookup of the host of a url failed, nil if every one worked. The
// addresses known before stay in use.
func (t *Transport) LookupFault() error {
	for _, e := range t.endpoints {
		if e.resolver != nil {
			if err := e.resolver.lastError(); err != nil {
				return err
			}
		}
	}
	return nil
}
