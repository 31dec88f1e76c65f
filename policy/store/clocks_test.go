package store_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// clocks are those of one machine: its wall clock is ahead by so many seconds, and its monotonic clock
// behind, as that of a machine which was suspended for so long.
type clocks struct{ ahead, behind atomic.Int64 }

// now is time.Now on that machine. The time of a bubble has no monotonic reading, so it is made: what
// a time.Time with one holds are 33 bits of seconds since 1885, above 30 bits of nanoseconds and below a
// bit that says so, and the reading (see package time).
func (c *clocks) now() time.Time {
	t := time.Now()
	seconds := t.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix() + c.ahead.Load()
	mono := t.UnixNano() - c.behind.Load()*int64(time.Second)
	in := (*struct {
		wall uint64
		mono int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	in.wall, in.mono = 1<<63|uint64(seconds)<<30|uint64(t.Nanosecond()), mono
	return t
}

// jump sets the wall clock an hour forward or back, or to what it is; or suspends the machine, as far as
// its clocks show that. A machine does the one or the other: one that is suspended and has its wall
// clock set back, both while a lease lasts, knows nothing of the time.
func (c *clocks) jump(random *rand.Rand, suspends bool) {
	if suspends {
		c.behind.Add(int64(random.IntN(300)))
		return
	}
	c.ahead.Store([]int64{3600, -3600, 0}[random.IntN(3)])
}

func TestClocksOfATest(t *testing.T) {
	var c clocks
	before := c.now()
	c.ahead.Store(3600)
	if after := c.now(); after.Sub(before) > time.Minute || time.Duration(before.UnixNano()-time.Now().UnixNano()).Abs() > time.Minute || after.UnixNano()-before.UnixNano() < int64(time.Hour) {
		t.Errorf("got %v by the monotonic clock and %v by the other one", after.Sub(before), time.Duration(after.UnixNano()-before.UnixNano()))
	}
	c.behind.Store(3600)
	if after := c.now(); after.Sub(before) > -time.Minute {
		t.Errorf("after a suspension: got %v by the monotonic clock", after.Sub(before))
	}
}

// machine is a gateway with clocks of its own.
type machine struct {
	*store.Live
	*distant
	clocks
}

func newMachine(t *testing.T, e *memory.Engine, name string) *machine {
	m := &machine{distant: &distant{Engine: e}}
	m.Live = store.NewLive(store.LiveOptions{
		Engine: m.distant, MaxDepth: 4, Poll: 100 * time.Millisecond, MaxStaleness: bound, History: time.Hour, Replica: name, Logger: quiet, Now: m.now,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { m.Live.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return m
}

func (m *machine) accepts(id int64) bool {
	if !m.Fresh(m.now()) {
		return false
	}
	_, err := m.Load(digestOf(id, "a"))
	return err == nil
}

// Clocks of gateways that are set forward and back by an hour, and machines that are suspended, while
// the database is out of reach in any way, lengthen no lease: when a revocation has returned nobody
// accepts the token, whatever the clocks do next (SPEC 15.5, rows 2 and 3).
func TestClocksThatJump(t *testing.T) {
	seeds := uint64(25)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 16))
			e := memory.New()
			token(t, e, 1)
			all := []*machine{newMachine(t, e, "a"), newMachine(t, e, "b"), newMachine(t, e, "c")}
			time.Sleep(10 * time.Second)
			stop, jumped := make(chan bool), make(chan bool)
			defer func() { close(stop); <-jumped }()
			go func() {
				defer close(jumped)
				random := rand.New(rand.NewPCG(seed, 17))
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(random.IntN(40)) * time.Second):
						i := random.IntN(3)
						all[i].jump(random, (seed+uint64(i))%3 == 0)
					}
				}
			}()
			for _, m := range all[1:] {
				m.set(weather(random.IntN(int(weathers))))
			}
			time.Sleep(time.Duration(seed) * 3 * time.Second)
			head, err := all[0].Write(t.Context(), "17", func(tx *store.Tx) error { return tx.Delete(store.Tokens, 1) })
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, _, err := all[0].Wait(t.Context(), head.Rev); err != nil || time.Since(began) > bound+bound/50 {
				t.Errorf("seed %d: returned after %v, %v", seed, time.Since(began), err)
			}
			for range 100 {
				for i, m := range all {
					if m.accepts(1) {
						t.Fatalf("seed %d: gateway %d accepts the token %v after the revocation has returned", seed, i, time.Since(began))
					}
				}
				time.Sleep(time.Second)
			}
		})
	}
}
