package mqtt

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"aclgate/bench/broker/mosquitto"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// kind is one way to flood.
type kind struct {
	name  string
	first func() (string, error) // what each connection begins with
	held  int                    // connections at once
	more  int                    // that are opened a second, each in the place of the oldest
	then  func(net.Conn)         // reads and answers, until the connection ends; nil: nothing is read
	limit float64                // messages that the gateway lets the token of the flood publish in a second; 0: any number
}

// floods are what strangers do, or a token.
var floods = []kind{
	{"nobody", text(""), 0, 0, nil, 0},
	{"slow CONNECTs", text("\x10\x20\x00\x04MQTT"), 1000, 0, nil, 0},
	{"no CONNECT", text(""), 1000, 0, nil, 0},
	{"256 MiB", text("\x10\xff\xff\xff\x7f\x00\x04MQTT"), 1, 100, nil, 0},
	{"unknown keys", text("\x10\x10\x00\x04MQTT\x05\x82\x00\x00\x00\x00\x00\x00\x01k"), 1, 100, nil, 0},
	{"QoS 2 without an end", messages(200), 10, 20, nil, 0},
	{"QoS 2 as fast as it goes", messages(atOnce), 2, 0, finishing, 0},
	{"QoS 2 as fast as it goes, with mqtt_publish", messages(atOnce), 2, 10, finishing, 100},
}

// publishing is a limit of the messages that the token of the flood publishes: of 1 second at once.
type publishing struct {
	mu    sync.Mutex
	rate  float64 // per second
	left  float64
	since time.Time
}

func (p *publishing) Begin(*policy.Token, *policy.Tree) (func(), policy.Reason) {
	return func() {}, policy.NotJudged
}

func (p *publishing) Publish(t *policy.Token, _ *policy.Tree) policy.Reason {
	if t.ID != floodToken || p.rate == 0 {
		return policy.NotJudged
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.left = min(p.rate, p.left+p.rate*now.Sub(p.since).Seconds())
	p.since = now
	if p.left < 1 {
		return policy.LimitToken
	}
	p.left--
	return policy.NotJudged
}

const floodToken = 18 // what its key, flood-key-1, is of

// atOnce is how many messages mosquitto takes from one client at once.
const atOnce = 20

func text(first string) func() (string, error) { return func() (string, error) { return first, nil } }

// messages has a CONNECT and as many messages of QoS 2.
func messages(n uint16) func() (string, error) {
	return func() (string, error) {
		c := wire.Connect{Version: wire.V5, CleanStart: true, ClientID: []byte(rand.Text()), HasUser: true, User: []byte("flood-key-1")}
		all, err := c.Append(nil, wire.V5)
		for id := uint16(1); id <= n && err == nil; id++ {
			all, err = flooding(id).Append(all, wire.V5)
		}
		return string(all), err
	}
}

func flooding(id uint16) *wire.Publish {
	return &wire.Publish{QoS: 2, ID: id, Topic: []byte("a/flood"), Payload: make([]byte, 200)}
}

// finishing sends the second half of each message, and when that is answered the next message.
func finishing(conn net.Conn) {
	r := wire.NewReader(conn, wire.Server, wire.V5, 1<<20)
	defer r.Release()
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		var a wire.Ack
		var out []byte
		switch {
		case f.Type == wire.PUBREC && a.Parse(f) == nil:
			out, _ = (&wire.Ack{Type: wire.PUBREL, ID: a.ID}).Append(nil, wire.V5)
		case f.Type == wire.PUBCOMP && a.Parse(f) == nil:
			out, _ = flooding(a.ID).Append(nil, wire.V5)
		}
		_, _ = conn.Write(out)
	}
}

// flood opens connections to an address until stop, the first held of them at once, and keeps so many;
// none to the address "".
func flood(stop chan struct{}, to string, x kind) error {
	if to == "" {
		<-stop
		return nil
	}
	var open []net.Conn
	var answering sync.WaitGroup
	defer answering.Wait()
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(max(x.more, 1)))
	defer tick.Stop()
	for {
		if len(open) >= x.held {
			select {
			case <-stop:
				return nil
			case <-tick.C:
			}
		}
		if x.held == 0 || x.more == 0 && len(open) == x.held {
			continue
		}
		c, err := net.DialTimeout("tcp", to, 10*time.Second)
		if err != nil {
			return err
		}
		begin, err := x.first()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(c, begin) // it may have been sent away
		if x.then != nil {
			answering.Go(func() { x.then(c) })
		}
		if open = append(open, c); len(open) > max(x.held, 1) {
			open[0].Close()
			open = open[1:]
		}
	}
}

// TestFloodLatency measures what floods cost others: messages in quiet, while the flood goes to the broker
// past the gateway, and while it goes through the gateway, in turn and again and again, for a machine with
// other work is not the same from one second to the next. What a flood past the gateway costs is the
// share of the broker and of the clients, which have the same cores: the gateway is not the reason of it.
// docs/mqtt.md has the figures.
func TestFloodLatency(t *testing.T) {
	if !*long {
		t.Skip("measures for minutes: -long")
	}
	for _, row := range floods {
		t.Run(row.name, func(t *testing.T) {
			b, err := mosquitto.Start(t.TempDir())
			if err != nil {
				t.Skip(err)
			}
			defer b.Close()
			w := newWorld(t, b.Addr(), func(o *Options) {
				o.MaxWaiting, o.MaxSessions, o.Connect, o.Limits = 1000, 10_000, time.Minute, &publishing{rate: row.limit}
			})
			w.set("flood-key-1", w.acl(floodToken, policy.Publish|policy.Subscribe, "a/#"))
			honest := w.in("acl-key-1", "honest")
			honest.subscribe(1, 0, "a/x")
			honest.want("SUBACK 1 [0x01] <nil>")
			var took [3][]time.Duration
			most := 0
			for range 12 {
				for i, to := range []string{"", b.Addr(), w.addr} {
					stop, ended := make(chan struct{}), make(chan error, 1)
					go func() { ended <- flood(stop, to, row) }()
					time.Sleep(time.Second / 4)
					took[i] = append(took[i], honest.times(200)...)
					most = max(most, w.server.Sessions())
					close(stop)
					if err := <-ended; err != nil {
						t.Error(err)
					}
					waitFor(t, func() bool { return w.server.Sessions() == 1 })
				}
			}
			t.Logf("there and back, median and p99: in quiet %s, flood past the gateway %s, through it %s; up to %d connections, %d KiB",
				both(took[0]), both(took[1]), both(took[2]), most, memory()>>10)
			if p99 := quantile(took[2], .99); p99 > 2*time.Second {
				t.Errorf("p99 %v", p99)
			}
		})
	}
}

func both(took []time.Duration) string {
	return fmt.Sprint(quantile(took, .5), " ", quantile(took, .99))
}

func quantile(took []time.Duration, q float64) time.Duration {
	took = slices.Sorted(slices.Values(took))
	return took[int(q*float64(len(took)))].Round(10 * time.Microsecond)
}

// times publishes n messages to a/x and returns how long each took there and back.
func (p *peer) times(n int) (took []time.Duration) {
	p.t.Helper()
	for i := range n {
		begin := time.Now()
		p.publish(1, "a/x", fmt.Sprint(i))
		got := []string{p.next(), p.next()}
		if slices.Sort(got); got[1] != fmt.Sprintf("PUBLISH a/x=%d []", i) {
			p.t.Fatal(got)
		}
		took = append(took, time.Since(begin))
		time.Sleep(3 * time.Millisecond)
	}
	return took
}
