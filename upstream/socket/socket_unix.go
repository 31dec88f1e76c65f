//go:build unix && (!linux || race || 386 || s390x)

package socket

import "syscall"

// Read reads what has arrived, at most len(p) bytes; 0 is the end of the stream.
func Read(fd uintptr, p []byte) (int, error) {
	return retry(func() (int, error) { return syscall.Read(int(fd), p) })
}

// Write writes as much of p as the socket takes.
func Write(fd uintptr, p []byte) (int, error) {
	return retry(func() (int, error) { return syscall.Write(int(fd), p) })
}

// WriteAll writes as much as the socket takes of the first piece that is not empty.
func WriteAll(fd uintptr, pieces ...[]byte) (int, error) {
	for _, piece := range pieces {
		if len(piece) > 0 {
			return Write(fd, piece)
		}
	}
	return 0, nil
}

// Recv is Read with flags, such as MSG_PEEK; it never waits.
func Recv(fd uintptr, p []byte, flags int) (int, error) {
	return retry(func() (int, error) {
		n, _, err := syscall.Recvfrom(int(fd), p, flags|syscall.MSG_DONTWAIT)
		return n, err
	})
}

func retry(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
