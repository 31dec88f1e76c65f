package upstream

import (
	"context"
	"errors"

	"aclgate/policy"
)

// noRoot is the scope of a question that names no account.
const noRoot = 0

// rootsOf returns the scopes to ask under so that everything is seen: the roots of the tree,
// or none where no header is sent.
func rootsOf(mode policy.Mode, tree *policy.Tree) []int64 {
	if !mode.Header() {
		return []int64{noRoot}
	}
	var roots []int64
	for _, a := range tree.Accounts() {
		if a.Parent == 0 {
			roots = append(roots, a.ID)
		}
	}
	return roots
}

// allScopes reads a listing under each of its roots. A root that the backend does not let
// us see has no items; when it is all of them, something else is wrong. A collection that it
// does not know (404) is empty. A refusal after the first rows is a failure: what was read
// until then is not all.
func (k *lister) allScopes(ctx context.Context, q *listing, each func(*Row)) error {
	var a Answer
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	failed := error(ErrNotRead)
	read, rows := 0, 0
	counted := func(r *Row) { rows++; each(r) }
	for _, q.cid = range q.roots {
		before := rows
		err := k.all(&a, q, counted)
		var refused *AnswerError
		first := errors.As(err, &refused) && rows == before
		switch {
		case err == nil || first && refused.Status == 404:
			read++
		case first && refused.Status == 403:
			failed = err
			k.log.Warn("the backend shows nothing of a root account", "account", q.cid, "error", err)
		default:
			return err
		}
	}
	if read == 0 {
		return failed
	}
	return nil
}
