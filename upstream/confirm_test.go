package upstream

import (
	"errors"
	"sync"
	"testing"
)

var errEnded = errors.New("the right has ended")

// confirming counts how often a request is confirmed. The answers are err, one after the other, and
// nil from then on.
func confirming(r *Request, err ...error) (asked *int) {
	asked = new(int)
	r.Confirm = func() error {
		*asked++
		if *asked <= len(err) {
			return err[*asked-1]
		}
		return nil
	}
	return asked
}

// Ensure that nothing of a request that was taken back reaches the backend, on a fresh connection
// and on a kept one, with a body and without, and that the connection serves the next.
func TestWithdrawn(t *testing.T) {
	came := make(chan string, 10)
	transport := start(t, options(listen(t, func(p *peer) {
		for request := p.request(); request != ""; request = p.request() {
			came <- request
			p.say(hi)
		}
	})))
	large := post("")
	large.Body = make([]byte, 2*maxInline)
	for range 2 {
		for _, r := range []*Request{get(), post("{}"), large} {
			asked := confirming(r, errEnded)
			_, err := ask(transport, r)
			wantKind(t, err, ErrWithdrawn)
			if !errors.Is(err, errEnded) || *asked != 1 {
				t.Errorf("got %v after %d questions, want %v after 1", err, *asked, errEnded)
			}
		}
		wantAsk(t, transport, get(), "200 hi")
		<-came
	}
	if s := transport.Stats()[0]; len(came) > 0 || s.Dials != 1 || s.Failures != 0 || s.Repeats != 0 {
		t.Errorf("the backend got %d requests of those that were taken back; %+v", len(came), s)
	}
}

// Ensure that a request is confirmed after it has waited for a connection, and that one that is
// taken back lets the next in line go on.
func TestConfirmAfterTheQueue(t *testing.T) {
	url, came, gate := gated(t)
	o := options(url)
	o.MaxConns = 1
	transport := start(t, o)
	var work sync.WaitGroup
	defer work.Wait()
	send := func(r *Request, want error) {
		work.Go(func() {
			if _, err := ask(transport, r); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
	send(get(), nil)
	<-came
	for i, want := range []error{errEnded, nil} {
		r := get()
		confirming(r, want)
		send(r, want)
		eventually(t, "the request waits", func() bool { return transport.Stats()[0].Waiting == i+1 })
	}
	gate <- true
	<-came
	gate <- true
	work.Wait()
	if len(came) > 0 {
		t.Error("the request that was taken back was sent")
	}
}

// Ensure that a repeat is confirmed like the first attempt.
func TestConfirmBeforeTheRepeat(t *testing.T) {
	for _, want := range []error{nil, errEnded} {
		transport := staleBackend(t, func(*peer) {})
		wantAsk(t, transport, get(), "200 hi")
		r := get()
		asked := confirming(r, nil, want)
		if _, err := ask(transport, r); !errors.Is(err, want) || *asked != 2 {
			t.Errorf("got %v after %d questions, want %v after 2", err, *asked, want)
		}
	}
}
