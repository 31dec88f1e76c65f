package debt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aclgate/policy"
	"aclgate/proxy/limit"
	"aclgate/proxy/quota"
)

// board is a peer in memory: what the peers of other packages have to be.
type board struct {
	mu    sync.Mutex
	rows  map[string]amount
	takes time.Duration // how long a round takes
	down  bool
}

// set makes every round fail, or work again.
func (b *board) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

type amount struct {
	n  int64
	at time.Time
}

func (b *board) Exchange(ctx context.Context, r *Round) ([]int64, error) {
	time.Sleep(b.takes / 2)
	defer time.Sleep(b.takes / 2) // without the lock: time stands still in a bubble while somebody waits for one
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("down")
	}
	totals := make([]int64, len(r.Names))
	for i, name := range r.Names {
		row, found := b.rows[name]
		if r.Drains[i] {
			owed := -r.Since.Microseconds()
			if found {
				owed = max(owed, row.n-time.Since(row.at).Microseconds())
			}
			row.n = owed
		}
		row.n, row.at = row.n+r.Amounts[i], time.Now()
		b.rows[name], totals[i] = row, max(row.n, 0)
	}
	return totals, nil
}

func (b *board) Debts(ctx context.Context, most int, yield func(name string, amount int64)) error {
	time.Sleep(b.takes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errors.New("down")
	}
	for name, row := range b.rows {
		if owed := row.n - time.Since(row.at).Microseconds(); owed > 0 {
			yield(name, owed)
		}
	}
	return nil
}

// replicas are gateways that share limits.
type replicas struct {
	all  []*limit.Limiter
	book []*quota.Book
	x    []*Exchanger
	tree *policy.Tree
	zero time.Time
	stop func()
}

const every = 100 * time.Millisecond

// newReplicas starts n gateways, each with rounds at a time of its own. It is for a bubble of synctest.
func newReplicas(t *testing.T, b *board, n int, l limit.Limit) *replicas {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	r := &replicas{tree: tree, zero: time.Now().Add(-time.Second)}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	r.stop = func() { cancel(); group.Wait() }
	for i := range n {
		on, book := limit.New(limit.Options{Token: l, Shared: true}), quota.New(time.Hour)
		book.Use(tree, []quota.Account{{ID: 1, Calls: 100, Traffic: quota.None, BlockFor: time.Minute}}, false)
		x := New(Options{
			Peer: b, Every: every, Book: book, Log: slog.New(slog.DiscardHandler),
			Limits: []Limits{{Name: "", On: on, Clock: r.now}},
		})
		r.all, r.book, r.x = append(r.all, on), append(r.book, book), append(r.x, x)
		group.Go(func() {
			// Never at an instant at which somebody asks: which came first would be a matter of luck.
			time.Sleep(time.Duration(i)*every/time.Duration(n) + 500*time.Microsecond)
			x.Run(ctx)
		})
	}
	time.Sleep(2 * every) // rounds have begun
	return r
}

func (r *replicas) now() int64 { return int64(time.Since(r.zero)) }

// ask sends a request to a gateway and reports whether it was admitted.
func (r *replicas) ask(i int) bool {
	var h limit.Hold
	defer h.Release()
	return r.all[i].Admit(&h, &policy.Token{ID: 17, CID: 1}, r.tree, r.now()) == policy.NotJudged
}

// excess follows by how much more was admitted, in any time, than the rate gives.
type excess struct {
	rate       float64
	level, max float64
	last       time.Time
}

func (e *excess) admitted() {
	now := time.Now()
	e.level = max(0, e.level-e.rate*now.Sub(e.last).Seconds()) + 1
	e.max, e.last = max(e.max, e.level), now
}

// Whoever asks all gateways as fast as they can, or in bursts that wait until all buckets are full, gets
// in any time t at most burst + rate × t + (n-1) × (burst + rate × T), and in the long run the rate
// (SPEC 15.7). Without an exchange it is n times the rate.
func TestBound(t *testing.T) {
	for _, row := range []struct {
		n     int
		limit limit.Limit
		pause int // of 1000 ticks, in how many nobody asks for a while
	}{
		{3, limit.Limit{Rate: 10, Burst: 10}, 0},
		{3, limit.Limit{Rate: 10, Burst: 10}, 2},
		{10, limit.Limit{Rate: 10, Burst: 1}, 1},
		{10, limit.Limit{Rate: 100, Burst: 1}, 5},
		{10, limit.Limit{Rate: 5, Burst: 10}, 1},
		{2, limit.Limit{Rate: 0.5, Burst: 5}, 0},
	} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReplicas(t, &board{rows: map[string]amount{}}, row.n, row.limit)
				defer r.stop()
				rnd := rand.New(rand.NewPCG(1, uint64(row.n)))
				e := excess{rate: row.limit.Rate}
				admitted, began := 0, time.Now()
				for range 40_000 { // 200 s
					time.Sleep(5 * time.Millisecond)
					if row.pause > 0 && rnd.IntN(1000) < row.pause {
						time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					}
					for i := range row.n {
						for r.ask(i) {
							e.admitted()
							admitted++
						}
					}
				}
				burst, rate, extra := float64(row.limit.Burst), row.limit.Rate, float64(row.n-1)
				if most := burst + extra*(burst+rate*every.Seconds()); e.max > most+1e-6 {
					t.Errorf("%.1f more than the rate at some time, want at most %.1f", e.max, most)
				}
				long := rate*time.Since(began).Seconds() + burst
				if float64(admitted) > long*1.001+extra*(burst+rate*every.Seconds()) || row.pause == 0 && float64(admitted) < 0.999*long {
					t.Errorf("%d admitted in the long run, want %.0f", admitted, long)
				}
				t.Logf("excess %.1f of %.1f, %d admitted of %.0f", e.max, burst+extra*(burst+rate*every.Seconds()), admitted, long)
			})
		})
	}
}

// A gateway that restarts gives nobody a second burst: it tells what it admitted last, and reads what is
// owed before it serves. Where the peer is away it begins with full buckets.
func TestRestart(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{rows: map[string]amount{}, takes: time.Millisecond}
			tree, _ := policy.NewTree([]policy.Account{{ID: 1}}, 4)
			zero, passed := time.Now().Add(-time.Second), 0
			for life := range 5 {
				l := limit.Limit{Rate: 1, Burst: 20}
				on := limit.New(limit.Options{Token: l, Account: limit.Limit{Rate: 100, Burst: 100}, Shared: true})
				clock := func() int64 { return int64(time.Since(zero)) }
				x := New(Options{
					Peer: b, Every: every, Book: quota.New(time.Hour), Log: slog.New(slog.DiscardHandler),
					Limits: []Limits{{Name: "", On: nil, Clock: clock}, {Name: "http-", On: on, Clock: clock}},
				})
				b.set(down && life > 0)
				x.Begin(t.Context())
				b.set(false)
				ctx, cancel := context.WithCancel(t.Context())
				var run sync.WaitGroup
				run.Go(func() { x.Run(ctx) })
				for range 30 {
					var h limit.Hold
					if on.Admit(&h, &policy.Token{ID: 17, CID: 1}, tree, clock()) == policy.NotJudged {
						passed++
					}
					h.Release()
				}
				cancel()
				run.Wait()
			}
			if want := 20; !down && passed != want {
				t.Errorf("%d passed in five lives, want %d", passed, want)
			}
			if want := 100; down && passed != want {
				t.Errorf("with the peer away: %d passed in five lives, want %d", passed, want)
			}
		})
	}
}

// A caller that one gateway alone would never refuse is not refused by several, to whichever it sends
// its requests, and however long a round takes.
func TestBelowTheRateIsNeverRefused(t *testing.T) {
	for _, l := range []limit.Limit{{Rate: 10, Burst: 10}, {Rate: 50, Burst: 1}, {Rate: 5, Burst: 3}, {Rate: 1000, Burst: 40}} {
		for _, takes := range []time.Duration{0, 30 * time.Millisecond} {
			t.Run(fmt.Sprint(l, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newReplicas(t, &board{rows: map[string]amount{}, takes: takes}, 5, l)
					defer r.stop()
					rnd := rand.New(rand.NewPCG(2, uint64(l.Burst)))
					judge := limit.New(limit.Options{Token: l})
					asked, refused, greedy := 0, 0, 1
					for range 20_000 {
						time.Sleep(time.Duration(rnd.ExpFloat64() / l.Rate / float64(greedy) * 1e9))
						if rnd.IntN(50) == 0 {
							greedy = 1 + rnd.IntN(20) // bursts, as far as the rate permits them
						}
						var h limit.Hold
						passes := judge.Admit(&h, &policy.Token{ID: 17, CID: 1}, r.tree, r.now()) == policy.NotJudged
						h.Release()
						if !passes {
							continue
						}
						asked++
						if !r.ask(rnd.IntN(5)) {
							refused++
						}
					}
					if refused > 0 || asked < 2000 {
						t.Errorf("%d of %d requests were refused", refused, asked)
					}
				})
			})
		}
	}
}

// While the peer is away each gateway bounds its callers by itself: neither without a bound nor
// without any request. What was admitted meanwhile is no debt afterwards.
func TestDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{rows: map[string]amount{}}
		r := newReplicas(t, b, 3, limit.Limit{Rate: 10, Burst: 10})
		defer r.stop()
		run := func(d time.Duration) (admitted int) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				for i := range 3 {
					for r.ask(i) {
						admitted++
					}
				}
			}
			return admitted
		}
		run(20 * time.Second)
		b.set(true)
		run(10 * time.Second) // debts are paid off
		if got := run(100 * time.Second); got < 2990 || got > 3010 {
			t.Errorf("without the peer: %d in 100 s, want three times 1000", got)
		}
		if s := r.x[0].Stats(); s.Degraded == 0 || s.Worked == 0 {
			t.Errorf("got %+v", s)
		}
		b.set(false)
		run(time.Second)
		if got := run(100 * time.Second); got < 960 || got > 1010 {
			t.Errorf("with it again: %d in 100 s, want 1000", got)
		}
	})
}

// Calls of an account are counted together, so that all gateways block it.
func TestCallsAreAddedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplicas(t, &board{rows: map[string]amount{}}, 3, limit.Limit{Rate: 10, Burst: 10})
		defer r.stop()
		admitted := 0
		for i := range 300 {
			var h quota.Hold
			refusal := r.book[i%3].Admit(&h, 1, time.Now())
			if refusal.Reason == policy.NotJudged {
				admitted++
			}
			r.book[i%3].Release(&h, false, 0, time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		if admitted < 100 || admitted > 115 {
			t.Errorf("%d calls passed, want 100 and those of one round", admitted)
		}
		for i, b := range r.book {
			if s := b.StateOf(1, time.Now()); s.Blocked != 1 {
				t.Errorf("gateway %d: got %+v", i, s)
			}
		}
	})
}

// So is the traffic of an account: what one gateway has passed blocks it at all of them.
func TestTrafficIsAddedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplicas(t, &board{rows: map[string]amount{}}, 3, limit.Limit{Rate: 10, Burst: 10})
		defer r.stop()
		for _, b := range r.book {
			b.Use(r.tree, []quota.Account{{ID: 1, Calls: quota.None, Traffic: 10_000, BlockFor: time.Minute}}, false)
		}
		passed := 0
		for i := range 300 {
			var h quota.Hold
			if r.book[i%3].Admit(&h, 1, time.Now()).Reason == policy.NotJudged {
				passed += 100
				r.book[i%3].Release(&h, false, 100, time.Now())
			} else {
				r.book[i%3].Release(&h, true, 0, time.Now())
			}
			time.Sleep(20 * time.Millisecond)
		}
		if passed < 10_000 || passed > 11_500 {
			t.Errorf("%d bytes passed, want 10000 and those of one round", passed)
		}
		for i, b := range r.book {
			if s := b.StateOf(1, time.Now()); s.Blocked != 1 {
				t.Errorf("gateway %d: got %+v", i, s)
			}
		}
	})
}

// Only what was used is told, and only so much of it in one round.
func TestRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{rows: map[string]amount{}}
		on := limit.New(limit.Options{Token: limit.Limit{Rate: 1, Burst: 2}, Account: limit.Limit{Rate: 1, Burst: 1}, Shared: true})
		x := New(Options{Peer: b, Every: every, Book: quota.New(time.Minute), Log: slog.New(slog.DiscardHandler), Limits: []Limits{{Name: "x-", On: on, Clock: func() int64 { return 1e9 }}}})
		tree, _ := policy.NewTree([]policy.Account{{ID: 1}}, 4)
		x.Exchange(t.Context())
		if s := x.Stats(); s.Worked != 0 {
			t.Errorf("nothing was used: got %+v", s)
		}
		var h limit.Hold
		for id := range int64(3) {
			on.Admit(&h, &policy.Token{ID: id + 1, CID: 1}, tree, 1e9) // the account refuses the second
			h.Release()
		}
		x.Exchange(t.Context())
		if len(b.rows) != 2 || b.rows["x-token:1"].n < 900_000 || b.rows["x-account:1"].n < 900_000 {
			t.Errorf("got %v, want what was admitted alone", b.rows)
		}
		if s := x.Stats(); s.Worked != 1 || s.Told != 2 || s.Left != 0 {
			t.Errorf("got %+v", s)
		}
		for id := range int64(maxRows + 7) {
			on.Admit(&h, &policy.Token{ID: id + 10, CID: id + 10}, tree, 1e9)
			h.Release()
		}
		x.Exchange(t.Context())
		if s := x.Stats(); s.Told != 2+maxRows || s.Left == 0 {
			t.Errorf("got %+v", s)
		}
	})
}
