package mqtt

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"aclgate/bench/broker/mosquitto"
	"aclgate/proxy/mqtt/wire"
)

// floods are what strangers do, or a token: what each connection begins with, how many there are at
// once, and how many more a second. One that is ended is opened again.
var floods = []struct {
	name  string
	first func() (string, error)
	held  int
	more  int
	past  bool // past the gateway, at the broker itself: what the gateway cannot be the reason of
}{
	{"nobody", text(""), 0, 0, false},
	{"slow CONNECTs", text("\x10\x20\x00\x04MQTT"), 1000, 0, false},
	{"no CONNECT", text(""), 1000, 0, false},
	{"256 MiB", text("\x10\xff\xff\xff\x7f\x00\x04MQTT"), 1, 100, false},
	{"unknown keys", text("\x10\x10\x00\x04MQTT\x05\x82\x00\x00\x00\x00\x00\x00\x01k"), 1, 100, false},
	{"QoS 2 without an end", exhausting, 10, 20, false},
	{"QoS 2 without an end, past the gateway", exhausting, 10, 20, true},
}

func text(first string) func() (string, error) { return func() (string, error) { return first, nil } }

// exhausting has a CONNECT and twice as many messages as may be under way.
func exhausting() (string, error) {
	c := wire.Connect{Version: wire.V5, CleanStart: true, ClientID: []byte(rand.Text()), HasUser: true, User: []byte("acl-key-1")}
	all, err := c.Append(nil, wire.V5)
	for id := uint16(1); id <= 200 && err == nil; id++ {
		m := wire.Publish{QoS: 2, ID: id, Topic: []byte("a/flood"), Payload: make([]byte, 200)}
		all, err = m.Append(all, wire.V5)
	}
	return string(all), err
}

// flood opens connections to an address until stop, the first held of them at once, and keeps so many.
func flood(stop chan struct{}, to string, first func() (string, error), held, more int) error {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(max(more, 1)))
	defer tick.Stop()
	for {
		if len(open) >= held {
			select {
			case <-stop:
				return nil
			case <-tick.C:
			}
		}
		if held == 0 || more == 0 && len(open) == held {
			continue
		}
		c, err := net.DialTimeout("tcp", to, 10*time.Second)
		if err != nil {
			return err
		}
		begin, err := first()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(c, begin) // it may have been sent away
		if open = append(open, c); len(open) > max(held, 1) {
			open[0].Close()
			open = open[1:]
		}
	}
}

// TestFloodLatency measures what floods cost others: messages in a flood, and before each part of them as
// many in quiet, for a machine with other work is not the same from one second to the next. docs/mqtt.md
// has the figures.
func TestFloodLatency(t *testing.T) {
	if !*long {
		t.Skip("measures for a minute: -long")
	}
	for _, row := range floods {
		t.Run(row.name, func(t *testing.T) {
			b, err := mosquitto.Start(t.TempDir())
			if err != nil {
				t.Skip(err)
			}
			defer b.Close()
			w := newWorld(t, b.Addr(), func(o *Options) { o.MaxWaiting, o.MaxSessions, o.Connect = 1000, 10_000, time.Minute })
			to := w.addr
			if row.past {
				to = b.Addr()
			}
			honest := w.in("acl-key-1", "honest")
			honest.subscribe(1, 0, "a/x")
			honest.want("SUBACK 1 [0x01] <nil>")
			var quiet, flooded []time.Duration
			most := 0
			for range 5 {
				quiet = append(quiet, honest.times(200)...)
				stop, ended := make(chan struct{}), make(chan error, 1)
				go func() { ended <- flood(stop, to, row.first, row.held, row.more) }()
				time.Sleep(time.Second / 2)
				flooded = append(flooded, honest.times(200)...)
				most = max(most, w.server.Sessions())
				close(stop)
				if err := <-ended; err != nil {
					t.Error(err)
				}
				waitFor(t, func() bool { return w.server.Sessions() == 1 })
			}
			p50, p99 := quantile(flooded, .5), quantile(flooded, .99)
			t.Logf("there and back: median %v, in quiet %v; p99 %v, in quiet %v; up to %d connections, %d KiB",
				p50, quantile(quiet, .5), p99, quantile(quiet, .99), most, memory()>>10)
			if p99 > 2*time.Second {
				t.Errorf("p99 %v", p99)
			}
		})
	}
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
