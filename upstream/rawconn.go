package upstream

import (
	"io"
	"net"
	"syscall"
)

// errNothing is what a look at a connection without bytes returns. It is temporary, so crypto/tls
// goes on afterwards.
const errNothing nothing = "nothing to read"

type nothing string

func (n nothing) Error() string { return string(n) }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// rawConn is the TCP connection below everything. It can be read without waiting, and it remembers
// that the other side ended it.
type rawConn struct {
	net.Conn
	raw         syscall.RawConn
	nonBlocking bool   // Read takes what is there and never waits
	ended       bool   // Read has seen the end
	out         pieces // the next Read writes this first, see writeThenRead

	// What receive and exchange work on: a closure made once, or every look would allocate.
	receiveFn  func(fd uintptr)
	exchangeFn func(fd uintptr) bool
	p          []byte
	flags      int
	n          int
	err        error
}

// pieces is what is written as if it were one piece. The last one is not empty before all of it was
// written.
type pieces [3][]byte

func (p *pieces) done() bool { return len(p[2]) == 0 }

// skip drops the first n bytes.
func (p *pieces) skip(n int) {
	for i := range p {
		m := min(n, len(p[i]))
		p[i] = p[i][m:]
		n -= m
	}
}

// newRawConn wraps a connection that a net.Dialer opened for "tcp".
func newRawConn(c net.Conn) (*rawConn, error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	l := &rawConn{Conn: c, raw: raw}
	l.bind()
	return l, nil
}

// Read reads as net.Conn does, or without waiting while nonBlocking is set.
func (l *rawConn) Read(p []byte) (n int, err error) {
	if l.nonBlocking {
		n, err = l.tryRead(p, noWait)
	} else {
		n, err = l.writeThenRead(p)
	}
	if err == io.EOF {
		l.ended = true
	}
	return n, err
}

// peek looks at the next bytes and leaves them there.
func (l *rawConn) peek(p []byte) (int, error) { return l.tryRead(p, noWait|peekOnly) }

// writeRest writes what is left of out in the ordinary way.
func (l *rawConn) writeRest(out *pieces) error {
	for _, piece := range out {
		if len(piece) == 0 {
			continue
		}
		if _, err := l.Conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// tryRead returns errNothing if it would have to wait, io.EOF at the end.
func (l *rawConn) tryRead(p []byte, flags int) (int, error) {
	l.p, l.flags = p, flags
	err := l.raw.Control(l.receiveFn) // Read would get ready to wait, for nothing
	l.p = nil
	switch {
	case err != nil:
		return 0, err
	case l.err == syscall.EAGAIN:
		return 0, errNothing
	case l.err != nil:
		return 0, l.err
	case l.n == 0:
		return 0, io.EOF
	}
	return l.n, nil
}
