package upstream

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// wantFrom asks until the answer comes from address. No request may fail meanwhile.
func wantFrom(t *testing.T, transport *Transport, address string) {
	t.Helper()
	eventually(t, "an answer from "+address, func() bool {
		got, err := ask(transport, get())
		if err != nil {
			t.Fatalf("a request failed: %v", err)
		}
		return got == "200 "+address
	})
}

// Ensure that a name that moves takes its connections along, also those that are never idle for
// long: kept connections are used, and still end after about a minute.
func TestNameMoves(t *testing.T) {
	s := startSite(t)
	dns := startNameServer(t, oneAddress)
	transport := start(t, dns.options(s.port))
	wantFrom(t, transport, oneAddress)
	dns.set(noError, twoAddress)
	wantFrom(t, transport, twoAddress)
	for range 20 {
		wantAsk(t, transport, get(), "200 "+twoAddress)
	}
	wantConns(t, transport, 1, 1)
	if got := transport.Stats()[0].Failures; got != 0 {
		t.Errorf("got %d failures", got)
	}
}

// Ensure that new connections go to the new address at once, while those to the old one are still
// in use, that the exchange on one of these ends whole, and that it is not used again.
func TestNameMovesDuringAnExchange(t *testing.T) {
	s := startSite(t)
	s.gate = make(chan bool)
	dns := startNameServer(t, oneAddress)
	transport := start(t, dns.options(s.port))
	first, second := make(chan string, 1), make(chan string, 1)
	send := func(to chan string) {
		got, err := ask(transport, get())
		if err != nil {
			t.Error(err)
		}
		to <- got
	}
	go send(first)
	<-s.came
	dns.set(noError, twoAddress)
	n := transport.endpoints[0].resolver
	eventually(t, "the old address is gone", func() bool { return n.vanished()(netip.MustParseAddr(oneAddress)) })
	go send(second)
	if got := <-s.came; got != twoAddress {
		t.Errorf("a new connection went to %s", got)
	}
	s.gate <- true
	s.gate <- true
	if got := <-first; got != "200 "+oneAddress {
		t.Errorf("got %q for the exchange that was under way", got)
	}
	<-second
	wantConns(t, transport, 1, 1)
}

// Ensure that a request that finds the old address dead is served by the new one: nobody has to
// wait for the next lookup.
func TestNameMovesFromADeadAddress(t *testing.T) {
	s := startSite(t)
	dns := startNameServer(t, oneAddress)
	o := dns.options(s.port)
	o.LookUp = time.Hour
	transport := start(t, o)
	wantAsk(t, transport, get(), "200 "+oneAddress)
	s.first.Close()
	transport.endpoints[0].closeStale(func(netip.Addr) bool { return true })
	dns.set(noError, twoAddress)
	wantAsk(t, transport, post("{}"), "200 "+twoAddress)
	wantDials(t, transport, 2)
}

// nameFaults are what a name server may do.
var nameFaults = []struct {
	name string
	make func(*nameServer)
	kind error // where nothing is known yet
}{
	{"SERVFAIL", func(s *nameServer) { s.set(servFail) }, ErrDial},
	{"NXDOMAIN", func(s *nameServer) { s.set(nxDomain) }, ErrDial},
	{"no address", func(s *nameServer) { s.set(noError) }, ErrDial},
	{"silence", (*nameServer).silence, ErrTimeout},
}

// Ensure that while DNS fails the known address stays in use, for new connections too, and that
// none of them waits for DNS; that the failure can be seen; and that what DNS says afterwards
// counts without anybody's doing.
func TestResolverOutlastDNS(t *testing.T) {
	t.Parallel()
	for _, row := range nameFaults {
		t.Run(row.name, func(t *testing.T) {
			s := startSite(t)
			dns := startNameServer(t, oneAddress)
			o := dns.options(s.port)
			o.Dial = time.Second // which a lookup nobody answers takes
			transport := start(t, o)
			wantAsk(t, transport, get(), "200 "+oneAddress)
			row.make(dns)
			eventually(t, "the fault is told of", func() bool { return transport.LookupFault() != nil })
			for range 20 {
				transport.endpoints[0].closeStale(func(netip.Addr) bool { return true })
				wantAsk(t, transport, get(), "200 "+oneAddress)
			}
			if s := transport.Stats()[0]; s.Dials < 21 || s.DialErrors != 0 || s.Failures != 0 {
				t.Errorf("got %+v", s)
			}
			dns.set(noError, twoAddress)
			wantFrom(t, transport, twoAddress)
			if err := transport.LookupFault(); err != nil {
				t.Errorf("got %v after it worked again", err)
			}
		})
	}
}

// Ensure that where nothing is known a request fails within the time to dial, that the error names
// the host and nothing of the request, and that it works as soon as DNS does.
func TestResolverUnknown(t *testing.T) {
	for _, row := range nameFaults {
		t.Run(row.name, func(t *testing.T) {
			s := startSite(t)
			dns := startNameServer(t)
			row.make(dns)
			o := dns.options(s.port)
			if row.kind == ErrTimeout {
				o.Dial = 300 * time.Millisecond
			}
			transport := start(t, o)
			r := get()
			r.Head = []byte("Authorization: FlespiToken the-credential\r\n")
			_, err := ask(transport, r)
			wantKind(t, err, row.kind)
			if text := err.Error(); !strings.Contains(text, "backend.test") || strings.Contains(text, "credential") {
				t.Errorf("got %q", text)
			}
			dns.set(noError, oneAddress)
			eventually(t, "an answer", func() bool {
				got, err := ask(transport, get())
				return err == nil && got == "200 "+oneAddress
			})
		})
	}
}

// Ensure that a dial that has no time left is an error where no address is known yet, and not taken
// for a connection.
func TestResolverWithoutTime(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithTimeout(t.Context(), -1)
	defer end()
	for _, ctx := range []context.Context{canceled, late} {
		b := start(t, startNameServer(t, oneAddress).options("1")).endpoints[0]
		if _, err := b.dial(ctx); err != ctx.Err() {
			t.Errorf("got %v, want %v", err, ctx.Err())
		}
	}
}

// Ensure that a dead address beside a good one costs one try, and is tried last for a while.
func TestResolverAvoidTheDead(t *testing.T) {
	s := startSite(t)
	s.first.Close()
	dns := startNameServer(t, oneAddress, twoAddress)
	o := dns.options(s.port)
	o.LookUp = time.Hour
	transport := start(t, o)
	for range 4 {
		wantAsk(t, transport, get(), "200 "+twoAddress)
		transport.endpoints[0].closeStale(func(netip.Addr) bool { return true })
	}
	for range 4 {
		got := transport.endpoints[0].resolver.order()
		if len(got) != 2 || got[0] != netip.MustParseAddr(twoAddress) {
			t.Errorf("got %v, want the good one first", got)
		}
	}
	if s := transport.Stats()[0]; s.DialErrors != 0 {
		t.Errorf("got %+v", s)
	}
}

// Ensure that new connections go to all addresses in turn, and that those of an address which is
// named now and then are kept.
func TestResolverInTurn(t *testing.T) {
	n := &resolver{every: time.Hour}
	one, two := netip.MustParseAddr(oneAddress), netip.MustParseAddr(twoAddress)
	n.update([]netip.Addr{one, two})
	if a, b := n.order()[0], n.order()[0]; a == b {
		t.Errorf("got %v twice", a)
	}
	n.update([]netip.Addr{two})
	if got := n.order(); len(got) != 1 || got[0] != two {
		t.Errorf("got %v, want what was named last alone", got)
	}
	if n.vanished()(one) || n.vanished()(two) {
		t.Error("vanished after one answer without it")
	}
	n.list[0].missing = n.list[0].missing.Add(-vanishAfter * n.every)
	n.update([]netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1"), two})
	if n.vanished()(one) || len(n.order()) != 2 {
		t.Error("vanished though it is named again")
	}
	n.update([]netip.Addr{two})
	n.list[0].missing = n.list[0].missing.Add(-vanishAfter * n.every)
	if n.update([]netip.Addr{two}); !n.vanished()(one) {
		t.Error("kept for ever")
	}
}
