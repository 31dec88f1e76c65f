package share

import "container/list"

// Ledger says who may hold how much of something, and who is next in line for it. It belongs to one
// owner, which guards it.
type Ledger struct {
	held    resource // what the ledger is about
	places  resource // in line
	counted bool     // nodes say who holds and who waits
	nodes   map[key]*node
	turns   list.List           // of *node: those that have somebody waiting, the next one first
	each    func(func(h *Hold)) // calls its argument with everything that is held
}

// resource is one thing that is divided.
type resource struct {
	bounds
	which     which
	total     int64
	strangers int64
	met       [boundCount]uint64
}

// which is the index of a resource in the counts of a node.
type which uint8

const (
	things which = iota
	places
)

// Options say what a Ledger divides.
type Options struct {
	Size   int64               // of all there is
	Least  int64               // that one request may need alone; 0: 1
	Places int64               // in line; 0: nobody waits
	Each   func(func(h *Hold)) // calls its argument with each Hold that holds something
}

// New returns a Ledger of which nothing is held.
func New(o Options) *Ledger {
	return &Ledger{
		held:   resource{bounds: newBounds(o.Size, max(1, o.Least)), which: things},
		places: resource{bounds: newBounds(o.Places, 1), which: places},
		nodes:  map[key]*node{}, each: o.Each,
	}
}

// Take has h hold n more, and reports whether it may.
func (l *Ledger) Take(h *Hold, n int64) bool {
	met, may := l.take(h, n)
	if !may {
		l.held.met[met]++
	}
	return may
}

func (l *Ledger) take(h *Hold, n int64) (met bound, may bool) {
	if met, may = l.held.fits(h.Kind, n); !may {
		return met, false
	}
	if !l.counted && l.held.total+n > l.held.token {
		l.count()
	}
	if l.counted {
		joined := h.node
		if joined == nil {
			joined = l.join(&h.Holder)
		}
		if met = joined.bound(&l.held, n); met != noBound {
			l.drop(joined)
			return met, false
		}
		h.node = joined
		joined.add(things, n)
	}
	h.amount += n
	l.held.add(h.Kind, n)
	return noBound, true
}

// Give takes back all that h holds, and who it belongs to. Others may be next then: see Next.
func (l *Ledger) Give(h *Hold) {
	l.held.add(h.Kind, -h.amount)
	if h.node != nil {
		h.node.add(things, -h.amount)
		l.drop(h.node)
	}
	*h = Hold{}
	if l.counted && l.places.total == 0 && l.held.total <= l.held.token/4 {
		l.forget()
	}
}

// fits reports whether there is room for n more, whoever the others are; if not, the bound that is
// met. What is simply full is no bound of anybody.
func (r *resource) fits(k Kind, n int64) (bound, bool) {
	after := r.total + n
	switch {
	case after > r.all:
		return noBound, false
	case k == Own:
		return noBound, true
	case k == LookUp && after > r.lookUps, k != LookUp && after > r.callers:
		return ofCallers, false
	case k == Stranger && r.strangers+n > r.bounds.strangers:
		return ofAllStrangers, false
	}
	return noBound, true
}

func (r *resource) add(k Kind, n int64) {
	r.total += n
	if k == Stranger {
		r.strangers += n
	}
}

// count counts who holds what.
func (l *Ledger) count() {
	l.counted = true
	l.each(func(h *Hold) {
		h.node = l.join(&h.Holder)
		h.node.add(things, h.amount)
	})
}

// forget ends the counting. Nobody waits.
func (l *Ledger) forget() {
	l.counted = false
	l.each(func(h *Hold) { h.node = nil })
	clear(l.nodes)
}

// Met says how often each bound was met.
type Met struct{ Token, Account, Strangers, Callers uint64 }

// Add adds what another ledger has counted.
func (m *Met) Add(o Met) {
	m.Token += o.Token
	m.Account += o.Account
	m.Strangers += o.Strangers
	m.Callers += o.Callers
}

// Met returns how often bounds were met: by those who would hold something, and by those who would
// wait for it.
func (l *Ledger) Met() (held, line Met) { return l.held.counts(), l.places.counts() }

func (r *resource) counts() Met {
	m := &r.met
	return Met{Token: m[ofTokens], Account: m[ofAccounts], Strangers: m[ofAllStrangers], Callers: m[ofCallers]}
}
