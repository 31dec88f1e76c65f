package upstream

import (
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// pieceSize is how much of a body is written at once. Progress shows piece by piece.
	pieceSize = 64 << 10
	// sizeRoom holds the size line in front of a chunk: up to five digits and CRLF.
	sizeRoom = 7
)

// bodyError marks an error that came from the caller's reader.
type bodyError struct{ cause error }

func (e *bodyError) Error() string { return e.cause.Error() }
func (e *bodyError) Unwrap() error { return e.cause }

// States of an upload. Whoever leaves sending first tells the other.
const (
	sending int32 = iota
	sent          // nothing more is written
	early         // the answer, or the end of the connection, came before that
)

// upload is a request body on its way.
type upload struct {
	c     *conn
	r     *Request
	buf   []byte // for what comes from a reader
	body  []byte // what is left of a body in memory
	rest  int64  // what is left of a reader of known length
	last  bool   // the last chunk was made
	state atomic.Int32
}

// sendStream writes a large body while it listens for the answer: a backend that answers 413 to the
// head may never read the body. The caller's reader is read in the caller's goroutine, the socket
// in one that ends before sendStream returns.
func (c *conn) sendStream(r *Request, a *Answer) error {
	if err := c.sendHead(r, a); err != nil {
		return err
	}
	u := &upload{c: c, r: r, body: r.Body, rest: r.BodyLength}
	if r.BodyReader != nil {
		u.buf = getBuffer(largeBuffer)
		defer putBuffer(u.buf)
	}
	c.upload = true
	heard := make(chan error, 1)
	go func() { heard <- u.listen(a) }()

	err := u.pump()
	if failed, ok := err.(*bodyError); ok {
		c.interrupt()
		<-heard
		return failed
	}
	whole := err == nil && u.whole()
	u.state.CompareAndSwap(sending, sent)
	c.written()
	err = <-heard
	c.upload = false
	c.wait.Enter(phaseHeld)
	a.keep = a.keep && whole
	if whole && u.state.Load() == early {
		// The answer overtook the note that the last byte was out. Nothing was cut off.
		c.net.SetWriteDeadline(time.Time{})
	}
	return err
}

// whole reports whether the last piece was made.
func (u *upload) whole() bool {
	switch {
	case u.r.BodyReader == nil:
		return len(u.body) == 0
	case u.r.BodyLength < 0:
		return u.last
	default:
		return u.rest == 0
	}
}

// sendHead writes the head on its own, so that the backend can refuse before the body comes. Its
// buffer is not the one that the answer is read into: both go on at once.
func (c *conn) sendHead(r *Request, a *Answer) error {
	buf := getBuffer(r.headSize(c.pool.own))
	defer putBuffer(buf)
	a.stream.buf = getBuffer(smallBuffer)
	return c.write(r.appendHead(buf[:0], c.pool.own))
}

// listen reads the head of the answer. If the body is still being written that stops.
func (u *upload) listen(a *Answer) error {
	err := a.readHead()
	if u.state.CompareAndSwap(sending, early) {
		u.c.net.SetWriteDeadline(time.Unix(1, 0))
	}
	return err
}

// pump writes the body until it ends, the answer comes early or something fails.
func (u *upload) pump() error {
	for u.state.Load() == sending {
		u.c.wait.Enter(phaseHeld) // the next piece may be long in coming
		piece, err := u.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &bodyError{err}
		}
		if err := u.c.write(piece); err != nil {
			return err
		}
	}
	return nil
}

// next returns the next bytes to write, io.EOF after the last.
func (u *upload) next() ([]byte, error) {
	switch {
	case u.r.BodyReader == nil:
		return u.nextOfBody()
	case u.r.BodyLength < 0:
		return u.nextChunk()
	case u.rest == 0:
		return nil, io.EOF
	}
	n, err := readSome(u.r.BodyReader, u.buf[:min(u.rest, pieceSize)])
	u.rest -= int64(n)
	return u.buf[:n], uncut(err)
}

// nextOfBody cuts a body in memory into pieces without copying it.
func (u *upload) nextOfBody() ([]byte, error) {
	if len(u.body) == 0 {
		return nil, io.EOF
	}
	piece := u.body[:min(len(u.body), pieceSize)]
	u.body = u.body[len(piece):]
	return piece, nil
}

// nextChunk frames what the reader gives. An empty read must not become a chunk: the empty chunk is
// the end of the body.
func (u *upload) nextChunk() ([]byte, error) {
	if u.last {
		return nil, io.EOF
	}
	n, err := readSome(u.r.BodyReader, u.buf[sizeRoom:sizeRoom+pieceSize])
	if err == io.EOF {
		u.last = true
		return append(u.buf[:0], "0\r\n\r\n"...), nil
	}
	if err != nil {
		return nil, err
	}
	var digits [sizeRoom]byte
	size := append(strconv.AppendInt(digits[:0], int64(n), 16), crlf...)
	begin := sizeRoom - len(size)
	copy(u.buf[begin:], size)
	return append(u.buf[begin:sizeRoom+n], crlf...), nil
}

// readSome reads at least one byte or fails. An error that comes with bytes will come again
// without.
func readSome(r io.Reader, p []byte) (int, error) {
	for range 100 {
		n, err := r.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}
