package proxy

import (
	"cmp"
	"log/slog"
	"slices"
	"sync/atomic"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/body"
)

// second is a second evaluation of a request. Its memory is used again.
type second struct {
	dec      policy.Decision
	in       policy.Input
	resolved policy.Resolved
	body     []policy.Keys
}

// shadow evaluates requests by what has no say: the entries while policy.enforce is false, and the
// shadow policy.
type shadow struct {
	policy  ShadowPolicy // nil: none
	index   Index
	dryRun  bool           // policy.enforce is false
	engine  *policy.Engine // that of the gateway, with entries that count
	metrics *metrics.Metrics
	log     *slog.Logger
	lines   lineLimit
}

func (s *shadow) init(o *Options) {
	engine := *o.Engine
	engine.Unenforced = false
	s.policy, s.index, s.dryRun, s.engine = o.Shadow, o.Index, o.Engine.Unenforced, &engine
	s.metrics, s.log = o.Metrics, o.Log
}

// evaluate runs when everything is decided and changes nothing but the record; a panic in it is
// counted, and costs this evaluation alone.
func (s *shadow) evaluate(c *call, ev *evaluation, b *requestBody, again *second) {
	if !s.dryRun && s.policy == nil {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			*again = second{}
			s.metrics.Add(metrics.Panics, 1)
			s.log.Error("panic while evaluating what is not enforced", "decision", c.id(), "fault", fault, "stack", stack())
		}
	}()
	was, comparable := enforced(c.reason, ev)
	if !comparable {
		return
	}
	e := comparison{shadow: s, call: c, eval: ev, request: b, second: again, was: was}
	if s.dryRun {
		e.compareEntries()
	}
	if s.policy != nil {
		e.comparePolicy()
	}
	again.in, again.resolved = policy.Input{}, policy.Resolved{}
}

// enforced returns what the policy in force made of the request, and reports whether it was asked
// and its answer depends on it alone: another policy would have ended the rest in the same way.
func enforced(ended policy.Reason, ev *evaluation) (record.Outcome, bool) {
	decided := ev.in.Scope != 0 // the scope was found, so the engine was asked
	switch ended {
	case policy.TokenUnknown, policy.TokenExpired, policy.TokenDisabled, policy.TokenAddress, policy.TokenOrigin,
		policy.TokenNoAPI, policy.ForeignAccount, policy.BodyAccount, policy.BodyItem, policy.MoveNoEntry:
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: ended}, true
	case policy.IndexStale, policy.ScopeIgnored, policy.ScopeUnchecked, policy.BodyTooLarge, policy.BodyCoding, policy.BadBody, policy.ClosedTopic,
		policy.Internal:
		return record.Outcome{}, false
	}
	if !decided || ev.dec.Verdict == policy.Unresolved {
		return record.Outcome{}, false
	}
	return record.Outcome{Known: true, Verdict: ev.dec.Verdict, Reason: ev.dec.Reason}, true
}

// comparison is a request with what was made of it and its second evaluation.
type comparison struct {
	*shadow
	*call
	eval    *evaluation
	request *requestBody
	*second
	was record.Outcome
}

// compareEntries evaluates the entries of an acl token for a request that went through without
// them.
func (e *comparison) compareEntries() {
	if e.was.Verdict == policy.Deny || e.eval.in.Token.Access != policy.ACLAccess {
		return
	}
	e.in, e.resolved = e.eval.in, e.eval.resolved
	e.resolved.Matches = wholeMatches(e.resolved.Matches)
	e.in.Resolved = &e.resolved
	now := e.evaluateAgain()
	e.rec.DryRun = now
	e.metrics.DryRun(now)
	if !now.Denies() || e.same(now) {
		return
	}
	if e.rec.Verdict != policy.Deny {
		e.rec.Reason = policy.Unenforced
	}
	if e.lines.allow(e.in.At) {
		e.log.Info("policy.enforce is false: the entries would have narrowed or denied", "decision", e.id(),
			"token", e.in.Token.ID, "would", now.Verdict.String(), "reason", now.Reason.String())
	}
}

// comparePolicy evaluates the request under the shadow policy.
func (e *comparison) comparePolicy() {
	now := e.underPolicy()
	if now.Reason == policy.StoreStale {
		return
	}
	if now.Verdict != policy.Unresolved && !e.same(now) {
		e.rec.Shadow = now
	}
	e.metrics.Shadowed(e.was.Verdict, now.Verdict, e.rec.Shadow)
	if e.rec.Shadow.Known && e.lines.allow(e.eval.in.At) {
		e.log.Info("policy.shadow would have done otherwise", "decision", e.id(), "token", e.rec.TokenID,
			"enforced", e.was.Verdict.String(), "reason", e.was.Reason.String(),
			"shadow", now.Verdict.String(), "shadow_reason", now.Reason.String())
	}
}

// underPolicy returns the outcome under the shadow policy. What the backend said about a match
// holds for one branch only.
func (e *comparison) underPolicy() record.Outcome {
	tok, err := e.policy.Lookup(e.auth.digest, e.began)
	if err != nil {
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: reasonIn(err)}
	}
	was := &e.eval.in
	if tok.LastUsed() == 0 {
		tok.Touch(was.At) // uses before the shadow policy was loaded are the first one's
	}
	e.in = policy.Input{
		Request: was.Request, Token: tok, At: was.At, Source: was.Source, Origin: was.Origin,
		AskedCID: e.askedCID(was.Request), Tree: e.policy.Tree(), Grants: e.policy.Grants(), Blocks: was.Blocks, Resolved: &e.resolved,
	}
	e.resolved = policy.Resolved{}
	if cmp.Or(e.in.AskedCID, tok.CID) == was.Scope && !was.United() && e.in.Grants.To(was.Scope) == nil {
		e.resolved.Matches = wholeMatches(e.eval.resolved.Matches)
	}
	if e.index != nil {
		e.in.Items = e.index.View(e.in.Tree)
	}
	noteDataFields(&e.in)
	now := e.evaluateAgain()
	e.in.NoteUse(now.Reason)
	return now
}

// wholeMatches returns the matches that were resolved over all items: what the rights of the first
// evaluation have narrowed says nothing about others.
func wholeMatches(matches []policy.ResolvedMatch) []policy.ResolvedMatch {
	partial := func(m policy.ResolvedMatch) bool { return m.Partial }
	if !slices.ContainsFunc(matches, partial) {
		return matches
	}
	return slices.DeleteFunc(slices.Clone(matches), partial)
}

// evaluateAgain evaluates the second input with all entries in force. Nobody asks the backend for
// it; nor is an index too old to tell a denial.
func (e *comparison) evaluateAgain() record.Outcome {
	e.body = appendKeys(e.body[:0], e.in.Request, e.request)
	e.in.Body = e.body
	e.engine.Evaluate(&e.dec, &e.in)
	if e.dec.Reason == policy.IndexStale {
		return record.Outcome{Known: true, Verdict: policy.Unresolved}
	}
	return record.Outcome{Known: true, Verdict: e.dec.Verdict, Reason: e.dec.Reason}
}

// appendKeys appends the judged keys of each element of the body. It was read strictly, or it was
// not read because the request had ended before; then nothing is known about it.
func appendKeys(keys []policy.Keys, req *policy.Request, b *requestBody) []policy.Keys {
	text := b.text
	if req.Data != nil {
		text = req.Data
	}
	if req.Route == nil || !req.Method.Write() || len(text) == 0 || b.upload {
		return keys
	}
	scanner := body.Get()
	defer body.Put(scanner)
	shape, err := scanner.Check(text)
	if err != nil || shape != body.Object && shape != body.Array {
		return keys
	}
	j := req.Route.Judged(req.Method)
	_ = scanner.Elements(text, keysOf(j, false), func(e *body.Element) error {
		id, _ := keyOfElement(e, valueID, j.ID)
		cid, _ := keyOfElement(e, valueCID, j.CID)
		keys = append(keys, policy.Keys{ID: id, CID: cid})
		return nil
	})
	return keys
}

// same reports whether both evaluations have the same effect: they refuse for the same reason, or
// let the same ids of the same account through.
func (e *comparison) same(now record.Outcome) bool {
	was := &e.eval.dec
	switch {
	case e.was.Verdict != now.Verdict:
		return false
	case now.Verdict == policy.Deny && (e.was.Reason != now.Reason || now.Reason != policy.DeniedItems):
		return e.was.Reason == now.Reason
	case now.Verdict == policy.Deny:
		return slices.EqualFunc(e.dec.Selectors, was.Selectors, func(a, b policy.SelectorDecision) bool { return slices.Equal(a.Denied, b.Denied) })
	}
	return e.in.Scope == e.eval.in.Scope && slices.EqualFunc(e.dec.Selectors, was.Selectors, sameSelector)
}

func sameSelector(a, b policy.SelectorDecision) bool {
	return a.As == b.As && slices.Equal(a.Denied, b.Denied) && (a.As != policy.AsIDs || slices.Equal(a.IDs, b.IDs))
}

// lineLimit bounds the lines of log that callers can cause.
type lineLimit struct{ second, lines atomic.Int64 }

// maxLinesPerSecond is how many there may be; metrics and audit log have every difference.
const maxLinesPerSecond = 10

// allow reports whether there is room for a line in this second. Two requests at the turn of a
// second may both count as its first; nothing depends on it.
func (l *lineLimit) allow(unix int64) bool {
	if l.second.Swap(unix) != unix {
		l.lines.Store(0)
	}
	return l.lines.Add(1) <= maxLinesPerSecond
}
