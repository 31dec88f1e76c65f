package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
)

// unread is a gateway whose index has asked the backend for its devices. What is sent to answers is how
// the backend answers that.
func unread(t *testing.T, within time.Duration) (f *fixture, answers chan string) {
	answers = make(chan string, 1)
	asked, over := make(chan struct{}, 1), make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if !strings.Contains(r.target(), "offset=0") {
			io.WriteString(c, plain(`{"result":[{"id":1}]}`))
			return
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		select {
		case text := <-answers:
			io.WriteString(c, text)
		case <-over:
			c.Close()
		}
	})
	t.Cleanup(func() { close(over) })
	f, _ = unreadIndex(t, b, policy.ModeIDs, [2]int64{1, 0}, [2]int64{11, 1})
	f.gateway.firstReading.within = within
	f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"]}]`)
	<-asked
	return f, answers
}

const ownDevice = `{"result":[{"id":1,"cid":11}]}`

// The requests that name what was never read wait for its first reading, as many as may wait; the next
// one is told to come back at once, and so is everyone when they have waited long enough.
func TestFirstReadingIsWaitedFor(t *testing.T) {
	t.Parallel()
	f, answers := unread(t, time.Minute)
	get := func() answer { return f.call(readerKey, "GET", "/gw/devices/1?fields=id", "") }
	got := make([]answer, maxFirstWaiters)
	var clients sync.WaitGroup
	for i := range got {
		clients.Go(func() { got[i] = get() })
	}
	eventually(t, "all of them wait", func() bool { return f.gateway.firstReading.waiting.Load() == maxFirstWaiters })
	if one := get(); one.status != http.StatusServiceUnavailable || one.header.Get("Retry-After") == "" {
		t.Errorf("one too many: got %d %s", one.status, one.body)
	}
	answers <- plain(ownDevice)
	clients.Wait()
	for i := range got {
		if got[i].status != http.StatusOK {
			t.Errorf("%d: got %d %s", i, got[i].status, got[i].body)
		}
	}
	if n := f.gateway.firstReading.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// A request that has waited is judged by what was true then: its token may have been revoked.
func TestFirstReadingOutlivesToken(t *testing.T) {
	t.Parallel()
	f, answers := unread(t, time.Minute)
	got := make(chan answer, 1)
	go func() { got <- f.call(readerKey, "GET", "/gw/devices/1?fields=id", "") }()
	eventually(t, "it waits", func() bool { return f.gateway.firstReading.waiting.Load() == 1 })
	f.revoke(readerKey)
	answers <- plain(ownDevice)
	if a := <-got; a.status != http.StatusUnauthorized {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// Nobody waits for what does not come, longer than within, nor for what has failed.
func TestFirstReadingThatFails(t *testing.T) {
	t.Parallel()
	f, _ := unread(t, 50*time.Millisecond)
	if a := f.call(readerKey, "GET", "/gw/devices/1?fields=id", ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("a reading that hangs: got %d %s", a.status, a.body)
	}
	f, answers := unread(t, time.Hour)
	answers <- plain(`{"result":[{"id":"x"}]}`)
	if a := f.call(readerKey, "GET", "/gw/devices/1?fields=id", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("a reading that has failed: got %d %s", a.status, a.body)
	}
}
