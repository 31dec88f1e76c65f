package login

import (
	"sync/atomic"
	"time"

	"aclgate/policy"
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
type counts struct{ logins [outcomeCount]atomic.Uint64 }

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
}

// Stats returns what was counted.
func (s *Service) Stats() Stats {
	st := Stats{Sessions: s.sessions.count(time.Now().Unix())}
	for i := range st.Logins {
		st.Logins[i] = s.counts.logins[i].Load()
	}
	return st
}
