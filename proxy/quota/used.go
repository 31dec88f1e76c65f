package quota

import "time"

// Use is what was counted of an account since other gateways were told.
type Use struct {
	Account int64
	Bound   string // api_calls or api_traffic
	Window  uint64 // number of the window that it was counted in
	N       int64

	sum, told *windowed
	counted   int64 // in all, when Used was called
}

// Used appends to dst what was counted in this window since the last call, of accounts that have a
// bound of it, and never more than most in all. Only one goroutine may call it.
func (b *Book) Used(dst []Use, most int, now time.Time) []Use {
	p := b.plan.Load()
	if p == nil {
		return dst
	}
	window := b.windowAt(now)
	for _, n := range p.nodes {
		dst = n.used(dst, most, window)
	}
	return dst
}

func (n *node) used(dst []Use, most int, window uint64) []Use {
	for i, of := range []struct {
		bound string
		is    bool
		sum   *windowed
	}{{boundCalls, n.Calls >= 0, &n.calls}, {boundTraffic, n.Traffic >= 0, &n.traffic}} {
		if !of.is || len(dst) >= most {
			continue
		}
		counted := of.sum.sum(window)
		if fresh := counted - n.told[i].sum(window); fresh > 0 {
			n.told[i].add(window, fresh)
			dst = append(dst, Use{
				Account: n.ID, Bound: of.bound, Window: window, N: fresh, sum: of.sum, told: &n.told[i], counted: counted,
			})
		}
	}
	return dst
}

// Sum has the account obey what all gateways together have counted in the window. What was counted
// here since comes on top.
func (u *Use) Sum(total int64) {
	others := min(total, maxSum) - u.counted
	u.sum.join(u.Window, others)
	u.told.join(u.Window, others)
}

// Window returns how long a window lasts.
func (b *Book) Window() time.Duration { return b.window }
