package sys

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// epollPwait2 is the system call of Linux 5.11 that takes nanoseconds. epoll_wait takes
// milliseconds, which is ten times the pause between two requests of the open loop. The number is
// the same on every architecture.
const epollPwait2 = 441

// Poller waits for descriptors to become readable. One goroutine uses it.
type Poller struct {
	fd     int
	coarse bool // the kernel has no epoll_pwait2
	events [maxEvents]syscall.EpollEvent
}

// NewPoller returns a Poller that watches nothing yet.
func NewPoller() (*Poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Poller{fd: fd}, nil
}

// Add watches fd. Tag names it in what Wait returns. Closing fd ends the watching.
func (p *Poller) Add(fd int, tag int32) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: tag}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &event))
}

// Wait calls ready with the tag of each descriptor that is readable, broken or ended, and returns
// when there is none within d.
func (p *Poller) Wait(d time.Duration, ready func(tag int32)) error {
	n, errno := p.look()
	if n == 0 && errno == 0 && d > 0 {
		n, errno = p.sleep(d)
	}
	if errno != 0 && errno != syscall.EINTR {
		return os.NewSyscallError("epoll_wait", errno)
	}
	for i := range max(n, 0) {
		ready(p.events[i].Fd)
	}
	return nil
}

// look asks without waiting. It does not inform Go's scheduler, which is a third of the cost of the
// call.
func (p *Poller) look() (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, 0, 0, 0)
	return int(n), errno
}

func (p *Poller) sleep(d time.Duration) (int, syscall.Errno) {
	if !p.coarse {
		pause := syscall.NsecToTimespec(int64(d))
		n, _, errno := syscall.Syscall6(epollPwait2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(unsafe.Pointer(&pause)), 0, 0)
		if errno != syscall.ENOSYS {
			return int(n), errno
		}
		p.coarse = true
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(max(d.Milliseconds(), 1)), 0, 0)
	return int(n), errno
}

// Close ends the Poller. What it watched stays open.
func (p *Poller) Close() error { return syscall.Close(p.fd) }
