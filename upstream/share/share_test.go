package share

import (
	"slices"
	"testing"

	"aclgate/policy"
)

// tree is 1 → 11 → 111 and 112, 12 beside 11, and 2 beside 1.
func tree(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{
		{ID: 1}, {ID: 11, Parent: 1}, {ID: 111, Parent: 11}, {ID: 112, Parent: 11}, {ID: 12, Parent: 1}, {ID: 2},
	}, 5)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

// owner is what a Ledger belongs to.
type owner struct {
	*Ledger
	tree  *policy.Tree
	holds []*Hold
}

func newOwner(t testing.TB, size, places int64) *owner {
	o := &owner{tree: tree(t)}
	o.Ledger = New(Options{Size: size, Places: places, Each: func(do func(*Hold)) {
		for _, h := range o.holds {
			do(h)
		}
	}})
	return o
}

func (o *owner) caller(token, cid int64) Holder {
	return HolderOf(&policy.Token{ID: token, CID: cid}, o.tree)
}

// hold takes n for a holder; nil if it may not have them.
func (o *owner) hold(who Holder, n int64) *Hold {
	h := &Hold{Holder: who}
	if !o.Take(h, n) {
		return nil
	}
	o.holds = append(o.holds, h)
	return h
}

func (o *owner) give(h *Hold) {
	o.holds = slices.DeleteFunc(o.holds, func(x *Hold) bool { return x == h })
	o.Give(h)
}

// fill takes one after the other, by each of the holders in turn, and returns how many each has.
func (o *owner) fill(who ...Holder) []int64 {
	got := make([]int64, len(who))
	for more := true; more; {
		more = false
		for i, w := range who {
			if o.hold(w, 1) != nil {
				got[i], more = got[i]+1, true
			}
		}
	}
	return got
}

// Each of those who take whatever they can gets its share and no more (SPEC 2, Shares), whether the
// others take before or after.
func TestShares(t *testing.T) {
	o := newOwner(t, 512, 0)
	var many []Holder
	for i := range int64(20) {
		many = append(many, o.caller(100+i, 12))
	}
	stranger := HolderOf(nil, o.tree)
	sum := func(n []int64) (all int64) {
		for _, n := range n {
			all += n
		}
		return all
	}
	for _, row := range []struct {
		name string
		who  []Holder
		want int64
	}{
		{"one token", []Holder{o.caller(1, 12)}, 256},
		{"one token of a root", []Holder{o.caller(1, 1)}, 256},
		{"one account", many, 384},
		{"an account below another", []Holder{o.caller(1, 111), o.caller(2, 111), o.caller(3, 111)}, 288},
		{"two accounts below another", []Holder{o.caller(1, 111), o.caller(2, 112)}, 384},
		{"strangers", []Holder{stranger}, 64},
		{"callers together", []Holder{o.caller(1, 1), o.caller(2, 1), o.caller(3, 2)}, 480},
		{"look-ups", []Holder{o.caller(1, 1).ForLookUp(), o.caller(2, 1).ForLookUp(), o.caller(3, 2)}, 496},
		{"the gateway", []Holder{{}}, 512},
	} {
		if got := sum(o.fill(row.who...)); got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, got, row.want)
		}
		for len(o.holds) > 0 {
			o.give(o.holds[0])
		}
		if len(o.nodes) > 0 || o.counted || o.Ledger.held.total != 0 {
			t.Errorf("%s: got %d nodes, counted %v, %d held at the end", row.name, len(o.nodes), o.counted, o.Ledger.held.total)
		}
	}
}

// A few have shares too, and nobody's is nothing.
func TestSmallShares(t *testing.T) {
	for _, row := range []struct{ size, token, account, strangers, callers int64 }{
		{1, 1, 1, 1, 1}, {2, 1, 1, 1, 2}, {4, 2, 3, 1, 4}, {8, 4, 6, 1, 7}, {32, 16, 24, 4, 30},
	} {
		b := newBounds(row.size, 1)
		if b.token != row.token || b.account != row.account || b.strangers != row.strangers || b.callers != row.callers {
			t.Errorf("of %d: got %+v", row.size, b)
		}
	}
	if b := newBounds(100, 90); b.token != 90 || b.account != 90 || b.callers != 94 {
		t.Errorf("where one request may need 90: got %+v", b)
	}
}

// Whoever comes late below an account at its bound finds its equal part, as far as the quarter that
// is kept goes; the one that has more is refused.
func TestEqualPart(t *testing.T) {
	o := newOwner(t, 512, 0)
	if got := o.fill(o.caller(1, 111), o.caller(2, 111)); got[0]+got[1] != 288 {
		t.Fatalf("the first account has %v", got)
	}
	if got := o.fill(o.caller(3, 112)); got[0] != 96 {
		t.Errorf("the second got %d, want the 96 that were kept", got[0])
	}
	if o.hold(o.caller(4, 111), 1) != nil {
		t.Error("the first got more, at the bound")
	}
	if got := o.fill(o.caller(5, 12)); got[0] != 512-384-32 {
		t.Errorf("an account beside them got %d", got[0])
	}
	held, _ := o.Met()
	if held.Account == 0 || held.Callers == 0 || held.Strangers != 0 {
		t.Errorf("got %+v", held)
	}
}

// enter puts a new waiter in line.
func (o *owner) enter(who Holder) *Waiter {
	w := &Waiter{Hold: Hold{Holder: who}}
	if !o.Enter(w) {
		return nil
	}
	return w
}

// next returns who is next, and holds what it got.
func (o *owner) next() *Waiter {
	w := o.Next(1)
	if w != nil {
		o.holds = append(o.holds, &w.Hold)
	}
	return w
}

// The line is shared like what it is for, tokens have their turns, and one at its bound keeps its
// place and holds nobody up.
func TestLine(t *testing.T) {
	o := newOwner(t, 8, 64)
	greedy, other, third := o.caller(1, 11), o.caller(2, 12), o.caller(3, 2)
	o.fill(greedy)
	var line []*Waiter
	for w := o.enter(greedy); w != nil; w = o.enter(greedy) {
		line = append(line, w)
	}
	if len(line) != 32 {
		t.Errorf("one token has %d places of 64, want 32", len(line))
	}
	if w := o.next(); w != nil {
		t.Errorf("got %+v for what is free: it is not for a token at its bound", w)
	}
	o.fill(other)
	if o.held.total != 7 { // one is kept for the gateway
		t.Errorf("got %d held, want 7", o.held.total)
	}
	first, second, own := o.enter(other), o.enter(third), o.enter(Holder{})
	if got := o.next(); got != own {
		t.Errorf("got %+v, want the gateway itself", got)
	}
	o.give(&own.Hold)
	o.give(o.holds[0]) // of the greedy one
	if got := o.next(); got != line[0] {
		t.Errorf("got %+v, want the first of the greedy", got)
	}
	o.give(o.holds[0])
	if got := o.next(); got != first {
		t.Errorf("got %+v, want the first of the others: the greedy one had its turn", got)
	}
	if !o.Leave(line[1]) || o.Leave(line[1]) || o.Leave(first) {
		t.Error("leaving the line")
	}
	o.give(o.holds[0])
	if got := o.next(); got != second {
		t.Errorf("got %+v, want the third token", got)
	}
	if _, places := o.Met(); places.Token != 1 || o.Waiting() != 30 {
		t.Errorf("got %+v and %d waiting", places, o.Waiting())
	}
	for o.Any() != nil {
	}
	if o.Waiting() != 0 {
		t.Errorf("%d still wait", o.Waiting())
	}
}

// An account that was moved while something of it was held is counted to its end.
func TestTreeChanges(t *testing.T) {
	o := newOwner(t, 16, 0)
	o.fill(o.caller(1, 111))
	moved, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 12, Parent: 1}, {ID: 111, Parent: 12}}, 5)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	o.tree = moved
	o.fill(o.caller(2, 111), o.caller(3, 12), o.caller(4, 99))
	for len(o.holds) > 0 {
		o.give(o.holds[0])
	}
	if len(o.nodes) > 0 || o.held.total != 0 {
		t.Errorf("got %d nodes, %d held at the end", len(o.nodes), o.held.total)
	}
}
