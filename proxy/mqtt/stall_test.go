package mqtt

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// deafBroker lets clients in and reads nothing more.
func deafBroker(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	ending := make(chan struct{})
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "\x20\x03\x00\x00\x00")
			conns.Go(func() {
				<-ending
				c.Close()
			})
		}
	})
	t.Cleanup(conns.Wait)
	t.Cleanup(func() {
		close(ending)
		l.Close()
	})
	return l.Addr().String()
}

// stalled lets clients in, and has the first n of them publish until every buffer on the way to the
// broker is full.
func (w *world) stalled(n, all int) (stalled, others []*peer) {
	w.t.Helper()
	for i := range all {
		others = append(others, w.in("acl-key-1", fmt.Sprint("client-", i)))
	}
	m := wire.Publish{Topic: []byte("a/x"), Payload: make([]byte, 100<<10)}
	packet, err := m.Append(nil, wire.V5)
	if err != nil {
		w.t.Fatal(err)
	}
	var filling sync.WaitGroup
	for _, p := range others[:n] {
		filling.Go(func() {
			p.SetWriteDeadline(time.Now().Add(time.Second))
			for {
				if _, err := p.Write(packet); err != nil {
					return
				}
			}
		})
	}
	filling.Wait()
	return others[:n], others[n:]
}

// TestStalledBroker: a broker that stops reading the connections of some sessions keeps no other session
// from being ended when its rights are, by whoever notices that: the watch over all sessions, or the walk
// that has them follow their items. The broker may keep each of the stalled ones for 10 seconds.
func TestStalledBroker(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*world, []*session)
	}{
		{"watch", func(w *world, _ []*session) { w.set("acl-key-1", nil) }},
		{"walk", func(w *world, all []*session) {
			w.set("acl-key-1", nil)
			for _, x := range all { // as differences does, one after the other
				x.end(wire.NotAuthorized, destroyed)
			}
		}},
		{"drain", func(w *world, all []*session) {
			var list []ended
			for _, x := range all {
				list = append(list, ended{x, wire.NotAuthorized, destroyed})
			}
			w.server.end(list, time.Second, nil)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, deafBroker(t), func(o *Options) {
				if row.name != "watch" {
					o.Revoke = time.Hour
				}
			})
			_, others := w.stalled(4, 8)
			begin := time.Now()
			row.change(w, w.server.all())
			for _, p := range others {
				p.want("DISCONNECT 0x87 <nil>")
			}
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestUnreadClient: nothing is queued for a client that does not read: the broker has to wait. What it was
// sent comes, complete and in order, when the client reads again.
func TestUnreadClient(t *testing.T) {
	t.Parallel()
	const size, most = 64 << 10, 64 << 20 // what the kernel may hold on the way is far less than most
	pushed := make(chan int, 1)
	s, address := startAnswering(t, nil)
	s.then = func(c net.Conn) {
		n := 0
		for c.SetWriteDeadline(time.Now().Add(time.Second)); n < most/size; n++ {
			if say(c, &wire.Publish{Topic: []byte("a/x"), Payload: append(fmt.Appendf(nil, "%d ", n), make([]byte, size)...)}) != nil {
				break // in the middle of the last one
			}
		}
		pushed <- n
	}
	w := newWorld(t, address, nil)
	p := w.in("acl-key-1", "unread")
	p.subscribe(1, 0, "a/x")
	p.want("SUBACK 1 [0x01] <nil>")
	n := <-pushed
	if n == most/size {
		t.Fatalf("the gateway took %d MiB for a client that does not read", most>>20)
	}
	for i := range n {
		if got, want := p.next(), fmt.Sprintf("PUBLISH a/x=%d ", i); !strings.HasPrefix(got, want) {
			t.Fatalf("message %d of %d: got %.40q", i, n, got)
		}
	}
	t.Logf("the broker had to wait after %d messages of %d KiB", n, size>>10)
}
