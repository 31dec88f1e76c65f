package quota

import "time"

// addUp adds what a request used to the sums of an account that has metrics of its own.
func (n *node) addUp(calls, traffic int64) {
	if !n.Named {
		return
	}
	if calls > 0 {
		n.allCalls.Add(uint64(calls))
	}
	if traffic > 0 {
		n.allTraffic.Add(uint64(traffic))
	}
}

// Totals returns the calls and the bytes of bodies in the branch of an account, counted as in a window
// but never forgotten. They are 0 where the account is not Named.
func (b *Book) Totals(cid int64) (calls, traffic uint64) {
	p := b.plan.Load()
	if p == nil || p.nodes[cid] == nil {
		return 0, 0
	}
	n := p.nodes[cid]
	return n.allCalls.Load(), n.allTraffic.Load()
}

// Tightest returns what bounds an account: of each bound the smallest number on the way to its root,
// None or no item where there is none.
func (b *Book) Tightest(cid int64) Account {
	out := Account{ID: cid, Calls: None, Traffic: None, Items: map[string]int64{}}
	p := b.plan.Load()
	if p == nil {
		return out
	}
	for n := p.nodes[cid]; n != nil; n = n.up {
		out.Calls, out.Traffic = tighter(out.Calls, n.Calls), tighter(out.Traffic, n.Traffic)
		for uri, most := range n.Items {
			had, bounded := out.Items[uri]
			if !bounded {
				had = None
			}
			out.Items[uri] = tighter(had, most)
		}
	}
	return out
}

func tighter(a, b int64) int64 {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// Blocked returns how many accounts are blocked at now by a limit of their own, and how many by hand.
// Those below them are blocked with them, and not counted.
func (b *Book) Blocked(now time.Time) (byLimit, byHand int) {
	p := b.plan.Load()
	if p == nil {
		return 0, 0
	}
	for _, n := range p.nodes {
		switch {
		case n.Disabled:
			byHand++
		case n.Zero, n.until.Load() > now.UnixNano():
			byLimit++
		}
	}
	return byLimit, byHand
}
