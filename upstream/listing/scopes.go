package listing

import (
	"context"
	"errors"

	"aclgate/policy"
	"aclgate/upstream"
)

// ErrNoRoot says that there is no account to read under.
var ErrNoRoot = errors.New("there is no root account to ask under")

// noScope is the scope of a question that names no account.
const noScope = 0

// HasAccounts reports whether the items of c have ids and accounts that a listing can name.
func HasAccounts(c *policy.Collection) bool { return c.Scoped && c.IDs == policy.IDInt }

// Roots returns the scopes to ask under so that everything is seen: the roots of the tree, or none
// where no header is sent.
func Roots(mode policy.Mode, tree *policy.Tree) []int64 {
	if !mode.Header() {
		return []int64{noScope}
	}
	var roots []int64
	for _, a := range tree.Accounts() {
		if a.Parent == 0 {
			roots = append(roots, a.ID)
		}
	}
	return roots
}

// AllScopes reads a listing under each of its roots. A root that the backend does not let us see
// has no items; when it is all of them, something else is wrong. A collection that it does not know
// (404) is empty. A refusal after the first page is a failure: what was read until then is not all.
func (k *Lister) AllScopes(ctx context.Context, q *Query, each func(*Row)) error {
	var a upstream.Answer
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	failed := ErrNoRoot
	read := 0
	for _, q.CID = range q.Roots {
		shown, err := k.all(&a, q, each)
		var refused *AnswerError
		first := errors.As(err, &refused) && !shown
		switch {
		case err == nil || first && refused.Status == 404:
			read++
		case first && refused.Status == 403:
			failed = err
			k.Log.Warn("the backend shows nothing of a root account", "account", q.CID, "error", err)
		default:
			return err
		}
	}
	if read == 0 {
		return failed
	}
	return nil
}
