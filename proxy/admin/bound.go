package admin

import (
	"net"
	"sync"
)

// bounded is a listener with at most cap(slots) connections open. Further ones wait in the kernel's
// queue; idle ones end soon enough.
type bounded struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func bound(l net.Listener, n int) *bounded {
	return &bounded{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &slotted{Conn: c, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

// Close ends an Accept that waits for either.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.done) })
	return b.Listener.Close()
}

// slotted is a connection that gives its slot back when it is closed, however often it is.
type slotted struct {
	net.Conn
	free func()
}

// Close closes the connection and frees its slot.
func (s *slotted) Close() error {
	err := s.Conn.Close()
	s.free()
	return err
}
