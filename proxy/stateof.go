package proxy

import (
	"fmt"
	"time"

	"aclgate/policy"
	"aclgate/proxy/limit"
)

// RefusesCaller returns why whoever has the token would be refused at this moment, whatever is asked,
// and says so in words for the operator; NotJudged: they would not. Nothing is charged.
func (g *Gateway) RefusesCaller(tok *policy.Token) (policy.Reason, string) {
	now := time.Now()
	if book := g.accountLimits.book; book != nil {
		if s := book.StateOf(tok.CID, now); s.Blocked != 0 {
			return blockOf(s.By, s.Blocked == byHand, s.Until, now)
		}
	}
	var look limit.Hold
	defer look.Release()
	switch reason := g.rateLimiter.limits.Look(&look, tok, g.rateLimiter.accounts.Tree(), g.LimitsNow()); reason {
	case policy.LimitToken:
		return reason, fmt.Sprintf("token %d has nothing left of limits.per_token: a request passes in %d s", tok.ID, look.Retry)
	case policy.LimitAccount:
		return reason, fmt.Sprintf("account %d, or one above it, has nothing left of limits.per_account: a request passes in %d s", tok.CID, look.Retry)
	}
	return policy.NotJudged, ""
}

// byHand is the block of quota.State that only a hand ends.
const byHand = 2

// blockOf returns the refusal of a blocked account.
func blockOf(by int64, hand bool, until, now time.Time) (policy.Reason, string) {
	switch {
	case hand:
		return policy.AccountBlocked, fmt.Sprintf("account %d is not enabled, and all below it are blocked with it", by)
	case until.IsZero():
		return policy.AccountBlocked, fmt.Sprintf("every bound of the limit of account %d is 0, which blocks it and all below it", by)
	}
	left := max(1, int64((until.Sub(now)+time.Second-1)/time.Second))
	return policy.AccountLimit, fmt.Sprintf("account %d has used up api_calls or api_traffic of its limit, and is blocked for %d s more", by, left)
}

// RefusesRequest returns why a request would be refused at this moment although in and dec permit it:
// what it was judged by is too old, or the backend was seen to ignore the scope.
func (g *Gateway) RefusesRequest(in *policy.Input, dec *policy.Decision) (policy.Reason, string) {
	z := &g.authorizer
	switch {
	case z.accountTree != nil && z.accountTree.Stale():
		return policy.StoreStale, "the account tree of the backend was not read for too long"
	case z.tooOld(&evaluation{in: *in, dec: *dec}):
		return policy.IndexStale, "what the gateway knows of the accounts of items is older than scope.max_staleness, or was not read yet"
	case dec.Verdict == policy.Deny || !dec.OnlyAccountScope || z.probe == nil:
		return policy.NotJudged, ""
	}
	switch reason := z.probe.Refusal(); reason {
	case policy.ScopeIgnored:
		return reason, "nothing but x-flespi-cid keeps this request in its scope, and the backend was seen to ignore it"
	case policy.ScopeUnchecked:
		return reason, "nothing but x-flespi-cid keeps this request in its scope, and the backend could not be asked yet whether it obeys it"
	}
	return policy.NotJudged, ""
}
