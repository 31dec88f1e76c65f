//go:build !race && !386 && !s390x

package socket

import (
	"syscall"
	"unsafe"
)

// Read reads what has arrived, at most len(p) bytes; 0 is the end of the stream.
func Read(fd uintptr, p []byte) (int, error) {
	return call(syscall.SYS_READ, fd, base(p), len(p))
}

// Write writes as much of p as the socket takes.
func Write(fd uintptr, p []byte) (int, error) {
	return call(syscall.SYS_WRITE, fd, base(p), len(p))
}

// WriteAll writes as much of the pieces as the socket takes, in one call: one by one they would
// leave as a packet each. There are at most three.
func WriteAll(fd uintptr, pieces ...[]byte) (int, error) {
	var list [3]syscall.Iovec
	count := 0
	for _, piece := range pieces {
		if len(piece) > 0 {
			list[count].Base = &piece[0]
			list[count].SetLen(len(piece))
			count++
		}
	}
	return call(syscall.SYS_WRITEV, fd, unsafe.Pointer(&list), count)
}

// Recv is Read with flags, such as MSG_PEEK; it never waits.
func Recv(fd uintptr, p []byte, flags int) (int, error) {
	for {
		n, _, fault := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(base(p)), uintptr(len(p)),
			uintptr(flags|syscall.MSG_DONTWAIT), 0, 0)
		if fault == 0 {
			return int(n), nil
		}
		if fault != syscall.EINTR {
			return 0, fault
		}
	}
}

func call(number, fd uintptr, p unsafe.Pointer, size int) (int, error) {
	for {
		n, _, fault := syscall.RawSyscall(number, fd, uintptr(p), uintptr(size))
		if fault == 0 {
			return int(n), nil
		}
		if fault != syscall.EINTR {
			return 0, fault
		}
	}
}

// nowhere is where nothing is read to and written from.
var nowhere byte

func base(p []byte) unsafe.Pointer {
	if len(p) == 0 {
		return unsafe.Pointer(&nowhere)
	}
	return unsafe.Pointer(&p[0])
}
