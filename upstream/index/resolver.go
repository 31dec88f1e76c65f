package index

import (
	"errors"
	"slices"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// maxMatches bounds the ids that one match may name.
const maxMatches = 1_000_000

// Question is one request that needs a look-up before there is a verdict.
type Question struct {
	Input      *policy.Input
	Decision   *policy.Decision // Unresolved
	Resolved   *policy.Resolved // what is found out is added here
	CallersKey []byte           // sent where the gateway has no credential of its own
	// Refused is the last refusal of a match that counts as an empty result; nil: there was none.
	Refused *listing.AnswerError
	// Answer is used to ask the backend and left closed, so that its Cancel ends the question; nil:
	// Resolve makes one.
	Answer *upstream.Answer
	// Confirm is asked before each request to the backend. If it returns an error, Resolve fails
	// with upstream.ErrWithdrawn; nil: nobody is asked.
	Confirm func() error
}

// Finder finds the accounts of the items that the index does not find in the scope: those of
// Decision.Selectors[i].Unknown. Answer is not nil. The policy.Items of the input must know what
// was found; LookUp may replace them. Its errors are those of Resolve.
type Finder interface {
	LookUp(*Question) error
}

// ResolverOptions say how questions are asked.
type ResolverOptions struct {
	Backend   listing.Doer
	Key       func() string // the gateway's own credential; "": the caller's is used
	Mode      policy.Mode   // of scope.mode
	MaxTarget int           // upstream.max_url_bytes
	Index     Finder        // nil: ids are never unknown
}

// Resolver asks the backend what the engine has to know before it can decide (SPEC 4.3, Resolving).
// It is safe for concurrent use.
type Resolver struct {
	lister    listing.Lister
	mode      policy.Mode
	maxTarget int
	index     Finder
}

// NewResolver returns a Resolver.
func NewResolver(o ResolverOptions) *Resolver {
	return &Resolver{lister: listing.Lister{Backend: o.Backend, Key: o.Key}, mode: o.Mode, maxTarget: o.MaxTarget, index: o.Index}
}

// Resolve finds out what an unresolved decision needs: the ids of its matches, and the accounts of
// the unknown ids. The error is a policy.Reason, a *listing.AnswerError, which is the client's
// answer, listing.ErrRows, listing.ErrRowCount, or an *upstream.Error, whose kind may be
// listing.ErrRedirect or listing.ErrUnauthorized too.
func (r *Resolver) Resolve(q *Question) error {
	if q.Answer == nil {
		q.Answer = new(upstream.Answer)
	}
	defer q.Answer.Close()
	unknown := false
	for i := range q.Decision.Selectors {
		p := &q.Decision.Selectors[i]
		unknown = unknown || len(p.Unknown) > 0
		if !p.Match {
			continue
		}
		ids, err := r.match(q, i)
		refused := !p.Alone && isRefusal(err, &q.Refused)
		if err != nil && !refused {
			return err
		}
		q.Resolved.Matches = append(q.Resolved.Matches, policy.ResolvedMatch{Selector: i, IDs: ids, Refused: refused})
	}
	if !unknown {
		return nil
	}
	if r.index != nil {
		if err := r.index.LookUp(q); err != nil {
			return err
		}
	}
	q.Resolved.LookedUp = true
	return nil
}

// isRefusal reports whether the backend refused a question for what it asks, and keeps the refusal.
// The backend evaluates a match over items that are not the caller's, too: what it says of them must
// not be told apart from an empty result (SPEC 4.3, Resolving). A credential that it does not take,
// or a rate, is about no item.
func isRefusal(err error, refused **listing.AnswerError) bool {
	var answer *listing.AnswerError
	if !errors.As(err, &answer) || answer.Status == 401 || answer.Status == 429 {
		return false
	}
	*refused = answer
	return true
}

// match returns the ids that a match names, ascending. Errors that the backend reports beside the
// rows are left to the request that follows, which it judges anew.
func (r *Resolver) match(q *Question, selector int) ([]int64, error) {
	s := &q.Input.Request.Selectors[selector]
	target := append([]byte{'/'}, s.Collection.URI...)
	target = policy.AppendMatch(append(target, '/'), s)
	target = append(target, "?fields=id"...)
	if r.maxTarget > 0 && len(target) > r.maxTarget-len("&limit=1000&offset=1000000") {
		return nil, policy.BadSelector
	}
	list := listing.Query{
		Target: target, CallersKey: q.CallersKey, Max: maxMatches, Columns: listing.Columns{Names: []string{"id"}, Required: 1},
		Confirm: q.Confirm,
	}
	if r.mode.Header() {
		list.CID = q.Input.Scope
	}
	var ids []int64
	if err := r.lister.All(q.Answer, &list, func(row *listing.Row) { ids = append(ids, row.ID[0]) }); err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
