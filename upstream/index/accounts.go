package index

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// AccountsOptions say where the account tree comes from (scope.accounts: backend).
type AccountsOptions struct {
	Backend      listing.Doer
	Key          func() string // the gateway's own credential; "": the backend needs none
	Mode         policy.Mode
	Policy       func() *policy.Tree // the accounts of the policy: its roots count, and its names
	MaxDepth     int                 // policy.max_depth
	Refresh      time.Duration       // pause between two readings
	MaxStaleness time.Duration
	Log          *slog.Logger
	// Changed is called after the first reading and after the tree has changed, while it cannot change
	// again; it may be nil. It is not called before NewAccounts has returned.
	Changed func()
}

// Accounts is the account tree as the backend has it, below the roots that the policy names. An
// account below none of them, or too deep, is in no branch. It is read whole or not at all, like
// the index, and what passes through counts at once.
type Accounts struct {
	lister    listing.Lister
	opt       AccountsOptions
	tree      atomic.Pointer[policy.Tree]
	began     atomic.Pointer[time.Time] // when the reading in force began
	refresher *refresher

	mu    sync.Mutex // guards what follows
	rows  []policy.Account
	later []policy.Account // created, moved or deleted since the last reading began
}

// nowhere is the parent of an account that was deleted.
const nowhere = -1

// NewAccounts returns the roots of the policy, with nothing below them yet.
func NewAccounts(o AccountsOptions) *Accounts {
	a := &Accounts{lister: listing.Lister{Backend: o.Backend, Key: o.Key, Log: o.Log}, opt: o, refresher: newRefresher()}
	a.build()
	return a
}

// Tree returns the tree in force.
func (a *Accounts) Tree() *policy.Tree { return a.tree.Load() }

// Stale reports whether the tree is too old to judge by, or was never read.
func (a *Accounts) Stale() bool {
	began := a.began.Load()
	return began == nil || time.Since(*began) > a.opt.MaxStaleness
}

// Ready returns nil once the tree was read, else ErrNotRead.
func (a *Accounts) Ready() error {
	if a.began.Load() == nil {
		return ErrNotRead
	}
	return nil
}

// PolicyLoaded takes the roots of the policy in force, at once, and makes Run read again: below a
// new root there may be accounts that were never read.
func (a *Accounts) PolicyLoaded() {
	a.mu.Lock()
	a.build()
	a.mu.Unlock()
	a.refresher.wake.Wake()
}

// Created notes an account that was created through the gateway. Like all changes it counts at once
// and outlives a reading that began before it.
func (a *Accounts) Created(id, parent int64) { a.Moved([]int64{id}, parent) }

// Moved notes accounts that hang below parent from now on.
func (a *Accounts) Moved(ids []int64, parent int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.later = append(a.later, policy.Account{ID: id, Parent: parent})
	}
	a.build()
}

// Deleted notes accounts that are gone, or whose parent is not known any more: until they are read
// again they and all accounts below them are in no branch.
func (a *Accounts) Deleted(ids []int64) { a.Moved(ids, nowhere) }

// Run reads the tree until ctx ends.
func (a *Accounts) Run(ctx context.Context) {
	a.refresher.run(ctx, func(ctx context.Context, _ uint64) error { return a.read(ctx) },
		func(err, before error, _ time.Duration) time.Duration {
			switch {
			case err != nil && before == nil:
				a.opt.Log.Warn("cannot read the account tree", "error", err)
			case err == nil && before != nil:
				a.opt.Log.Info("the account tree can be read again")
			}
			if err != nil {
				return min(a.opt.Refresh, retryRead)
			}
			return a.opt.Refresh
		})
}

// read reads all accounts below the roots.
func (a *Accounts) read(ctx context.Context) error {
	began := time.Now()
	a.mu.Lock()
	before := len(a.later)
	a.mu.Unlock()
	q := listing.Items("platform/subaccounts", listing.Roots(a.opt.Mode, a.opt.Policy()))
	var rows []policy.Account
	q.Deadline = began.Add(a.opt.MaxStaleness)
	q.Again = func(n int) { rows = rows[:len(rows)-n] }
	each := func(r *listing.Row) { rows = append(rows, policy.Account{ID: r.ID[0], Parent: r.ID[1]}) }
	if err := a.lister.AllScopes(ctx, &q, each); err != nil {
		return err
	}
	rows, err := distinctAccounts(rows)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows, a.later = rows, slices.Delete(a.later, 0, before)
	first := a.began.Swap(&began) == nil
	if !a.build() && first && a.opt.Changed != nil {
		a.opt.Changed()
	}
	return nil
}

// distinctAccounts sorts accounts by id. One that came twice, below two parents, is below neither:
// nothing tells which of them is true.
func distinctAccounts(rows []policy.Account) ([]policy.Account, error) {
	slices.SortFunc(rows, func(a, b policy.Account) int { return cmp.Compare(a.ID, b.ID) })
	rows = slices.Compact(rows)
	for i := range rows {
		if i > 0 && rows[i].ID == rows[i-1].ID {
			return nil, &upstream.Error{Kind: upstream.ErrBroken, Cause: errors.New("one account came with two parents")}
		}
	}
	return rows, nil
}

// Read reads the tree once, without Run.
func (a *Accounts) Read(ctx context.Context) error { return a.read(ctx) }

// build makes the tree from what is known and reports whether somebody was told that it is another.
// The caller holds mu, or is alone. A tree that is the same as before stays, because much is
// remembered by it.
func (a *Accounts) build() bool {
	accounts := a.reachable()
	now := a.tree.Load()
	if now != nil && slices.Equal(now.Accounts(), accounts) {
		return false
	}
	tree, faults := policy.NewTree(accounts, a.opt.MaxDepth)
	if len(faults) > 0 {
		a.opt.Log.Error("the accounts of the backend are no tree", "account", accounts[faults[0].Index].ID, "fault", faults[0].Message)
		return false
	}
	a.tree.Store(tree)
	if now == nil || a.opt.Changed == nil { // nobody has seen the first one
		return false
	}
	a.opt.Changed()
	return true
}

// reachable returns the roots and what hangs below them, parents first, down to the depth that is
// allowed.
func (a *Accounts) reachable() []policy.Account {
	named := a.opt.Policy()
	below := a.below()
	var out []policy.Account
	met := map[int64]bool{}
	for _, root := range named.Accounts() {
		if root.Parent == 0 {
			out, met[root.ID] = append(out, root), true
		}
	}
	for from, depth := 0, 1; depth < a.opt.MaxDepth && from < len(out); depth++ {
		to := len(out)
		for _, parent := range out[from:to] {
			for _, id := range below[parent.ID] {
				if met[id] {
					continue
				}
				known, _ := named.Account(id)
				out, met[id] = append(out, policy.Account{ID: id, Parent: parent.ID, Name: known.Name}), true
			}
		}
		from = to
	}
	return out
}

// below returns the accounts under each parent, as they were read and changed since. They are
// ascending, so that the same accounts make the same tree.
func (a *Accounts) below() map[int64][]int64 {
	changed := make(map[int64]int64, len(a.later))
	for _, row := range a.later {
		changed[row.ID] = row.Parent
	}
	below := map[int64][]int64{}
	for _, row := range a.rows {
		if _, yes := changed[row.ID]; !yes {
			below[row.Parent] = append(below[row.Parent], row.ID)
		}
	}
	for id, parent := range changed {
		below[parent] = append(below[parent], id)
	}
	for _, ids := range below {
		slices.Sort(ids)
	}
	return below
}
