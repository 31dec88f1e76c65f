package proxy

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync/atomic"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/body"
)

// Second is a policy that judges beside the one in force (SPEC 8, policy.shadow).
type Second interface {
	Tokens
	Accounts
}

// second is what judging a second time needs. A call gets one when it is first
// judged so: who configured neither policy.shadow nor policy.enforce: false
// pays nothing.
type second struct {
	dec      policy.Decision
	in       policy.Input
	resolved policy.Resolved
	body     []policy.Keys
}

// enforcing returns the engine as it is when the entries of acl tokens count.
func enforcing(l *policy.Engine) *policy.Engine {
	engine := *l
	engine.Unenforced = false
	return &engine
}

// beside has those without a say judge the request: the entries while
// policy.enforce is false, and the second policy. It runs when everything is
// decided and changes nothing but the record; a panic in it is counted, and
// costs the opinion alone.
func (g *Gateway) beside(c *call) {
	if !g.engine.Unenforced && g.Shadow == nil {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			c.side = nil
			g.Metrics.Add(metrics.Panics, 1)
			g.Log.Error("panic while judging beside the policy in force", "decision", c.id(), "fault", fault, "stack", stack())
		}
	}()
	was, judged := c.judgement()
	if !judged {
		return
	}
	if c.side == nil {
		c.side = new(second)
	}
	if g.engine.Unenforced {
		g.unenforced(c, was)
	}
	if g.Shadow != nil {
		g.shadow(c, was)
	}
	c.side.in, c.side.resolved = policy.Input{}, policy.Resolved{}
}

// judgement returns what the policy in force made of the request, and reports
// whether it was asked and its answer depends on it alone: another policy would
// have ended the rest in the same way.
func (c *call) judgement() (record.Outcome, bool) {
	decided := c.in.Scope != 0 // the scope was found, so the engine was asked
	switch c.reason {
	case policy.TokenUnknown, policy.TokenExpired, policy.TokenDisabled, policy.TokenAddress, policy.TokenOrigin,
		policy.TokenNoAPI, policy.ForeignAccount, policy.BodyAccount, policy.BodyItem, policy.MoveNoEntry:
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: c.reason}, true
	case policy.IndexStale, policy.ScopeIgnored, policy.BodyTooLarge, policy.BodyCoding, policy.BadBody, policy.ClosedTopic,
		policy.Internal:
		return record.Outcome{}, false
	}
	if !decided || c.dec.Verdict == policy.Unresolved {
		return record.Outcome{}, false
	}
	return record.Outcome{Known: true, Verdict: c.dec.Verdict, Reason: c.dec.Reason}, true
}

// unenforced asks the entries of an acl token about a request that went through
// without them.
func (g *Gateway) unenforced(c *call, was record.Outcome) {
	if was.Verdict == policy.Deny || c.tok.Access != policy.ACLAccess {
		return
	}
	s := c.side
	s.in, s.resolved = c.in, c.resolved
	s.in.Resolved = &s.resolved
	c.rec.DryRun = g.evaluateAgain(c)
	g.Metrics.DryRun(c.rec.DryRun)
	if !c.rec.DryRun.Denies() || s.same(c, was, c.rec.DryRun) {
		return
	}
	if c.rec.Verdict != policy.Deny {
		c.rec.Reason = policy.Unenforced
	}
	if d := c.rec.DryRun; g.seldom.passes(c.began.Unix()) {
		g.Log.Info("policy.enforce is false: the entries would have narrowed or denied", "decision", c.id(),
			"token", c.tok.ID, "would", d.Verdict.String(), "reason", d.Reason.String())
	}
}

// shadow asks the second policy what it would have done.
func (g *Gateway) shadow(c *call, was record.Outcome) {
	now := g.shadowed(c)
	if now.Reason == policy.StoreStale {
		return
	}
	if now.Verdict != policy.Unresolved && !c.side.same(c, was, now) {
		c.rec.Shadow = now
	}
	g.Metrics.Shadowed(was.Verdict, now.Verdict, c.rec.Shadow)
	if c.rec.Shadow.Known && g.seldom.passes(c.began.Unix()) {
		g.Log.Info("policy.shadow would have done otherwise", "decision", c.id(), "token", c.rec.TokenID,
			"enforced", was.Verdict.String(), "reason", was.Reason.String(),
			"shadow", now.Verdict.String(), "shadow_reason", now.Reason.String())
	}
}

// shadowed evaluates the request under the second policy. What the backend told about a match holds
// for one branch only.
func (g *Gateway) shadowed(c *call) record.Outcome {
	tok, err := g.Shadow.Lookup(c.digest())
	if err != nil {
		return record.Outcome{Known: true, Verdict: policy.Deny, Reason: tokenReason(err)}
	}
	unix := c.began.Unix()
	if tok.LastUsed() == 0 {
		tok.Touch(unix) // uses before the second policy came are the first one's
	}
	asked := c.req.CID
	if c.head.CID != nil {
		asked, _ = policy.ParseID(c.head.CID)
	}
	s := c.side
	s.resolved = policy.Resolved{}
	if cmp.Or(asked, tok.CID) == c.in.Scope {
		s.resolved.Matches = c.resolved.Matches
	}
	s.in = policy.Input{
		Request: &c.req, Token: tok, At: unix, Source: c.source, Origin: c.head.Origin,
		AskedCID: asked, Tree: g.Shadow.Tree(), Resolved: &s.resolved,
	}
	if g.Index != nil {
		s.in.Items = g.Index.View(s.in.Tree)
	}
	now := g.evaluateAgain(c)
	touch(&s.in, now.Reason)
	return now
}

// digest returns that of the key which the request came with; it has one.
func (c *call) digest() policy.Digest {
	if c.tok != nil {
		return c.tok.Digest
	}
	key, _ := keyOf(c.head.Authorization)
	return sha256.Sum256(key)
}

// evaluateAgain evaluates the second input of a request with all entries in force. Nobody asks the
// backend for it; nor is an index too old to tell a denial.
func (g *Gateway) evaluateAgain(c *call) record.Outcome {
	s := c.side
	s.body = c.appendKeys(s.body[:0])
	s.in.Body = s.body
	g.enforcing.Evaluate(&s.dec, &s.in)
	if s.dec.Reason == policy.IndexStale {
		return record.Outcome{Known: true, Verdict: policy.Unresolved}
	}
	return record.Outcome{Known: true, Verdict: s.dec.Verdict, Reason: s.dec.Reason}
}

// appendKeys appends the judged keys of each element of the body. It was read strictly, or it was not
// read because the request had ended before; then nothing is known about it.
func (c *call) appendKeys(keys []policy.Keys) []policy.Keys {
	text, route := c.text, c.req.Route
	if c.req.Data != nil {
		text = c.req.Data
	}
	if route == nil || !c.method.Write() || len(text) == 0 || c.upload {
		return keys
	}
	scanner := body.Get()
	defer body.Put(scanner)
	shape, err := scanner.Check(text)
	if err != nil || shape != body.Object && shape != body.Array {
		return keys
	}
	j := route.Judged(c.method)
	_ = scanner.Elements(text, judgedKeys[bit(j.ID)][bit(j.CID)][0], func(e *body.Element) error {
		id, _ := keyOfElement(e, valueID, j.ID)
		cid, _ := keyOfElement(e, valueCID, j.CID)
		keys = append(keys, policy.Keys{ID: id, CID: cid})
		return nil
	})
	return keys
}

// same reports whether two judgements have the same effect: they refuse for the
// same reason, or let the same ids of the same account through.
func (s *second) same(c *call, was, now record.Outcome) bool {
	switch {
	case was.Verdict != now.Verdict:
		return false
	case now.Verdict == policy.Deny && (was.Reason != now.Reason || now.Reason != policy.DeniedItems):
		return was.Reason == now.Reason
	case now.Verdict == policy.Deny:
		return slices.EqualFunc(s.dec.Selectors, c.dec.Selectors, func(a, b policy.SelectorDecision) bool { return slices.Equal(a.Denied, b.Denied) })
	}
	return s.in.Scope == c.in.Scope && slices.EqualFunc(s.dec.Selectors, c.dec.Selectors, samePart)
}

func samePart(a, b policy.SelectorDecision) bool {
	return a.As == b.As && slices.Equal(a.Denied, b.Denied) && (a.As != policy.AsIDs || slices.Equal(a.IDs, b.IDs))
}

// seldom bounds the lines of log that callers can cause.
type seldom struct{ second, lines atomic.Int64 }

// mostLines is how many lines a second there may be; metrics and audit log have
// every difference.
const mostLines = 10

// passes reports whether there is room for a line in this second. Two requests
// at the turn of a second may both count as its first; nothing hangs on it.
func (s *seldom) passes(unix int64) bool {
	if s.second.Swap(unix) != unix {
		s.lines.Store(0)
	}
	return s.lines.Add(1) <= mostLines
}
