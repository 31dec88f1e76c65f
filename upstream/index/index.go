package index

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// ErrNotRead says that the index has not been read whole once.
var ErrNotRead = errors.New("the item index was not read yet")

// Demand is what some token can reach; nothing else is read.
type Demand struct {
	Collections []*policy.Collection // whose items
	Members     []*policy.Collection // whose members of groups: devices, assets, geofences
}

// Options say what the index reads, and how often.
type Options struct {
	Backend      listing.Doer
	Key          func() string // the gateway's own credential; "": the backend needs none
	Mode         policy.Mode   // of scope.mode
	Catalogue    *policy.Catalogue
	Tree         func() *policy.Tree // the accounts in force
	Demand       func() Demand       // asked at the start and after every PolicyLoaded
	Refresh      time.Duration       // pause between two readings
	MaxStaleness time.Duration       // older is too old to judge by
	MaxTarget    int                 // upstream.max_url_bytes
	Log          *slog.Logger
}

// ItemIndex knows whose every item is (SPEC 4.4): the tree is enforced by it where the backend
// does not. What it knows is one immutable state behind one pointer. A request takes a View
// and keeps it to its end; nobody ever waits for a reading.
//
// A reading replaces what is known of one collection as a whole, or not at all: half a list
// would take items away from their owners. What passes through the gateway meanwhile
// (Created, Deleted, Moved) has a number and is applied again to a reading that began
// before it, so that an old page cannot give an item back to whom it was taken from.
type ItemIndex struct {
	lister listing.Lister
	opt    Options
	groups *policy.Collection // nil: the catalogue has none
	state  atomic.Pointer[indexState]
	seen   ordinalCache

	mu         sync.Mutex // guards what follows, and every change of state
	seq        uint64     // of the last change
	refreshers map[subject]*refresher

	worked, failed atomic.Uint64 // readings

	ready   atomic.Bool   // all that was needed at some time was read
	loaded  chan struct{} // PolicyLoaded wakes Run
	slots   chan struct{} // bounds collections read at one time
	lookUps lookupCache
}

// readCount is how many collections are read at one time.
const readCount = 4

// indexState is all that is known at one moment. It is immutable but for the view, which
// is made when it is first asked for.
type indexState struct {
	overlays []*overlay      // by Collection.Index; nil: not needed
	members  []*groupMembers // likewise
	views    [trees]atomic.Pointer[View]
}

// New returns an index that knows nothing; Run makes it read.
func New(o Options) *ItemIndex {
	x := &ItemIndex{lister: listing.Lister{Backend: o.Backend, Key: o.Key, Log: o.Log}, opt: o, refreshers: map[subject]*refresher{}}
	x.groups = o.Catalogue.WithRole(policy.RoleGroups)
	x.loaded = make(chan struct{}, 1)
	x.slots = make(chan struct{}, readCount)
	x.lookUps.begin(o.Refresh)
	n := len(o.Catalogue.Collections)
	x.state.Store(&indexState{overlays: make([]*overlay, n), members: make([]*groupMembers, n)})
	return x
}

// View is what is known, for one request, together with the tree that it is judged by. It
// is a policy.Items.
type View struct {
	state    *indexState
	ordinals *ordinals
}

// View returns what is known now. It allocates nothing as long as nothing changes.
func (x *ItemIndex) View(tree *policy.Tree) *View {
	state := x.state.Load()
	for i := range state.views {
		if v := state.views[i].Load(); v != nil && v.ordinals.tree == tree {
			return v
		}
	}
	v := &View{state, x.seen.of(tree)}
	state.views[v.ordinals.slot].Store(v)
	return v
}

// Account returns the account of an item of c, and whether it is known.
func (v *View) Account(c *policy.Collection, id int64) (cid int64, known bool) {
	if s := v.state.overlays[c.Index]; s != nil {
		return s.account(id)
	}
	return 0, false
}

// Of returns the ids of the items of c in the branch of cid, ascending and shared.
func (v *View) Of(c *policy.Collection, cid int64) []int64 {
	if s := v.state.overlays[c.Index]; s != nil {
		return s.of(v.ordinals, cid)
	}
	return nil
}

// Members returns the ids of the items of c that belong to a group of groups, ascending and
// shared.
func (v *View) Members(c *policy.Collection, groups []int64) []int64 {
	if l := v.state.members[c.Index]; l != nil {
		return l.of(groups)
	}
	return nil
}

// Stale reports whether what is known about a collection is too old to judge by, or is
// nothing: the answer is policy.IndexStale then. Collections that are not indexed never are.
func (x *ItemIndex) Stale(c *policy.Collection) bool {
	if !listing.HasAccounts(c) {
		return false
	}
	s := x.state.Load().overlays[c.Index]
	return s == nil || x.old(s.began)
}

// StaleFor reports whether what is known is too old to judge a request by: of a collection
// that it names or, for tokens with entries, of the members that groups have in it.
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

// membersStale reports whether somebody needs the members of groups in c, and they, or the
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
// backend refuses to show is waited for only as long as it shows none at all: it stays Stale,
// like what a later policy needs besides.
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
	for _, r := range x.refreshers {
		switch ok, err := r.outcome(); {
		case ok:
			read++
		case err != nil && r.name.members:
			// Without them nobody gains rights by groups there: a backend that
			// has no such groupMembers must not keep all the rest from being served.
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

// Created notes an item that was created through the gateway. Like all changes it counts
// for every View taken later, and outlives readings that began before it.
func (x *ItemIndex) Created(c *policy.Collection, id, cid int64) { x.change(c, []int64{id}, cid) }

// Moved notes items that were given to another account.
func (x *ItemIndex) Moved(c *policy.Collection, ids []int64, cid int64) { x.change(c, ids, cid) }

// Deleted notes items that are gone, or of which nobody knows any more whose they are: who
// names one has it looked up.
func (x *ItemIndex) Deleted(c *policy.Collection, ids []int64) { x.change(c, ids, gone) }

func (x *ItemIndex) change(c *policy.Collection, ids []int64, cid int64) {
	x.lookUps.forget(c, ids)
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	changes := make([]change, 0, len(ids))
	full := cid == gone && s.changes() >= maxForgotten
	for _, id := range ids {
		if full && !s.knows(id) {
			continue
		}
		changes = append(changes, change{id, cid, x.seq + 1})
	}
	if len(changes) == 0 {
		return
	}
	x.seq++
	x.put(c, s.apply(distinct(changes)))
}

// maxForgotten is how many changes there may be until no more are kept of items that were
// not known before. In header mode a caller may name as many of them as he likes.
const maxForgotten = 1 << 16

// distinct sorts changes and drops those of items that come twice.
func distinct(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int { return byID(a, b.id) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.id == b.id })
}

// found notes what a look-up has shown that was not known and that began after change seq.
// What has changed since counts more: the look-up may have seen the item before it was moved.
func (x *ItemIndex) found(c *policy.Collection, rows []change, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	rows = slices.DeleteFunc(rows, func(row change) bool {
		was, changed := s.changed(row.id)
		cid, known := s.account(row.id)
		return changed && was.seq > seq || known && cid == row.cid
	})
	if len(rows) == 0 {
		return
	}
	x.seq++
	for i := range rows {
		rows[i].seq = x.seq
	}
	x.put(c, s.apply(distinct(rows)))
}

// mark returns the number of the last change, from which a question begins.
func (x *ItemIndex) mark() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seq
}

// put makes s what is known about c. The caller holds mu.
func (x *ItemIndex) put(c *policy.Collection, s *overlay) {
	state := x.state.Load()
	next := &indexState{overlays: slices.Clone(state.overlays), members: state.members}
	next.overlays[c.Index] = s
	x.state.Store(next)
}

// putMembers makes l what is known about the members of groups in c. The caller holds mu.
func (x *ItemIndex) putMembers(c *policy.Collection, l *groupMembers) {
	state := x.state.Load()
	next := &indexState{overlays: state.overlays, members: slices.Clone(state.members)}
	next.members[c.Index] = l
	x.state.Store(next)
}

// GroupsChanged reads the members of groups in c again, after a link that passed through,
// and returns when a reading that began after the call has ended. If it failed, what was
// known before does not count any more: it could let an item go on that was taken out.
func (x *ItemIndex) GroupsChanged(ctx context.Context, c *policy.Collection) error {
	x.mu.Lock()
	r := x.refreshers[subject{c, true}]
	x.mu.Unlock()
	if r == nil {
		return nil
	}
	err := r.again(ctx)
	if err != nil {
		x.forgetMembers(c)
	}
	return err
}

func (x *ItemIndex) forgetMembers(c *policy.Collection) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state.Load().members[c.Index] != nil {
		x.putMembers(c, new(groupMembers))
	}
}
