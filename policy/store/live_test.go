package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newLive returns a store over an engine with account 1, loaded.
func newLive(t testing.TB, e store.Engine, edit func(*store.LiveOptions)) *store.Live {
	t.Helper()
	o := store.LiveOptions{Engine: e, MaxDepth: 4, Poll: time.Millisecond, MaxStaleness: time.Minute, History: time.Hour, Replica: "a", Logger: quiet}
	if edit != nil {
		edit(&o)
	}
	l := store.NewLive(o)
	if err := l.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	write(t, e, func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1}`)) })
	follow(t, l)
	return l
}

func write(t testing.TB, e store.Engine, change func(store.Writer) error) {
	t.Helper()
	if _, err := e.Write(context.Background(), "test", change); err != nil {
		t.Fatal(err)
	}
}

func follow(t testing.TB, l *store.Live) {
	t.Helper()
	if err := l.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func digestOf(id int64, salt string) policy.Digest {
	return store.DigestOf(fmt.Appendf(nil, "%d/%s", id, salt))
}

// wantToken compares what a digest is with an id; 0: unknown.
func wantToken(t testing.TB, l *store.Live, d policy.Digest, id int64) {
	t.Helper()
	rec, err := l.Load(d)
	switch {
	case id == 0 && !errors.Is(err, store.ErrNotFound):
		t.Errorf("got %+v, %v, want an unknown token", rec, err)
	case id != 0 && (err != nil || rec.Token.ID != id):
		t.Errorf("got %+v, %v, want token %d", rec, err, id)
	}
}

// Before the first load nothing is known, and nothing is denied: the store cannot tell.
func TestLiveBeforeItsLoad(t *testing.T) {
	l := store.NewLive(store.LiveOptions{Engine: memory.New(), MaxDepth: 4, MaxStaleness: time.Minute, Logger: quiet})
	if _, err := l.Load(digestOf(1, "a")); !errors.Is(err, store.ErrStale) || l.Fresh(time.Now()) || len(l.Tree().Accounts()) > 0 {
		t.Errorf("got %v, fresh %t, want %v", err, l.Fresh(time.Now()), store.ErrStale)
	}
}

// Every change is obeyed when Follow returns: a new token, a new key, another account, a deletion,
// and a key that goes from one token to another in one transaction.
func TestLiveFollows(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	step := func(change func(store.Writer) error) {
		t.Helper()
		write(t, e, change)
		follow(t, l)
	}
	step(func(w store.Writer) error { return w.Put(store.Tokens, 5, enginetest.Token(5, 1, "a")) })
	wantToken(t, l, digestOf(5, "a"), 5)
	step(func(w store.Writer) error { return w.Put(store.Tokens, 5, enginetest.Token(5, 1, "b")) })
	wantToken(t, l, digestOf(5, "a"), 0)
	wantToken(t, l, digestOf(5, "b"), 5)
	step(func(w store.Writer) error {
		five, six := enginetest.Token(5, 1, "c"), []byte(fmt.Sprintf(`{"id":6,"key_sha256":"%x","cid":1,"expire":4102444800,"access":{"type":1}}`, digestOf(5, "b")))
		return errors.Join(w.Put(store.Tokens, 5, five), w.Put(store.Tokens, 6, six))
	})
	wantToken(t, l, digestOf(5, "b"), 6)
	wantToken(t, l, digestOf(5, "c"), 5)
	step(func(w store.Writer) error { return w.Delete(store.Tokens, 6) })
	wantToken(t, l, digestOf(5, "b"), 0)
	if s := l.State(); s.Tokens[policy.Master] != 1 || s.Accounts != 1 || s.Stale {
		t.Errorf("got %+v", s)
	}
}

// A row that does not read is its own token's fault, an account that cannot be one is nobody's
// branch, and both are mended by a good row.
func TestLiveBadRows(t *testing.T) {
	bad := map[string]string{
		"no JSON":        `{"id":5,`,
		"other id":       `{"id":6,"key_sha256":"%x","cid":1,"expire":4102444800,"access":{"type":1}}`,
		"no access":      `{"id":5,"key_sha256":"%x","cid":1,"expire":4102444800}`,
		"access type 9":  `{"id":5,"key_sha256":"%x","cid":1,"expire":4102444800,"access":{"type":9}}`,
		"no end":         `{"id":5,"key_sha256":"%x","cid":1,"access":{"type":1}}`,
		"unknown field":  `{"id":5,"key_sha256":"%x","cid":1,"expire":4102444800,"access":{"type":1},"admin":true}`,
		"ids null":       `{"id":5,"key_sha256":"%x","cid":1,"expire":4102444800,"access":{"type":2,"acl":[{"uri":"gw","ids":null}]}}`,
		"text as cid":    `{"id":5,"key_sha256":"%x","cid":"one","expire":4102444800,"access":{"type":1}}`,
		"fraction":       `{"id":5,"key_sha256":"%x","cid":1,"expire":4102444800.5,"access":{"type":1}}`,
		"key twice":      `{"id":5,"key_sha256":"%x","cid":1,"cid":1,"expire":4102444800,"access":{"type":1}}`,
		"account absent": `{"id":5,"key_sha256":"%x","cid":99,"expire":4102444800,"access":{"type":1}}`,
		"a list":         `[]`,
		"nothing":        ``,
	}
	for name, doc := range bad {
		t.Run(name, func(t *testing.T) {
			e := memory.New()
			l := newLive(t, e, nil)
			good := enginetest.Token(5, 1, "a")
			for _, d := range [][]byte{good, []byte(fmt.Sprintf(doc+"%.0s", digestOf(5, "a"), "")), good} {
				write(t, e, func(w store.Writer) error {
					return errors.Join(w.Put(store.Tokens, 5, d), w.Put(store.Tokens, 7, enginetest.Token(7, 1, "a")))
				})
				follow(t, l)
				want := int64(5)
				if string(d) != string(good) {
					want = 0
				}
				wantToken(t, l, digestOf(5, "a"), want)
				wantToken(t, l, digestOf(7, "a"), 7)
				if name != "account absent" && (l.Stats().BadRows == 0) != (want != 0) {
					t.Errorf("got %d bad rows, want some: %t", l.Stats().BadRows, want == 0)
				}
			}
		})
	}
}

func TestLiveBadAccounts(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":3}`)), w.Put(store.Accounts, 3, []byte(`{"id":3,"parent":2}`)),
			w.Put(store.Accounts, 4, []byte(`{"id":4,"parent":99}`)), w.Put(store.Accounts, 5, []byte(`{"id":5,"parent":4}`)),
			w.Put(store.Tokens, 5, enginetest.Token(5, 5, "a")), w.Put(store.Tokens, 1, enginetest.Token(1, 1, "a")))
	})
	follow(t, l)
	wantToken(t, l, digestOf(5, "a"), 0)
	wantToken(t, l, digestOf(1, "a"), 1)
	if got := len(l.Tree().Accounts()); got != 1 {
		t.Errorf("got %d accounts, want the sound one", got)
	}
}

// The lease lasts from before the question that was answered, by the clock that says less.
func TestLeaseEnds(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, func(o *store.LiveOptions) { o.MaxStaleness = 2 * time.Second })
	began := time.Now()
	follow(t, l)
	if !l.Fresh(time.Now()) {
		t.Fatal("it is not fresh after an answer")
	}
	if l.Fresh(began.Add(time.Minute)) {
		t.Error("a minute later it is still fresh")
	}
	if l.Fresh(time.Now().Round(0).Add(time.Minute)) {
		t.Error("with the wall clock set forward it is fresh")
	}
	e.Break(errors.New("away"))
	if err := l.Follow(context.Background()); err == nil || !l.State().Stale {
		t.Errorf("got %v, state %+v", err, l.State())
	}
	if !l.Fresh(time.Now()) && time.Since(began) < time.Second {
		t.Error("one poll that failed ended the lease")
	}
	for l.Fresh(time.Now()) {
		if time.Since(began) > time.Minute {
			t.Fatal("the lease never ends")
		}
		time.Sleep(10 * time.Millisecond)
	}
	e.Break(nil)
	follow(t, l)
	if !l.Fresh(time.Now()) || l.State().Stale {
		t.Error("after an answer it is not fresh again")
	}
}

// A write that takes no beats renews no lease: a standby answers questions, too.
type standby struct{ store.Engine }

func (standby) Beat(context.Context, store.Beat) error { return errors.New("read-only transaction") }

func TestStandbyRenewsNothing(t *testing.T) {
	e := memory.New()
	l := store.NewLive(store.LiveOptions{Engine: standby{e}, MaxDepth: 4, MaxStaleness: time.Minute, Logger: quiet})
	if err := l.Follow(context.Background()); err == nil || l.Fresh(time.Now()) {
		t.Errorf("got %v, fresh %t, want an error and no lease", err, l.Fresh(time.Now()))
	}
}

// Whatever the feed cannot follow is read anew.
func TestResyncs(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	put := func(id int64) {
		write(t, e, func(w store.Writer) error { return w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")) })
	}
	put(5)
	follow(t, l)
	before := e.Snapshot()
	put(6)
	follow(t, l)
	e.Restore(before)
	put(7) // the number of the revision is that of token 6
	follow(t, l)
	wantDoubt(t, l, 6, "a")
	wantToken(t, l, digestOf(7, "a"), 7)
	put(8)
	put(9)
	if _, err := e.Prune(context.Background(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	follow(t, l)
	wantToken(t, l, digestOf(8, "a"), 8)
	got := l.Stats().Resyncs
	if got["rewind"] != 1 || got["pruned"] != 1 || got["start"] != 1 || got["gap"] != 0 {
		t.Errorf("got %v", got)
	}
}

// TestWritersAgainstLookups changes tokens while they are looked up through the cache: no look-up
// that begins after a write returned finds what was there before, and the end is that of a map.
func TestWritersAgainstLookups(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(l, cat, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const tokens, epoch, changing = 64, 4_000_000_000, -1
	var version [tokens + 1]atomic.Int64 // of each token: odd, there is one, and it expires so long after the epoch
	stop := make(chan bool)
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := int64(rand.IntN(tokens) + 1)
				was := version[id].Load()
				tok, err := c.Lookup(digestOf(id, ""))
				if was == changing || version[id].Load() != was {
					continue // either is right
				}
				if there := was%2 == 1; there && (err != nil || tok.Expire != epoch+was) || !there && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("token %d has version %d, got %+v, %v", id, was, tok, err)
					return
				}
			}
		})
	}
	for k := range 2 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(k), 1))
			for range 300 {
				id := int64(random.IntN(tokens/2)*2 + k + 1) // each writer has its own
				next := version[id].Load() + 1
				version[id].Store(changing)
				_, err := l.Write(context.Background(), "test", func(tx *store.Tx) error {
					if next%2 == 0 {
						return tx.Delete(store.Tokens, id)
					}
					return tx.PutToken(&store.Record{Token: policy.Token{
						ID: id, Digest: digestOf(id, ""), CID: 1, Enabled: true, Access: policy.Master, Expire: epoch + next,
					}}, nil)
				})
				if err != nil {
					t.Error(err)
					return
				}
				version[id].Store(next)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// One changed token makes one token in so many be looked up again, and neither tree nor kinds.
func TestOneTokenMakesOneStale(t *testing.T) {
	e := memory.New()
	var told []store.What
	l := newLive(t, e, func(o *store.LiveOptions) {
		o.Changed = func(_ store.State, what store.What) { told = append(told, what) }
	})
	write(t, e, func(w store.Writer) error {
		for id := int64(1); id <= 500; id++ {
			if err := w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")); err != nil {
				return err
			}
		}
		return nil
	})
	follow(t, l)
	var before [501]uint64
	for id := range before {
		d := digestOf(int64(id), "a")
		before[id] = l.Revision(d.Key())
	}
	told = nil
	write(t, e, func(w store.Writer) error { return w.Delete(store.Tokens, 7) })
	follow(t, l)
	moved := 0
	for id := range before {
		if d := digestOf(int64(id), "a"); l.Revision(d.Key()) != before[id] {
			moved++
		} else if id == 7 {
			t.Error("the token that changed is not looked up again")
		}
	}
	if moved > 5 {
		t.Errorf("one change moved %d of 500 tokens", moved)
	}
	if len(told) != 1 || !reflect.DeepEqual(told[0], store.What{Tables: tables(store.Tokens)}) {
		t.Errorf("got %+v, want one change of neither tree nor kinds", told)
	}
	told = nil
	write(t, e, func(w store.Writer) error { return w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1}`)) })
	follow(t, l)
	if len(told) != 1 || !reflect.DeepEqual(told[0], store.What{Tree: true, Tables: tables(store.Accounts)}) {
		t.Errorf("got %+v, want a change of the tree", told)
	}
	told = nil
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Put(store.Users, 8, []byte(`{"id":8,"name":"a"}`)), w.Put(store.Users, 6, []byte(`{"id":6,"name":"b"}`)), w.Delete(store.Users, 8))
	})
	follow(t, l)
	if len(told) == 1 {
		slices.Sort(told[0].Users)
	}
	if len(told) != 1 || !reflect.DeepEqual(told[0], store.What{Tables: tables(store.Users), Users: []int64{6, 8}}) {
		t.Errorf("got %+v, want a change of two users", told)
	}
}
