package index

import (
	"context"
	"slices"
	"sync"
	"time"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// subject is what one refresher reads.
type subject struct {
	collection *policy.Collection
	members    bool // the members of groups in it, not the items
}

// PolicyLoaded makes Run ask anew what is needed, and read what was not. It never blocks.
func (x *ItemIndex) PolicyLoaded() {
	x.wake.Wake()
}

// Run reads what is needed until ctx ends, and returns when all readings have ended.
func (x *ItemIndex) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	var roots []int64
	for ctx.Err() == nil {
		now := x.roots()
		x.arrange(ctx, &work, !slices.Equal(now, roots))
		roots = now
		select {
		case <-ctx.Done():
		case <-x.wake:
		}
	}
}

// arrange starts refreshers for what is needed and has none, and stops the others. With again those
// that go on read at once.
func (x *ItemIndex) arrange(ctx context.Context, work *sync.WaitGroup, again bool) {
	wanted := x.wanted()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seq = max(x.seq, 1)
	for s, r := range x.refreshers {
		switch {
		case !slices.Contains(wanted, s):
			r.stop()
			delete(x.refreshers, s)
			x.drop(s)
		case again:
			r.wake.Wake()
		}
	}
	for _, s := range wanted {
		if x.refreshers[s] != nil {
			continue
		}
		x.prepare(s)
		r := newRefresher()
		r.failed = func() { x.mu.Lock(); x.tell(); x.mu.Unlock() }
		var own context.Context
		own, r.stop = context.WithCancel(ctx)
		x.refreshers[s] = r
		work.Go(func() { x.keepReading(own, s, r) })
	}
}

// wanted returns what has to be read. Members are of no use without the groups.
func (x *ItemIndex) wanted() []subject {
	demand := x.opt.Demand()
	collections := slices.Clone(demand.Collections)
	if len(demand.Members) > 0 && x.groups != nil {
		collections = append(collections, x.groups)
	}
	var wanted []subject
	add := func(s subject) {
		if listing.HasAccounts(s.collection) && !slices.Contains(wanted, s) {
			wanted = append(wanted, s)
		}
	}
	for _, c := range collections {
		add(subject{c, false})
	}
	for _, c := range demand.Members {
		add(subject{c, true})
	}
	return wanted
}

// prepare makes room for what a reader will find, so that changes count even before. The caller
// holds mu.
func (x *ItemIndex) prepare(s subject) {
	if s.members {
		x.putMembers(s.collection, new(groupMembers))
		return
	}
	x.put(s.collection, &overlay{base: new(snapshot)})
}

// drop forgets what is not needed any more. The caller holds mu.
func (x *ItemIndex) drop(s subject) {
	if s.members {
		x.putMembers(s.collection, nil)
		return
	}
	x.put(s.collection, nil)
	delete(x.moving, s.collection)
}

// keepReading reads a subject again and again until ctx ends.
func (x *ItemIndex) keepReading(ctx context.Context, s subject, r *refresher) {
	read := func(ctx context.Context, _ uint64) error { return x.read(ctx, s.collection) }
	if s.members {
		read = func(ctx context.Context, generation uint64) error {
			m, err := x.readMembers(ctx, s.collection)
			if err == nil {
				x.publishMembers(ctx, s.collection, m, generation)
			}
			return err
		}
	}
	inTurn := func(ctx context.Context, generation uint64) error {
		select {
		case x.slots <- struct{}{}:
			defer func() { <-x.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
		return read(ctx, generation)
	}
	r.run(ctx, inTurn, func(err, before error, took time.Duration) time.Duration {
		x.report(s, err, before, took)
		if err != nil && !hidden(err) {
			return min(x.opt.Refresh, retryRead)
		}
		return x.opt.Refresh
	})
}

// report counts a reading. It logs when readings begin to fail, when they succeed again, and when
// they take so long that they are old when they end.
func (x *ItemIndex) report(s subject, err, before error, took time.Duration) {
	if err != nil {
		x.failed.Add(1)
	} else {
		x.worked.Add(1)
	}
	log := x.opt.Log.With("collection", s.collection.URI, "members", s.members)
	switch {
	case err != nil && before == nil:
		log.Warn("cannot read the item index", "error", err)
	case err == nil && before != nil:
		log.Info("the item index can be read again")
	case err == nil && took+x.opt.Refresh > x.opt.MaxStaleness:
		log.Warn("reading the item index takes too long for scope.max_staleness", "took", took)
	}
}

// read reads one collection whole and makes it what is known. What takes longer than max_staleness
// would be too old when it ends.
func (x *ItemIndex) read(ctx context.Context, c *policy.Collection) error {
	seq, began := x.mark(), time.Now()
	rows := make([]itemRow, 0, x.size(c))
	q := x.ask(c)
	q.Deadline = began.Add(x.opt.MaxStaleness)
	q.Again = func(n int) { rows = rows[:len(rows)-n] }
	if err := x.lister.AllScopes(ctx, &q, func(r *listing.Row) { rows = append(rows, itemRow{r.ID[0], r.ID[1]}) }); err != nil {
		return err
	}
	rows = x.accounts(ctx, c, rows, seq)
	base, err := newSnapshot(rows)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.settleMoves(c, rows) {
		if base, err = newSnapshot(rows); err != nil {
			return err
		}
	}
	if ctx.Err() != nil { // stopped, under mu: it is not needed, or another refresher has begun
		return ctx.Err()
	}
	x.put(c, x.state.Load().overlays[c.Index].rebase(base, began, seq))
	return nil
}

// readMembers reads which items of c belong to which group.
func (x *ItemIndex) readMembers(ctx context.Context, c *policy.Collection) (*groupMembers, error) {
	began := time.Now()
	var pairs []pair
	q := listing.Query{
		Target: []byte("/gw/groups/all/" + c.Type + "/all?fields=group_id%2C" + memberColumn(c)), Roots: x.roots(),
		Columns: listing.Columns{Names: []string{"group_id", memberColumn(c)}, Required: 2},
		Max:     listing.MaxItems, Whole: true, Deadline: began.Add(x.opt.MaxStaleness),
		Again: func(n int) { pairs = pairs[:len(pairs)-n] },
	}
	err := x.lister.AllScopes(ctx, &q, func(r *listing.Row) { pairs = append(pairs, pair{r.ID[0], r.ID[1]}) })
	if err != nil {
		return nil, err
	}
	l := newGroupMembers(pairs)
	l.began = began
	return l, nil
}

// publishMembers makes what a reading of a generation has shown what is known, unless its reader was
// stopped meanwhile.
func (x *ItemIndex) publishMembers(ctx context.Context, c *policy.Collection, l *groupMembers, generation uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.state.Load().members[c.Index]; ctx.Err() == nil && known != nil {
		x.putMembers(c, known.after(l, generation))
	}
}

// size returns about how many items a reading will find.
func (x *ItemIndex) size(c *policy.Collection) int {
	if s := x.state.Load().overlays[c.Index]; s != nil {
		return len(s.base.ids) + listing.PageRows
	}
	return 0
}

// memberColumn returns what a link calls the id of an item: device_id.
func memberColumn(c *policy.Collection) string { return c.Type[:len(c.Type)-1] + "_id" }

// roots returns the scopes that a listing is read under: those of the policy's roots where a header
// is sent.
func (x *ItemIndex) roots() []int64 { return listing.Roots(x.opt.Mode, x.opt.Tree()) }
