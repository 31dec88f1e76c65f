package proxy

import (
	"aclgate/policy"
	"aclgate/proxy/limit"
)

// rateLimiter charges requests to their token and to the accounts above it.
type rateLimiter struct {
	limits   *limit.Limiter // nil: nobody is bounded
	accounts Accounts
	clock    limitClock
}

// limit charges a request. What it took is released at the end of the request. A caller without a
// token, where none is needed, was charged to its address.
func (l *rateLimiter) limit(c *call, ev *evaluation, hold *limit.Hold) policy.Reason {
	if l.limits == nil || ev.in.Token == nil {
		return policy.NotJudged
	}
	reason := l.limits.Admit(hold, ev.in.Token, l.accounts.Tree(), l.clock.at(c.began))
	c.refusal.retry = int(hold.Retry)
	return reason
}
