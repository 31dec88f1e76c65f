package explain

import "aclgate/policy"

// State is what a running gateway knows beside settings and policy: it may refuse what these permit.
// The zero value knows nothing.
type State struct {
	// Caller returns why whoever has the token is refused at this moment, whatever is asked: the
	// account is blocked, or a limit is met. NotJudged: they are not. The text is about this very
	// case, without a full stop.
	Caller func(*policy.Token) (policy.Reason, string)
	// Request returns why a request that is permitted is refused all the same: what it was judged by
	// is too old, or the backend was seen to ignore the scope.
	Request func(*policy.Input, *policy.Decision) (policy.Reason, string)
}

// refusedNow returns why the running gateway refuses a request, NotJudged where it does not. What
// ended before a token was found has nothing to do with its state.
func (x *explainer) refusedNow() policy.Reason {
	if x.in.Token == nil || x.engine.Authenticate(&x.in) != policy.NotJudged {
		return policy.NotJudged
	}
	reason := policy.NotJudged
	if x.ask.State.Caller != nil {
		reason, x.Detail = x.ask.State.Caller(x.in.Token)
	}
	if reason == policy.NotJudged && x.ask.State.Request != nil && x.in.Scope != 0 {
		reason, x.Detail = x.ask.State.Request(&x.in, &x.dec)
	}
	x.refused = reason != policy.NotJudged
	return reason
}
