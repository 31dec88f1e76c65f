package mqtt

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aclgate/bench/broker/mosquitto"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// TestSpread: sessions end at even distances within the time that there is, a millisecond at most, and
// at once when there is none or somebody hurries.
func TestSpread(t *testing.T) {
	for _, row := range []struct {
		sessions     int
		within, want time.Duration // until the last
		hurry        time.Duration // 0: never
	}{
		{1, time.Second, 0, 0},
		{100, time.Second, 99 * time.Millisecond, 0},
		{10_000, 500 * time.Millisecond, 500 * time.Millisecond, 0},
		{1000, 0, 0, 0},
		{1000, -time.Second, 0, 0},
		{1000, time.Second, 300 * time.Millisecond, 300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Server{}
			hurry := make(chan struct{})
			if row.hurry > 0 {
				time.AfterFunc(row.hurry, func() { close(hurry) })
			}
			var list []ended
			for range row.sessions {
				x := &session{server: s, conn: new(net.TCPConn)}
				x.table.init()
				x.toClient.send = func([]byte) error { return nil }
				x.said.Add(1)
				list = append(list, ended{x, wire.NotAuthorized, destroyed})
			}
			began := time.Now()
			s.end(list, row.within, hurry)
			took := time.Since(began)
			s.running.Wait()
			if took > row.want+2*time.Millisecond || took < row.want-2*time.Millisecond {
				t.Errorf("%d within %v: took %v, want %v", row.sessions, row.within, took, row.want)
			}
			for _, x := range list {
				if !x.session.ended.Load() {
					t.Fatal("a session goes on")
				}
			}
		})
	}
}

// crowd is many sessions of one token in front of mosquitto. Somebody publishes for each of them in turn,
// and some of them publish.
type crowd struct {
	*world
	revoked atomic.Bool
	late    atomic.Int64 // messages that were published after the end of the right, and passed
	early   atomic.Int64 // that passed before
	mu      sync.Mutex
	told    []time.Duration // since the end of the right
	codes   map[wire.Reason]int
	since   time.Time
	readers sync.WaitGroup
}

func newCrowd(t *testing.T, n int) *crowd {
	m, err := mosquitto.Start(t.TempDir(), "max_connections -1")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { m.Close() })
	c := &crowd{codes: map[wire.Reason]int{}}
	c.world = newWorld(t, m.Addr(), func(o *Options) { o.MaxSessions, o.Revoke = n+10, time.Second })
	slots := make(chan struct{}, 32)
	var joining sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		joining.Go(func() {
			c.join(i)
			<-slots
		})
	}
	joining.Wait()
	if got := c.server.Sessions(); got != n {
		t.Fatalf("%d sessions, want %d", got, n)
	}
	ctx, stop := context.WithCancel(context.Background())
	var pump sync.WaitGroup
	pump.Go(func() { c.publish(ctx, m.Addr(), n) })
	watching := make(chan struct{})
	pump.Go(func() { c.watchBroker(ctx, m.Addr(), watching) })
	<-watching
	t.Cleanup(pump.Wait)
	t.Cleanup(stop)
	return c
}

// word is what is published at this moment.
func (c *crowd) word() []byte {
	if c.revoked.Load() {
		return []byte("late")
	}
	return []byte("early")
}

func (c *crowd) count(payload []byte) {
	if string(payload) == "late" {
		c.late.Add(1)
	} else {
		c.early.Add(1)
	}
}

// join is one client: through a pipe, which takes no descriptor.
func (c *crowd) join(i int) {
	client, server := net.Pipe()
	c.server.Take(server, "")
	say(client, &wire.Connect{Version: wire.V5, CleanStart: true, ClientID: fmt.Appendf(nil, "c%d", i), HasUser: true, User: []byte("acl-key-1")})
	r := wire.NewReader(client, wire.Server, wire.V5, 1<<20)
	if f, err := r.Next(); err != nil || f.Type != wire.CONNACK {
		c.t.Errorf("%v, %v in the place of CONNACK", f.Type, err)
		return
	}
	say(client, &wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: fmt.Appendf(nil, "a/%d", i)}}})
	if f, err := r.Next(); err != nil || f.Type != wire.SUBACK {
		c.t.Errorf("%v, %v in the place of SUBACK", f.Type, err)
	}
	c.readers.Go(func() { c.read(client, r) })
	if i%20 == 0 {
		c.readers.Go(func() {
			for say(client, &wire.Publish{Topic: []byte("a/up"), Payload: c.word()}) == nil {
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func say(conn net.Conn, p printable) error {
	b, err := p.Append(nil, wire.V5)
	if err == nil {
		_, err = conn.Write(b)
	}
	return err
}

func (c *crowd) read(client net.Conn, r *wire.Reader) {
	defer client.Close()
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		switch f.Type {
		case wire.PUBLISH:
			var m wire.Publish
			if m.Parse(f) == nil {
				c.count(m.Payload)
			}
		case wire.DISCONNECT:
			var d wire.Disconnect
			_ = d.Parse(f)
			c.mu.Lock()
			c.told = append(c.told, time.Since(c.since))
			c.codes[d.Reason]++
			c.mu.Unlock()
		}
	}
}

// direct connects to the broker itself.
func (c *crowd) direct(address, name string) (net.Conn, *wire.Reader) {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		err = say(conn, &wire.Connect{Version: wire.V5, CleanStart: true, ClientID: []byte(name)})
	}
	if err != nil {
		c.t.Error(err)
		return nil, nil
	}
	r := wire.NewReader(conn, wire.Server, wire.V5, 1<<20)
	if _, err := r.Next(); err != nil {
		c.t.Error(err)
	}
	return conn, r
}

// publish publishes for all of them in turn.
func (c *crowd) publish(ctx context.Context, address string, n int) {
	conn, _ := c.direct(address, "publisher")
	defer conn.Close()
	for i := 0; ctx.Err() == nil; i++ {
		if say(conn, &wire.Publish{Topic: fmt.Appendf(nil, "a/%d", i*7919%n), Payload: c.word()}) != nil {
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// watchBroker sees what the sessions publish.
func (c *crowd) watchBroker(ctx context.Context, address string, ready chan struct{}) {
	conn, r := c.direct(address, "watcher")
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = say(conn, &wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: []byte("a/up")}}})
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		var m wire.Publish
		if f.Type == wire.SUBACK {
			close(ready)
		} else if m.Parse(f) == nil {
			c.count(m.Payload)
		}
	}
}

// end waits until all clients were told, and checks that.
func (c *crowd) end(n int, code wire.Reason) {
	c.readers.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.told)
	if c.codes[code] != n || c.late.Load() > 0 || c.early.Load() == 0 {
		c.t.Fatalf("told: %v of %d; %d messages passed before, %d late", c.codes, n, c.early.Load(), c.late.Load())
	}
	c.t.Logf("%d sessions: the first was told after %v, half after %v, the last after %v; %d messages passed before, %d late", n,
		c.told[0], c.told[n/2], c.told[n-1], c.early.Load(), c.late.Load())
}

func crowdSize() int {
	if *long {
		return 9_900 // with one connection to the broker each, what 20,000 descriptors allow twice
	}
	return 300
}

// TestRevokeMany: when many sessions lose their right, all are told within revoke_within, and no message
// that is published after the change passes, in either direction.
func TestRevokeMany(t *testing.T) {
	n := crowdSize()
	for _, row := range []struct {
		token *policy.Token
		code  wire.Reason
	}{{nil, wire.NotAuthorized}, {&policy.Token{ID: 17, CID: 1, Access: policy.Standard, Enabled: true, Expire: 1 << 40}, wire.Administrative}} {
		c := newCrowd(t, n)
		time.Sleep(100 * time.Millisecond)
		c.since = time.Now()
		c.set("acl-key-1", row.token)
		c.revoked.Store(true)
		c.end(n, row.code)
	}
}

// TestDrainMany: when the gateway shuts down, all are told so, spread, and the end is in time.
func TestDrainMany(t *testing.T) {
	n := crowdSize()
	c := newCrowd(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	time.Sleep(100 * time.Millisecond)
	c.since = time.Now()
	c.server.Close(ctx)
	if ctx.Err() != nil {
		t.Error("the end was not in time")
	}
	c.end(n, wire.ServerShuttingDown)
	if spread := c.told[n-1] - c.told[0]; spread < time.Duration(n/2)*time.Millisecond {
		t.Errorf("all were told within %v", spread)
	}
}
