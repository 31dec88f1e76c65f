//go:build unix

package record

import (
	"errors"
	"os"
	"syscall"
)

// openNonBlocking opens a named pipe without waiting for its reader, and a terminal without waiting
// for its line. What is opened so waits in the runtime, where a deadline ends it.
const openNonBlocking = syscall.O_NONBLOCK

// noReader reports whether nobody reads what was to be opened: a named pipe without a reader, or a
// socket, which cannot be opened by any name.
func noReader(err error) bool { return errors.Is(err, syscall.ENXIO) }

// ownOutput returns the standard output or the standard error if path names it (/dev/stdout, a link
// to /proc/self/fd/1), nil otherwise: where a service manager gives a socket, it has no name to be
// opened by.
func ownOutput(path string) *os.File {
	named, err := os.Stat(path)
	if err != nil || named.Mode()&os.ModeSocket == 0 {
		return nil
	}
	for _, own := range []*os.File{os.Stdout, os.Stderr} {
		info, err := own.Stat()
		if err != nil || !os.SameFile(named, info) {
			continue
		}
		return duplicate(own)
	}
	return nil
}

// duplicate returns another descriptor of f; nil if there is none. Where f blocks, so does it: the
// two share that.
func duplicate(f *os.File) (double *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		if n, err := syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(n)
			double = os.NewFile(uintptr(n), f.Name())
		}
	})
	return double
}
