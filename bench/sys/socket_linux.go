package sys

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

// backlog is how many connections may wait to be accepted.
const backlog = 1024

// Dial connects to an address of this or another machine and returns a descriptor that never
// blocks.
func Dial(to netip.AddrPort) (int, error) {
	fd, err := syscall.Socket(family(to), syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// SO_SNDTIMEO bounds connect(2) too (socket(7)); a host that drops packets would take two
	// minutes.
	bound := syscall.Timeval{Sec: 5}
	err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &bound)
	if err == nil {
		// A signal interrupts the wait, and with a timeout the kernel does not go on by itself
		// (signal(7)); called again, connect(2) does.
		for err = syscall.EINTR; err == syscall.EINTR; {
			err = syscall.Connect(fd, address(to))
		}
		err = errors.Join(err, settle(fd))
	}
	if err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("cannot connect to %s: %w", to, err)
	}
	return fd, nil
}

// settle makes fd one that never blocks and never waits to fill a packet.
func settle(fd int) error {
	return errors.Join(syscall.SetNonblock(fd, true),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
}

// Listen returns a listening descriptor and its address, which has a port of the kernel's choice
// where at has none.
func Listen(at netip.AddrPort) (int, netip.AddrPort, error) {
	fd, err := syscall.Socket(family(at), syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, at, os.NewSyscallError("socket", err)
	}
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, address(at)), syscall.Listen(fd, backlog))
	if err != nil {
		syscall.Close(fd)
		return -1, at, fmt.Errorf("cannot listen on %s: %w", at, err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		syscall.Close(fd)
		return -1, at, os.NewSyscallError("getsockname", err)
	}
	return fd, netip.AddrPortFrom(at.Addr(), port(name)), nil
}

// Accept returns the next connection of a listening descriptor, or syscall.EAGAIN.
func Accept(fd int) (int, error) {
	conn, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
	if err != nil {
		return -1, err
	}
	return conn, settle(conn)
}

func family(a netip.AddrPort) int {
	if a.Addr().Is4() {
		return syscall.AF_INET
	}
	return syscall.AF_INET6
}

func address(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func port(a syscall.Sockaddr) uint16 {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return uint16(a.Port)
	case *syscall.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}

// Read reads what is there. It returns 0 and no error at the end of the stream, and syscall.EAGAIN
// when there is nothing yet.
func Read(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// Write writes as much as the socket's buffer has room for.
func Write(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// Close closes a descriptor.
func Close(fd int) error { return syscall.Close(fd) }
