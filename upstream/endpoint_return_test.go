package upstream

import (
	"sync/atomic"
	"testing"
	"time"
)

// moody serves every request with its name unless it is ill: then it ends the connection.
func moody(t *testing.T, name string, ill *atomic.Bool) string {
	return listen(t, func(p *peer) {
		for p.request() != "" && !ill.Load() {
			p.say("%sContent-Length: %d\r\n\r\n%s", ok, len(name), name)
		}
	})
}

// Ensure that a url that was left out is asked again when its time is over, and not before; that it
// stays if it has recovered, and is out after one failure if it has not.
func TestReturn(t *testing.T) {
	var ill atomic.Bool
	o := options(moody(t, "a", &ill), named(t, "b"))
	o.EjectFailures, o.EjectFor = 3, 200*time.Millisecond
	transport := start(t, o)
	ill.Store(true)
	failed := 0
	askUntil := func(what string, ok func(answer string) bool) {
		t.Helper()
		eventually(t, what, func() bool {
			out := transport.Stats()[0].Ejected
			got, err := ask(transport, post("{}"))
			if err != nil {
				failed++
			}
			if got == "200 a" && out && transport.Stats()[0].Ejected {
				t.Fatal("asked while it was left out")
			}
			return ok(got)
		})
	}
	askUntil("it is left out", func(string) bool { return transport.Stats()[0].Ejected })
	if failed != 3 {
		t.Errorf("%d requests failed before, want 3", failed)
	}
	askUntil("it is tried again", func(string) bool { return failed == 4 })
	if !transport.Stats()[0].Ejected {
		t.Error("a failure behind the time did not take it out again")
	}
	ill.Store(false)
	askUntil("it is back", func(answer string) bool { return answer == "200 a" })
	if failed != 4 {
		t.Errorf("%d requests failed in all, want 4", failed)
	}
	ill.Store(true)
	askUntil("it fails once more", func(string) bool { return failed == 5 })
	if transport.Stats()[0].Ejected {
		t.Error("one failure took it out though it had recovered")
	}
}

// Ensure that the active check takes a url out and keeps it out before a request has to fail for
// it, and ends the row of failures when it works again.
func TestProbeReturns(t *testing.T) {
	var ill atomic.Bool
	ill.Store(true)
	o := options(moody(t, "a", &ill), named(t, "b"))
	o.EjectFailures, o.EjectFor = 2, time.Hour
	transport := start(t, o)
	a := transport.endpoints[0]
	for range 2 {
		a.checkOnce("/health")
	}
	first := a.ejectedUntil.Load()
	for range 10 {
		wantAsk(t, transport, post("{}"), "200 b")
	}
	eventually(t, "a later check puts the end off", func() bool {
		a.checkOnce("/health")
		return a.ejectedUntil.Load() > first
	})
	ill.Store(false)
	a.checkOnce("/health")
	if a.failures.Load() != 0 || !transport.Stats()[0].Ejected {
		t.Errorf("got %d failures, ejected %v behind a good check", a.failures.Load(), transport.Stats()[0].Ejected)
	}
	a.ejectedUntil.Store(0)
	got := map[string]int{}
	for range 10 {
		answer, err := ask(transport, post("{}"))
		if err != nil {
			t.Fatal(err)
		}
		got[answer]++
	}
	if got["200 a"] != 5 {
		t.Errorf("got %v, want both in turn", got)
	}
}
