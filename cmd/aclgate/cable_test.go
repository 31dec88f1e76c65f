package main

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pattern is what a cable does with what passes in one direction.
type pattern int32

const (
	passes pattern = iota
	stalls         // nothing arrives until the pattern ends, then everything does
	halves         // half of each piece arrives, the other half when the pattern ends
	resets         // connections are reset
	delays         // each piece is late by a third of a second
)

// cable is a network between a gateway and its database that can be spoilt.
type cable struct {
	ln       net.Listener
	target   string
	up, down atomic.Int32 // patterns, from the gateway and to it

	mu    sync.Mutex
	conns map[net.Conn]bool
	group sync.WaitGroup
	done  chan struct{}
}

// newCable starts a cable to a port of loopback. It ends with the test.
func newCable(t *testing.T, port int) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &cable{ln: ln, target: fmt.Sprintf("127.0.0.1:%d", port), conns: map[net.Conn]bool{}, done: make(chan struct{})}
	l.group.Go(l.serve)
	t.Cleanup(func() {
		close(l.done)
		ln.Close()
		l.reset()
		l.group.Wait()
	})
	return l
}

func (l *cable) port() int { return l.ln.Addr().(*net.TCPAddr).Port }

// set sets the patterns of both directions.
func (l *cable) set(up, down pattern) {
	l.up.Store(int32(up))
	l.down.Store(int32(down))
	if up == resets || down == resets {
		l.reset()
	}
}

func (l *cable) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func (l *cable) serve() {
	for {
		c, err := l.ln.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", l.target)
		if err != nil {
			c.Close()
			continue
		}
		l.mu.Lock()
		l.conns[c], l.conns[s] = true, true
		l.mu.Unlock()
		l.group.Go(func() { l.copy(s, c, &l.up) })
		l.group.Go(func() { l.copy(c, s, &l.down) })
	}
}

// copy carries what comes from one side to the other, as the pattern says.
func (l *cable) copy(to, from net.Conn, p *atomic.Int32) {
	defer func() {
		to.Close()
		from.Close()
		l.mu.Lock()
		delete(l.conns, to)
		delete(l.conns, from)
		l.mu.Unlock()
	}()
	piece := make([]byte, 16<<10)
	for {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		switch rest := piece[:n]; pattern(p.Load()) {
		case resets:
			return
		case delays:
			l.sleep(330 * time.Millisecond)
			_, err = to.Write(rest)
		case halves:
			_, err = to.Write(rest[:n/2])
			l.hold(p, halves)
			if err == nil {
				_, err = to.Write(rest[n/2:])
			}
		case stalls:
			l.hold(p, stalls)
			_, err = to.Write(rest)
		default:
			_, err = to.Write(rest)
		}
		if err != nil {
			return
		}
	}
}

// hold waits until a pattern ends.
func (l *cable) hold(p *atomic.Int32, while pattern) {
	for pattern(p.Load()) == while && l.sleep(5*time.Millisecond) {
	}
}

// sleep reports whether the cable is still there after a while.
func (l *cable) sleep(d time.Duration) bool {
	select {
	case <-l.done:
		return false
	case <-time.After(d):
		return true
	}
}
