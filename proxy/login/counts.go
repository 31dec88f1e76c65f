package login

import (
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/proxy/login/jwt"
)

// Outcomes are the words for what becomes of logins, in the order of Stats.Logins.
var Outcomes = [...]string{"succeeded", "failed", "limited", "busy", "unavailable"}

const (
	succeeded = iota
	failed
	limited
	busy
	unavailable
	outcomeCount
)

// counts is what is counted.
type counts struct {
	logins   [outcomeCount]atomic.Uint64
	verified [len(Verdicts)]atomic.Uint64
}

// Verdicts are the words for what becomes of tokens from elsewhere, in the order of Stats.Verified.
var Verdicts = [...]string{"accepted", "refused", "unavailable"}

// verification counts the verification of a token from elsewhere.
func (c *counts) verification(err error) {
	switch {
	case err == nil:
		c.verified[0].Add(1)
	case jwt.Unavailable(err):
		c.verified[2].Add(1)
	default:
		c.verified[1].Add(1)
	}
}

// answer counts the answer to a login, and returns it.
func (c *counts) answer(a Answer) Answer {
	outcome := unavailable
	switch a.Reason {
	case policy.OwnAnswer:
		outcome = succeeded
	case policy.LoginFailed:
		outcome = failed
	case policy.LoginLimited:
		outcome = limited
	case policy.LoginBusy:
		outcome = busy
	}
	c.logins[outcome].Add(1)
	return a
}

// Stats is what was counted.
type Stats struct {
	Logins   [outcomeCount]uint64 // by Outcomes
	Sessions int
	Verified [len(Verdicts)]uint64 // by Verdicts
	Failing  map[string]bool       // issuers by name: whether their keys cannot be read
}

// Stats returns what was counted.
func (s *Service) Stats() Stats {
	st := Stats{Sessions: s.sessions.count(time.Now().Unix())}
	for i := range st.Logins {
		st.Logins[i] = s.counts.logins[i].Load()
	}
	for i := range st.Verified {
		st.Verified[i] = s.counts.verified[i].Load()
	}
	if s.verifier != nil {
		st.Failing = s.verifier.Failing()
	}
	return st
}
