//go:build linux || darwin

package head

import (
	"net"
	"syscall"

	"aclgate/upstream/socket"
)

// bind gives c its file descriptor. Only the types of package net are asked: what wraps them may
// hold bytes that were read already.
func (c *Conn) bind() {
	switch raw := c.raw.(type) {
	case *net.TCPConn:
		c.sys, _ = raw.SyscallConn()
	case *net.UnixConn:
		c.sys, _ = raw.SyscallConn()
	}
	if c.sys != nil && !c.https {
		c.tryRead, c.tryFill, c.tryWrite, c.tryNow = c.readReady, c.fillReady, c.writeReady, c.fillAtOnce
	}
}

// readReady reads what has arrived, if anything, and returns false to be called again when
// something has. The buffer is taken for the attempt only, so that the wait holds none.
func (c *Conn) readReady(fd uintptr) bool {
	m := newMessage()
	n, err := socket.Read(fd, m.buf)
	if n > 0 {
		m.w, c.msg = n, m
		return true
	}
	m.release()
	if err == syscall.EAGAIN {
		return false
	}
	c.failure = err
	return true
}

// fillReady reads what has arrived into the beginning of c.span and cuts it off, and returns false
// to be called again when something has.
func (c *Conn) fillReady(fd uintptr) bool {
	n, err := socket.Read(fd, c.span)
	if err == syscall.EAGAIN {
		return false
	}
	c.span, c.failure = c.span[n:], err
	return true
}

// fillAtOnce is fillReady for who does not wait.
func (c *Conn) fillAtOnce(fd uintptr) bool {
	c.fillReady(fd)
	c.failure = nil
	return true
}

// writeReady writes what the client takes of c.span and cuts it off, and returns false to be called
// again when it takes more.
func (c *Conn) writeReady(fd uintptr) bool {
	for len(c.span) > 0 {
		n, err := socket.Write(fd, c.span)
		c.span = c.span[n:]
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			c.failure = err
			return true
		}
	}
	return true
}

// ended reports whether the client has reset the connection, or nothing can be written to it any
// more, without taking a byte from it. One that shut down its sending side still reads: the end of
// what it sends says nothing (RFC 9293 3.6).
func ended(sys syscall.RawConn) bool {
	var n, fault int
	var err error
	failed := sys.Control(func(fd uintptr) {
		if n, err = peek(fd); n == 0 && err == nil { // a reset behind the end of the stream is not to be read
			fault, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		}
	})
	return failed == nil && (fault != 0 || err != nil && err != syscall.EAGAIN)
}

// arrived reports whether there is a byte to read.
func arrived(sys syscall.RawConn) bool {
	n := 0
	failed := sys.Control(func(fd uintptr) { n, _ = peek(fd) })
	return failed == nil && n > 0
}

// peek reads one byte and leaves it where it is.
func peek(fd uintptr) (int, error) {
	var b [1]byte
	return socket.Recv(fd, b[:], syscall.MSG_PEEK)
}
