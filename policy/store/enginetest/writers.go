package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"aclgate/policy/store"
)

// writers are how many write at once.
const writers = 50

// errBack makes a transaction be rolled back.
var errBack = errors.New("roll back")

// Writers has 50 goroutines write tokens at once through one gateway, each of them the given number of
// changes; one in 20 is rolled back after it has written, and none is to fail with it. The follower gets
// every acknowledged change once, in order and by whom it was made, reads everything only once, and ends
// with what a plain map holds.
func Writers(t *testing.T, e store.Engine, each int) {
	first := write(t, e, "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, account(1, 0)) })
	var told []store.Change
	l := store.NewLive(store.LiveOptions{
		Engine: e, MaxDepth: 4, Poll: 2 * time.Millisecond, MaxStaleness: time.Minute, Replica: "follows", Logger: slog.New(slog.DiscardHandler),
		Applied: func(all []store.Change) {
			for _, c := range all {
				c.IDs = slices.Clone(c.IDs)
				told = append(told, c)
			}
		},
	})
	if err := l.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	following, stop := context.WithCancel(ctx)
	var follower, group sync.WaitGroup
	follower.Go(func() { l.Run(following) })
	gateway := store.NewLive(store.LiveOptions{
		Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Replica: "writes", Logger: slog.New(slog.DiscardHandler),
	})
	ledgers := make([]*ledger, writers)
	for i := range ledgers {
		ledgers[i] = &ledger{salts: map[int64]string{}}
		group.Go(func() { ledgers[i].write(t, gateway, int64(i), each) })
	}
	group.Wait()
	for end := time.Now().Add(time.Minute); l.Stats().Applied < since(t, e, first.Rev).Head.Rev && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop()
	follower.Wait()
	if got := l.Stats().Resyncs; got["start"] != 1 || got["gap"]+got["pruned"]+got["rewind"]+got["many"] != 0 {
		t.Errorf("everything was read again: %v", got)
	}
	acknowledged := 0
	for _, k := range ledgers {
		acknowledged += k.writes
		k.compare(t, l)
	}
	wantOrder(t, told, first.Rev, acknowledged)
	if v, err := l.Verify(ctx); err != nil || !v.Same() {
		t.Errorf("got %+v, %v", v, err)
	}
}

// ledger is what one writer was acknowledged.
type ledger struct {
	salts  map[int64]string // of tokens that are there
	gone   []string         // keys that are not
	writes int              // rows
}

// write makes and changes tokens of its own, and takes them away.
func (k *ledger) write(t *testing.T, l *store.Live, i int64, each int) {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	for n := range each {
		id, salt := 1+i*10+random.Int64N(10), fmt.Sprint(n)
		old, there := k.salts[id]
		back, remove := random.IntN(20) == 0, there && random.IntN(3) == 0
		_, err := l.Write(ctx, fmt.Sprint(i), func(w *store.Tx) (err error) {
			if remove {
				err = w.Delete(store.Tokens, id)
			} else {
				err = w.PutDoc(store.Tokens, id, Token(id, 1, salt))
			}
			if back {
				err = errors.Join(err, errBack)
			}
			return err
		})
		switch {
		case back && errors.Is(err, errBack):
			k.gone = append(k.gone, string(Key(id, salt)))
			continue
		case err != nil:
			t.Errorf("token %d: %v", id, err)
			return
		}
		if remove {
			wantObeyed(t, l, id, Key(id, old), store.ErrNotFound)
		} else {
			wantObeyed(t, l, id, Key(id, salt), nil)
		}
		if there {
			k.gone = append(k.gone, string(Key(id, old)))
		}
		if delete(k.salts, id); !remove {
			k.salts[id] = salt
		}
		k.writes++
	}
}

// wantObeyed looks for a key in the gateway that made a change of it, right after it was acknowledged.
func wantObeyed(t *testing.T, l *store.Live, id int64, key []byte, want error) {
	t.Helper()
	if _, err := l.Load(store.DigestOf(key)); !errors.Is(err, want) {
		t.Errorf("token %d: who changed it finds its key with %v, want %v", id, err, want)
	}
}

// compare looks for the tokens that are there, and for those that are not.
func (k *ledger) compare(t *testing.T, l *store.Live) {
	for id, salt := range k.salts {
		rec, err := l.Load(store.DigestOf(Key(id, salt)))
		if err != nil || rec.Token.ID != id {
			t.Errorf("token %d is missed: %v", id, err)
		}
		k.gone = slices.DeleteFunc(k.gone, func(key string) bool { return key == string(Key(id, salt)) })
	}
	for _, key := range k.gone {
		if _, err := l.Load(store.DigestOf([]byte(key))); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the key %s is still obeyed: %v", key, err)
		}
	}
}

// wantOrder wants the changes of all writes, each once and in their order.
func wantOrder(t *testing.T, told []store.Change, after int64, acknowledged int) {
	t.Helper()
	rows := 0
	for _, c := range told {
		if c.Rev != after+1 {
			t.Errorf("revision %d after %d", c.Rev, after)
		}
		after = c.Rev
		rows += len(c.IDs)
		for _, id := range c.IDs {
			if who := fmt.Sprint((id - 1) / 10); c.Actor != who {
				t.Errorf("revision %d changes token %d of writer %s in the name of %s", c.Rev, id, who, c.Actor)
			}
		}
	}
	if rows != acknowledged {
		t.Errorf("told of %d changes, %d were acknowledged", rows, acknowledged)
	}
	t.Logf("%d changes by %d writers", rows, writers)
}
