package proxy

import (
	"bytes"

	"aclgate/policy"
	"aclgate/upstream/index"
)

// head ends the line for what proxy/head refused.
func (g *Gateway) head(c *call) policy.Reason {
	if c.head.Fault != nil {
		g.Metrics.HeadFault(c.head.Fault.Status)
		return policy.BadHead
	}
	return policy.NotJudged
}

// parse reads method and target (SPEC 2). A method that the API does not have
// is parsed as far as the target goes: which fault comes first is part of the
// contract.
func (g *Gateway) parse(c *call) policy.Reason {
	c.method = policy.ParseMethod(c.head.Method)
	c.rec.Method = c.method
	reason := c.req.Parse(g.engine, c.method, c.head.Target)
	if reason != policy.NotJudged {
		return reason
	}
	path, _, _ := bytes.Cut(c.head.Target, []byte{'?'})
	c.rec.SetTarget(c.req.Route, path)
	if trace := c.head.Get("traceparent"); trace != nil {
		c.rec.SetTrace(trace)
	}
	switch {
	case c.req.CID != 0 && c.head.CID != nil:
		return c.refusal(policy.BadQuery, "the account is named twice: by x-flespi-cid and by cid")
	case c.req.Data != nil && c.head.Length != 0:
		return c.refusal(policy.BadQuery, "the body is given twice: as a body and as data")
	}
	return policy.NotJudged
}

// preflight answers what needs no token: OPTIONS, and where the API is.
func (g *Gateway) preflight(c *call) policy.Reason {
	switch {
	case string(c.head.Method) == "OPTIONS":
		g.options(c)
		return policy.OwnAnswer
	case c.req.Route != nil && c.req.Route.Local == policy.LocalRegions:
		if reason := g.limitRegions(c); reason != policy.NotJudged {
			return reason
		}
		g.regions(c)
		return policy.OwnAnswer
	}
	return policy.NotJudged
}

// scope finds the branch that the request may touch.
func (g *Gateway) scope(c *call) policy.Reason {
	if g.AccountTree != nil && g.AccountTree.Stale() {
		return policy.StoreStale // whose account lies below whose is not known now
	}
	c.in.AskedCID, c.in.Tree = c.req.CID, g.Accounts.Tree()
	if c.head.CID != nil {
		c.in.AskedCID, _ = policy.ParseID(c.head.CID) // proxy/head has checked it
	}
	c.rec.Asked = c.in.AskedCID
	if reason := g.engine.Scope(&c.in); reason != policy.NotJudged {
		return reason
	}
	c.rec.Scope = c.in.Scope
	g.items(c)
	return policy.NotJudged
}

// decide asks the engine. A denial ends the line; so does a request that only the
// account scope limits while the backend is known to ignore the scope.
func (g *Gateway) decide(c *call) policy.Reason {
	g.engine.Decide(&c.dec, &c.in)
	return g.judged(c)
}

// resolve asks the backend what the engine has to know and asks the engine again. It
// returns at once for all other requests.
func (g *Gateway) resolve(c *call) policy.Reason {
	if c.dec.Verdict != policy.Unresolved {
		return policy.NotJudged
	}
	if c.method == policy.GET {
		c.conn.OnGone(c.cancel) // a match may take many questions
	}
	began := now()
	err := g.Resolver.Resolve(&index.Question{
		Input: &c.in, Decision: &c.dec, Resolved: &c.resolved, CallersKey: c.key, Answer: c.ans,
	})
	c.waited += since(began)
	if err != nil {
		return g.failed(c, err)
	}
	c.in.Resolved = &c.resolved
	g.engine.Decide(&c.dec, &c.in)
	if c.dec.Verdict == policy.Unresolved {
		return policy.Internal
	}
	return g.judged(c)
}

func (g *Gateway) judged(c *call) policy.Reason {
	c.rec.Verdict, c.rec.Reason = c.dec.Verdict, c.dec.Reason
	c.rec.Denied = c.dec.DeniedCount()
	if c.dec.Entry != nil {
		c.rec.Entry, c.rec.EntryLine = c.dec.Entry.Number, c.dec.Entry.Line
	}
	switch {
	case g.tooOld(c):
		return policy.IndexStale
	case c.dec.Verdict == policy.Deny:
		return c.dec.Reason
	case c.dec.OnlyAccountScope && g.ScopeProbe != nil && g.ScopeProbe.Ignored():
		return policy.ScopeIgnored
	}
	return policy.NotJudged
}
