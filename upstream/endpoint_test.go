package upstream

import (
	"net"
	"strings"
	"testing"
	"time"
)

// named serves every request with its name.
func named(t *testing.T, name string) string {
	return listen(t, func(p *peer) {
		for p.request() != "" {
			p.say("%sContent-Length: %d\r\n\r\n%s", ok, len(name), name)
		}
	})
}

// refusing returns the url of a port on which nobody listens.
func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// Ensure that urls that are equally busy take turns, and that a busy one is spared.
func TestLeastBusy(t *testing.T) {
	transport := start(t, options(named(t, "a"), named(t, "b")))
	got := map[string]int{}
	for range 10 {
		answer, err := ask(transport, get())
		if err != nil {
			t.Fatal(err)
		}
		got[answer]++
	}
	if got["200 a"] != 5 || got["200 b"] != 5 {
		t.Errorf("got %v, want five each", got)
	}
	transport.endpoints[0].busy.Add(1)
	defer transport.endpoints[0].busy.Add(-1)
	for range 4 {
		wantAsk(t, transport, get(), "200 b")
	}
}

// Ensure that a request which could not be sent goes to another url, one that was sent does not,
// and that a url which fails again and again is left out for a while.
func TestEjection(t *testing.T) {
	dead, good := refusing(t), named(t, "good")
	o := options(dead, good)
	o.EjectFailures, o.EjectFor = 3, time.Hour
	transport := start(t, o)
	for range 20 {
		wantAsk(t, transport, post("{}"), "200 good")
	}
	s := transport.Stats()
	if !s[0].Ejected || s[0].Dials != 3 || s[0].Failures != 3 || s[1].Ejected {
		t.Errorf("got %+v", s)
	}
	transport.endpoints[0].ejectedUntil.Store(0)
	for range 4 {
		wantAsk(t, transport, get(), "200 good")
	}
	if s := transport.Stats()[0]; !s.Ejected || s.Dials != 4 {
		t.Errorf("got %+v, want it out again after one failure", s)
	}
}

// Ensure that a failure after the first byte was written is not carried to another url.
func TestNoHiddenRetry(t *testing.T) {
	reached := make(chan string, 10)
	broken := func(name string) string {
		return listen(t, func(p *peer) { p.request(); reached <- name })
	}
	transport := start(t, options(broken("a"), broken("b")))
	for _, r := range []*Request{get(), post("{}")} {
		_, err := ask(transport, r)
		wantKind(t, err, ErrBroken)
		if len(reached) != 1 {
			t.Errorf("%s reached %d endpoints, want 1", r.Method, len(reached))
		}
		<-reached
	}
}

// Ensure that with every url out the one that failed longest ago is asked, and that all dials
// failing is a failed dial.
func TestAllEjected(t *testing.T) {
	o := options(named(t, "a"), named(t, "b"))
	o.EjectFailures, o.EjectFor = 1, time.Hour
	transport := start(t, o)
	for i, b := range transport.endpoints {
		b.failed()
		b.ejectedUntil.Store(1 << 40)
		b.failedAt.Store(int64(2 - i))
	}
	for range 3 {
		wantAsk(t, transport, get(), "200 b")
	}

	transport = start(t, options(refusing(t), refusing(t)))
	_, err := ask(transport, get())
	wantKind(t, err, ErrDial)
	for _, s := range transport.Stats() {
		if s.Dials != 1 {
			t.Errorf("%s was dialed %d times, want 1", s.URL, s.Dials)
		}
	}
}

// Ensure that what the client did is not held against a url.
func TestBlame(t *testing.T) {
	o := options(named(t, "a"))
	o.EjectFailures, o.EjectFor = 1, time.Hour
	transport := start(t, o)
	b := transport.endpoints[0]
	for _, kind := range []error{nil, ErrBusy, ErrCanceled, ErrBody, ErrRequest} {
		if b.observe(kind); b.ejected(0) {
			t.Fatalf("ejected by %v", kind)
		}
	}
	if b.observe(ErrTimeout); !b.ejected(0) {
		t.Error("a timeout does not count")
	}
}

// Ensure that a probe asks as it should, and that its failures count.
func TestProbe(t *testing.T) {
	rows := []struct {
		name, answer string
		failures     uint64
	}{
		{"healthy", ok + "Content-Length: 0\r\n\r\n", 0},
		{"not found is alive", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0},
		{"server error", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 1},
		{"garbage", "hello", 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			asked := make(chan string, 1)
			o := options(listen(t, func(p *peer) {
				asked <- p.request()
				p.say("%s", row.answer)
			}))
			o.HealthCheck, o.EjectFailures, o.EjectFor = "/health", 1, time.Hour
			transport := start(t, o)
			if got := <-asked; !strings.HasPrefix(got, "GET /health HTTP/1.1\r\nHost: 127.0.0.1:") {
				t.Errorf("got %q", got)
			}
			eventually(t, "the verdict", func() bool {
				s := transport.Stats()[0]
				return s.Failures == row.failures && s.Ejected == (row.failures > 0) && s.InUse() == 0
			})
		})
	}
}
