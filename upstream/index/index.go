package index

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/upstream/listing"
	"aclgate/upstream/wake"
)

// ErrNotRead says that the index has not been read whole once.
var ErrNotRead = errors.New("the item index was not read yet")

// Options say what the index reads, and how often.
type Options struct {
	Backend      listing.Doer
	Key          func() string // the gateway's own credential; "": the backend needs none
	Mode         policy.Mode   // of scope.mode
	Catalogue    *policy.Catalogue
	Tree         func() *policy.Tree // the accounts in force
	Owners       Owners              // says whose items are; nil: the backend does
	Demand       func() Demand       // asked at the start and after every PolicyLoaded
	Refresh      time.Duration       // pause between two readings
	MaxStaleness time.Duration       // older is too old to judge by
	MaxTarget    int                 // upstream.max_url_bytes
	Connections  int                 // upstream.max_connections: no more readings at one time; 0: many
	Log          *slog.Logger
}

// ItemIndex knows the account of every item (SPEC 4.4): the tree is enforced by it where the
// backend does not. What it knows is one immutable state behind one pointer. A request takes a View
// and keeps it to its end; no request ever waits for a reading but a first one (FirstReading).
//
// A reading replaces what is known of one collection as a whole, or not at all: half a list would
// take items away from their owners. What passes through the gateway meanwhile (Created, Deleted,
// Moved) has a number and is applied again to a reading that began before it, so that an old page
// cannot give an item back to its former account.
type ItemIndex struct {
	lister listing.Lister
	opt    Options
	groups *policy.Collection // nil: the catalogue has none
	state  atomic.Pointer[state]

	mu         sync.Mutex // guards what follows, and every change of state
	seq        uint64     // of the last change
	refreshers map[subject]*refresher
	moving     map[*policy.Collection]*moves // of readings that are about to count
	changed    chan struct{}                 // closed at the next change of state; nil: nobody waits for it

	worked, failed atomic.Uint64 // readings

	ready   atomic.Bool   // all that was needed at some time was read
	wake    wake.Signal   // of Run
	slots   chan struct{} // bounds readings at one time
	lookUps *lookupCache
}

// readCount is how many readings there are at one time, unless the backend has fewer connections:
// one that finds none would fail where upstream.queue.max lets nobody wait.
const readCount = 4

// state is all that is known at one moment. It is immutable but for the views, which are made when
// they are first asked for.
type state struct {
	version  uint64          // another one in every state that says something else
	oldest   time.Time       // when the oldest reading of those that succeeded began; zero: none has
	overlays []*overlay      // by Collection.Index; nil: not needed
	members  []*groupMembers // likewise
	views    perTree[View]
	fresh    perTree[Fresh]
}

// New returns an index that knows nothing; Run makes it read.
func New(o Options) *ItemIndex {
	atOnce := readCount
	if o.Connections > 0 {
		atOnce = min(atOnce, o.Connections)
	}
	x := &ItemIndex{
		lister: listing.Lister{Backend: o.Backend, Key: o.Key, Log: o.Log}, opt: o,
		groups: o.Catalogue.WithRole(policy.RoleGroups), refreshers: map[subject]*refresher{}, moving: map[*policy.Collection]*moves{},
		wake: wake.New(), slots: make(chan struct{}, atOnce), lookUps: newLookupCache(o.Refresh),
	}
	n := len(o.Catalogue.Collections)
	x.state.Store(&state{overlays: make([]*overlay, n), members: make([]*groupMembers, n)})
	return x
}

// View is what is known, for one request, together with the tree that it is judged by. It is a
// policy.Items.
type View struct {
	state *state
	tree  *policy.Tree
}

// View returns what is known now. It allocates nothing as long as nothing changes.
func (x *ItemIndex) View(tree *policy.Tree) *View {
	return x.state.Load().view(tree)
}

func (s *state) view(tree *policy.Tree) *View {
	return s.views.get(tree, func() *View { return &View{s, tree} })
}

// Account returns the account of an item of c, and whether it is known.
func (v *View) Account(c *policy.Collection, id int64) (cid int64, known bool) {
	if s := v.state.overlays[c.Index]; s != nil {
		return s.account(id)
	}
	return 0, false
}

// Keeps reports whether the accounts of the items of c are known here.
func (v *View) Keeps(c *policy.Collection) bool { return v.state.overlays[c.Index] != nil }

// Of returns the ids of the items of c in the branch of cid, ascending and shared.
func (v *View) Of(c *policy.Collection, cid int64) []int64 {
	if s := v.state.overlays[c.Index]; s != nil {
		return s.of(v.tree, cid)
	}
	return nil
}

// Doubtful returns the ids of the items of c that the branch of cid may have, and of which a write has
// left open what became of them, ascending.
func (v *View) Doubtful(c *policy.Collection, cid int64) []int64 {
	if s := v.state.overlays[c.Index]; s != nil && len(s.doubts) > 0 {
		return s.doubtful(v.tree, cid)
	}
	return nil
}

// Members returns the ids of the items of c that belong to a group of groups, ascending and shared.
func (v *View) Members(c *policy.Collection, groups []int64) []int64 {
	if l := v.state.members[c.Index]; l != nil {
		return l.of(groups)
	}
	return nil
}

// Stale reports whether what is known about a collection is too old to judge by, or is nothing: the
// answer is policy.IndexStale then. Collections that are not indexed never are.
func (x *ItemIndex) Stale(c *policy.Collection) bool {
	if !listing.HasAccounts(c) {
		return false
	}
	s := x.state.Load().overlays[c.Index]
	return s == nil || x.old(s.began)
}

// ReadAt returns when the reading of c began that is known; zero: none.
func (x *ItemIndex) ReadAt(c *policy.Collection) time.Time {
	if s := x.state.Load().overlays[c.Index]; s != nil {
		return s.began
	}
	return time.Time{}
}

// StaleFor reports whether what is known is too old to judge a request by: of a collection that it
// names or, for tokens with entries, of the members that groups have in it.
func (x *ItemIndex) StaleFor(c *policy.Input) bool {
	for i := range c.Request.Selectors {
		col := c.Request.Selectors[i].Collection
		if col == nil {
			continue
		}
		if x.opt.Mode.Index() && x.Stale(col) || c.Token.Access == policy.ACLAccess && x.membersStale(col) {
			return true
		}
	}
	return false
}

// membersStale reports whether some token needs the members of groups in c, and they, or the
// groups, are too old.
func (x *ItemIndex) membersStale(c *policy.Collection) bool {
	l := x.state.Load().members[c.Index]
	return l != nil && (x.old(l.began) || x.groups != nil && x.Stale(x.groups))
}

// old reports whether a reading that began then is too old. Rows are as old as the question.
func (x *ItemIndex) old(began time.Time) bool {
	return began.IsZero() || time.Since(began) > x.opt.MaxStaleness
}

// Ready returns nil once all that is needed was read, else ErrNotRead. A collection that the
// backend refuses to show is waited for only while it shows none at all: it stays Stale, and so
// does what only a later policy needs.
func (x *ItemIndex) Ready() error {
	if x.ready.Load() {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.seq == 0 { // Run has not asked yet what is needed
		return ErrNotRead
	}
	read := 0
	for subject, r := range x.refreshers {
		switch ok, err := r.outcome(); {
		case ok:
			read++
		case err != nil && subject.members:
			// Without them no token gains rights by groups there: a backend that has no such
			// groupMembers must not keep all the rest from being served.
		case !hidden(err):
			return ErrNotRead
		}
	}
	if read == 0 && len(x.refreshers) > 0 {
		return ErrNotRead
	}
	x.ready.Store(true)
	return nil
}

// hidden reports whether a reading failed because the backend refuses to show a collection.
func hidden(err error) bool {
	var refused *listing.AnswerError
	return errors.As(err, &refused) && refused.Status == 403
}
