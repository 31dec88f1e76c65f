package proxy

import (
	"errors"
	"fmt"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/listing"
)

// evaluation is what the engine was asked and what it said. The slices of both are reused.
type evaluation struct {
	in       policy.Input
	dec      policy.Decision
	resolved policy.Resolved
	revision uint64 // of the store, from before in.Token was looked up

	confirmCaller func() error // may the caller still ask? bound once
}

func (ev *evaluation) reset() {
	ev.in = policy.Input{Request: ev.in.Request}
	ev.forgetResolved()
}

func (ev *evaluation) forgetResolved() {
	ev.resolved = policy.Resolved{Matches: ev.resolved.Matches[:0]}
	ev.in.Resolved = nil
}

// authorizer asks the engine which items the request may go to.
type authorizer struct {
	engine      *policy.Engine
	accounts    Accounts
	grants      Grants
	blocks      policy.Blocks
	accountTree AccountTree
	index       Index
	probe       ScopeProbe
	resolver    Resolver
	faults      *faults
	heads       *headPrinter
}

// scope finds the branch that the request may touch, and gives the request one snapshot of the
// index, from begin to end.
func (z *authorizer) scope(c *call, ev *evaluation) policy.Reason {
	in := &ev.in
	if in.Request.Route.ForAnyone() { // whoever asks, it is asked for as nobody
		in.Token, in.Tree = nil, z.accounts.Tree()
		if z.index != nil {
			in.Items = z.index.View(in.Tree)
		}
		return policy.NotJudged
	}
	if z.accountTree != nil && z.accountTree.Stale() {
		return policy.StoreStale // which account is below which is not known now
	}
	was, paths := in.Scope, in.PathState()
	in.AskedCID, in.Tree = c.askedCID(in.Request), z.accounts.Tree()
	if z.grants != nil {
		in.Grants, in.Blocks = z.grants.Grants(), z.blocks
	}
	c.rec.Asked = in.AskedCID
	if reason := z.engine.Scope(in); reason != policy.NotJudged {
		return reason
	}
	if in.Scope != was || paths.Moved(in.Grants, in.At) {
		ev.forgetResolved() // what the backend said, it said of another branch
	}
	c.rec.Scope, c.rec.Path = in.Scope, pathOf(in)
	if z.index != nil {
		in.Items = z.index.View(in.Tree)
	}
	return policy.NotJudged
}

// pathOf returns what the request has beside the branch of its account.
func pathOf(in *policy.Input) record.Path {
	switch {
	case in.CrossAccount():
		return record.Cross
	case in.HasGrants():
		return record.Granted
	}
	return record.Branch
}

// decide asks the engine. A denial ends the line; so does a request that only the account scope
// limits while the backend is known to ignore the scope.
func (z *authorizer) decide(c *call, ev *evaluation) policy.Reason {
	noteDataFields(&ev.in)
	z.engine.Decide(&ev.dec, &ev.in)
	return z.verdict(c, ev)
}

// resolve asks the backend what the engine has to know and asks the engine again. It returns at
// once for all other requests. If the caller's rights move meanwhile the request stays unresolved,
// and resp says so.
func (z *authorizer) resolve(c *call, ev *evaluation, resp *response) policy.Reason {
	if ev.dec.Verdict != policy.Unresolved {
		return policy.NotJudged
	}
	if ev.in.Request.Method == policy.GET {
		c.conn.OnGone(resp.cancel) // a match may take many questions
	}
	c.waited.start()
	q := index.Question{
		Input: &ev.in, Decision: &ev.dec, Resolved: &ev.resolved, CallersKey: c.auth.key, Answer: resp.ans,
		Confirm: ev.confirmCaller,
	}
	err := z.resolver.Resolve(&q)
	c.waited.stop()
	if q.Refused != nil {
		c.rec.SetRefusal(q.Refused.Status, q.Refused.Body, ev.in.Request)
	}
	var answer *listing.AnswerError
	switch {
	case errors.Is(err, upstream.ErrWithdrawn):
		resp.withdrawn = true
		return policy.NotJudged
	case errors.As(err, &answer):
		// Nothing but the scope limits the caller, and the backend judges by that (SPEC 4.3, Resolving).
		resp.kind = answer.ContentType
		z.heads.reply(c, resp, answer.Status, answer.Body)
		return policy.BackendRefused
	case err != nil:
		return z.faults.of(c, err)
	}
	ev.in.Resolved = &ev.resolved
	z.engine.Decide(&ev.dec, &ev.in)
	if ev.dec.Verdict == policy.Unresolved {
		return policy.Internal
	}
	return z.verdict(c, ev)
}

// verdict records what the engine said.
func (z *authorizer) verdict(c *call, ev *evaluation) policy.Reason {
	dec := &ev.dec
	c.rec.Verdict, c.rec.Reason = dec.Verdict, dec.Reason
	c.rec.Denied = dec.DeniedCount()
	if dec.Entry != nil {
		c.rec.Entry, c.rec.EntryLine = dec.Entry.Number, dec.Entry.Line
	}
	switch {
	case z.tooOld(ev):
		return policy.IndexStale
	case dec.Reason == policy.WriteTooWide:
		return c.refuse(dec.Reason, tooWide(dec.Reach))
	case dec.Verdict == policy.Deny:
		return dec.Reason
	case dec.OnlyAccountScope && z.probe != nil:
		return z.probe.Refusal()
	}
	return policy.NotJudged
}

// tooWide says how many items a write would have changed (SPEC 8, policy.max_write).
func tooWide(reach int) string {
	if reach == policy.Uncounted {
		return "this would change an unknown number of items: name them"
	}
	return fmt.Sprintf("this would change %d items: name them", reach)
}

// tooOld reports whether a verdict rests on an index that is too old. What an entry refuses, it
// refuses whoever the item belongs to.
func (z *authorizer) tooOld(ev *evaluation) bool {
	route := ev.in.Request.Route
	if z.index == nil || route == nil || ev.dec.Reason == policy.ManagedRecord || route.Local != policy.NoLocalReply || route.Public || route.Collection.Dictionary {
		return false
	}
	switch {
	case ev.dec.Verdict != policy.Deny, ev.dec.Reason == policy.DeniedItems, ev.dec.Reason == policy.NothingLeft,
		ev.dec.Reason == policy.MatchRefused, ev.dec.Reason == policy.WriteTooWide, ev.dec.Reason == policy.IndexStale:
		return z.index.StaleFor(&ev.in)
	}
	return false
}
