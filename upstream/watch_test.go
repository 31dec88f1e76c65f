package upstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
)

// twoFleets is the tree of the world fleet.
func twoFleets(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func watch(t testing.TB, s Doer) *Watch {
	t.Helper()
	tree := twoFleets(t)
	return NewWatch(WatchOptions{
		Backend: s, Key: ownKey, Tree: func() *policy.Tree { return tree }, Catalogue: catalogue(t), Log: quiet(),
	})
}

func TestWatchCheck(t *testing.T) {
	rows := []struct {
		name    string
		item    fake.Item // in storage/containers
		options fake.Options
		want    Obedience
		foreign int64
	}{
		{"obeyed", fake.Item{ID: 5, CID: 12}, fake.Options{}, Obeyed, 0},
		{"ignored", fake.Item{ID: 5, CID: 12}, fake.Options{IgnoreCID: true}, Ignored, 12},
		{"ignored, but the first leaf has all rows", fake.Item{ID: 5, CID: 11}, fake.Options{IgnoreCID: true}, Ignored, 11},
		{"rows of the parent", fake.Item{ID: 5, CID: 1}, fake.Options{IgnoreCID: true}, Ignored, 1},
		{"rows of nobody we know", fake.Item{ID: 5, CID: 777}, fake.Options{IgnoreCID: true}, Ignored, 777},
		{"rows without cid", fake.Item{ID: 5, CID: 11}, fake.Options{NoCIDField: true}, Ignored, 0},
		{"nothing to see", fake.Item{ID: 5, CID: 1}, fake.Options{}, Unknown, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := fleet(t, 0)
			if err := w.Add("storage/containers", row.item); err != nil {
				t.Fatal(err)
			}
			s, tr := play(t, w, row.options)
			f, err := watch(t, tr).Check(t.Context())
			if err != nil || f.Obedience != row.want || f.Foreign != row.foreign {
				t.Fatalf("got %+v, %v; want %v", f, err, row.want)
			}
			if row.want != Unknown && f.Collection != "storage/containers" {
				t.Errorf("got rows of %q", f.Collection)
			}
			for _, r := range s.Take() {
				if cid := r.Get("x-flespi-cid"); len(cid) != 1 || cid[0] != "11" && cid[0] != "12" {
					t.Errorf("asked under %v", cid)
				}
				if !strings.HasSuffix(r.Target, "/all?fields=id%2Ccid&limit=1000&offset=0") {
					t.Errorf("asked for %s", r.Target)
				}
			}
		})
	}
}

// A page that ignores everything must not be read to its end, nor a failure be taken for a
// verdict.
func TestWatchFailures(t *testing.T) {
	rows := []struct {
		name  string
		fault fake.Fault
		want  Obedience
		err   error
	}{
		{"down", canned(503, ``), Unknown, ErrBroken},
		{"our key is refused", canned(401, ``), Unknown, ErrUnauthorized},
		{"too many questions", canned(429, ``), Unknown, &AnswerError{Status: 429}},
		{"no such account", canned(403, ``), Unknown, nil},
		{"no such collection", canned(404, ``), Unknown, nil},
		{"no listing", canned(200, `{"result":[{"cid":11}`), Unknown, ErrRows},
		{"foreign, then broken", canned(200, `{"result":[{"cid":12},x`), Ignored, nil},
		{"a list without end", canned(200, `{"result":[`+strings.Repeat(`{"cid":11},`, 5000)), Ignored, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, tr := play(t, fleet(t, 3), fake.Options{})
			s.SetFault(row.fault)
			f, err := watch(t, tr).Check(t.Context())
			var refused *AnswerError
			if f.Obedience != row.want || !errors.Is(err, row.err) && !errors.As(err, &refused) {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}

// Ensure that a large tree is looked through in rounds, each where the last one ended.
func TestWatchRounds(t *testing.T) {
	accounts := []policy.Account{{ID: 1}}
	for i := range 300 {
		accounts = append(accounts, policy.Account{ID: int64(1000 + i), Parent: 1})
	}
	tree, _ := policy.NewTree(accounts, 4)
	b := &bubble{}
	w := NewWatch(WatchOptions{
		Backend: b, Key: ownKey, Tree: func() *policy.Tree { return tree }, Catalogue: catalogue(t), Log: quiet(),
	})
	asked := map[string]bool{}
	b.answer = func(r *Request) (int, string) {
		asked[string(r.Target)+string(r.Head)] = true
		return 200, `{"result":[]}`
	}
	for round := 1; round <= 3; round++ {
		if f, err := w.Check(t.Context()); err != nil || f.Probes != watchRound || len(asked) != round*watchRound {
			t.Fatalf("round %d: got %+v, %v, %d pages", round, f, err, len(asked))
		}
	}
}

// bubble is a backend without a socket, for tests in which time is fake.
type bubble struct {
	answer func(*Request) (int, string)
	asked  atomic.Int64
}

func (b *bubble) Do(r *Request, a *Answer) error {
	b.asked.Add(1)
	a.Close()
	status, body := b.answer(r)
	if status == 0 {
		return &Error{Kind: ErrDial}
	}
	a.Status, a.plain, a.err = status, []byte(body), io.EOF
	return nil
}

// watchStep is what the backend answers from now on, and what is known a while later.
type watchStep struct {
	name   string
	status int
	body   string
	after  time.Duration // within which the next look has to come
	want   Obedience
	ready  error
}

// Ensure that what was seen decides until something else is seen, and when the next look is.
func TestWatchRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[watchStep]
		b := &bubble{answer: func(r *Request) (int, string) {
			step := now.Load()
			if step.name == "own rows" && !strings.Contains(string(r.Head), "x-flespi-cid: 11\r\n") {
				return 200, `{"result":[]}`
			}
			return step.status, step.body
		}}
		w := watch(t, b)
		told := Unknown
		w.Changed = func(o Obedience) { told = o }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		for i, step := range []watchStep{
			{"the backend is down", 0, ``, time.Second, Unknown, ErrNotLooked},
			{"no rows", 200, `{"result":[]}`, 11 * time.Second, Unknown, nil},
			{"foreign rows", 200, `{"result":[{"cid":1}]}`, 61 * time.Second, Ignored, ErrHeaderIgnored},
			{"no rows again", 200, `{"result":[]}`, time.Hour + time.Minute, Ignored, ErrHeaderIgnored},
			{"down again", 500, ``, time.Minute, Ignored, ErrHeaderIgnored},
			{"own rows", 200, `{"result":[{"cid":11}]}`, time.Minute, Obeyed, nil},
			{"down, late", 500, ``, time.Hour, Obeyed, nil},
		} {
			now.Store(&step)
			before := b.asked.Load()
			if i == 0 {
				go func() { defer close(done); w.Run(ctx) }()
			}
			time.Sleep(step.after)
			synctest.Wait()
			if b.asked.Load() == before || w.State() != step.want || told != step.want || w.Ready() != step.ready {
				t.Errorf("%s: asked %d times, %v, told %v, %v", step.name, b.asked.Load()-before, w.State(), told, w.Ready())
			}
		}
		stop()
		<-done
	})
}

// Ensure that a policy load makes the watch look at once.
func TestWatchPolicyLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{answer: func(*Request) (int, string) { return 200, `{"result":[{"cid":11}]}` }}
		w := watch(t, b)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		synctest.Wait()
		before := b.asked.Load()
		w.PolicyLoaded()
		w.PolicyLoaded()
		synctest.Wait()
		if b.asked.Load() == before {
			t.Error("nobody looked")
		}
		stop()
		<-done
	})
}

func TestWatchWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, &bubble{answer: func(*Request) (int, string) { return 401, "{}" }})
		w.key = noKey
		if w.look(t.Context()); w.Ready() != nil || w.State() != Unknown {
			t.Errorf("got %v, %v", w.State(), w.Ready())
		}
	})
}
