package index

import (
	"time"

	"aclgate/policy"
)

// Fresh is a View that knows nothing of what is too old to judge by: for whoever judges again and
// again what it cannot answer with a 503 (SPEC 16.4.4). It is a policy.Items.
type Fresh struct {
	*View
	index *ItemIndex
}

// Fresh returns what is known now and not too old at the moment when it is asked. It allocates
// nothing as long as nothing changes.
func (x *ItemIndex) Fresh(tree *policy.Tree) *Fresh {
	now := x.state.Load()
	return now.fresh.get(tree, func() *Fresh { return &Fresh{now.view(tree), x} })
}

// Account is that of View.
func (f *Fresh) Account(c *policy.Collection, id int64) (cid int64, known bool) {
	if f.index.Stale(c) {
		return 0, false
	}
	return f.View.Account(c, id)
}

// Of is that of View.
func (f *Fresh) Of(c *policy.Collection, cid int64) []int64 {
	if f.index.Stale(c) {
		return nil
	}
	return f.View.Of(c, cid)
}

// Members is that of View.
func (f *Fresh) Members(c *policy.Collection, groups []int64) []int64 {
	if f.index.membersStale(c) {
		return nil
	}
	return f.View.Members(c, groups)
}

// Version returns a number that is another one whenever something else is known. A reading that
// shows what was known before, and was not too old, leaves it.
func (f *Fresh) Version() uint64 { return f.state.version }

// Old reports whether something that was read is too old at a moment: then what Fresh says may
// become less with time, at one and the same version.
func (f *Fresh) Old(now time.Time) bool {
	oldest := f.state.oldest
	return !oldest.IsZero() && now.Sub(oldest) > f.index.opt.MaxStaleness
}
