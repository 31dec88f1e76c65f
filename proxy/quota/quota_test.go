package quota

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
)

// family is the accounts 1, 11 and 12 below it, and 13 below 11.
func family(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}, {ID: 13, Parent: 11}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

func bounded(id, calls, traffic int64) Account {
	return Account{ID: id, Calls: calls, Traffic: traffic, BlockFor: time.Minute}
}

// ask sends a request of an account, which ends at once.
func ask(b *Book, cid int64, now time.Time, denied bool, bytes int64) policy.Reason {
	var h Hold
	r := b.Admit(&h, cid, now)
	b.Release(&h, denied || r.Reason != policy.NotJudged, bytes, now)
	return r.Reason
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Whose bound is exceeded is blocked with all below it, until its time has passed; those beside and
// above are not.
func TestCallsBlockTheBranch(t *testing.T) {
	b := New(time.Minute)
	b.Use(family(t), []Account{bounded(11, 3, None)}, false)
	for i := range 3 {
		if got := ask(b, []int64{11, 13, 13}[i], noon, false, 0); got != policy.NotJudged {
			t.Fatalf("call %d: got %v", i, got)
		}
	}
	for _, row := range []struct {
		cid  int64
		at   time.Duration
		want policy.Reason
	}{
		{13, 0, policy.AccountLimit}, {11, time.Second, policy.AccountLimit}, {12, time.Second, policy.NotJudged}, {1, time.Second, policy.NotJudged},
		{11, 59 * time.Second, policy.AccountLimit}, {13, 61 * time.Second, policy.NotJudged},
	} {
		if got := ask(b, row.cid, noon.Add(row.at), false, 0); got != row.want {
			t.Errorf("account %d after %v: got %v, want %v", row.cid, row.at, got, row.want)
		}
	}
}

// What is denied counts for its own account alone: a child that is refused all the time blocks nobody
// but itself.
func TestNoiseBlocksNobodyElse(t *testing.T) {
	b := New(time.Minute)
	b.Use(family(t), []Account{bounded(1, 10, None), bounded(13, 100, None)}, false)
	for range 50 {
		ask(b, 13, noon, true, 0)
	}
	if got := ask(b, 12, noon, false, 0); got != policy.NotJudged {
		t.Errorf("beside: got %v", got)
	}
	if s := b.StateOf(13, noon); s.Calls != 50 || s.Blocked != 0 {
		t.Errorf("got %+v, want 50 calls", s)
	}
	if s := b.StateOf(1, noon); s.Calls != 1 {
		t.Errorf("the root: got %+v, want 1 call", s)
	}
}

func TestTrafficBlocks(t *testing.T) {
	b := New(time.Minute)
	b.Use(family(t), []Account{bounded(11, None, 1000)}, false)
	if got := ask(b, 13, noon, false, 1000); got != policy.NotJudged {
		t.Fatal(got)
	}
	if got := ask(b, 13, noon, false, 1); got != policy.NotJudged { // it was not above then
		t.Fatal(got)
	}
	var h Hold
	r := b.Admit(&h, 13, noon)
	if r.Reason != policy.AccountLimit || r.Account != 11 || r.Bound != "api_traffic" || r.Retry != 60 {
		t.Errorf("got %+v", r)
	}
	b.Release(&h, true, 0, noon)
}

// By hand and by zeros a block has no end, and it ends when the limits are changed.
func TestBlocksWithoutEnd(t *testing.T) {
	b := New(time.Minute)
	zero := bounded(12, 0, 0)
	zero.Zero = true
	b.Use(family(t), []Account{{ID: 11, Disabled: true, Calls: None, Traffic: None}, zero}, false)
	for cid, want := range map[int64]policy.Reason{11: policy.AccountBlocked, 13: policy.AccountBlocked, 12: policy.AccountBlocked, 1: policy.NotJudged} {
		if got := ask(b, cid, noon, false, 0); got != want {
			t.Errorf("account %d: got %v, want %v", cid, got, want)
		}
	}
	if s := b.StateOf(13, noon); s.Blocked != 2 || s.By != 11 {
		t.Errorf("got %+v", s)
	}
	b.Use(family(t), []Account{bounded(12, 1, None)}, false)
	ask(b, 12, noon, false, 0)
	if got := ask(b, 12, noon, false, 0); got != policy.AccountLimit {
		t.Errorf("got %v", got)
	}
	b.Use(family(t), []Account{bounded(12, 10, None)}, false)
	if got := ask(b, 12, noon, false, 0); got != policy.NotJudged {
		t.Errorf("after the limit was raised: got %v", got)
	}
	b.Use(family(t), nil, false)
	if b.plan.Load() != nil {
		t.Error("nobody is bounded, and there is a plan")
	}
}

// A block ends with the limit that it is by, also where nobody is bounded for a while, and where a request that
// was under way ends later.
func TestBlockEndsWithItsLimit(t *testing.T) {
	b, zero, other := New(time.Minute), bounded(12, 0, 0), bounded(11, 9, None)
	zero.Zero = true
	free := func(when string) {
		if s := b.StateOf(12, noon.Add(time.Second)); s.Blocked != 0 {
			t.Errorf("%s: got %+v", when, s)
		}
	}
	b.Use(family(t), []Account{bounded(12, None, 9)}, false)
	if ask(b, 12, noon, false, 10); b.StateOf(12, noon).Blocked != 1 {
		t.Error("the traffic of a request blocks nobody")
	}
	b.Use(family(t), nil, false)
	b.Use(family(t), []Account{other}, false)
	free("after nobody was bounded")
	b.Use(family(t), []Account{other, zero}, false)
	h := Hold{node: b.plan.Load().nodes[12]}
	b.Use(family(t), []Account{other}, false)
	b.Release(&h, false, 10, noon)
	free("after the end of a request under a limit of zeros")
}

// However many creations come at once, of whatever accounts, no branch ever holds more than its bound;
// what was refused leaves nothing behind.
func TestCountsNeverOvershoot(t *testing.T) {
	tree := family(t)
	c := &policy.Collection{URI: "gw/devices", Type: "devices", Index: 3}
	b := New(time.Minute)
	bounds := map[int64]int64{1: 50, 11: 30, 13: 20}
	var accounts []Account
	for id, n := range bounds {
		accounts = append(accounts, Account{ID: id, Calls: None, Traffic: None, Items: map[string]int64{c.URI: n}})
	}
	b.Use(tree, accounts, false)
	var mu sync.Mutex
	held := map[int64]int64{} // by account, what the backend has
	count := func(cid int64) int {
		mu.Lock()
		defer mu.Unlock()
		n := int64(0)
		for of, has := range held {
			if tree.Contains(cid, of) {
				n += has
			}
		}
		return int(n)
	}
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 300 {
				cid, n := []int64{1, 11, 12, 13}[r.IntN(4)], 1+r.Int64N(3)
				var h Hold
				if b.Reserve(&h, &Counting{Collection: c, Count: count}, []Add{{CID: cid, N: n}}).Reason != policy.NotJudged {
					continue
				}
				mu.Lock()
				switch r.IntN(3) {
				case 0: // refused by the backend
				case 1:
					held[cid] += n
				default:
					held[cid] += n
					for of, bound := range bounds {
						total := int64(0)
						for id, has := range held {
							if tree.Contains(of, id) {
								total += has
							}
						}
						if total > bound {
							t.Errorf("account %d holds %d of %d", of, total, bound)
						}
					}
					held[cid] -= min(held[cid], 2)
				}
				mu.Unlock()
				b.Settle(&h)
			}
		})
	}
	work.Wait()
	if len(b.reserved) != 0 {
		t.Errorf("reserved after the end: %v", b.reserved)
	}
}

// What was lost stays reserved until the items were read again; moves count where they arrive alone.
func TestLostAndMoved(t *testing.T) {
	c := &policy.Collection{URI: "gw/devices", Type: "devices"}
	b := New(time.Minute)
	b.Use(family(t), []Account{{ID: 11, Calls: None, Traffic: None, Items: map[string]int64{c.URI: 2}}}, false)
	try := func(read time.Time, adds ...Add) (*Hold, Refusal) {
		h := new(Hold)
		return h, b.Reserve(h, &Counting{Collection: c, Read: read, Count: func(int64) int { return 1 }}, adds)
	}
	h, r := try(noon, Add{CID: 13, N: 1})
	if r.Reason != policy.NotJudged {
		t.Fatalf("got %+v", r)
	}
	b.Lose(h, noon.Add(time.Second))
	if _, r = try(noon, Add{CID: 13, N: 1}); r.Reason != policy.CountLimit || r.Account != 11 || r.Bound != "devices_count" || r.Limit != 2 {
		t.Errorf("got %+v", r)
	}
	h, r = try(noon.Add(2*time.Second), Add{CID: 13, N: 1})
	if r.Reason != policy.NotJudged {
		t.Errorf("after a reading: got %+v", r)
	}
	b.Settle(h)
	if _, r = try(noon, Add{CID: 13, From: 11, N: 5}); r.Reason != policy.NotJudged {
		t.Errorf("inside the branch: got %+v", r)
	}
	if _, r = try(noon, Add{CID: 13, From: 12, N: 2}); r.Reason != policy.CountLimit {
		t.Errorf("from outside: got %+v", r)
	}
	if _, r = try(noon, Add{CID: 12, From: 13, N: 5}); r.Reason != policy.NotJudged {
		t.Errorf("out of the branch: got %+v", r)
	}
}

// A request allocates nothing, bounded or not.
func TestNoAllocs(t *testing.T) {
	for name, accounts := range map[string][]Account{"none": nil, "bounded": {bounded(1, 1<<30, 1<<39), bounded(13, 1<<30, None)}} {
		b := New(time.Minute)
		b.Use(family(t), accounts, false)
		var h Hold
		if n := testing.AllocsPerRun(100, func() { b.Admit(&h, 13, noon); b.Release(&h, false, 100, noon) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	for name, accounts := range map[string][]Account{"none": nil, "bounded": {bounded(1, 1<<39, 1<<39), bounded(13, 1<<39, None)}} {
		b.Run(name, func(b *testing.B) {
			book := New(time.Minute)
			book.Use(family(b), accounts, false)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var h Hold
				for pb.Next() {
					book.Admit(&h, 13, noon)
					book.Release(&h, false, 100, noon)
				}
			})
		})
	}
}
