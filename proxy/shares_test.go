package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

const (
	siegeConns  = 32
	siegeBodies = 8 << 20
	siegeBody   = 256 << 10
)

// siege is a gateway with few connections to a backend that never ends an answer to account 12 or to
// a stranger, and answers account 11 at once.
type siege struct {
	*fixture
	transport *upstream.Transport
	greedy    []string // tokens of account 12
	others    []string // tokens of account 11
}

func newSiege(t *testing.T) *siege {
	over := make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		switch {
		case slices.Equal(r.all("x-flespi-cid"), []string{"11"}):
			io.WriteString(c, plain(`{"result":[]}`))
		case strings.Contains(r.target(), "/messages"): // as much as the gateway takes
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n")
			for piece := make([]byte, 64<<10); ; {
				if _, err := c.Write(piece); err != nil {
					return
				}
			}
		default:
			<-over
			c.Close()
		}
	})
	t.Cleanup(func() { close(over) })
	transport, err := upstream.New(upstream.Options{
		URLs: []string{b.url}, Dial: 10 * time.Second, FirstByte: time.Minute, Silence: time.Minute, Idle: time.Minute,
		MaxConns: siegeConns, QueueMax: 64, QueueFor: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	s := &siege{transport: transport}
	s.fixture = newFixture(t, b.url, func(o *Options, _ *policy.Engine, c *head.Config) {
		o.Backend, o.MaxBodies, o.MaxBody, o.MaxURL = transport, siegeBodies, siegeBody, 300
		c.Read, c.Write, c.Body, c.Upload, c.Chunked = time.Minute, time.Minute, time.Minute, time.Minute, true
	}, withResolver)
	s.accounts([2]int64{1, 0}, [2]int64{11, 1}, [2]int64{12, 1})
	for i := range 12 {
		key := fmt.Sprintf("greedy-number-%02d", i)
		s.token(key, "acl", 12, `[{"uri":"gw/devices","methods":["GET","PUT","POST"],"ids":[`+numbered(1, 400)+`]}]`)
		s.greedy = append(s.greedy, key)
	}
	for i := range 2 {
		key := fmt.Sprintf("other-number-%02d", i)
		s.token(key, "standard", 11, "")
		s.others = append(s.others, key)
	}
	return s
}

// attack is one way to hold something: a request that is sent so far, and of whose answer nothing
// but the first byte is read.
type attack struct {
	name string
	sent func(key string) string
}

// attacks are the ways to hold connections to the backend.
var attacks = []attack{
	{"slow answers", func(key string) string { return request(key, "GET", "/gw/devices/1", "") }},
	{"slow readers", func(key string) string { return request(key, "GET", "/gw/devices/1/messages", "") }},
	{"uploads", func(key string) string {
		return request(key, "POST", "/gw/devices/1/media", "", formType, "Transfer-Encoding: chunked") +
			"20000\r\n" + strings.Repeat("x", 70<<10)
	}},
	{"matches", func(key string) string { return request(key, "GET", "/gw/devices/name=x", "") }},
	{"long lists", func(key string) string { return request(key, "GET", "/gw/devices/all", "") }},
}

// slowBody holds memory: nearly all of a body.
func slowBody(key string) string {
	text := request(key, "PUT", "/gw/devices/1", `{"x":"`+strings.Repeat("y", siegeBody-10)+`"}`)
	return text[:len(text)-10<<10]
}

// slowHead holds a connection to the gateway.
func slowHead(key string) string { return request(key, "GET", "/gw/devices/1", "")[:60] }

// besiege has 80 clients hold what they can until the end of the test. Who is refused tries again.
func (s *siege) besiege(t *testing.T, sent func(int) string) (end func()) {
	var work sync.WaitGroup
	over := make(chan struct{})
	for i := range 80 {
		work.Go(func() {
			for {
				c, err := net.Dial("tcp", s.addr)
				if err != nil {
					return
				}
				refused := make(chan struct{})
				go func() {
					io.WriteString(c, sent(i))
					status := make([]byte, len("HTTP/1.1 503"))
					if io.ReadFull(c, status); status[9] != '2' { // refused, or at an end
						close(refused)
					}
				}()
				select {
				case <-over:
				case <-refused:
				}
				disconnect(c)
				select {
				case <-over:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	return func() { close(over); work.Wait() }
}

// served sends requests of the others, in six connections at a time, and returns the time that 99 of
// a hundred take at most. Each has to be served.
func (s *siege) served(t *testing.T, rounds int) time.Duration {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var work sync.WaitGroup
	large := `{"x":"` + strings.Repeat("y", 100<<10) + `"}`
	for i := range 6 {
		work.Go(func() {
			key := s.others[i%2]
			for n := range rounds {
				text := request(key, "GET", "/gw/devices/1", "")
				if n%3 == 0 {
					text = request(key, "PUT", "/gw/devices/1", large)
				}
				began := time.Now()
				status, err := s.ask(text)
				if status != 200 {
					t.Errorf("got %d, %v for a request within its share", status, err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	work.Wait()
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

// ask sends one request and returns the status of its answer.
func (s *siege) ask(text string) (int, error) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// eventually waits for what has to come.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// Whatever one token, one account or the strangers hold, they hold no more than their share of it,
// and the others are served as before: none of them is refused, and none waits for an attacker.
func TestStarvation(t *testing.T) {
	t.Parallel()
	rounds := 10
	if *longRun {
		rounds = 40
	}
	inUse := func(s *siege) int { return s.transport.Stats()[0].InUse() }
	bodies := func(s *siege) int { return int(s.gateway.Bodies()) }
	heads := func(s *siege) int { return s.server.Listener().Open() }
	type actor struct {
		name  string
		key   func(s *siege, i int) string
		share float64
	}
	token := actor{"token", func(s *siege, _ int) string { return s.greedy[0] }, 1.0 / 2}
	account := actor{"account", func(s *siege, i int) string { return s.greedy[i%len(s.greedy)] }, 3.0 / 4}
	stranger := actor{"stranger", func(*siege, int) string { return "" }, 1.0 / 8}
	type row struct {
		actor
		attack
		held        func(*siege) int
		least, most int
	}
	var rows []row
	for _, a := range []actor{token, account} {
		conns, memory := int(siegeConns*a.share), int(siegeBodies*a.share)
		for _, how := range attacks {
			rows = append(rows, row{a, how, inUse, conns, conns})
		}
		rows = append(rows, row{a, attack{"slow bodies", slowBody}, bodies, memory - siegeBody, memory})
	}
	public := func(string) string { return request("", "GET", "/const/values", "") }
	rows = append(rows,
		row{stranger, attack{"slow answers", public}, inUse, siegeConns / 8, siegeConns / 8},
		row{stranger, attack{"slow heads", slowHead}, heads, 80, 100},
	)
	for _, r := range rows {
		t.Run(r.actor.name+"/"+r.attack.name, func(t *testing.T) {
			t.Parallel() // most of it waits for the end of what an attacker left
			s := newSiege(t)
			before := s.served(t, rounds)
			end := s.besiege(t, func(i int) string { return r.sent(r.key(s, i)) })
			defer end()
			eventually(t, "the attack holds its share", func() bool { return r.held(s) >= r.least })
			if got := r.held(s); got > r.most {
				t.Errorf("the attackers hold %d, want at most %d", got, r.most)
			}
			// On a machine that is busy with other tests a single request may take long by itself.
			if got := s.served(t, rounds); got > 3*before+5*time.Second {
				t.Errorf("99 of 100 took up to %v beside the attack, %v before", got, before)
			}
			var a upstream.Answer
			defer a.Close()
			own := &upstream.Request{Method: "GET", Target: []byte("/gw/devices/all"), Head: []byte("x-flespi-cid: 11\r\n")}
			if err := s.transport.Do(own, &a); err != nil {
				t.Errorf("a reading of the gateway's own: %v", err)
			}
		})
	}
}
