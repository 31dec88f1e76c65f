package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"aclgate/policy"
)

// tree is 1 → 11 → 111, and 12 beside 11.
func tree(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 111, Parent: 11}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

func token(id, cid int64) *policy.Token { return &policy.Token{ID: id, CID: cid} }

// left returns what an account has left, without asking for anything.
func (l *Limiter) left(id, now int64) int64 {
	b, _ := l.accounts.enter(uint64(id), now)
	b.leave()
	return b.quota(&l.accounts.rule, now).Remaining
}

func TestNilLimits(t *testing.T) {
	if l := New(Options{Source: Limit{Concurrent: 5}}); l != nil {
		t.Errorf("a limiter that bounds nothing: got %v, want nil", l)
	}
	var l *Limiter
	var h Hold
	if got := l.Admit(&h, token(1, 1), nil, 0); got != policy.NotJudged || h.Quota != (Quota{}) || l.Stats() != nil {
		t.Errorf("got %v, %+v", got, h)
	}
	h.Release()
}

func TestUseCountsForAncestors(t *testing.T) {
	l, tr := New(Options{Account: Limit{Rate: 1, Burst: 10}}), tree(t)
	for i, cid := range []int64{111, 111, 11, 12, 111} {
		var h Hold
		if got := l.Admit(&h, token(int64(i), cid), tr, second); got != policy.NotJudged {
			t.Fatalf("got %v", got)
		}
		h.Release()
	}
	for cid, want := range map[int64]int64{1: 5, 11: 6, 111: 7, 12: 9} {
		if got := l.left(cid, second); got != want {
			t.Errorf("account %d: got %d left, want %d", cid, got, want)
		}
	}
}

// A look says what the next request gets, and takes nothing.
func TestLook(t *testing.T) {
	l, tr := New(Options{Token: Limit{Rate: 1, Burst: 1, Concurrent: 1}, Account: Limit{Rate: 1, Burst: 10}}), tree(t)
	for range 3 {
		var h Hold
		if got := l.Look(&h, token(7, 111), tr, second); got != policy.NotJudged {
			t.Fatalf("got %v of a look", got)
		}
		h.Release()
	}
	if got := l.left(1, second); got != 10 {
		t.Errorf("the root has %d left, want 10", got)
	}
	var h, look Hold
	defer h.Release()
	if got := l.Admit(&h, token(7, 111), tr, second); got != policy.NotJudged {
		t.Fatalf("got %v of the first request", got)
	}
	if got := l.Look(&look, token(7, 111), tr, second); got != policy.LimitToken || look.Retry < 1 {
		t.Errorf("got %v and %d s, want limit-token", got, look.Retry)
	}
}

// What the root refuses costs the accounts and the token below it nothing.
func TestRefusalGivesBack(t *testing.T) {
	l := New(Options{Token: Limit{Rate: 1, Burst: 50, Concurrent: 50}, Account: Limit{Rate: 1, Burst: 10, Concurrent: 20}})
	tr := tree(t)
	var h Hold
	for range 10 { // of which the root keeps two for others
		l.Admit(&h, token(1, 11), tr, second)
		h.Release()
	}
	for range 100 {
		if got := l.Admit(&h, token(2, 111), tr, second); got != policy.LimitAccount || h.Retry != 1 {
			t.Fatalf("got %v, retry %d, want %v, 1", got, h.Retry, policy.LimitAccount)
		}
		if want := (Quota{10, 0, 8}); h.Quota != want {
			t.Fatalf("got %+v, want %+v", h.Quota, want)
		}
		h.Release()
	}
	for cid, want := range map[int64]int64{11: 2, 111: 10, 12: 10, 1: 2} {
		if got := l.left(cid, second); got != want {
			t.Errorf("account %d: got %d left, want %d", cid, got, want)
		}
	}
	b, _ := l.tokens.enter(2, second)
	if got := b.quota(&l.tokens.rule, second).Remaining; got != 50 || b.active.Load() != 1 {
		t.Errorf("token: got %d left and %d in, want 50 and this one", got, b.active.Load())
	}
}

// A token that hammers is stopped at its own bucket and takes nothing from the others of its
// account.
func TestFairness(t *testing.T) {
	l := New(Options{Token: Limit{Rate: 10, Burst: 10}, Account: Limit{Rate: 30, Burst: 30}})
	tr, greedy, modest := tree(t), token(1, 111), token(2, 111)
	var h Hold
	for ms := range int64(10_000) {
		now := second + ms*1e6
		l.Admit(&h, greedy, tr, now)
		h.Release()
		if ms%200 != 0 {
			continue
		}
		if got := l.Admit(&h, modest, tr, now); got != policy.NotJudged {
			t.Fatalf("after %d ms: got %v for five requests in a second", ms, got)
		}
		h.Release()
	}
}

func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		limit Limit
		want  int64
	}{
		{Limit{Rate: 50, Burst: 1}, 1}, {Limit{Rate: 1, Burst: 1}, 1}, {Limit{Rate: 0.75, Burst: 1}, 2},
		{Limit{Rate: 1.0 / 60, Burst: 3}, 60}, {Limit{Concurrent: 3}, 1},
	} {
		l := New(Options{Token: row.limit})
		for range 3 {
			var h Hold // never released: these requests go on
			l.Admit(&h, token(1, 1), nil, second)
		}
		var h Hold
		if got := l.Admit(&h, token(1, 1), nil, second); got != policy.LimitToken || h.Retry != row.want {
			t.Errorf("%+v: got %v, retry %d, want %d", row.limit, got, h.Retry, row.want)
		}
	}
}

// The quota is that of the tightest bucket. The root keeps one request for others.
func TestTightest(t *testing.T) {
	l, tr := New(Options{Token: Limit{Rate: 1, Burst: 3}, Account: Limit{Rate: 1, Burst: 5}}), tree(t)
	for i, want := range []Quota{{3, 2, 1}, {5, 2, 2}, {5, 1, 3}, {5, 0, 4}, {5, 0, 4}} {
		var h Hold
		if l.Admit(&h, token(int64(i), 12), tr, second); h.Quota != want {
			t.Errorf("request %d: got %+v, want %+v", i, h.Quota, want)
		}
	}
	var h Hold
	New(Options{Token: Limit{Concurrent: 3}}).Admit(&h, token(1, 1), tr, second)
	if h.Quota != (Quota{}) {
		t.Errorf("without a rate: got %+v, want none", h.Quota)
	}
}

// A request counts as one at that time until it is released, once.
func TestRelease(t *testing.T) {
	l, tr := New(Options{Account: Limit{Concurrent: 2}}), tree(t)
	var a, b, c Hold
	admit := func(h *Hold, cid int64) policy.Reason { return l.Admit(h, token(1, cid), tr, second) }
	if admit(&a, 111) != policy.NotJudged || admit(&b, 12) != policy.NotJudged {
		t.Fatal("refused within the bound")
	}
	if got := admit(&c, 11); got != policy.LimitAccount || c.Retry != 1 {
		t.Errorf("got %v, want %v: the root is in use twice", got, policy.LimitAccount)
	}
	c.Release()
	a.Release()
	a.Release()
	if got := admit(&c, 11); got != policy.NotJudged {
		t.Errorf("got %v after a release", got)
	}
	if got := admit(&a, 11); got != policy.LimitAccount {
		t.Errorf("got %v: a second release released somebody else", got)
	}
}

// Whatever requests come and go, no account is in use more than its bound, and none is at the end.
func TestAccountsAmongGoroutines(t *testing.T) {
	const most = 3
	l, tr := New(Options{Token: Limit{Concurrent: 4}, Account: Limit{Rate: 1e6, Burst: 1000, Concurrent: most}}), tree(t)
	var in [128]atomic.Int64
	var clock atomic.Int64
	var group sync.WaitGroup
	for g := range int64(8) {
		group.Go(func() {
			var h Hold
			for range 3000 {
				cid := []int64{1, 11, 111, 12}[rand.IntN(4)]
				if l.Admit(&h, token(g%3, cid), tr, clock.Add(1000)) == policy.NotJudged {
					tr.Ancestors(cid, func(a int64) {
						if n := in[a].Add(1); n > most {
							t.Errorf("account %d: %d at one time", a, n)
						}
					})
					tr.Ancestors(cid, func(a int64) { in[a].Add(-1) })
				}
				h.Release()
			}
		})
	}
	group.Wait()
	for _, table := range []*table{l.tokens, l.accounts} {
		for i := range table.shards {
			all := *table.shards[i].slots.Load()
			for j := range all {
				if b := all[j].Load(); b != nil && b.active.Load() != 0 {
					t.Errorf("key %d: %d are left in", b.key, b.active.Load())
				}
			}
		}
	}
}

// What was used up survives a new tree and a new token of the same ids.
func TestReload(t *testing.T) {
	l := New(Options{Token: Limit{Rate: 1, Burst: 1}, Account: Limit{Rate: 1, Burst: 2}})
	var h Hold
	for i, want := range []policy.Reason{policy.NotJudged, policy.NotJudged, policy.LimitAccount} {
		if got := l.Admit(&h, token(int64(i), 111), tree(t), second); got != want {
			t.Errorf("request %d: got %v, want %v", i, got, want)
		}
		h.Release()
	}
	if got := l.Admit(&h, token(0, 12), tree(t), second); got != policy.LimitToken {
		t.Errorf("got %v, want %v", got, policy.LimitToken)
	}
}

// A bucket belongs to the id of a token in one limiter, as long as it says anything.
func TestBucketOfAToken(t *testing.T) {
	limit := Options{Token: Limit{Rate: 1, Burst: 1}}
	one, other := New(limit), New(limit)
	tok, again := token(7, 111), token(7, 111) // the same token, loaded twice
	var h Hold
	ask := func(l *Limiter, tok *policy.Token, now int64, want policy.Reason) {
		t.Helper()
		if got := l.Admit(&h, tok, tree(t), now); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		h.Release()
	}
	ask(one, tok, second, policy.NotJudged)
	ask(one, again, second, policy.LimitToken)
	ask(other, tok, second, policy.NotJudged)
	ask(other, tok, second, policy.LimitToken)
	ask(one, tok, second, policy.LimitToken)
	for i := range one.tokens.shards {
		s := &one.tokens.shards[i]
		s.mu.Lock()
		s.sweep(one.tokens, 3*second)
		s.mu.Unlock()
	}
	ask(one, again, 3*second, policy.NotJudged)
	ask(one, tok, 3*second, policy.LimitToken)
}
