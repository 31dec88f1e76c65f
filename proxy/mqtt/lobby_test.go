package mqtt

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// TestLobby: who comes when it is full, and who has to go for them.
func TestLobby(t *testing.T) {
	for _, row := range []struct {
		name       string
		most, each int
		steps      string // ADDRESS@SECOND, then what happens: in, out, or who goes
		waiting    int
	}{
		{"room for all", 4, 0, "a@0 in a@0 in b@0 in c@0 in", 4},
		{"the largest makes room", 4, 0, "a@0 in a@1 in a@2 in b@3 in c@3 a@0 d@3 a@1", 4},
		{"even where it is young", 2, 0, "a@0 in a@0.1 in b@0.2 a@0", 2},
		{"one each: the oldest", 3, 0, "a@0 in b@1 in c@2 in d@3 a@0 e@3 b@1", 3},
		{"the largest comes, and is young", 3, 0, "a@0 in a@0 in b@0 in a@0.5 out b@0.5 a@0", 3},
		{"the largest comes, and is old", 3, 0, "a@0 in a@0 in b@0 in a@2 a@0", 3},
		{"a bound of one address", 9, 2, "a@0 in a@0 in a@0.5 out b@0.5 in a@2 a@0 b@2 in", 4},
		{"the same /64", 2, 1, "2001:db8::1@0 in 2001:db8::2@0 out 2001:db8:0:1::1@0 in", 2},
		{"no bound", 0, 0, "a@0 in a@0 in", 2},
	} {
		l := newLobby(row.most, row.each)
		var all []*guest
		begin := time.Unix(1000, 0)
		words := strings.Fields(row.steps)
		for i := 0; i < len(words); i += 2 {
			name, at, _ := strings.Cut(words[i], "@")
			after, err := time.ParseDuration(at + "s")
			if err != nil {
				t.Fatal(err)
			}
			from, err := netip.ParseAddr(name)
			if err != nil {
				from = netip.AddrFrom4([4]byte{10, 0, 0, name[0]})
			}
			got := "in"
			g := l.enter(from, begin.Add(after), func() { got = words[i] })
			_ = g
			if g == nil {
				got = "out"
			} else {
				all = append(all, g)
			}
			gone := got
			for _, other := range all {
				if other.place == nil && other.leave != nil {
					gone, other.leave = named(other, begin), nil
				}
			}
			if gone != words[i+1] {
				t.Errorf("%s, step %d, %s: got %s, want %s", row.name, i/2, words[i], gone, words[i+1])
			}
		}
		if l.here != row.waiting {
			t.Errorf("%s: %d wait, want %d", row.name, l.here, row.waiting)
		}
		for _, g := range all {
			l.exit(g)
			l.exit(g)
		}
		if l.here != 0 || len(l.by) != 0 {
			t.Errorf("%s: %d are left", row.name, l.here)
		}
	}
}

func named(g *guest, begin time.Time) string {
	name := g.from.String()
	if g.from.Is4() {
		name = string(g.from.AsSlice()[3:])
	}
	return fmt.Sprintf("%s@%v", name, g.since.Sub(begin).Seconds())
}

// stranger dials from an address of its own, which loopback has on Linux.
func (w *world) stranger(last byte, first string) net.Conn {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}, Timeout: 10 * time.Second}
	c, err := d.Dial("tcp", w.addr)
	if err != nil {
		w.t.Skip(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if _, err := c.Write([]byte(first)); err != nil && first != "" {
		w.t.Log(err) // it was sent away already
	}
	return c
}

// openings are what strangers begin with and never end.
var openings = []string{"", "\x10", "\x10\xe0\xd4\x03\x00\x04MQTT\x05\x02\x00\x00" + strings.Repeat("x", 600), "\x10\xff\xff\xff\x7f\x00\x04MQTT"}

// TestAttackSlowConnects is class 7: 1,000 connections that never say CONNECT take a bounded number
// of places, little memory, and none of the sessions of others.
func TestAttackSlowConnects(t *testing.T) {
	const most = 400
	w, f := fakeWorld(t, func(o *Options) { o.MaxWaiting, o.MaxSessions, o.Connect = most, 30, time.Minute })
	before := memory()
	for i := range 1000 {
		w.stranger(2+byte(i%3), openings[i%len(openings)])
	}
	waitFor(t, func() bool { return w.server.Sessions() <= most })
	if got := memory() - before; got > most*40<<10 {
		t.Errorf("%d KiB for %d strangers", got>>10, most)
	}
	var clients []*peer
	for i := range 30 {
		p := w.in("acl-key-1", fmt.Sprint("honest", i))
		p.subscribe(1, 0, fmt.Sprint("a/", i))
		p.want("SUBACK 1 [0x01] <nil>")
		clients = append(clients, p)
		w.stranger(2, "\x10")
	}
	for i, p := range clients {
		p.publish(1, fmt.Sprint("a/", i), "x")
		got := []string{p.next(), p.next()}
		slices.Sort(got)
		if joined(got) != fmt.Sprintf("PUBACK 77 0x00 <nil> | PUBLISH a/%d=x []", i) {
			t.Error(joined(got))
		}
	}
	w.dial(wire.V5, "acl-key-1", nil).want("CONNACK 0x97 <nil>") // the sessions are what is full
	for _, r := range f.Received() {
		if r.Type == byte(wire.CONNECT) && r.User != ownCredential {
			t.Errorf("the broker got %+v", r)
		}
	}
}

// memory returns what is in use, in bytes: heap and stacks.
func memory() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
