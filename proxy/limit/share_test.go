package limit

import (
	"fmt"
	"testing"

	"aclgate/policy"
)

// family is 1 with the accounts 11 to 10+n below it.
func family(t *testing.T, n int) *policy.Tree {
	t.Helper()
	accounts := []policy.Account{{ID: 1}}
	for i := range n {
		accounts = append(accounts, policy.Account{ID: int64(11 + i), Parent: 1})
	}
	tree, faults := policy.NewTree(accounts, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

// Ensure that accounts, and callers of the operator, that ask as fast as they can leave room for one
// that asks for less than its part, and use together what the operator may.
func TestShareOfTheModest(t *testing.T) {
	for _, row := range []struct {
		limit   Limit
		greedy  []int64 // accounts that ask every millisecond
		every   int64   // milliseconds between two requests of the modest one
		refused int     // of a hundred of its requests, at most
	}{
		{Limit{Rate: 100, Burst: 100}, []int64{11}, 50, 0},
		{Limit{Rate: 100, Burst: 100}, []int64{11, 12, 13}, 50, 0},
		{Limit{Rate: 100, Burst: 40}, []int64{11, 12}, 50, 5},
		// A reserve of one or two requests may be in use just then.
		{Limit{Rate: 100, Burst: 8}, []int64{11}, 50, 10},
		{Limit{Rate: 100, Burst: 8}, []int64{1}, 50, 10},
		{Limit{Rate: 0.5, Burst: 5}, []int64{11}, 10_000, 10},
		{Limit{Rate: 0.5, Burst: 5}, []int64{11, 12}, 10_000, 40},
		{Limit{Rate: 1000, Burst: 200_000}, []int64{11, 12}, 10, 0},
	} {
		name := fmt.Sprint(row.limit, row.greedy)
		l, tr := New(Options{Account: row.limit}), family(t, 5)
		var h Hold
		passed, asked, refused := 0, 0, 0
		long := 100 * row.every
		for ms := range long {
			now := second + ms*1e6
			for _, cid := range row.greedy {
				if l.Admit(&h, token(cid, cid), tr, now) == policy.NotJudged {
					passed++
				}
				h.Release()
			}
			if ms%row.every != row.every/2 {
				continue
			}
			asked++
			if l.Admit(&h, token(99, 15), tr, now) != policy.NotJudged {
				refused++
			}
			h.Release()
		}
		if asked != 100 || refused > row.refused {
			t.Errorf("%s: %d of %d requests of the modest one were refused", name, refused, asked)
		}
		may := row.limit.Rate*float64(long)/1000 + float64(row.limit.Burst)
		if total := float64(passed + asked - refused); total > may+1 || total < 0.7*min(may, float64(int(long)*len(row.greedy))) {
			t.Errorf("%s: %v requests passed in all, of %v", name, total, may)
		}
	}
}

// Ensure that an account alone gets the whole rate of the one above it, and less than its burst at
// once.
func TestShareOfOneAlone(t *testing.T) {
	l, tr := New(Options{Account: Limit{Rate: 10, Burst: 20}}), family(t, 2)
	var h Hold
	at := func(now int64) (passed int) {
		for l.Admit(&h, token(1, 11), tr, now) == policy.NotJudged {
			h.Release()
			passed++
		}
		h.Release()
		return passed
	}
	if got := at(second); got != 15 {
		t.Errorf("got %d at once, want 15 of 20", got)
	}
	if got := l.Admit(&h, token(2, 12), tr, second); got != policy.NotJudged {
		t.Errorf("its sibling: got %v", got)
	}
	h.Release()
	passed := 0
	for s := range int64(100) {
		passed += at(100*second + s*second)
	}
	if passed < 990 || passed > 1015 {
		t.Errorf("got %d in 100 s, want 10 a second", passed)
	}
}

// Ensure that requests of one account that never end leave room for its siblings.
func TestShareAtOneTime(t *testing.T) {
	l, tr := New(Options{Account: Limit{Concurrent: 8}}), family(t, 3)
	admit := func(cid int64) policy.Reason { return l.Admit(new(Hold), token(cid, cid), tr, second) }
	held := 0
	for admit(11) == policy.NotJudged {
		held++
	}
	if held != 6 {
		t.Errorf("one account holds %d of 8", held)
	}
	for _, cid := range []int64{12, 13} {
		if got := admit(cid); got != policy.NotJudged {
			t.Errorf("account %d: got %v", cid, got)
		}
	}
	if got := admit(12); got != policy.LimitAccount {
		t.Errorf("a ninth request: got %v", got)
	}
}
