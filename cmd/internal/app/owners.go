package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/proxy"
	"aclgate/upstream/index"
)

// owners returns what the settings say of whose items are (SPEC 4.4, scope.owners).
func owners(s *config.Settings) policy.Owners {
	switch {
	case s.Scope.Owners != config.OwnersStore:
		return policy.OwnersBackend
	case s.Store.Kind == config.StoreFile:
		return policy.OwnersFile
	}
	return policy.OwnersStore
}

// UnownedAccount says why what nobody owns cannot belong to scope.unowned.
func UnownedAccount(s *config.Settings, tree *policy.Tree) error {
	if _, found := tree.Account(s.Scope.Unowned); s.Scope.Unowned == 0 || found {
		return nil
	}
	return fmt.Errorf("no account has the id %d", s.Scope.Unowned)
}

// openOwners opens the record of whose items are, where it is the gateway's own.
func (a *App) openOwners() index.Owners {
	switch a.engine.Owners {
	case policy.OwnersStore:
		a.book = store.NewBook(a.policy.live, a.settings.Scope.Unowned)
		return a.book
	case policy.OwnersFile:
		return &fileOwners{file: a.policy.source.(*store.File), unowned: a.settings.Scope.Unowned, first: map[string][]int64{}}
	}
	return nil
}

// ownerBook is what the gateway records owners by; nil where it cannot.
func (a *App) ownerBook() proxy.Owners {
	if a.book == nil {
		return nil
	}
	return a.book
}

// owned tells the index whose items have changed; nil: any may have.
func (a *App) owned(items []store.Owner) {
	if a.index == nil {
		return
	}
	if items == nil {
		a.index.OwnersChanged(nil)
		return
	}
	named := make([]index.Owned, 0, len(items))
	for _, o := range items {
		named = append(named, index.Owned{Collection: o.Collection, ID: o.ID})
	}
	a.index.OwnersChanged(named)
}

// Bounds of a question about missing items: how many are looked up, how many are named, and how long it
// waits for a first reading.
const (
	maxMissing     = 10_000_000
	namedMissing   = 5
	firstReadFor   = 2 * time.Second
	firstReadEvery = 20 * time.Millisecond
)

// askedItems counts who asks about the items of a collection now.
type askedItems struct {
	mu  sync.Mutex
	all map[*policy.Collection]int
}

func (q *askedItems) add(c *policy.Collection, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[*policy.Collection]int{}
	}
	if q.all[c] += n; q.all[c] == 0 {
		delete(q.all, c)
	}
}

// demand is what has to be read: what tokens need, and what is asked about.
func (a *App) demand() index.Demand {
	d := index.DemandOf(a.engine, a.tokenShapes)
	a.asked.mu.Lock()
	defer a.asked.mu.Unlock()
	d.Collections = slices.AppendSeq(slices.Clone(d.Collections), maps.Keys(a.asked.all))
	return d
}

// firstRead has a collection read that was not, and waits for it a while. It is kept until done is called.
func (a *App) firstRead(ctx context.Context, c *policy.Collection) (done func()) {
	if !a.index.ReadAt(c).IsZero() {
		return func() {}
	}
	a.asked.add(c, 1)
	a.index.PolicyLoaded()
	ctx, cancel := context.WithTimeout(ctx, firstReadFor)
	defer cancel()
	tick := time.NewTicker(firstReadEvery)
	defer tick.Stop()
	for ctx.Err() == nil && a.index.ReadAt(c).IsZero() {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return func() {
		a.asked.add(c, -1)
		a.index.PolicyLoaded()
	}
}

// missing says which items the last reading of a collection did not have. What no token needs was not read:
// it is now.
func (a *App) missing(ctx context.Context, m *store.Missing) {
	i := slices.IndexFunc(a.engine.Catalogue.Collections, func(c *policy.Collection) bool { return c.URI == m.Collection })
	if i < 0 || a.index == nil {
		return
	}
	c := a.engine.Catalogue.Collections[i]
	defer a.firstRead(ctx, c)()
	view := a.index.View(a.policy.Tree())
	if m.Read = view.Keeps(c) && !a.index.ReadAt(c).IsZero(); !m.Read {
		return
	}
	left := maxMissing
	for _, run := range m.Runs {
		for id := run[0]; id <= run[1] && left > 0; id++ {
			left--
			if _, known := view.Account(c, id); known {
				continue
			}
			if m.Unknown++; len(m.First) < namedMissing {
				m.First = append(m.First, id)
			}
		}
	}
}

// fileOwners is what a policy file says of whose items are. What it does not name belongs to
// scope.unowned if the first whole reading of this process showed it: nothing is written down.
type fileOwners struct {
	file    *store.File
	unowned int64

	mu    sync.RWMutex
	first map[string][]int64 // by collection: the ids of the first whole reading
}

// Owner implements index.Owners.
func (o *fileOwners) Owner(c *policy.Collection, id int64) (cid int64, found bool) {
	if cid, found = o.file.Owner(c.URI, id); found || o.unowned == 0 {
		return cid, found
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, found = slices.BinarySearch(o.first[c.URI], id)
	return o.unowned, found
}

// Listed implements index.Owners.
func (o *fileOwners) Listed(_ context.Context, c *policy.Collection, ids []int64, _ func(int64) bool) error {
	if o.unowned == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, seen := o.first[c.URI]; !seen {
		o.first[c.URI] = slices.Clone(ids)
	}
	return nil
}
