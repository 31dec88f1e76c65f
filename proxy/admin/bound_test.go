package admin

import (
	"errors"
	"net"
	"testing"
)

// pipes is a listener that always has a connection ready.
type pipes struct{ open chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	near, far := net.Pipe()
	p.open <- far
	return near, nil
}
func (p *pipes) Close() error   { return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestAtMostSoManyConnections(t *testing.T) {
	p := &pipes{open: make(chan net.Conn, 8)}
	b := bound(p, 2)
	var open []net.Conn
	for range 2 {
		c, err := b.Accept()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	third := make(chan error, 1)
	go func() {
		_, err := b.Accept()
		third <- err
	}()
	if got := len(p.open); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
	open[0].Close()
	open[0].Close() // once is enough: a second Close must not free a second slot
	if err := <-third; err != nil {
		t.Errorf("got %v, want the third after the first ended", err)
	}
	if got := len(b.slots); got != 2 {
		t.Errorf("got %d slots taken, want 2", got)
	}
	go func() {
		_, err := b.Accept()
		third <- err
	}()
	b.Close()
	b.Close()
	if err := <-third; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}

// failing is a listener out of file descriptors.
type failing struct{ pipes }

func (f *failing) Accept() (net.Conn, error) { return nil, errors.New("EMFILE") }

func TestAFailedAcceptTakesNoSlot(t *testing.T) {
	b := bound(&failing{}, 1)
	for range 3 {
		if _, err := b.Accept(); err == nil {
			t.Error("got a connection, want an error")
		}
	}
	if got := len(b.slots); got != 0 {
		t.Errorf("got %d slots taken, want 0", got)
	}
}
