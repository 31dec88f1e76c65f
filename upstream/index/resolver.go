package index

import (
	"errors"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/share"
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

// holder is who counts for the connections that the question needs.
func (q *Question) holder() share.Holder { return share.HolderOf(q.Input.Token, q.Input.Tree) }

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
	// Conditions says that the backend knows selectors like 7,9,field=value: it is asked about what
	// is permitted, and about nothing else.
	Conditions bool
	// MaxResolved is how many items of the scope one match may name; 0: no bound.
	MaxResolved int
	// Within is how long the rows of one match may take, with those that are out of scope; 0: as long
	// as they come.
	Within time.Duration
}

// Resolver asks the backend what the engine has to know before it can decide (SPEC 4.3, Resolving).
// It is safe for concurrent use.
type Resolver struct {
	lister listing.Lister
	opt    ResolverOptions
}

// NewResolver returns a Resolver.
func NewResolver(o ResolverOptions) *Resolver {
	return &Resolver{lister: listing.Lister{Backend: o.Backend, Key: o.Key}, opt: o}
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
		found := policy.ResolvedMatch{Selector: i}
		err := r.match(q, &found)
		found.Refused = !p.Alone && isRefusal(err, &q.Refused)
		if err != nil && !found.Refused {
			return err
		}
		q.Resolved.Matches = append(q.Resolved.Matches, found)
	}
	if !unknown {
		return nil
	}
	if r.opt.Index != nil {
		if err := r.opt.Index.LookUp(q); err != nil {
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

// match finds the ids that a match names. Errors that the backend reports beside the rows are left to
// the request that follows, which it judges anew.
func (r *Resolver) match(q *Question, found *policy.ResolvedMatch) error {
	target := r.matchTarget(q, found)
	if r.opt.MaxTarget > 0 && len(target) > r.opt.MaxTarget-listing.PagingBytes {
		return policy.BadSelector
	}
	list := listing.Query{
		Target: target, CallersKey: q.CallersKey, Max: maxMatches, Columns: listing.Columns{Names: []string{"id"}, Required: 1},
		Confirm: q.Confirm, Holder: q.holder(),
	}
	tops := []int64{0}
	if r.opt.Mode.Header() {
		tops = q.Decision.Tops(q.Input, found.Selector)
	}
	if r.opt.MaxResolved > 0 {
		list.Max = r.opt.MaxResolved
	}
	if r.opt.Within > 0 {
		list.Deadline = time.Now().Add(r.opt.Within)
	}
	list.Keep = r.keeps(q, found)
	var ids []int64
	list.Again = func(n int) { ids = ids[:len(ids)-n] }
	for _, top := range tops { // one, unless grants reach below other roots
		list.CID = top
		err := r.lister.All(q.Answer, &list, func(row *listing.Row) { ids = append(ids, row.ID[0]) })
		switch {
		case errors.Is(err, listing.ErrRowCount), r.opt.MaxResolved > 0 && len(ids) > r.opt.MaxResolved:
			return policy.MatchTooWide
		case err != nil:
			return err
		}
	}
	slices.Sort(ids)
	found.IDs = slices.Compact(ids)
	return nil
}

// keeps returns what tells the rows that count: the items that the accounts of the request's access
// paths hold, where the index knows it, and those that were asked for by number and that the index may come to know by a look-up. Nothing else
// is permitted, whatever it matches.
func (r *Resolver) keeps(q *Question, found *policy.ResolvedMatch) func(*listing.Row) bool {
	c := q.Input.Request.Selectors[found.Selector].Collection
	if !r.opt.Mode.Index() || !c.Scoped || q.Input.Items == nil {
		return nil // all
	}
	unknown := slices.Sorted(slices.Values(q.Decision.Selectors[found.Selector].Unknown))
	return func(row *listing.Row) bool {
		id := row.ID[0]
		if _, ok := q.Decision.Admits(q.Input, found.Selector, id); ok {
			return true
		}
		_, asked := slices.BinarySearch(unknown, id)
		return asked
	}
}

// matchTarget prints the question: over the permitted ids where the backend knows that form and they
// fit, else over every item.
func (r *Resolver) matchTarget(q *Question, found *policy.ResolvedMatch) []byte {
	s, ask := &q.Input.Request.Selectors[found.Selector], q.Decision.Selectors[found.Selector].Ask
	printed := func(ids []int64) []byte {
		target := append(append([]byte{'/'}, s.Collection.URI...), '/')
		return append(policy.AppendMatch(target, ids, s), "?fields=id"...)
	}
	if r.opt.Conditions && len(ask) > 0 && len(ask) <= maxAsked {
		if target := printed(ask); r.opt.MaxTarget == 0 || len(target) <= r.opt.MaxTarget-listing.PagingBytes {
			found.Partial = true
			return target
		}
	}
	return printed(nil)
}

// maxAsked is how many ids are printed to see whether they fit a target.
const maxAsked = 10_000
