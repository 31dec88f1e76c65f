//go:build !linux && !darwin

package head

import "syscall"

// bind does nothing: the first byte of a request is read by readFirst, and OnGone sees nothing.
func (c *Conn) bind() {}

// ended and arrived are not called where no connection has a file descriptor.
func ended(syscall.RawConn) bool { return false }

func arrived(syscall.RawConn) bool { return false }
