package sys

import (
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestDialGoesOnAfterSignals: connect(2) on a socket with a timeout is not restarted after a signal
// (signal(7)), and Go's scheduler sends them to preempt.
func TestDialGoesOnAfterSignals(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for c, err := ln.Accept(); err == nil; c, err = ln.Accept() {
			c.Close()
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !ended.Load() {
			syscall.Tgkill(syscall.Getpid(), thread, syscall.SIGURG)
		}
	}()
	defer func() { ended.Store(true); <-done }()
	to := netip.MustParseAddrPort(ln.Addr().String())
	for i := range 2000 {
		fd, err := Dial(to)
		if err != nil {
			t.Fatalf("after %d connections: %v", i, err)
		}
		Close(fd)
	}
}
