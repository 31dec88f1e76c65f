package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

// weather is what lies between a gateway and its database.
type weather int32

const (
	fair     weather = iota
	away             // every call fails at once
	stalled          // no call is answered before its deadline
	readOnly         // what only reads is answered, writes are refused
	late             // answers are of the moment of the question, and come seconds later
	lossy            // a change is left out of the feed
	weathers
)

// distant is an engine behind weather.
type distant struct {
	*memory.Engine
	sky atomic.Int32
}

var errAway = errors.New("connection refused")

func (d *distant) set(w weather) { d.sky.Store(int32(w)) }

// pass lets a call through, or not.
func (d *distant) pass(ctx context.Context, writes bool) error {
	switch weather(d.sky.Load()) {
	case away:
		return errAway
	case stalled:
		<-ctx.Done()
		return ctx.Err()
	case readOnly:
		if writes {
			return errors.New("cannot execute INSERT in a read-only transaction")
		}
	}
	return nil
}

func (d *distant) Since(ctx context.Context, after int64) (*store.Batch, error) {
	if err := d.pass(ctx, false); err != nil {
		return nil, err
	}
	b, err := d.Engine.Since(ctx, after)
	switch weather(d.sky.Load()) {
	case late:
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case lossy:
		if err == nil && len(b.Changes) > 1 {
			b.Changes = b.Changes[1:]
		}
	}
	return b, err
}

func (d *distant) All(ctx context.Context, yield func(store.Row) error) (store.Head, store.Mark, error) {
	if err := d.pass(ctx, false); err != nil {
		return store.Head{}, store.Mark{}, err
	}
	return d.Engine.All(ctx, yield)
}

func (d *distant) Uses(ctx context.Context, yield func(store.Use) error) error {
	if err := d.pass(ctx, false); err != nil {
		return err
	}
	return d.Engine.Uses(ctx, yield)
}

func (d *distant) Beat(ctx context.Context, b store.Beat) error {
	if err := d.pass(ctx, true); err != nil {
		return err
	}
	return d.Engine.Beat(ctx, b)
}

func (d *distant) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	if err := d.pass(ctx, false); err != nil {
		return err
	}
	return d.Engine.Changes(ctx, q, yield)
}

const bound = 2 * time.Minute

// gateway follows a database through weather until the test ends.
func gateway(t *testing.T, e *memory.Engine, name string) (*store.Live, *distant) {
	d := &distant{Engine: e}
	l := store.NewLive(store.LiveOptions{
		Engine: d, MaxDepth: 4, Poll: 100 * time.Millisecond, MaxStaleness: bound, History: time.Hour, Replica: name, Logger: quiet,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { l.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return l, d
}

// accepts reports whether a request with this key would pass now.
func accepts(l *store.Live, id int64) bool {
	if !l.Fresh(time.Now()) {
		return false
	}
	_, err := l.Load(digestOf(id, "a"))
	return err == nil
}

func token(t *testing.T, e store.Engine, id int64) {
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")))
	})
}

// However a database cannot be heard of, decisions rest on what was read for the bound and no
// longer, and begin again by themselves within seconds.
func TestSilenceEndsDecisions(t *testing.T) {
	for _, sky := range []weather{away, stalled, readOnly} {
		t.Run(fmt.Sprint(sky), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := memory.New()
				token(t, e, 5)
				l, d := gateway(t, e, "a")
				time.Sleep(5 * time.Second)
				if !accepts(l, 5) {
					t.Fatal("it does not follow")
				}
				d.set(sky)
				began := time.Now()
				write(t, e, func(w store.Writer) error { return w.Delete(store.Tokens, 5) })
				time.Sleep(bound - bound/20 - 5*time.Second)
				if sky != readOnly && !accepts(l, 5) {
					t.Errorf("%v after the silence began nothing is decided any more", time.Since(began))
				}
				time.Sleep(time.Until(began.Add(bound + time.Millisecond)))
				if l.Fresh(time.Now()) {
					t.Error("after the bound it still decides")
				}
				d.set(fair)
				time.Sleep(6*time.Second + bound/64)
				if !l.Fresh(time.Now()) || accepts(l, 5) {
					t.Errorf("seconds after the silence: fresh %t, the revoked token passes: %t", l.Fresh(time.Now()), accepts(l, 5))
				}
			})
		})
	}
}

// A gateway that begins without its database decides nothing, and begins to within seconds of it.
func TestBeginsWithoutDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory.New()
		token(t, e, 5)
		e.Break(errAway)
		l, _ := gateway(t, e, "a")
		time.Sleep(10 * time.Minute)
		if l.Fresh(time.Now()) {
			t.Error("without a database it decides")
		}
		if _, err := l.Load(digestOf(5, "a")); !errors.Is(err, store.ErrStale) {
			t.Errorf("got %v, want %v", err, store.ErrStale)
		}
		e.Break(nil)
		time.Sleep(7 * time.Second)
		if !accepts(l, 5) {
			t.Error("seconds after the database is there it decides nothing")
		}
	})
}

// Whatever the weather, a token that was revoked passes nowhere once the bound is over, and in fair
// weather a gateway decides and obeys within seconds.
func TestRevokedInAnyWeather(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 15))
			e := memory.New()
			token(t, e, 1)
			l, d := gateway(t, e, "a")
			revoked := map[int64]time.Time{}
			next, fairSince := int64(2), time.Now()
			for range 400 {
				switch random.IntN(6) {
				case 0:
					sky := weather(random.IntN(int(weathers)))
					if sky == fair && weather(d.sky.Load()) != fair {
						fairSince = time.Now()
					}
					d.set(sky)
				case 1:
					token(t, e, next)
					next++
				case 2:
					id := random.Int64N(next-1) + 1
					if _, gone := revoked[id]; !gone {
						write(t, e, func(w store.Writer) error { return w.Delete(store.Tokens, id) })
						revoked[id] = time.Now()
					}
				}
				time.Sleep(time.Duration(random.Int64N(int64(12 * time.Second))))
				settled := weather(d.sky.Load()) == fair && time.Since(fairSince) > 12*time.Second
				if settled && !l.Fresh(time.Now()) {
					t.Fatalf("seed %d: in fair weather it decides nothing", seed)
				}
				for id, at := range revoked {
					if accepts(l, id) && (time.Since(at) > bound || settled && time.Since(at) > time.Second) {
						t.Fatalf("seed %d: token %d passes %v after it was revoked", seed, id, time.Since(at))
					}
				}
			}
		})
	}
}

// Who waits for a revocation waits for every gateway that decides, and no longer than the bound for
// one that is not heard of. When Wait returns, none accepts the token.
func TestWaitThenNobodyAccepts(t *testing.T) {
	for _, sky := range []weather{fair, away, stalled, readOnly, late} {
		t.Run(fmt.Sprint(sky), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := memory.New()
				token(t, e, 5)
				a, _ := gateway(t, e, "a")
				b, d := gateway(t, e, "b")
				time.Sleep(10 * time.Second)
				d.set(sky)
				time.Sleep(time.Second)
				head, err := a.Write(t.Context(), "17", func(tx *store.Tx) error { return tx.Delete(store.Tokens, 5) })
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				all, heard, err := a.Wait(t.Context(), head.Rev)
				if err != nil || accepts(a, 5) || accepts(b, 5) {
					t.Errorf("%v, a accepts: %t, b accepts: %t", err, accepts(a, 5), accepts(b, 5))
				}
				took := time.Since(began)
				if sky == fair && (took > time.Second || !heard || len(all) != 2) {
					t.Errorf("in fair weather it took %v, heard %t of %+v", took, heard, all)
				}
				if took > bound+bound/50 {
					t.Errorf("it took %v, longer than the bound", took)
				}
			})
		})
	}
}

// A jump in the revisions, and a history that was cut short, have everything read anew.
func TestJumpsAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory.New()
		token(t, e, 1)
		l, d := gateway(t, e, "a")
		time.Sleep(time.Second)
		d.set(lossy)
		write(t, e, func(w store.Writer) error {
			return errors.Join(w.Delete(store.Tokens, 1), w.Put(store.Tokens, 2, enginetest.Token(2, 1, "a")))
		})
		time.Sleep(time.Second)
		if accepts(l, 1) || !accepts(l, 2) || l.Stats().Resyncs["gap"] != 1 {
			t.Errorf("got %v", l.Stats().Resyncs)
		}
		d.set(away)
		for id := int64(3); id < 9; id++ {
			token(t, e, id)
		}
		if _, err := e.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		d.set(fair)
		time.Sleep(7 * time.Second)
		if !accepts(l, 8) || l.Stats().Resyncs["pruned"] != 1 {
			t.Errorf("got %v", l.Stats().Resyncs)
		}
	})
}

// slow is an engine that takes its time for each row.
type slow struct {
	*memory.Engine
	each time.Duration
}

func (s *slow) All(ctx context.Context, yield func(store.Row) error) (store.Head, store.Mark, error) {
	return s.Engine.All(ctx, func(r store.Row) error { time.Sleep(s.each); return yield(r) })
}

// A bound below three times what a full load takes is worth a warning: a load renews no lease (SPEC 15.5).
func TestBoundBelowALoadIsWarnedOf(t *testing.T) {
	for each, warns := range map[time.Duration]bool{5 * time.Second: false, 9 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			e := memory.New()
			for id := range int64(4) {
				token(t, e, id+1)
			}
			var log bytes.Buffer
			l := store.NewLive(store.LiveOptions{
				Engine: &slow{e, each}, MaxDepth: 4, Poll: time.Second, MaxStaleness: bound, Replica: "a", Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err := l.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), "store.max_staleness is below"); got != warns {
				t.Errorf("%v for each of 5 rows, and a bound of %v: warned %t\n%s", each, bound, got, log.String())
			}
		})
	}
}
