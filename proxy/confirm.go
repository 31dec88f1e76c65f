package proxy

import (
	"errors"
	"time"

	"aclgate/policy"
	"aclgate/upstream/share"
)

// errMoved takes a request back because the decision about it does not hold any more.
var errMoved = errors.New("what the decision rests on has moved")

// basis is what a decision rests on beside its request. While none of it has moved, the same
// request is decided in the same way.
type basis struct {
	token    *policy.Token // nil: a route without a token
	revision uint64        // of the store for the token, from before it was looked up
	tree     *policy.Tree
	items    policy.Items
	paths    policy.PathState // on which grants it rests
}

// holder is who counts for what the request holds.
func (ev *evaluation) holder() share.Holder { return share.HolderOf(ev.in.Token, ev.in.Tree) }

func (ev *evaluation) basis() basis {
	return basis{token: ev.in.Token, revision: ev.revision, tree: ev.in.Tree, items: ev.in.Items, paths: ev.in.PathState()}
}

// confirmer tells whether a decision still holds (SPEC 2, The moment of judgement). Every request is
// looked at just before its first byte goes to the backend, so it costs a few loads and takes no
// lock.
type confirmer struct {
	tokens   Tokens
	accounts Accounts
	grants   Grants
	index    Index
}

// moved reports whether anything that a decision rests on is not any more what it was.
func (f *confirmer) moved(b *basis) bool {
	return f.callerMoved(b) || f.index != nil && b.items != policy.Items(f.index.View(b.tree))
}

// callerMoved reports whether the token or its accounts are not any more what they were. Questions
// that the gateway asks for a caller are no answer yet, so the items may move meanwhile.
func (f *confirmer) callerMoved(b *basis) bool {
	return f.accounts.Tree() != b.tree || b.token != nil && f.tokenMoved(b)
}

// tokenMoved reports whether the token, or what was granted to its account, is not any more what it
// was, or the store is too old to tell.
func (f *confirmer) tokenMoved(b *basis) bool {
	now := time.Now()
	if f.grants != nil && b.paths.Moved(f.grants.Grants(), now.Unix()) {
		return true
	}
	return f.tokens.Revision(b.token.Digest.Key()) != b.revision || !f.tokens.Fresh(now) || !b.token.Alive(now.Unix())
}
