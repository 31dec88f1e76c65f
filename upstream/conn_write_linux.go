package upstream

import (
	"syscall"
	"unsafe"
)

// write writes as much as the socket takes in one system call. Written one by one, the
// pieces would leave as a packet each.
func (p *pieces) write(fd int) (int, error) {
	if len(p[0])+len(p[1]) == 0 {
		return syscall.Write(fd, p[2])
	}
	var list [len(p)]syscall.Iovec
	count := 0
	for _, piece := range p {
		if len(piece) > 0 {
			list[count].Base = &piece[0]
			list[count].SetLen(len(piece))
			count++
		}
	}
	n, _, fault := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&list[0])), uintptr(count))
	if fault != 0 {
		return 0, fault
	}
	return int(n), nil
}
