//go:build unix

package upstream

import (
	"io"
	"syscall"

	"aclgate/upstream/socket"
)

const (
	noWait   = syscall.MSG_DONTWAIT
	peekOnly = syscall.MSG_PEEK
)

func (l *rawConn) bind() { l.receiveFn, l.exchangeFn = l.receive, l.exchange }

// writeThenRead writes what is to be written, if anything, and reads what comes back. A plain Read
// would first try without success: the answer cannot be there when the request has just been
// written. Here the runtime is made ready to wait, the request is written, and only then it waits;
// that saves one system call of six (BenchmarkDo).
func (l *rawConn) writeThenRead(p []byte) (int, error) {
	l.p, l.n, l.err = p, 0, nil
	err := l.raw.Read(l.exchangeFn)
	l.p = nil
	rest := l.out
	l.out = pieces{} // what was apart belongs to others
	switch {
	case err != nil:
		return 0, err
	case !rest.done(): // the socket did not take it all: write the rest in the ordinary way
		if err := l.writeRest(&rest); err != nil {
			return 0, err
		}
		return l.writeThenRead(p)
	case l.err != nil:
		return 0, l.err
	case l.n == 0:
		return 0, io.EOF
	}
	return l.n, nil
}

// receive is called by the runtime with the descriptor.
func (l *rawConn) receive(fd uintptr) { l.n, l.err = socket.Recv(fd, l.p, l.flags) }

// exchange is called by the runtime with the descriptor, and again whenever there may be bytes to
// read; false makes it wait for them.
func (l *rawConn) exchange(fd uintptr) bool {
	if !l.out.done() {
		n, err := l.out.write(fd)
		switch {
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			l.out, l.err = pieces{}, err
			return true
		}
		l.out.skip(n)
		return !l.out.done() // done, for now, if the socket did not take it all
	}
	l.n, l.err = socket.Recv(fd, l.p, noWait)
	return l.err != syscall.EAGAIN
}

// write writes as much as the socket takes in one system call.
func (p *pieces) write(fd uintptr) (int, error) {
	if len(p[0])+len(p[1]) == 0 {
		return socket.Write(fd, p[2])
	}
	return socket.WriteAll(fd, p[:]...)
}
