package head

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aclgate/upstream/socket"
)

// errRead is what a second parser would get that tried to read beside this one.
var errRead = errors.New("head: a connection is read by Next and ReadBody")

// discardable is how many bytes of an unread body are read and dropped to keep a connection. More
// cost more than a new one.
const discardable = 64 << 10

// Conn is one client connection. The goroutine that serves it reads and writes; only Close and
// OnGone's function are called from others.
type Conn struct {
	net.Conn                       // what is read and written: TCP or, above it, TLS
	raw      net.Conn              // the TCP connection
	sys      syscall.RawConn       // of raw; nil where it cannot be had
	tryRead  func(fd uintptr) bool // readReady, bound once: waiting allocates nothing; nil under TLS
	tryFill  func(fd uintptr) bool // fillReady, likewise
	tryWrite func(fd uintptr) bool // writeReady, likewise
	tryNow   func(fd uintptr) bool // fillAtOnce, likewise
	peer     netip.Addr
	https    bool
	listener *Listener
	index    int // in listener.conns; its mutex guards it

	in, out     socket.Wait // for the client to send, and to take what is sent
	closed      atomic.Bool
	lingerClose atomic.Bool // the client may be sending still: see Close

	goneMu  sync.Mutex
	gone    func()
	watch   func()
	guarded bool // OnGone has set gone for this request
	watched atomic.Bool

	bodyDue atomic.Int64 // how long the next bytes of a body may take; 0: no bound

	msg     *message // nil while idle
	span    []byte   // what tryFill and tryWrite work on
	failure error    // of tryRead, tryFill and tryWrite
	first   [1]byte  // of readFirst
}

// Head returns the head of the request that is being served; nil between requests.
func (c *Conn) Head() *Head {
	if c.msg == nil {
		return nil
	}
	return &c.msg.head
}

// Peer returns the address at the other end, an IPv4 address as such; not valid where there is
// none.
func (c *Conn) Peer() netip.Addr { return c.peer }

// TLS reports whether the connection is a TLS one.
func (c *Conn) TLS() bool { return c.https }

// Read is not for use: what comes over a connection is read by Next and ReadBody alone.
func (c *Conn) Read([]byte) (int, error) { return 0, errRead }

// Next ends the request that was answered and waits for the next head, which Head returns then. It
// reports whether there is one to serve: one that is refused is, too. While it waits nothing is
// held but the connection.
func (c *Conn) Next() bool {
	if !c.next() {
		c.drop()
		return false
	}
	return true
}

// next ends the request that was answered and reads the next head. It reports whether there is one
// to serve.
func (c *Conn) next() bool {
	if c.msg != nil && !c.finish() {
		return false
	}
	if c.msg == nil && !c.await() {
		return false
	}
	return c.readHead()
}

// finish leaves behind what remains of the request that was answered. It reports whether the
// connection goes on.
func (c *Conn) finish() bool {
	if c.guarded {
		c.OnGone(nil)
	}
	if c.watched.Load() {
		c.Watch(nil)
	}
	if c.msg.head.last() || !c.discard() {
		return false
	}
	c.msg.shift()
	if c.msg.w == 0 {
		c.drop()
	}
	return true
}

// last reports whether no request may follow this one, whatever the handler thinks.
func (h *Head) last() bool { return h.Fault != nil || h.HTTP10 || h.Close }

// drop gives the buffer back.
func (c *Conn) drop() {
	if c.msg != nil {
		c.msg.release()
		c.msg = nil
	}
}

// await waits for the first byte of a request without holding a buffer, and reports whether it
// came.
func (c *Conn) await() bool {
	if !c.isIn(phaseFresh) && !c.in.Enter(phaseIdle) {
		return false
	}
	if c.tryRead == nil {
		return c.readFirst()
	}
	// Whoever else is ready goes first: under load the next request has arrived by then, and the
	// first attempt to read succeeds, which saves it and the wait.
	runtime.Gosched()
	if err := c.sys.Read(c.tryRead); err != nil || c.failure != nil {
		return false
	}
	return c.msg != nil
}

// readFirst is await where the bytes are not to be had from the file descriptor: under TLS, where
// the rest of the record is in memory once its first byte was read.
func (c *Conn) readFirst() bool {
	n, err := c.Conn.Read(c.first[:])
	if n == 0 {
		c.answerPlain(err)
		return false
	}
	c.msg = newMessage()
	c.msg.w = copy(c.msg.buf, c.first[:])
	return true
}

// answerPlain tells a client that speaks HTTP in the clear that this is a TLS listener, if err says
// that it does. Its request is dropped unread.
func (c *Conn) answerPlain(err error) {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil || len(c.listener.config.PlainHTTP) == 0 {
		return
	}
	for _, b := range plain.RecordHeader {
		if !tokenByte[b] && b != ' ' && b != '/' {
			return // no beginning of a request line
		}
	}
	_ = c.raw.SetDeadline(time.Now().Add(refusalTime))
	if _, err := c.raw.Write(c.listener.config.PlainHTTP); err == nil && closeWrite(c.raw) {
		_, _ = io.CopyN(io.Discard, c.raw, lingerBytes)
	}
}

// readHead reads until the head in c.msg is complete or refused, and reports whether there is
// something to answer. A client that goes away in the middle of a head gets no answer; one that is
// too slow gets a 408.
func (c *Conn) readHead() bool {
	m, limit := c.msg, c.listener.rules.maxHead
	end, fault := m.scan.find(m.buf[:m.w], limit)
	for ; end == 0 && fault == nil; end, fault = m.scan.find(m.buf[:m.w], limit) {
		if !c.wait() {
			return false
		}
		if n, _ := c.fill(); n == 0 {
			if c.in.Mark().End() != socket.Expired {
				return false
			}
			fault = errTime
			break
		}
	}
	if !c.in.Enter(phaseServing) {
		if !c.isIn(phaseHead) {
			return false
		}
		fault = errTime
	}
	c.begin(end, fault)
	return true
}

// isIn reports whether the client is waited for in this phase, or was when the wait was ended.
func (c *Conn) isIn(p socket.Phase) bool { return c.in.Mark().Phase() == p }

// wait says what the next read waits for. Empty lines do not begin a request: old clients send one
// after a body, and an answer to it would be taken for that of their next request.
func (c *Conn) wait() bool {
	want := phaseIdle
	if c.msg.scan.begun(c.msg.w) {
		want = phaseHead
	}
	return c.isIn(want) || (want == phaseIdle && c.isIn(phaseFresh)) || c.in.Enter(want)
}

// begin parses the complete head and prepares its body.
func (c *Conn) begin(end int, fault *Fault) {
	m := c.msg
	if fault == nil {
		fault = c.listener.rules.parse(&m.head, m.buf[m.scan.start:end], c.https)
		m.r, m.body, m.left = end, end, m.head.Length
	}
	m.head.Fault = fault
	m.continued = !m.head.Expect
	if fault != nil || m.head.Length == 0 {
		m.err = io.EOF
	}
	c.lingerClose.Store(m.err == nil || fault != nil)
}

// MustClose reports whether the answer has to carry Connection: close, because the connection will
// not serve another request: after a fault, on HTTP/1.0, when the client asked for it, while
// draining, and when what is unread of the body cannot be discarded. Ask when the answer is made:
// reading the body changes it.
func (c *Conn) MustClose() bool {
	return c.msg == nil || c.msg.head.last() || !c.skippable() || c.listener.draining.Load()
}

// Take ends HTTP on the connection: what follows the head is another protocol, and whoever takes it
// reads and writes the connection that is returned, without the listener's limits of time, and closes
// c. It returns nil if there was a fault, a body, or bytes behind the head: before the answer to an
// upgrade nobody may send. The Head is not valid any more.
func (c *Conn) Take() net.Conn {
	m := c.msg
	if m == nil || m.head.Fault != nil || m.head.Length != 0 || m.w > m.r || !c.isIn(phaseServing) {
		return nil
	}
	c.drop()
	return c.Conn
}

// OnGone has f called, once, when the client is found gone while its request is being handled,
// which is looked at after a second and then a few times a second. nil takes f back, and so does
// the end of the request; after OnGone returns, the earlier function is not running and will not be
// called. f is called from the sweep: it must not block, and must not call OnGone. Gone is who has
// reset the connection, or to whom nothing can be written: one that shut down its sending side waits
// for its answer, and one that closed looks the same until something is written to it. A client that
// has more bytes under way, as TLS has when it ends in order, is not seen.
func (c *Conn) OnGone(f func()) {
	c.goneMu.Lock()
	c.gone, c.guarded = f, f != nil
	c.goneMu.Unlock()
}

// Watch has f called again and again while the request is being handled, at least as often as
// Config.Watch says. nil takes f back, and so does the end of the request; after Watch returns, the
// earlier function is not running and will not be called. f is called from the sweep: it must not
// block, and must call neither OnGone nor Watch.
func (c *Conn) Watch(f func()) {
	c.goneMu.Lock()
	c.watch = f
	c.watched.Store(f != nil)
	c.goneMu.Unlock()
}

func (c *Conn) checkWatch() {
	c.goneMu.Lock()
	defer c.goneMu.Unlock()
	if c.watch != nil {
		c.watch()
	}
}
