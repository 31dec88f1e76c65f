package wire

import (
	"errors"
	"io"
	"sync"
)

// Sizes of a Reader's buffers in bytes.
const (
	idleBuffer = 512      // of its own, while little arrives
	busyBuffer = 16 << 10 // from the pool, while much does
)

var buffers = sync.Pool{New: func() any { return new([busyBuffer]byte) }}

// Reader cuts a stream into frames. It checks the first byte and the length of each as soon as they
// are there.
type Reader struct {
	src     io.Reader
	sender  Sender
	version Version // 0: CONNECT is to come
	max     int     // of one packet, in bytes

	buf        []byte // small, a pooled one, or one for a large packet
	pooled     *[busyBuffer]byte
	start, end int // buf[start:end] is read but not yet handed out
	last       int // what the last read brought
	small      [idleBuffer]byte
}

// NewReader returns a reader of packets of at most limit bytes. From a client the first has to be a
// CONNECT, after which the session calls Accept; a server speaks in version v at once.
func NewReader(src io.Reader, sender Sender, v Version, limit int) *Reader {
	r := &Reader{src: src, sender: sender, version: v, max: limit}
	r.buf = r.small[:]
	return r
}

// Accept sets the version and the limit of the packets that follow a CONNECT.
func (r *Reader) Accept(v Version, limit int) { r.version, r.max = v, limit }

// Ready reports whether Next has a frame, or a fault, without reading from the stream. Who answers
// can wait with flushing until it has not.
func (r *Reader) Ready() bool {
	_, _, size, err := r.head()
	return err != nil || size > 0 && r.end-r.start >= size
}

// Next returns the next frame, which is valid until the next call. The error is io.EOF between two
// packets, io.ErrUnexpectedEOF in the middle of one, a *Fault, or the stream's.
func (r *Reader) Next() (Frame, error) {
	for {
		frame, header, size, err := r.head()
		if err != nil {
			return Frame{}, err
		}
		if have := r.buf[r.start:r.end]; size > 0 && len(have) >= size {
			frame.body = have[header:size:size]
			r.start += size
			return frame, nil
		}
		if err := r.fill(size); err != nil {
			return Frame{}, err
		}
	}
}

// head reads the fixed header of the packet in front: its length, and that of the whole packet, 0
// while it is not known.
func (r *Reader) head() (f Frame, header, size int, err error) {
	have := r.buf[r.start:r.end]
	if len(have) == 0 {
		return Frame{}, 0, 0, nil
	}
	f = Frame{Type: Type(have[0] >> 4), Version: r.version, Sender: r.sender, flags: have[0] & 0x0f}
	if err := r.admit(f); err != nil {
		return Frame{}, 0, 0, err
	}
	n, length := varint(have[1:])
	switch {
	case length < 0:
		return Frame{}, 0, 0, &Fault{Reason: Malformed, Text: "the remaining length is longer than it may be"}
	case length == 0:
		return f, 0, 0, nil
	case 1+length+n > r.max:
		return Frame{}, 0, 0, &Fault{Reason: PacketTooLarge, Text: "a packet is longer than the limit"}
	}
	return f, 1 + length, 1 + length + n, nil
}

// admit checks the first byte of a packet.
func (r *Reader) admit(f Frame) error {
	switch {
	case (r.version == 0) != (f.Type == CONNECT):
		return &Fault{Reason: ProtocolError, Text: "CONNECT has to be the first packet, and comes once"}
	case !f.Type.sentBy(r.sender, r.version):
		return &Fault{Reason: ProtocolError, Text: "a packet that this side does not send"}
	case !f.Type.flagsFit(f.flags, r.version):
		return &Fault{Reason: Malformed, Text: "the flags of a packet are not those of its type"}
	}
	return nil
}

// fill reads more of a packet of size bytes, 0 if its length is not known yet.
func (r *Reader) fill(size int) error {
	if r.start == r.end {
		r.choose()
	}
	r.end = copy(r.buf, r.buf[r.start:r.end])
	r.start = 0
	if r.end == len(r.buf) {
		r.grow(size)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.last, r.end = n, r.end+n
		switch {
		case n > 0:
			return nil // an error comes again
		case errors.Is(err, io.EOF) && r.end > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// choose takes the buffer for what comes, while nothing is held: a connection that idles has only
// its own small one, and one that sends much reads many packets at a time.
func (r *Reader) choose() {
	if r.last == idleBuffer && r.pooled == nil {
		r.borrow()
		return
	}
	if r.last < idleBuffer || len(r.buf) > busyBuffer {
		r.Release()
	}
}

// Release gives the pooled buffer back. Frames are not valid any more, and what was read and not
// returned by Next is gone.
func (r *Reader) Release() {
	if r.pooled != nil {
		buffers.Put(r.pooled)
		r.pooled = nil
	}
	r.buf, r.start, r.end = r.small[:], 0, 0
}

func (r *Reader) borrow() {
	r.pooled = buffers.Get().(*[busyBuffer]byte)
	r.buf = r.pooled[:]
}

// grow makes room for more of a packet that fills the buffer: twice as much, and no more than the
// packet needs. Its announced length alone takes no memory.
func (r *Reader) grow(size int) {
	old := r.buf
	if len(old) < busyBuffer {
		r.borrow()
	} else {
		r.buf = make([]byte, min(2*len(old), max(size, len(old)+1)))
	}
	copy(r.buf, old)
	if r.pooled != nil && len(r.buf) > busyBuffer {
		buffers.Put(r.pooled)
		r.pooled = nil
	}
}
