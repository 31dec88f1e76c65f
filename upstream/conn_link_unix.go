//go:build unix

package upstream

import (
	"syscall"

	"aclgate/upstream/socket"
)

const (
	noWait   = syscall.MSG_DONTWAIT
	peekOnly = syscall.MSG_PEEK
)

// recv is called by the runtime with the descriptor. It always says that it is done: a
// false would make the runtime wait for bytes.
func (l *link) recv(fd uintptr) bool {
	l.n, l.err = socket.Recv(fd, l.p, l.flags)
	return true
}

// sendRecv is called by the runtime with the descriptor, and again whenever there may be
// bytes to read; false makes it wait for them.
func (l *link) sendRecv(fd uintptr) bool {
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
