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
