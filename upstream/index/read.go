package index

import (
	"context"
	"time"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// read reads one collection whole and makes it what is known.
func (x *ItemIndex) read(ctx context.Context, c *policy.Collection) error {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	seq, began := x.mark(), time.Now()
	b := newSnapshotBuilder(x.size(c))
	q := listing.Items(c.URI, x.roots())
	if err := x.lister.AllScopes(ctx, &q, func(r *listing.Row) { b.add(r.ID[0], r.ID[1]) }); err != nil {
		return err
	}
	base, err := b.snapshot()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() != nil { // stopped, under mu: nobody needs it, or another reader has begun
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
		Max:     listing.MaxItems, Whole: true,
	}
	err := x.lister.AllScopes(ctx, &q, func(r *listing.Row) { pairs = append(pairs, pair{r.ID[0], r.ID[1]}) })
	if err != nil {
		return nil, err
	}
	l := newGroupMembers(pairs)
	l.began = began
	return l, nil
}

// publishMembers makes l what is known, unless its reader was stopped meanwhile.
func (x *ItemIndex) publishMembers(ctx context.Context, c *policy.Collection, l *groupMembers) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() == nil {
		x.putMembers(c, l)
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

// roots returns the scopes that a listing is read under: those of the policy's roots where a
// header is sent.
func (x *ItemIndex) roots() []int64 { return listing.Roots(x.opt.Mode, x.opt.Tree()) }
