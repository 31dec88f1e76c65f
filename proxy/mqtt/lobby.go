package mqtt

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// settled is how long a connection that waits may keep its place against another of its address.
const settled = time.Second

// lobby is where connections wait until their CONNECT was admitted. It has few places, so that
// strangers take no memory and no sessions from others. When it is full, who comes takes the place of
// the address that has the most of them, there of the connection that has waited longest: CONNECT
// takes a client no time, and who is slow is who is in the way.
type lobby struct {
	most, each int // places in all, and of one address; each 0: all of them

	mu   sync.Mutex // guards what follows
	here int
	by   map[netip.Addr]*list.List // of *guest, the oldest in front
}

// guest is one that waits.
type guest struct {
	from  netip.Addr
	since time.Time
	place *list.Element // nil: it has left
	leave func()        // ends its connection; does not wait
}

func newLobby(most, each int) *lobby {
	return &lobby{most: most, each: each, by: map[netip.Addr]*list.List{}}
}

// enter lets a connection in. nil: there is no place for it. leave is called when it has to go.
func (l *lobby) enter(from netip.Addr, now time.Time, leave func()) *guest {
	g := &guest{from: addressOf(from), since: now, leave: leave}
	l.mu.Lock()
	gone, ok := l.makeRoom(g)
	if gone != nil {
		l.remove(gone)
		gone.leave() // within the lock: who has left is not ended any more
	}
	if ok {
		own := l.by[g.from]
		if own == nil {
			own = list.New()
			l.by[g.from] = own
		}
		g.place = own.PushBack(g)
		l.here++
	}
	l.mu.Unlock()
	if !ok {
		return nil
	}
	return g
}

// exit gives the place back.
func (l *lobby) exit(g *guest) {
	l.mu.Lock()
	l.remove(g)
	l.mu.Unlock()
}

// crowded reports whether more than half of the places are taken.
func (l *lobby) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 2*l.here > l.most
}

// makeRoom says who has to go for g, nil if nobody, and whether g may come in. The lock is held.
func (l *lobby) makeRoom(g *guest) (gone *guest, ok bool) {
	own := 0
	if of := l.by[g.from]; of != nil {
		own = of.Len()
	}
	crowd := own > 0 && own == l.each
	if !crowd && (l.most == 0 || l.here < l.most) {
		return nil, true
	}
	if !crowd {
		for _, of := range l.by {
			first := of.Front().Value.(*guest)
			if gone == nil || of.Len() > l.by[gone.from].Len() || of.Len() == l.by[gone.from].Len() && first.since.Before(gone.since) {
				gone = first
			}
		}
	}
	if crowd || own >= l.by[gone.from].Len() {
		gone = l.by[g.from].Front().Value.(*guest)
		if g.since.Sub(gone.since) < settled { // it may well be on its way
			return nil, false
		}
	}
	return gone, true
}

// remove takes a guest out, once. The lock is held.
func (l *lobby) remove(g *guest) {
	if g.place == nil {
		return
	}
	of := l.by[g.from]
	of.Remove(g.place)
	g.place = nil
	if l.here--; of.Len() == 0 {
		delete(l.by, g.from)
	}
}

// addressOf returns what connections are counted by: the IPv4 address, or the /64 of an IPv6 one,
// because that is what one customer holds.
func addressOf(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		prefix, _ := a.Prefix(64) // without the zone
		return prefix.Addr()
	}
	return a
}

// sourceOf returns the address of a client, not valid where there is none.
func sourceOf(conn net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// Wait gives a connection that comes by another door a place among those that have not said CONNECT:
// until Take takes it, or exit is called. end ends it and does not wait. It reports false if there is
// no place.
func (s *Server) Wait(conn net.Conn, end func()) (exit func(), ok bool) {
	g := s.lobby.enter(sourceOf(conn), time.Now(), end)
	if g == nil {
		return nil, false
	}
	return func() { s.lobby.exit(g) }, true
}

// room counts n more sessions and reports whether they are within the limit, or one more would be.
func (s *Server) room(n int64) bool {
	most := int64(s.o.MaxSessions)
	return s.admitted.Add(n) <= most-1+n || most <= 0
}

// leaveLobby gives the session's place among those that wait back, once.
func (x *session) leaveLobby() {
	if x.guest != nil {
		x.server.lobby.exit(x.guest)
		x.guest = nil
	}
}

// makeWay ends a session whose place another gets: its time to say CONNECT is over.
func (x *session) makeWay() {
	x.evicted.Store(true)
	_ = x.conn.SetReadDeadline(time.Unix(1, 0))
}
