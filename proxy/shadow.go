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

// second is what a second evaluation needs. An exchange gets one when it is first evaluated so: who
// configured neither policy.shadow nor policy.enforce: false pays nothing.
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
func (s *shadow) evaluate(x *exchange) {
	if !s.dryRun && s.policy == nil {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			x.side = nil
			s.metrics.Add(metrics.Panics, 1)
			s.log.Error("panic while judging beside the policy in force", "decision", x.id(), "fault", fault, "stack", stack())
		}
	}()
	was, judged := judgement(x)
	if !judged {
		return
	}
	if x.side == nil {
		x.side = new(second)
	}
	if s.dryRun {
		s.evaluateEntries(x, was)
	}
	if s.policy != nil {
		s.evaluatePolicy(x, was)
	}
	x.side.in, x.side.resolved = policy.Input{}, policy.Resolved{}
}

// judgement returns what the policy in force made of the request, and reports whether it was asked
// and its answer depends on it alone: another policy would have ended the rest in the same way.
func judgement(x *exchange) (record.Outcome, bool) {
	decided := x.eval.in.Scope != 0 // the scope was found, so the engine was asked
	switch x.reason {
	case policy.TokenUnknown, policy.TokenExpired, policy.TokenDisabled, policy.TokenAddress, policy.TokenOrigin,
		policy.TokenNoAPI, policy.ForeignAccount, policy.BodyAccount, policy.BodyItem, policy.MoveNoEntry:
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: x.reason}, true
	case policy.IndexStale, policy.ScopeIgnored, policy.BodyTooLarge, policy.BodyCoding, policy.BadBody, policy.ClosedTopic,
		policy.Internal:
		return record.Outcome{}, false
	}
	if !decided || x.eval.dec.Verdict == policy.Unresolved {
		return record.Outcome{}, false
	}
	return record.Outcome{Known: true, Verdict: x.eval.dec.Verdict, Reason: x.eval.dec.Reason}, true
}

// evaluateEntries evaluates the entries of an acl token for a request that went through without
// them.
func (s *shadow) evaluateEntries(x *exchange, was record.Outcome) {
	if was.Verdict == policy.Deny || x.eval.in.Token.Access != policy.ACLAccess {
		return
	}
	side := x.side
	side.in, side.resolved = x.eval.in, x.eval.resolved
	side.in.Resolved = &side.resolved
	now := s.evaluateAgain(x)
	x.rec.DryRun = now
	s.metrics.DryRun(now)
	if !now.Denies() || side.same(&x.eval, was, now) {
		return
	}
	if x.rec.Verdict != policy.Deny {
		x.rec.Reason = policy.Unenforced
	}
	if s.lines.allow(side.in.At) {
		s.log.Info("policy.enforce is false: the entries would have narrowed or denied", "decision", x.id(),
			"token", side.in.Token.ID, "would", now.Verdict.String(), "reason", now.Reason.String())
	}
}

// evaluatePolicy evaluates the request under the shadow policy.
func (s *shadow) evaluatePolicy(x *exchange, was record.Outcome) {
	now := s.underPolicy(x)
	if now.Reason == policy.StoreStale {
		return
	}
	if now.Verdict != policy.Unresolved && !x.side.same(&x.eval, was, now) {
		x.rec.Shadow = now
	}
	s.metrics.Shadowed(was.Verdict, now.Verdict, x.rec.Shadow)
	if x.rec.Shadow.Known && s.lines.allow(x.eval.in.At) {
		s.log.Info("policy.shadow would have done otherwise", "decision", x.id(), "token", x.rec.TokenID,
			"enforced", was.Verdict.String(), "reason", was.Reason.String(),
			"shadow", now.Verdict.String(), "shadow_reason", now.Reason.String())
	}
}

// underPolicy evaluates the input under the shadow policy. What the backend said about a match
// holds for one branch only.
func (s *shadow) underPolicy(x *exchange) record.Outcome {
	tok, err := s.policy.Lookup(x.auth.digest)
	if err != nil {
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: reasonIn(err)}
	}
	side, was := x.side, &x.eval.in
	if tok.LastUsed() == 0 {
		tok.Touch(was.At) // uses before the shadow policy was loaded are the first one's
	}
	side.in = policy.Input{
		Request: was.Request, Token: tok, At: was.At, Source: was.Source, Origin: was.Origin,
		AskedCID: x.askedCID(was.Request), Tree: s.policy.Tree(), Resolved: &side.resolved,
	}
	side.resolved = policy.Resolved{}
	if cmp.Or(side.in.AskedCID, tok.CID) == was.Scope {
		side.resolved.Matches = x.eval.resolved.Matches
	}
	if s.index != nil {
		side.in.Items = s.index.View(side.in.Tree)
	}
	now := s.evaluateAgain(x)
	side.in.NoteUse(now.Reason)
	return now
}

// evaluateAgain evaluates the second input of a request with all entries in force. Nobody asks the
// backend for it; nor is an index too old to tell a denial.
func (s *shadow) evaluateAgain(x *exchange) record.Outcome {
	side := x.side
	side.body = appendKeys(side.body[:0], side.in.Request, &x.body)
	side.in.Body = side.body
	s.engine.Evaluate(&side.dec, &side.in)
	if side.dec.Reason == policy.IndexStale {
		return record.Outcome{Known: true, Verdict: policy.Unresolved}
	}
	return record.Outcome{Known: true, Verdict: side.dec.Verdict, Reason: side.dec.Reason}
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

// same reports whether two judgements have the same effect: they refuse for the same reason, or let
// the same ids of the same account through.
func (s *second) same(ev *evaluation, was, now record.Outcome) bool {
	switch {
	case was.Verdict != now.Verdict:
		return false
	case now.Verdict == policy.Deny && (was.Reason != now.Reason || now.Reason != policy.DeniedItems):
		return was.Reason == now.Reason
	case now.Verdict == policy.Deny:
		return slices.EqualFunc(s.dec.Selectors, ev.dec.Selectors, func(a, b policy.SelectorDecision) bool { return slices.Equal(a.Denied, b.Denied) })
	}
	return s.in.Scope == ev.in.Scope && slices.EqualFunc(s.dec.Selectors, ev.dec.Selectors, sameSelector)
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
