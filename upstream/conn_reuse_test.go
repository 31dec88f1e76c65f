package upstream

import (
	"io"
	"net"
	"testing"
)

const hi = ok + "Content-Length: 2\r\n\r\nhi"

// Ensure that a connection on which something came while it was idle is not used again: an answer
// that nobody asked for would go to whoever comes next.
func TestUnsolicitedBytes(t *testing.T) {
	said := make(chan bool)
	url := listen(t, func(p *peer) {
		p.request()
		p.say(hi)
		if p.n == 0 {
			<-said
			p.say(ok + "Content-Length: 6\r\n\r\nforged")
			said <- true
		}
		p.end()
	})
	transport := start(t, options(url))
	wantAsk(t, transport, get(), "200 hi")
	said <- true
	<-said
	wantAsk(t, transport, post(""), "200 hi")
	if s := transport.Stats()[0]; s.Dials != 2 || s.Repeats != 0 {
		t.Errorf("got %d dials, %d repeats; want 2, 0", s.Dials, s.Repeats)
	}
}

// Ensure that a connection which ended while it was idle is seen to have ended before anything is
// written, so that not even a POST is lost to it.
func TestEndWhileIdle(t *testing.T) {
	ended := make(chan net.Conn, 1)
	url := listen(t, func(p *peer) {
		p.request()
		p.say(hi)
		if p.n == 0 {
			p.Close()
			ended <- p.Conn
			return
		}
		p.end()
	})
	transport := start(t, options(url))
	wantAsk(t, transport, get(), "200 hi")
	<-ended
	wantAsk(t, transport, post("{}"), "200 hi")
}

// staleBackend answers one request on its first connection and ends it in the middle of the second;
// others it serves.
func staleBackend(t *testing.T, second func(*peer)) *Transport {
	return start(t, options(listen(t, func(p *peer) {
		for n := 0; p.request() != ""; n++ {
			if n == 1 && p.n == 0 {
				second(p)
				return
			}
			p.say(hi)
		}
	})))
}

func reset(p *peer) { p.Conn.(*net.TCPConn).SetLinger(0) }

// Ensure that a GET is repeated once if its used connection ended before one byte, and that nothing
// else ever is.
func TestRepeat(t *testing.T) {
	headed := func(p *peer) { p.say("HTTP") }
	withBody := get()
	withBody.Body = []byte("{}")
	rows := []struct {
		name   string
		r      *Request
		second func(*peer)
		repeat bool
	}{
		{"end before a byte", get(), func(*peer) {}, true},
		{"reset before a byte", get(), reset, true},
		{"end after a byte", get(), headed, false},
		{"not marked", &Request{Method: "GET", Target: []byte("/")}, func(*peer) {}, false},
		{"marked, but a POST", &Request{Method: "POST", Target: []byte("/"), Repeatable: true}, func(*peer) {}, false},
		{"marked, but a DELETE", &Request{Method: "DELETE", Target: []byte("/"), Repeatable: true}, reset, false},
		{"marked, but with a body", withBody, reset, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			transport := staleBackend(t, row.second)
			wantAsk(t, transport, get(), "200 hi")
			got, err := ask(transport, row.r)
			s := transport.Stats()[0]
			if !row.repeat {
				wantKind(t, err, ErrBroken)
				if s.Repeats != 0 || s.Dials != 1 || s.Failures != 1 {
					t.Errorf("got %d repeats, %d dials, %d failures; want 0, 1, 1", s.Repeats, s.Dials, s.Failures)
				}
				return
			}
			if err != nil || got != "200 hi" || s.Repeats != 1 || s.Dials != 2 || s.Failures != 0 {
				t.Errorf("got %q, %v, %d repeats, %d dials", got, err, s.Repeats, s.Dials)
			}
		})
	}
}

// Ensure that one repeat is all there is, and that a fresh connection gets none.
func TestRepeatOnce(t *testing.T) {
	served := make(chan bool, 10)
	transport := start(t, options(listen(t, func(p *peer) {
		if p.n == 0 {
			p.request()
			p.say(hi)
		}
		if p.request() != "" {
			served <- true
		}
	})))
	wantAsk(t, transport, get(), "200 hi")
	_, err := ask(transport, get())
	wantKind(t, err, ErrBroken)
	_, err = ask(transport, get())
	wantKind(t, err, ErrBroken)
	if len(served) != 3 {
		t.Errorf("the backend saw %d requests, want 2 for the repeated and 1 for the fresh one", len(served))
	}
}

// Ensure that closing an answer early drops its connection unless the rest is here.
func TestCloseEarly(t *testing.T) {
	rows := []struct {
		name, answer string
		keep         bool
	}{
		{"short body unread", hi, true},
		{"short chunks unread", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true},
		{"body still to come", ok + "Content-Length: 10\r\n\r\nhi", false},
		{"chunks still to come", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", false},
		{"until close", ok + "\r\nhi", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			transport := start(t, options(listen(t, func(p *peer) {
				p.request()
				io.WriteString(p, row.answer)
				p.end()
			})))
			var a Answer
			if err := transport.Do(get(), &a); err != nil {
				t.Fatal(err)
			}
			a.Close()
			open := map[bool]int{true: 1}[row.keep]
			wantConns(t, transport, open, open)
		})
	}
}

// Ensure that Buffered gives what is left of a body that is here, and else loses nothing.
func TestBuffered(t *testing.T) {
	rows := []struct {
		name, answer, more string
		read               int
		buffered           string
		whole              bool
	}{
		{"length", hi, "", 0, "hi", true},
		{"length, partly read", hi, "", 1, "i", true},
		{"no body", ok + "Content-Length: 0\r\n\r\n", "", 0, "", true},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\na: b\r\n\r\n", "", 0, "abcde", true},
		{"chunks, partly read", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n", "", 1, "bcde", true},
		{"length, more to come", ok + "Content-Length: 4\r\n\r\nhi", "jk", 0, "hijk", false},
		{"chunks, more to come", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncd", "e\r\n0\r\n\r\n", 1, "bcde", false},
		{"until close", ok + "\r\nhi", "jk", 0, "hijk", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			looked := make(chan bool)
			transport := start(t, options(listen(t, func(p *peer) {
				p.request()
				io.WriteString(p, row.answer)
				<-looked
				io.WriteString(p, row.more)
			})))
			var a Answer
			if err := transport.Do(get(), &a); err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			io.ReadFull(&a, make([]byte, row.read))
			if got, whole := lookTwice(t, &a, looked); whole != row.whole || string(got) != row.buffered {
				t.Errorf("got %q, %v; want %q, %v", got, whole, row.buffered, row.whole)
			}
			if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("got %d, %v behind the body", n, err)
			}
		})
	}
}

// lookTwice returns what Buffered gives, or, if that is nothing even at a second look, the rest of
// the body once looked is closed.
func lookTwice(t *testing.T, a *Answer, looked chan bool) ([]byte, bool) {
	t.Helper()
	defer close(looked)
	if got, whole := a.Buffered(); whole {
		return got, true
	}
	if _, again := a.Buffered(); again {
		t.Error("the second look saw more than the first")
	}
	looked <- true
	got, _ := io.ReadAll(a)
	return got, false
}

// Ensure that the connection is free as soon as the body ended, while the answer lives.
func TestEarlyRelease(t *testing.T) {
	o := options(listen(t, func(p *peer) {
		for p.request() != "" {
			p.say(hi)
		}
	}))
	o.MaxConns, o.QueueMax = 1, 0
	transport := start(t, o)
	var first Answer
	if err := transport.Do(get(), &first); err != nil {
		t.Fatal(err)
	}
	body, _ := first.Buffered()
	wantAsk(t, transport, get(), "200 hi")
	if string(body) != "hi" || string(first.Fields[0].Name) != "Content-Length" {
		t.Errorf("got %q, %q after another exchange", body, first.Fields[0].Name)
	}
	first.Close()
}
