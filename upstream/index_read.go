package upstream

import (
	"context"
	"time"

	"aclgate/policy"
)

// maxItems bounds one collection: runs are counted in 32 bits, and memory has an end.
const maxItems = 100_000_000

// read reads one collection whole and makes it what is known.
func (x *Index) read(ctx context.Context, c *policy.Collection) error {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	seq, began := x.mark(), time.Now()
	b := newShelfBuilder(x.size(c))
	q := listing{
		target: []byte("/" + c.URI + "/all?fields=id%2Ccid"), roots: x.roots(),
		columns: Columns{Names: []string{"id", "cid"}, Required: 1},
		max:     maxItems, whole: true,
	}
	if err := x.allScopes(ctx, &q, func(r *Row) { b.add(r.ID[0], r.ID[1]) }); err != nil {
		return err
	}
	base, err := b.shelf()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() != nil { // stopped, under mu: nobody needs it, or another reader has begun
		return ctx.Err()
	}
	x.put(c, x.state.Load().stocks[c.Index].reread(base, began, seq))
	return nil
}

// readMembers reads which items of c belong to which group.
func (x *Index) readMembers(ctx context.Context, c *policy.Collection) (*links, error) {
	began := time.Now()
	var pairs []pair
	q := listing{
		target: []byte("/gw/groups/all/" + c.Type + "/all?fields=group_id%2C" + memberColumn(c)), roots: x.roots(),
		columns: Columns{Names: []string{"group_id", memberColumn(c)}, Required: 2},
		max:     maxItems, whole: true,
	}
	err := x.allScopes(ctx, &q, func(r *Row) { pairs = append(pairs, pair{r.ID[0], r.ID[1]}) })
	if err != nil {
		return nil, err
	}
	l := newLinks(pairs)
	l.began = began
	return l, nil
}

// publishMembers makes l what is known, unless its reader was stopped meanwhile.
func (x *Index) publishMembers(ctx context.Context, c *policy.Collection, l *links) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() == nil {
		x.putMembers(c, l)
	}
}

// size returns about how many items a reading will find.
func (x *Index) size(c *policy.Collection) int {
	if s := x.state.Load().stocks[c.Index]; s != nil {
		return len(s.base.ids) + pageRows
	}
	return 0
}

// memberColumn returns what a link calls the id of an item: device_id.
func memberColumn(c *policy.Collection) string { return c.Type[:len(c.Type)-1] + "_id" }

// roots returns the scopes that a listing is read under: those of the policy's roots where a
// header is sent.
func (x *Index) roots() []int64 { return rootsOf(x.opt.Mode, x.opt.Tree()) }
