package share

import (
	"math"
	"math/rand/v2"
	"testing"

	"aclgate/policy"
)

// model is the rule of SPEC 2, Shares, as a plain count of everything that is held: slow, and
// without anything that could be forgotten.
type model struct {
	o    *owner
	size int64
	line []*Waiter
}

// everybody calls do with all that is held and, with amount 0, all that waits.
func (m *model) everybody(do func(h *Hold)) {
	for _, h := range m.o.holds {
		do(h)
	}
	for _, w := range m.line {
		do(&Hold{Holder: w.Hold.Holder})
	}
}

// sum adds up what those hold that pick says.
func (m *model) sum(pick func(*Hold) bool) (n int64) {
	m.everybody(func(h *Hold) {
		if pick(h) {
			n += h.amount
		}
	})
	return n
}

func (m *model) may(who Holder, n int64) bool {
	all := m.sum(func(*Hold) bool { return true }) + n
	reserve := max(1, m.size/16)
	switch who.Kind {
	case Own:
		return all <= m.size
	case Stranger:
		return all <= m.size-reserve && m.sum(func(h *Hold) bool { return h.Kind == Stranger })+n <= m.size/8
	case LookUp:
		if all > m.size-(reserve+1)/2 {
			return false
		}
	case Caller:
		if all > m.size-reserve {
			return false
		}
	}
	ofToken := func(h *Hold) bool { return (h.Kind == Caller || h.Kind == LookUp) && h.Token == who.Token }
	if m.sum(ofToken)+n > m.size/2 {
		return false
	}
	var path []int64
	m.o.tree.Ancestors(who.CID, func(id int64) { path = append(path, id) })
	for i, id := range path[:len(path)-1] { // without the root
		below := func(h *Hold) bool { return h.Kind != Own && h.Kind != Stranger && m.o.tree.Contains(id, h.CID) }
		mine := ofToken
		if i > 0 {
			mine = func(h *Hold) bool { return below(h) && m.o.tree.Contains(path[i-1], h.CID) }
		}
		after, bound := m.sum(below)+n, m.size*3/4
		if after > bound || after > bound-bound/4 && m.sum(mine)+n > m.part(who, id, i == 0) {
			return false
		}
	}
	return true
}

// part is the equal part of the bound of an account: of the accounts directly below it, and its
// tokens as one.
func (m *model) part(who Holder, id int64, own bool) int64 {
	tokens, accounts := map[int64]bool{}, map[int64]bool{}
	note := func(h *Hold) {
		if h.Kind != Caller && h.Kind != LookUp || !m.o.tree.Contains(id, h.CID) {
			return
		}
		if h.CID == id {
			tokens[h.Token] = true
			return
		}
		m.o.tree.Ancestors(h.CID, func(a int64) {
			if up, _ := m.o.tree.Account(a); up.Parent == id {
				accounts[a] = true
			}
		})
	}
	m.everybody(note)
	note(&Hold{Holder: who})
	parts := int64(len(accounts))
	if len(tokens) > 0 {
		parts++
	}
	if own {
		return int64(math.Ceil(float64(m.size*3/4) / float64(parts) / float64(len(tokens))))
	}
	return int64(math.Ceil(float64(m.size*3/4) / float64(max(2, parts))))
}

// Whatever comes and goes in whatever order, the ledger says what the plain count says.
func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		size := int64(8 + rnd.IntN(120))
		o := newOwner(t, size, 40)
		m := &model{o: o, size: size}
		var who []Holder
		for i := range int64(12) {
			tok := &policy.Token{ID: i, CID: []int64{1, 11, 111, 112, 12, 2}[rnd.IntN(6)]}
			who = append(who, HolderOf(tok, o.tree))
		}
		who = append(who, who[0].ForLookUp(), Holder{}, HolderOf(nil, nil))
		for range 3000 {
			m.step(t, rnd, who)
		}
		m.end(t)
	}
}

func (m *model) step(t *testing.T, rnd *rand.Rand, all []Holder) {
	t.Helper()
	o := m.o
	who, n := all[rnd.IntN(len(all))], int64(1+rnd.IntN(2))
	switch rnd.IntN(8) {
	case 0, 1, 2, 3: // now and then nothing but this, so that it fills up
		want := m.may(who, n)
		if got := o.hold(who, n) != nil; got != want {
			t.Fatalf("%+v takes %d: got %v, want %v", who, n, got, want)
		}
	case 4, 5:
		if len(o.holds) > 0 {
			o.give(o.holds[rnd.IntN(len(o.holds))])
		}
	case 6:
		if w := o.enter(who); w != nil {
			m.line = append(m.line, w)
		}
	case 7:
		m.next(t)
	}
}

// next serves all that may be served.
func (m *model) next(t *testing.T) {
	for {
		var may []bool
		some := false
		for _, w := range m.line {
			ok := m.may(w.Hold.Holder, 1)
			may, some = append(may, ok), some || ok
		}
		w := m.o.Next(1)
		if w == nil {
			if some && !m.heldUp() {
				t.Fatalf("nobody was served of %d", len(m.line))
			}
			return
		}
		for i, x := range m.line {
			if x == w {
				if !may[i] {
					t.Fatalf("%+v was served", w.Hold.Holder)
				}
				m.line = append(m.line[:i], m.line[i+1:]...)
				m.o.holds = append(m.o.holds, &w.Hold)
				break
			}
		}
	}
}

// heldUp reports whether a look-up is behind another request of its token, whose turn comes first.
func (m *model) heldUp() bool {
	for _, w := range m.line {
		if w.Hold.Kind == LookUp {
			return true
		}
	}
	return false
}

func (m *model) end(t *testing.T) {
	t.Helper()
	for _, w := range m.line {
		if !m.o.Leave(w) {
			t.Fatal("one who waits is not in line")
		}
	}
	for len(m.o.holds) > 0 {
		m.o.give(m.o.holds[0])
	}
	if l := m.o.Ledger; len(l.nodes) > 0 || l.counted || l.held.total != 0 || l.held.strangers != 0 || l.places.total != 0 {
		t.Fatalf("at the end: %d nodes, counted %v, %d held, %d waiting", len(l.nodes), l.counted, l.held.total, l.places.total)
	}
}
