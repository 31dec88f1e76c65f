package proxy

import (
	"strconv"

	"aclgate/policy"
)

// authenticate finds the token of the caller, and charges who has no valid one
// to the address. The look-up comes first: whatever strangers do behind one
// address, a valid key that comes from there passes.
func (g *Gateway) authenticate(c *call) policy.Reason {
	reason := g.identify(c)
	if reason.Answer().Class == policy.ClassUnauthorized && g.strange(c) {
		return policy.LimitSource
	}
	return reason
}

// strange charges a request without a valid token to its source and reports
// whether that is too many.
func (g *Gateway) strange(c *call) bool {
	c.retry = int(g.Limits.Source(c.source, g.ticks(c)))
	return c.retry > 0
}

// limit charges a request to its token and to the accounts above it. What it
// took is released at the end of the request.
func (g *Gateway) limit(c *call) policy.Reason {
	if g.Limits == nil {
		return policy.NotJudged
	}
	reason := g.Limits.Admit(&c.limits, c.tok, g.Accounts.Tree(), g.ticks(c))
	c.retry = int(c.limits.Retry)
	return reason
}

// limitRegions bounds who may ask where the API is. Nobody needs a token for
// that, but a caller that shows a valid one pays with it.
func (g *Gateway) limitRegions(c *call) policy.Reason {
	if g.Limits == nil {
		return policy.NotJudged
	}
	switch reason := g.identify(c); {
	case reason == policy.NotJudged:
		return g.limit(c)
	case g.strange(c):
		return policy.LimitSource
	}
	return policy.NotJudged
}

// ticks is the time of a request on the clock of the limits.
func (g *Gateway) ticks(c *call) int64 { return int64(c.began.Sub(g.epoch)) }

// quotaPrefix begins the headers that tell a client what it has left. The
// backend's own speak of the gateway's credential and would be taken for these.
const quotaPrefix = "x-ratelimit-"

// quotaHeaders tells a token under a rate what it has left.
func (g *Gateway) quotaHeaders(c *call) {
	q := &c.limits.Quota
	if q.Limit == 0 {
		return
	}
	h := &c.desk.own.Header
	var room [20]byte
	h.SetBytesV("x-ratelimit-limit", strconv.AppendInt(room[:0], q.Limit, 10))
	h.SetBytesV("x-ratelimit-remaining", strconv.AppendInt(room[:0], q.Remaining, 10))
	h.SetBytesV("x-ratelimit-reset", strconv.AppendInt(room[:0], q.Reset, 10))
}
