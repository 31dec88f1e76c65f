package quota

import (
	"time"

	"aclgate/policy"
)

// Hold is what one request has taken. The zero Hold is empty. It belongs to one request at a time and
// is used again after Release.
type Hold struct {
	node     *node
	reserved []need
}

// Refusal is why a request is refused.
type Refusal struct {
	Reason  policy.Reason // NotJudged: it is not
	Account int64         // whose bound it is
	Bound   string        // its name
	Limit   int64
	Retry   int64 // seconds until a request would pass; 0: the block has no end
}

// Names of the bounds of rates.
const (
	boundCalls   = "api_calls"
	boundTraffic = "api_traffic"
)

// Admit counts a request of an account at now, and says whether the account, or one above it, is blocked
// or exceeds its calls by it. h is empty before. Release ends what was admitted, and what was refused.
func (b *Book) Admit(h *Hold, cid int64, now time.Time) (r Refusal) {
	p := b.plan.Load()
	if p == nil {
		return r
	}
	own := p.nodes[cid]
	if own == nil {
		return r
	}
	h.node = own
	window := b.windowAt(now)
	calls := own.calls.add(window, 1)
	own.addUp(1, 0)
	if r = own.blocked(); r.Reason != policy.NotJudged {
		return r
	}
	if r = own.waits(now); r.Reason != policy.NotJudged {
		return r
	}
	for n := own; n != nil; n = n.up {
		used := calls
		if n != own {
			used = n.calls.sum(window) + 1
		}
		if n.Calls >= 0 && used > n.Calls {
			n.block(now)
			return n.exceeded(boundCalls, n.Calls, now)
		}
	}
	return r
}

// blocked says whether an account is blocked without end, by itself or by one above.
func (n *node) blocked() (r Refusal) {
	for ; n != nil; n = n.up {
		if n.Disabled || n.Zero {
			return Refusal{Reason: policy.AccountBlocked, Account: n.ID}
		}
	}
	return r
}

// Closed reports whether an account is blocked without end.
func (b *Book) Closed(cid int64) bool {
	p := b.plan.Load()
	return p != nil && p.nodes[cid].blocked().Reason != policy.NotJudged
}

// waits says whether an account is blocked for a while, by itself or by one above.
func (n *node) waits(now time.Time) (r Refusal) {
	for ; n != nil; n = n.up {
		if n.until.Load() <= now.UnixNano() {
			continue
		}
		if n.Calls >= 0 {
			return n.exceeded(boundCalls, n.Calls, now)
		}
		return n.exceeded(boundTraffic, n.Traffic, now)
	}
	return r
}

// block blocks an account, and so all below it, until the limit's time has passed. One that is blocked
// stays so for no longer: else whoever goes on asking would never be let in again.
func (n *node) block(now time.Time) {
	if was := n.until.Load(); was <= now.UnixNano() {
		n.until.CompareAndSwap(was, now.Add(n.BlockFor).UnixNano())
	}
}

func (n *node) exceeded(bound string, limit int64, now time.Time) Refusal {
	left := time.Duration(n.until.Load() - now.UnixNano())
	return Refusal{
		Reason: policy.AccountLimit, Account: n.ID, Bound: bound, Limit: limit,
		Retry: max(1, int64((left+time.Second-1)/time.Second)),
	}
}

// Release ends a request at now: its bodies are counted and, unless it was denied, it counts for the
// accounts above its own. It may be called of an empty Hold.
func (b *Book) Release(h *Hold, denied bool, bytes int64, now time.Time) {
	own := h.node
	h.node = nil
	b.Settle(h)
	if own == nil {
		return
	}
	window := b.windowAt(now)
	for n := own; n != nil; n = n.up {
		if n != own {
			if denied {
				return
			}
			n.calls.add(window, 1)
			n.addUp(1, 0)
		}
		n.addUp(0, bytes)
		if used := n.traffic.add(window, bytes); n.Traffic >= 0 && used > n.Traffic && !n.Zero { // who is blocked without end is let in at once when that ends
			n.block(now)
		}
	}
}

// State is what an account uses at a moment.
type State struct {
	Calls, Traffic int64
	Blocked        int   // 0 no, 1 by a limit, 2 by hand; by itself or by one above
	By             int64 // the account whose block it is
	Until          time.Time
}

// StateOf returns what an account uses at now. It is the zero State where nobody counts.
func (b *Book) StateOf(cid int64, now time.Time) (s State) {
	p := b.plan.Load()
	if p == nil || p.nodes[cid] == nil {
		return s
	}
	own := p.nodes[cid]
	window := b.windowAt(now)
	s.Calls, s.Traffic = own.calls.sum(window), own.traffic.sum(window)
	for n := own; n != nil; n = n.up {
		until := n.until.Load()
		switch {
		case n.Disabled:
			s.Blocked, s.By, s.Until = 2, n.ID, time.Time{}
			return s
		case s.Blocked == 0 && n.Zero:
			s.Blocked, s.By = 1, n.ID
		case s.Blocked == 0 && until > now.UnixNano():
			s.Blocked, s.By, s.Until = 1, n.ID, time.Unix(0, until)
		}
	}
	return s
}
