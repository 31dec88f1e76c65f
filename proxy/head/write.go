package head

import (
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

const (
	// writePiece is how much is written before progress is noted: a slow reader of a large answer
	// is not a stalled one.
	writePiece = 64 << 10
	// copySize is the size of the buffers that streams and discarded bytes pass through.
	copySize = 32 << 10
	// A client that may be sending still is listened to this long and this far before its
	// connection is closed.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

const crlf = "\r\n"

// lastChunk ends a body in chunks, without trailers.
var lastChunk = []byte("0\r\n\r\n")

// copyBuffers is the pool of buffers of copySize bytes.
var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// Write writes to the client. An answer that the client does not take for Config.Write ends in an
// error.
func (c *Conn) Write(p []byte) (int, error) {
	done := 0
	for {
		if !c.out.Enter(phaseWriting) {
			return done, net.ErrClosed
		}
		n, err := c.put(p[done:min(len(p), done+writePiece)])
		done += n
		if !c.out.Enter(phaseQuiet) && err == nil {
			err = net.ErrClosed
		}
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

// put writes p, however long the client takes for it.
func (c *Conn) put(p []byte) (int, error) {
	if c.tryWrite == nil {
		return c.Conn.Write(p)
	}
	return c.move(p, c.sys.Write, c.tryWrite)
}

// move has try read into p or write it, and returns how many bytes were.
func (c *Conn) move(p []byte, wait func(func(fd uintptr) bool) error, try func(fd uintptr) bool) (int, error) {
	c.span = p
	err := wait(try)
	if err == nil {
		err = c.failure
	}
	n := len(p) - len(c.span)
	c.span = nil
	return n, err
}

// ReadFrom writes what r yields, each piece as it comes: a streamed answer is not held back to fill
// a buffer.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	var total int64
	for {
		n, err := r.Read(buf[:])
		if n > 0 {
			written, werr := c.Write(buf[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// sizeRoom is what is before and after the bytes of a chunk: its size in hexadecimal and two line
// ends.
const sizeRoom = 8

// WriteChunks writes what r yields in chunks (RFC 9112 7.1), each piece as it comes and in one
// write. The last chunk is only written when r ends well: without it the client knows that
// something is missing.
func (c *Conn) WriteChunks(r io.Reader) error {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := r.Read(buf[sizeRoom : copySize-len(crlf)])
		if n > 0 {
			var room [sizeRoom]byte
			size := append(strconv.AppendInt(room[:0], int64(n), 16), crlf...)
			from := sizeRoom - copy(buf[sizeRoom-len(size):], size)
			end := sizeRoom + n + copy(buf[sizeRoom+n:], crlf)
			if _, err := c.Write(buf[from:end]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			_, err = c.Write(lastChunk)
			return err
		case err != nil:
			return err
		}
	}
}

// Close closes the connection. If the client may be sending still, the answer is followed by the
// end of the stream and what the client sends is dropped for a moment: closing at once would reset
// the connection, and the reset can overtake the answer (RFC 9112 9.6).
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if c.lingerClose.Load() {
		c.linger()
	}
	err := c.Conn.Close()
	c.listener.remove(c)
	return err
}

// Abort ends the connection with a reset instead of an orderly end, so that a client cannot take
// what it has of an answer for the whole. Under TLS no closing alert is sent, for the same reason.
// What was written and not taken is forgotten: the kernel would go on trying. The server above
// still has to Close.
func (c *Conn) Abort() error {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return c.raw.Close()
}

// linger ends the stream to the client and drops what still comes from it.
func (c *Conn) linger() {
	if c.Conn != c.raw {
		closeWrite(c.Conn)
	}
	if !closeWrite(c.raw) || c.raw.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for dropped := 0; dropped < lingerBytes; {
		n, err := c.raw.Read(buf[:])
		if err != nil {
			return
		}
		dropped += n
	}
}

// closeWrite ends the stream that nc sends, and reports whether that worked.
func closeWrite(nc net.Conn) bool {
	half, ok := nc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}
