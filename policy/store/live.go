package store

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// LiveOptions say what a Live store follows and how.
type LiveOptions struct {
	Engine       Engine
	MaxDepth     int           // levels of accounts
	Foreign      bool          // the accounts of tokens are the backend's: those here are not asked
	Poll         time.Duration // how often the engine is asked for changes
	MaxStaleness time.Duration // how long decisions may rest on the last answer (SPEC 15.4)
	History      time.Duration // how long changes are kept
	Replica      string        // the name of this gateway
	Version      string        // of the program
	Logger       *slog.Logger  // nil: slog.Default()

	// Now reads the clocks that a lease begins by, wall and monotonic; nil: time.Now.
	Now func() time.Time

	// Changed is told what every change led to, the first load too, before the call that made the
	// change returns. It must neither follow nor change the Live; nil: nobody is told.
	Changed func(State, What)
	// Applied is told of changes that are in force, with neither Before nor After, in their order. What
	// a reading of everything brought is not among them. It must not keep the slice.
	Applied func([]Change)
	// Owned is told before Changed whose items moved, with CID 0 where nothing says so any more. nil
	// stands for everything: what Owners yields then holds. It must not keep the slice.
	Owned func([]Owner)
}

// revisionCount is how many revisions there are: one changed token makes one token in so many stale.
const revisionCount = 1 << 12

// Live is the store of an engine: all tokens and accounts in memory, followed change by change. No
// request waits for the engine. Load makes it useful, and Run keeps it so.
type Live struct {
	o LiveOptions

	mu     sync.RWMutex // of tokens and doubt; requests take it where the cache does not know a token
	tokens *writable
	doubt  map[policy.Digest]int64 // tokens that a database which went back may have brought back, and their ids

	doubtRows map[rowKey]bool // these and other rows; mu is theirs too

	loaded    atomic.Bool                 // something was read
	running   atomic.Bool                 // Run was called, and leaves at its end
	tree      atomic.Pointer[policy.Tree] // empty until then
	docs      atomic.Pointer[documents]   // of all tables but Tokens and Items
	owners    atomic.Pointer[ownerTable]
	grants    atomic.Pointer[policy.Grants] // made of docs
	revisions [revisionCount]atomic.Uint64
	lease     lease
	state     atomic.Pointer[State]
	stats     liveStats

	asked     atomic.Uint64 // how many questions there were
	following sync.Mutex    // one poll at a time; all below belongs to who holds it
	applied   int64         // the revision that is obeyed; -1: none
	mark      Mark          // of it
	accounts  map[int64]policy.Account
	rows      rowReader
	bad       map[rowKey]string // rows that do not read, and why
	beaten    time.Time         // when the last beat was sent that was not lazy
	told      int64             // the revision that the last beat of either kind spoke of
	failing   bool              // the last poll failed
	heard     uint64            // the number of the last question that was answered and obeyed
	uses      liveUses
	seen      []seen // changes that were obeyed last

	silences silences // of other gateways
	group    group    // of changes that are made
}

// rowKey names a row.
type rowKey struct {
	table Table
	id    int64
}

var _ Store = (*Live)(nil)

// NewLive returns a store that knows nothing yet: it answers ErrStale.
func NewLive(o LiveOptions) *Live {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Live{o: o, tokens: newWritable(), applied: -1, accounts: map[int64]policy.Account{}}
	l.rows.maxDepth = o.MaxDepth
	l.group.engine = o.Engine
	l.doubt, l.doubtRows = map[policy.Digest]int64{}, map[rowKey]bool{}
	empty, _ := policy.NewTree(nil, o.MaxDepth) // no accounts have no faults
	l.tree.Store(empty)
	l.bad = map[rowKey]string{}
	l.docs.Store(&documents{})
	l.owners.Store(&ownerTable{})
	l.uses.init(o.Engine)
	l.lease.init(o.Now())
	l.state.Store(&State{Stale: true})
	return l
}

// Revision implements Store.
func (l *Live) Revision(key uint64) uint64 { return l.revisions[key%revisionCount].Load() }

// Fresh implements Store: it reports whether the lease lasts.
func (l *Live) Fresh(now time.Time) bool { return l.lease.holds(now) }

// Load implements Store.
func (l *Live) Load(d policy.Digest) (*Record, error) {
	if !l.loaded.Load() {
		return nil, ErrStale
	}
	tree := l.tree.Load()
	l.mu.RLock()
	_, doubtful := l.doubt[d]
	rec := l.tokens.policy.Find(d)
	doubtful = doubtful || rec != nil && l.accountInDoubt(tree, rec.Token.CID)
	l.mu.RUnlock()
	switch {
	case doubtful:
		return nil, ErrStale
	case rec == nil:
		return nil, ErrNotFound
	}
	// An account that is not there has no branch. Only a hand in the database can leave a token
	// behind.
	if _, found := tree.Account(rec.Token.CID); !found && !l.o.Foreign {
		return nil, ErrNotFound
	}
	return rec, nil
}

// Tree implements Store.
func (l *Live) Tree() *policy.Tree { return l.tree.Load() }

// Kinds yields what tokens there are: see Policy.Kinds. Lists of entries that no token has any more
// may be among them.
func (l *Live) Kinds() iter.Seq2[policy.Access, []policy.Entry] {
	return func(yield func(policy.Access, []policy.Entry) bool) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		l.tokens.policy.Kinds()(yield)
	}
}

// State returns how the store is doing. It waits for nothing, and what it returns must not be
// changed.
func (l *Live) State() State { return *l.state.Load() }

// move makes everybody who remembers a token of this slice look it up again.
func (l *Live) move(d *policy.Digest) { l.revisions[d.Key()%revisionCount].Add(1) }

// moveAll does so for every token.
func (l *Live) moveAll() {
	for i := range l.revisions {
		l.revisions[i].Add(1)
	}
}

// publish notes that changes are in force.
func (l *Live) publish(what What) {
	st := &State{Revision: uint64(l.applied), Loaded: time.Now(), Tokens: map[policy.Access]int{}}
	l.mu.RLock()
	for access, n := range l.tokens.policy.tokens {
		if n > 0 {
			st.Tokens[policy.Access(access)] = n
		}
	}
	l.mu.RUnlock()
	st.Accounts, st.Rows = len(l.tree.Load().Accounts()), l.counts()
	l.tell(st, what)
}

func (l *Live) tell(st *State, what What) {
	l.state.Store(st)
	if l.o.Changed != nil {
		l.o.Changed(*st, what)
	}
}

// Reload asks the engine for changes at once.
func (l *Live) Reload() error { return l.Follow(context.Background()) }

// Close gives the engine back. Who followed without Run, such as a check or a start that failed,
// leaves first: whoever waits for all gateways would wait for it.
func (l *Live) Close() error {
	if !l.running.Load() {
		end, cancel := l.bounded(context.Background())
		defer cancel()
		_ = l.o.Engine.Leave(end, l.o.Replica) // else it is silent, and forgotten later
	}
	return l.o.Engine.Close()
}

// Applied returns the revision that is obeyed.
func (l *Live) Applied() int64 { return l.stats.applied.Load() }

// Write makes changes in the name of actor, in one transaction with those of others that wait. When it returns nil they survive whatever happens to
// the process, and every look-up that begins later obeys them. An error that wraps ErrUnheard says
// that they were made, and that this gateway could not read them back yet.
func (l *Live) Write(ctx context.Context, actor string, change func(*Tx) error) (Head, error) {
	return l.write(ctx, actor, false, change)
}

// WriteAlone is Write for a change that is large: no other one waits in its transaction for its end.
func (l *Live) WriteAlone(ctx context.Context, actor string, change func(*Tx) error) (Head, error) {
	return l.write(ctx, actor, true, change)
}

func (l *Live) write(ctx context.Context, actor string, alone bool, change func(*Tx) error) (Head, error) {
	head, err := l.group.write(ctx, actor, alone, func(w Writer) error { return checked(w, &l.o, change) })
	if err != nil {
		return head, err
	}
	if err := l.Follow(ctx); err != nil {
		return head, &unheard{err}
	}
	return head, nil
}

// Engine returns what the store follows.
func (l *Live) Engine() Engine { return l.o.Engine }

// buildTree makes the tree of the accounts that are sound. One that is not, such as its own
// ancestor, is left out with all that lies below it: in no branch is the safe side.
func buildTree(all map[int64]policy.Account, maxDepth int, fault func(id int64, why string)) *policy.Tree {
	list := make([]policy.Account, 0, len(all))
	for _, a := range all {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b policy.Account) int { return cmp.Compare(a.ID, b.ID) })
	for {
		tree, faults := policy.NewTree(list, maxDepth)
		if len(faults) == 0 {
			return tree
		}
		broken := make(map[int]bool, len(faults))
		for _, f := range faults {
			broken[f.Index] = true
			fault(list[f.Index].ID, f.Message)
		}
		kept := list[:0]
		for i, a := range list {
			if !broken[i] {
				kept = append(kept, a)
			}
		}
		list = kept
	}
}

// View reads in one snapshot.
func (l *Live) View(ctx context.Context, read func(*Tx) error) error { return View(ctx, l.o, read) }

// LastUse returns the unix second of the last use of a token with a ttl; 0: none is known.
func (l *Live) LastUse(id int64) int64 { return l.uses.lastUse(id) }

// Secret returns the verifier of a user's password, or ErrNoRow. It asks the engine.
func (l *Live) Secret(user int64) (verifier string, err error) {
	ctx, cancel := l.bounded(context.Background())
	defer cancel()
	err = l.View(ctx, func(tx *Tx) error {
		verifier, err = tx.Secret(user)
		return err
	})
	return verifier, err
}
