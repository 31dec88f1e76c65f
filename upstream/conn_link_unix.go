//go:build unix

package upstream

import "syscall"

const (
	noWait   = syscall.MSG_DONTWAIT
	peekOnly = syscall.MSG_PEEK
)

// recv is called by the runtime with the descriptor. It always says that it is done: a
// false would make the runtime wait for bytes.
func (l *link) recv(fd uintptr) bool {
	for {
		l.n, _, l.err = syscall.Recvfrom(int(fd), l.p, l.flags)
		if l.err != syscall.EINTR {
			return true
		}
	}
}

// sendRecv is called by the runtime with the descriptor, and again whenever there may be
// bytes to read; false makes it wait for them.
func (l *link) sendRecv(fd uintptr) bool {
	for !l.out.done() {
		n, err := l.out.write(int(fd))
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			l.out, l.err = pieces{}, err
			return true
		}
		l.out.skip(n)
		return !l.out.done() // done, for now, if the socket did not take it all
	}
	for {
		l.n, _, l.err = syscall.Recvfrom(int(fd), l.p, noWait)
		if l.err != syscall.EINTR {
			return l.err != syscall.EAGAIN
		}
	}
}
