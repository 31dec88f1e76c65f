package head

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/upstream/socket"
)

// Config says what a listener takes. Zero values of numbers and times are no bound, but for
// MaxHeadBytes.
type Config struct {
	MaxHeadBytes  int      // of a head, request line included; 0: 64 KiB
	Hosts         []string // the hosts that are served, compared without case and port; empty: any
	Chunked       bool     // chunked bodies are taken
	Health        bool     // HTTP/1.0 may ask for /healthz and /readyz without a Host
	MaxConns      int      // connections at once
	MaxConnsPerIP int      // connections at once from one IPv4 address or one IPv6 /64

	Read  time.Duration // a head; the first byte of a new connection; a body, without progress
	Write time.Duration // an answer, without progress
	Idle  time.Duration // between two requests
	Watch time.Duration // how often, at least, what [Conn.Watch] was given is called

	// Of a body, counting the time that the client is waited for.
	Body, Upload time.Duration
	MinRate      int // bytes a second, averaged, after some seconds of grace

	// Overload is the complete answer for a connection that is not taken; nil: none. It is not sent
	// under TLS, where it would need a handshake.
	Overload []byte
	// PlainHTTP is the complete answer for who speaks HTTP in the clear to a TLS listener; nil: none.
	PlainHTTP []byte
}

// Bounds of the pause after a failed Accept.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// How many connections are refused gracefully at the same time, and for how long at most.
const (
	maxRefusals = 64
	refusalTime = 250 * time.Millisecond
)

// Listener hands out connections as *Conn. It counts and bounds them, and ends what takes too long.
type Listener struct {
	net.Listener
	config   Config
	rules    rules
	pace     pace
	clock    *socket.Clock
	draining atomic.Bool

	refusedConns, refusedPerIP atomic.Uint64

	mu     sync.Mutex // of what follows; taken per connection, never per request
	conns  []*Conn
	perIP  map[netip.Addr]int
	ending bool // Close was called
	over   bool // and no connection was left: nothing is taken any more

	swept []*Conn // of the sweep

	refusals chan struct{} // one for each connection that is refused gracefully

	closeOnce sync.Once
	waitOnce  sync.Once
	closed    chan struct{} // closed by Close
	empty     chan struct{} // closed when over
	done      chan struct{} // closed when the clock has stopped
}

// NewListener wraps ln. Its goroutine ends when the listener is closed and the last connection has
// gone: see Close, Wait.
func NewListener(ln net.Listener, config Config) *Listener {
	return newListener(ln, config, defaultPace, socket.NewClock(config.Read, config.Write, config.Idle, config.Watch, config.Body, config.Upload))
}

func newListener(ln net.Listener, config Config, p pace, clock *socket.Clock) *Listener {
	if config.MaxHeadBytes <= 0 {
		config.MaxHeadBytes = 64 << 10
	}
	l := &Listener{
		Listener: ln,
		config:   config,
		rules:    rules{maxHead: config.MaxHeadBytes, chunked: config.Chunked, health: config.Health},
		pace:     p,
		clock:    clock,
		perIP:    make(map[netip.Addr]int),
		refusals: make(chan struct{}, maxRefusals),
		closed:   make(chan struct{}),
		empty:    make(chan struct{}),
		done:     make(chan struct{}),
	}
	for _, host := range config.Hosts {
		l.rules.hosts = append(l.rules.hosts, strings.TrimSuffix(withoutPort(host), "."))
	}
	go func() {
		defer close(l.done)
		clock.Run(l.empty, l.sweep)
	}()
	return l
}

// withoutPort returns the name that a setting means. One that is no host name is kept: it equals no
// Host that is read, and so serves no request.
func withoutPort(host string) string {
	if name := HostName([]byte(host)); name != nil {
		return strings.ToLower(string(name))
	}
	return host
}

// Accept returns the next connection, a *Conn. Only the end of the listener is an error: a server
// ends its loop on the first one, and running out of file descriptors must not end the gateway.
func (l *Listener) Accept() (net.Conn, error) {
	pause := minPause
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !l.rest(pause) {
				_ = l.Close() // so that Wait returns, if the listener beneath was closed
				return nil, net.ErrClosed
			}
			pause = min(2*pause, maxPause)
			continue
		}
		pause = minPause
		if c := l.wrap(nc); l.add(c) {
			return c, nil
		}
		l.refuse(nc)
	}
}

// rest waits, and reports whether the listener is still open.
func (l *Listener) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	}
}

// wrap makes a Conn of what was accepted. It does not speak: the TLS handshake is part of the first
// Read.
func (l *Listener) wrap(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, raw: nc, peer: peer(nc), listener: l}
	if t, ok := nc.(*tls.Conn); ok {
		c.raw, c.https = t.NetConn(), true
	}
	c.bind()
	c.in.Start(l.clock, phaseFresh)
	c.out.Start(l.clock, phaseQuiet)
	return c
}

// add counts a connection, unless it is one too many.
func (l *Listener) add(c *Conn) bool {
	ip := c.source()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	if l.config.MaxConns > 0 && len(l.conns) >= l.config.MaxConns {
		l.refusedConns.Add(1)
		return false
	}
	if l.config.MaxConnsPerIP > 0 && ip.IsValid() {
		if l.perIP[ip] >= l.config.MaxConnsPerIP {
			l.refusedPerIP.Add(1)
			return false
		}
		l.perIP[ip]++
	}
	c.index = len(l.conns)
	l.conns = append(l.conns, c)
	return true
}

// remove takes a connection out of the count.
func (l *Listener) remove(c *Conn) {
	ip := c.source()
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.conns[len(l.conns)-1]
	l.conns[c.index], last.index = last, c.index
	l.conns[len(l.conns)-1] = nil
	l.conns = l.conns[:len(l.conns)-1]
	if n := l.perIP[ip]; n > 1 {
		l.perIP[ip] = n - 1
	} else {
		delete(l.perIP, ip)
	}
	l.end()
}

// end lets no connection in any more once the listener is closed and the last one has gone: it
// would have no deadlines. The caller holds mu.
func (l *Listener) end() {
	if l.ending && len(l.conns) == 0 && !l.over {
		l.over = true
		close(l.empty)
	}
}

// source returns what connections are counted by: the IPv4 address, or the /64 of an IPv6 one,
// because that is what one customer holds. Not valid where there is no address.
func (c *Conn) source() netip.Addr {
	if c.peer.Is6() {
		prefix, _ := c.peer.Prefix(64) // without the zone
		return prefix.Addr()
	}
	return c.peer
}

// peer returns the address at the other end, not valid where there is none.
func peer(nc net.Conn) netip.Addr {
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// refuse says so to a connection that is not taken and closes it. It does not wait.
func (l *Listener) refuse(nc net.Conn) {
	if _, https := nc.(*tls.Conn); https || len(l.config.Overload) == 0 {
		_ = nc.Close()
		return
	}
	select {
	case l.refusals <- struct{}{}:
		go l.refuseGracefully(nc)
	default: // too many at once
		l.writeOverload(nc)
		_ = nc.Close()
	}
}

// writeOverload writes the answer of a connection that is not taken. The buffer of a new socket is
// empty, so this does not wait; the deadline is for what is no socket.
func (l *Listener) writeOverload(nc net.Conn) {
	_ = nc.SetWriteDeadline(time.Now().Add(minPause))
	_, _ = nc.Write(l.config.Overload)
	closeWrite(nc)
}

// refuseGracefully answers once the client has begun to ask, because some clients take an answer
// that comes before the question for an error, and drops for a moment what it still sends: closing
// at once would reset the connection, and the reset can overtake the answer (RFC 9112 9.6).
func (l *Listener) refuseGracefully(nc net.Conn) {
	defer func() {
		_ = nc.Close()
		<-l.refusals
	}()
	if nc.SetReadDeadline(time.Now().Add(refusalTime)) != nil {
		return
	}
	var first [1]byte
	_, _ = nc.Read(first[:])
	l.writeOverload(nc)
	_, _ = io.CopyN(io.Discard, nc, lingerBytes)
}

// Open returns the number of connections.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// RefusedConns returns how many connections were refused because of Config.MaxConns.
func (l *Listener) RefusedConns() uint64 { return l.refusedConns.Load() }

// RefusedPerIP returns how many connections were refused because of Config.MaxConnsPerIP.
func (l *Listener) RefusedPerIP() uint64 { return l.refusedPerIP.Load() }

// Drain begins the end: every answer from now on has to close its connection, and connections that
// have been idle for about a second are closed. That second lets a client that is about to reuse
// one get its answer. The listener goes on accepting.
func (l *Listener) Drain() { l.draining.Store(true) }

// Close stops accepting. Connections go on, and their deadlines are kept until the last one has
// gone.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.closeOnce.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ending = true
		l.end()
	})
	return err
}

// CloseConns cuts every connection at once, without a word. Their handlers see errors.
func (l *Listener) CloseConns() {
	for _, c := range l.snapshot(nil) {
		_ = c.raw.Close()
	}
}

// Wait returns when the listener is closed, the last connection has gone, refused ones included,
// and no goroutine is left.
func (l *Listener) Wait() {
	<-l.done
	l.waitOnce.Do(func() {
		for range maxRefusals { // from now on none is refused gracefully
			l.refusals <- struct{}{}
		}
	})
}

// snapshot appends the connections of this moment to dst.
func (l *Listener) snapshot(dst []*Conn) []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(dst, l.conns...)
}
