package quota

import (
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// None is a bound that bounds nothing.
const None = -1

// Account is what bounds one account by itself.
type Account struct {
	ID       int64
	Disabled bool             // blocked by hand
	Zero     bool             // blocked by a limit of all zeros
	Calls    int64            // in a window; None: no bound
	Traffic  int64            // bytes of bodies in a window; None: no bound
	BlockFor time.Duration    // how long an excess of these two blocks
	Items    map[string]int64 // by the URI of a collection; nil: no bound
	Named    bool             // what it uses is added up for ever, for metrics
}

// bounds reports whether there is anything to enforce.
func (a *Account) bounds() bool {
	return a.Disabled || a.Zero || a.Calls >= 0 || a.Traffic >= 0 || len(a.Items) > 0
}

// same reports whether the rates and blocks of both are the same.
func (a *Account) same(b *Account) bool {
	return a.Calls == b.Calls && a.Traffic == b.Traffic && a.BlockFor == b.BlockFor
}

// node is an account of a plan. It is immutable but for its counter, which outlives the plan.
type node struct {
	Account
	up *node // nil: a root
	*counter
}

// plan is what is in force.
type plan struct {
	tree  *policy.Tree
	nodes map[int64]*node
	items bool // some account has a bound of items
}

// Book holds what is in force and what was counted. It is safe for concurrent use. The zero Book
// bounds nothing.
type Book struct {
	window time.Duration
	plan   atomic.Pointer[plan] // nil: nobody is bounded and nobody counted

	mu       sync.Mutex // of what follows; requests take it where an account has a bound of items
	counters map[int64]*counter
	reserved map[place]int64
	lost     []lostHold
}

// place is the items of a collection in the branch of an account.
type place struct {
	collection int // Collection.Index
	cid        int64
}

// New returns a Book whose windows last so long: platform.limit_window.
func New(window time.Duration) *Book {
	return &Book{window: window, counters: map[int64]*counter{}, reserved: map[place]int64{}}
}

// Use puts the bounds of accounts of a tree in force, for every request that is judged later. Accounts
// that are not named are bounded by those above alone. With always every account is counted, bounded
// or not. A block ends where the bounds that led to it have changed.
func (b *Book) Use(tree *policy.Tree, accounts []Account, always bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &plan{tree: tree, nodes: make(map[int64]*node, len(tree.Accounts()))}
	for _, a := range tree.Accounts() {
		p.nodes[a.ID] = &node{Account: Account{ID: a.ID, Calls: None, Traffic: None}}
	}
	for i := range accounts {
		a := &accounts[i]
		if n := p.nodes[a.ID]; n != nil {
			n.Account = *a
			p.items = p.items || len(a.Items) > 0
			always = always || a.bounds()
		}
	}
	before := b.plan.Load()
	if !always {
		b.plan.Store(nil)
		return
	}
	for _, a := range tree.Accounts() {
		n := p.nodes[a.ID]
		n.up = p.nodes[a.Parent]
		if n.counter = b.counters[a.ID]; n.counter == nil {
			n.counter = new(counter)
			b.counters[a.ID] = n.counter
		}
		var was *node
		if before != nil {
			was = before.nodes[a.ID]
		}
		if was == nil || !was.same(&n.Account) { // what it was blocked by is not there any more
			n.until.Store(0)
		}
	}
	for id := range b.counters {
		if p.nodes[id] == nil {
			delete(b.counters, id)
		}
	}
	b.plan.Store(p)
}

// counter is what was used in the window.
type counter struct {
	calls, traffic windowed
	until          atomic.Int64 // unix nanoseconds at which a block ends; in the past: there is none
	told           [2]windowed  // of calls and traffic, what all gateways are known to have counted

	allCalls, allTraffic atomic.Uint64 // of an account that is Named, since it is
}

// windowed is a sum in the current window: 24 bits of the number of the window above 40 bits of the sum,
// so that both change at once.
type windowed struct{ packed atomic.Uint64 }

const (
	sumBits = 40
	maxSum  = 1<<sumBits - 1
)

// add adds n in a window, and returns the sum. It stays at maxSum.
func (w *windowed) add(window uint64, n int64) int64 {
	window = window << sumBits
	for {
		was := w.packed.Load()
		sum := uint64(0)
		if was&^maxSum == window {
			sum = was & maxSum
		}
		sum = min(sum+uint64(max(n, 0)), maxSum)
		if w.packed.CompareAndSwap(was, window|sum) {
			return int64(sum)
		}
	}
}

// join adds n to the sum of a window, unless another one has begun.
func (w *windowed) join(window uint64, n int64) {
	for {
		was := w.packed.Load()
		if was&^maxSum != window<<sumBits {
			return
		}
		sum := min(was&maxSum+uint64(max(n, 0)), maxSum)
		if w.packed.CompareAndSwap(was, window<<sumBits|sum) {
			return
		}
	}
}

// sum returns what was added in a window.
func (w *windowed) sum(window uint64) int64 {
	if was := w.packed.Load(); was&^maxSum == window<<sumBits {
		return int64(was & maxSum)
	}
	return 0
}

// windowAt returns the number of the window of a moment.
func (b *Book) windowAt(now time.Time) uint64 {
	return uint64(now.UnixNano()/int64(max(b.window, time.Millisecond))) & (1<<(64-sumBits) - 1)
}
