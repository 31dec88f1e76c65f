package head

import (
	"sync"
	"time"
)

// Sizes of the buffer of a message, in bytes.
const (
	smallBuffer  = 4 << 10  // to begin with: holds nearly every head whole
	pooledBuffer = 16 << 10 // larger ones are left to the garbage collector
	minRoom      = 1 << 10  // for one read
)

// message is one request while it is read and answered: the bytes that arrived, the head among
// them, and how far its body was read. A connection holds one from the first byte of a request to
// the end of its answer.
type message struct {
	head Head
	scan scan

	buf  []byte // everything since the end of the previous message is buf[:w]
	w    int    // end of what has arrived
	r    int    // first byte not taken yet; after the head once that is complete
	body int    // where the bytes after the head begin

	upload  bool          // the body is an upload
	waited  time.Duration // for bytes of the body
	arrived int64         // bytes of the body, its framing included

	left      int64 // bytes of the body, or of the current chunk, that were not taken
	chunk     chunk
	continued bool  // 100 Continue was sent, or is not waited for
	err       error // what every further read of the body says; io.EOF at its end
}

// messages is the pool of messages that no connection holds.
var messages = sync.Pool{New: func() any { return &message{buf: make([]byte, smallBuffer)} }}

func newMessage() *message { return messages.Get().(*message) }

// release gives m back. Its head is emptied first, so that a slice kept by mistake is all that
// could show it to the next client.
func (m *message) release() {
	if len(m.buf) > pooledBuffer {
		return
	}
	m.reset()
	m.w = 0
	messages.Put(m)
}

// reset prepares m for the head that begins at buf[0].
func (m *message) reset() {
	m.head.reset()
	m.scan, m.chunk = scan{}, chunk{}
	m.r, m.body, m.left = 0, 0, 0
	m.continued, m.err = false, nil
	m.upload, m.waited, m.arrived = false, 0, 0
}

// shift moves the bytes after the message that was answered to the front, for the next one.
func (m *message) shift() {
	m.w = copy(m.buf, m.buf[m.r:m.w])
	m.reset()
}

// room makes space for more bytes, and not for a few only: a head that nearly fills the buffer must
// not make us read its body byte by byte. What is before m.body is never moved or overwritten: the
// head's slices point there. A larger buffer is a copy, and the slices keep the old one alive.
func (m *message) room() {
	if len(m.buf)-m.w >= minRoom {
		return
	}
	if m.body > 0 {
		m.w = m.body + copy(m.buf[m.body:], m.buf[m.r:m.w])
		m.r = m.body
	}
	if len(m.buf)-m.w >= minRoom {
		return
	}
	larger := make([]byte, 2*len(m.buf))
	copy(larger, m.buf[:m.w])
	m.buf = larger
}

// take copies buffered bytes to p and returns how many.
func (m *message) take(p []byte) int {
	n := copy(p, m.buf[m.r:m.w])
	m.r += n
	return n
}
