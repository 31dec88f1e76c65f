//go:build linux || darwin

package head

import (
	"net"
	"syscall"
)

// bind gives c its file descriptor. Only the types of package net are asked: what wraps them may hold bytes that were read
// already.
func (c *Conn) bind() {
	switch raw := c.raw.(type) {
	case *net.TCPConn:
		c.sys, _ = raw.SyscallConn()
	case *net.UnixConn:
		c.sys, _ = raw.SyscallConn()
	}
	if c.sys != nil && !c.https {
		c.tryRead = c.readReady
	}
}

// readReady reads what has arrived, if anything, and returns false to be called again when something has. The buffer is
// taken for the attempt only, so that the wait holds none.
func (c *Conn) readReady(fd uintptr) bool {
	m := newMessage()
	n, err := retry(func() (int, error) { return syscall.Read(int(fd), m.buf) })
	if n > 0 {
		m.w, c.msg = n, m
		return true
	}
	m.release()
	if err == syscall.EAGAIN {
		return false
	}
	c.readErr = err
	return true
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// ended reports whether the client has closed or reset the connection, without taking a byte from it.
func ended(sys syscall.RawConn) bool {
	var n int
	var err error
	failed := sys.Control(func(fd uintptr) {
		var b [1]byte
		n, err = retry(func() (int, error) {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			return n, err
		})
	})
	return failed == nil && n <= 0 && err != syscall.EAGAIN
}
