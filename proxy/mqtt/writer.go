package mqtt

import (
	"errors"
	"net"
	"sync"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// Sizes of a writer in bytes.
const (
	flushAt    = 32 << 10 // more is not held back
	keptBuffer = 2 << 10  // what an idle writer keeps
)

// errEnded is the error of what is printed after the end of a session.
var errEnded = errors.New("mqtt: the session has ended")

// printable is a packet.
type printable interface {
	Append([]byte, wire.Version) ([]byte, error)
}

// writer gathers packets for one side and sends them together. Both goroutines of a session use it.
type writer struct {
	version wire.Version
	send    func([]byte) error
	count   func(packet []byte) // each one that is sent; may be nil

	mu     sync.Mutex // guards what follows
	buf    []byte
	closed bool
}

// add prints a packet. It is sent by flush, or at once when much has gathered. limit is the longest
// packet that the other side takes, in bytes; 0: any. It reports whether the packet was within it.
func (w *writer) add(p printable, limit int) (fits bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return true, errEnded
	}
	before := len(w.buf)
	if w.buf, err = p.Append(w.buf, w.version); err != nil {
		return false, nil // too long for any packet
	}
	if limit > 0 && len(w.buf)-before > limit {
		w.buf = w.buf[:before]
		return false, nil
	}
	if w.count != nil {
		w.count(w.buf[before:])
	}
	if len(w.buf) >= flushAt {
		return true, w.flushLocked()
	}
	return true, nil
}

// put is add for packets that are short.
func (w *writer) put(p printable) error {
	_, err := w.add(p, 0)
	return err
}

func (w *writer) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushLocked()
}

func (w *writer) flushLocked() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.send(w.buf)
	if w.buf = w.buf[:0]; cap(w.buf) > keptBuffer {
		w.buf = nil
	}
	return err
}

// close sends what has gathered, then p if there is one; nothing can be added any more. It waits for
// whoever is writing.
func (w *writer) close(p printable) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeLocked(p)
}

// tryClose is close if nobody is writing. It reports whether that was so.
func (w *writer) tryClose(p printable) bool {
	if !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	w.closeLocked(p)
	return true
}

func (w *writer) closeLocked(p printable) {
	if w.closed {
		return
	}
	w.closed = true
	if p != nil {
		before := len(w.buf)
		if w.buf, _ = p.Append(w.buf, w.version); w.count != nil && len(w.buf) > before {
			w.count(w.buf[before:])
		}
	}
	_ = w.flushLocked()
}

// patient writes to a connection with a deadline that is moved seldom: a write without progress
// ends between three quarters of the limit and all of it.
func patient(conn net.Conn, limit time.Duration) func([]byte) error {
	var deadline time.Time
	return func(b []byte) error {
		if now := time.Now(); deadline.Sub(now) < limit*3/4 {
			deadline = now.Add(limit)
			if err := conn.SetWriteDeadline(deadline); err != nil {
				return err
			}
		}
		_, err := conn.Write(b)
		return err
	}
}
