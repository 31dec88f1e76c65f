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
)

const (
	// lookUpEvery is how often names are looked up. Go does not tell how long an answer
	// may be kept, and what changes the address of a backend is made for clients that
	// look every few seconds.
	lookUpEvery = 10 * time.Second
	// vanishAfter is for how many lookups' time an address has to be missing until its
	// connections are given up: a minute. Some servers name a few of many addresses, others
	// each time, and connections should not follow every such turn. As long an address that
	// could not be reached is tried last.
	vanishAfter = 6
)

// names knows the addresses of the host of one url. They are looked up beside the
// requests, so none of these waits for DNS but those that come before anything is known;
// and what was known stays in use for as long as lookups fail.
//
// New connections go to addresses of the last answer alone, in turn: one that is not
// named any more may belong to somebody else by now, who would be sent our credential.
type names struct {
	host     string
	port     string
	dialer   net.Dialer
	resolver *net.Resolver
	every    time.Duration
	hurry    chan struct{} // of room for one: a dial found the addresses dead

	mu    sync.Mutex
	list  []address
	turn  int
	begun time.Time // the last lookup
	fault error     // of the last lookup
}

// address is one that the host has or had.
type address struct {
	ip      netip.Addr
	missing time.Time // since when answers do not name it; zero: the last one did
	behind  time.Time // until then it is tried last
}

// newNames returns nil for a host that is an address itself.
func newNames(o *Options, origin origin) *names {
	if _, err := netip.ParseAddr(origin.name); err == nil {
		return nil
	}
	n := &names{host: origin.name, resolver: o.Resolver, every: o.LookUp, hurry: make(chan struct{}, 1)}
	_, n.port, _ = net.SplitHostPort(origin.address)
	if n.resolver == nil {
		n.resolver = net.DefaultResolver
	}
	if n.every == 0 {
		n.every = lookUpEvery
	}
	return n
}

// dial connects to one of the known addresses. Where none answers the name may have moved,
// so it is looked up, and what is new is tried in the time that is left.
func (n *names) dial(ctx context.Context) (net.Conn, error) {
	known := n.order()
	c, err := n.dialEach(ctx, known)
	if c != nil {
		return c, nil
	}
	if expired(ctx) || err != nil && n.failing() != nil {
		n.soon() // those that come after us should know better
		return nil, why(ctx, err)
	}
	if fault := n.lookUp(ctx); fault != nil && err == nil {
		return nil, fault
	}
	fresh := slices.DeleteFunc(n.order(), func(ip netip.Addr) bool { return slices.Contains(known, ip) })
	if len(fresh) == 0 {
		return nil, why(ctx, err)
	}
	return n.dialEach(ctx, fresh)
}

// why returns err or, where nobody came to try an address, that there was no
// time to: neither a connection nor an error would be taken for a connection.
func why(ctx context.Context, err error) error {
	return cmp.Or(err, ctx.Err(), context.DeadlineExceeded)
}

// expired reports whether no time is left. A dial may end a moment before its context.
func expired(ctx context.Context) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(end)
}

// dialEach tries one address after the other. None may use up all the time while others
// are left. Without an address there is neither a connection nor an error.
func (n *names) dialEach(ctx context.Context, ips []netip.Addr) (c net.Conn, err error) {
	for i, ip := range ips {
		if c, err = n.dialOne(ctx, ip, min(len(ips)-i, 4)); err == nil {
			n.reached(ip, true)
			return c, nil
		}
		if ctx.Err() == context.Canceled {
			break // the client left: that says nothing about the address
		}
		n.reached(ip, false)
	}
	return nil, err
}

// dialOne connects within one of so many parts of the time left.
func (n *names) dialOne(ctx context.Context, ip netip.Addr, parts int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
		defer cancel()
	}
	return n.dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), n.port))
}

// order returns the addresses of the last answer in the order to try them.
func (n *names) order() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	var first, behind []netip.Addr
	now := time.Now()
	n.turn++
	for i := range n.list {
		switch a := &n.list[(n.turn+i)%len(n.list)]; {
		case !a.missing.IsZero():
		case now.Before(a.behind):
			behind = append(behind, a.ip)
		default:
			first = append(first, a.ip)
		}
	}
	return append(first, behind...)
}

// reached notes whether an address could be connected to.
func (n *names) reached(ip netip.Addr, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a := n.find(ip); a != nil && ok {
		a.behind = time.Time{}
	} else if a != nil {
		a.behind = time.Now().Add(vanishAfter * n.every)
	}
}

func (n *names) find(ip netip.Addr) *address {
	i := slices.IndexFunc(n.list, func(a address) bool { return a.ip == ip })
	if i < 0 {
		return nil
	}
	return &n.list[i]
}

// lookUp asks for the addresses. An answer without one is an error like any other: the
// addresses stay as they were.
func (n *names) lookUp(ctx context.Context) error {
	n.mu.Lock()
	n.begun = time.Now()
	n.mu.Unlock()
	ips, err := n.resolver.LookupNetIP(ctx, "ip", n.host)
	n.mu.Lock()
	defer n.mu.Unlock()
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // nobody waited for the answer
	}
	if n.fault = err; err == nil {
		n.note(ips)
	}
	return err
}

// note takes over an answer.
func (n *names) note(ips []netip.Addr) {
	now := time.Now()
	for i := range ips {
		ips[i] = ips[i].Unmap()
		if n.find(ips[i]) == nil {
			n.list = append(n.list, address{ip: ips[i]})
		}
	}
	for i := range n.list {
		switch a := &n.list[i]; {
		case slices.Contains(ips, a.ip):
			a.missing = time.Time{}
		case a.missing.IsZero():
			a.missing = now
		}
	}
	n.list = slices.DeleteFunc(n.list, func(a address) bool {
		return !a.missing.IsZero() && now.Sub(a.missing) >= vanishAfter*n.every
	})
}

// vanished returns which addresses the host does not have any more.
func (n *names) vanished() func(netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	kept := slices.Clone(n.list)
	return func(ip netip.Addr) bool {
		return !slices.ContainsFunc(kept, func(a address) bool { return a.ip.WithZone("") == ip })
	}
}

// failing returns why the last lookup failed.
func (n *names) failing() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}

// soon has the name looked up before its time.
func (n *names) soon() {
	select {
	case n.hurry <- struct{}{}:
	default:
	}
}

// due reports whether a lookup makes sense: the name is in use, and the last one did not
// begin just now. Requests look up for themselves what is not known, and would share a
// lookup of ours that got stuck.
func (n *names) due() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.list) > 0 && time.Since(n.begun) >= n.every/10
}

// follow looks the name up again and again until the transport is closed, and lets go of
// the connections to addresses that vanished.
func (t *Transport) follow(b *backend) {
	ticker := time.NewTicker(b.names.every)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
		case <-b.names.hurry:
		}
		if b.names.due() {
			ctx, cancel := context.WithTimeout(t.ctx, b.limit)
			b.names.lookUp(ctx)
			cancel()
		}
		b.retire(b.names.vanished())
	}
}

// LookupFault returns why the last lookup of the host of a url failed, nil if every one
// worked. The addresses known before stay in use.
func (t *Transport) LookupFault() error {
	for _, b := range t.backends {
		if b.names == nil {
			continue
		}
		if err := b.names.failing(); err != nil {
			return err
		}
	}
	return nil
}
