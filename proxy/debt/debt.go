// Package debt has the gateways at one store, or one Redis, obey limits together (SPEC 15.7).
//
// Each gateway judges by its own buckets and counters, and no request waits for another machine.
// Again and again each tells a peer what it has admitted, and learns how far the bucket that all
// share is from full. Its own bucket then is no fuller than that: what others admitted meanwhile is a
// debt, which may be more than a burst, and which the rate pays off before anything is admitted.
//
// Of n gateways that exchange every T, all together admit in a time t at most burst + rate × t +
// (n-1) × (burst + rate × T), and in the long run exactly the rate. Who stays below the rate is never
// refused because there are several: what a gateway tells is booked at the earliest time at which it
// can have happened, the end of the round before, so that the shared bucket never owes more than one
// that had seen all requests at their time. The price is that a burst right before a round is booked
// up to T × rate too cheap, once.
//
// A gateway reads at its start what all owe, so that a start gives nobody a second burst.
//
// A round that fails is forgotten: whether the peer has booked it nobody knows, and to tell it twice
// would refuse who is below the rate. Until a round works again every gateway is bounded by its own
// buckets, as without a peer, and never less.
package debt

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"aclgate/proxy/limit"
	"aclgate/proxy/quota"
)

// maxLearnt is how many debts a gateway reads at its start.
const maxLearnt = 100_000

// maxRows is how many buckets one round tells; what others of the round admitted stays here alone.
const maxRows = 10_000

// Round is what a gateway tells: the same number of names and amounts.
type Round struct {
	Since   time.Duration // since the round before
	Keep    time.Duration // how long a sum is kept after it was last told
	Names   []string
	Drains  []bool  // it is a debt, which passes with time; else a sum
	Amounts []int64 // to be added, in microseconds of debt or in the unit of the sum; never negative
}

// Peer is where gateways add up what they have used.
type Peer interface {
	// Exchange adds amounts to those of all gateways and returns what these are then, in the same
	// order. A debt decreases with time, by the clock of the peer, to nothing; what is added counts
	// from Round.Since ago on.
	Exchange(ctx context.Context, r *Round) ([]int64, error)
	// Debts yields the debts of all gateways that are not paid off, in microseconds, most at most.
	Debts(ctx context.Context, most int, yield func(name string, amount int64)) error
}

// Limits are buckets to exchange.
type Limits struct {
	Name  string // in front of scopes: limiters are told apart by it
	On    *limit.Limiter
	Clock func() int64 // that the limiter is asked by
}

// Options are what is exchanged, and how.
type Options struct {
	Peer   Peer
	Every  time.Duration // between two rounds
	Limits []Limits
	Book   *quota.Book
	Log    *slog.Logger
}

// Stats count rounds. Rounds in which there was nothing to tell are none.
type Stats struct {
	Worked, Degraded uint64
	Told, Left       uint64        // buckets and counters: told, and more than fit in a round
	Took             time.Duration // the last round
}

// Exchanger exchanges debts. Run does the work.
type Exchanger struct {
	o       Options
	limits  [][]limit.Use // of each of o.Limits
	sums    []quota.Use
	round   Round
	last    time.Time
	failing bool

	worked, degraded, told, left atomic.Uint64
	took                         atomic.Int64
}

// New returns an Exchanger.
func New(o Options) *Exchanger {
	return &Exchanger{o: o, limits: make([][]limit.Use, len(o.Limits)), round: Round{Keep: 2 * o.Book.Window()}, last: time.Now()}
}

// Begin reads what all gateways owe, before the first request: a gateway that starts would else admit
// a burst anew to whoever has just had theirs. It waits for the peer a second at most. Without it the
// gateway begins with full buckets, as each does with a caller that it did not see before.
func (x *Exchanger) Begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxBegin)
	defer cancel()
	err := x.o.Peer.Debts(ctx, maxLearnt, func(name string, amount int64) {
		for _, l := range x.o.Limits {
			if rest, found := strings.CutPrefix(name, l.Name); found && l.On != nil {
				scope, text, _ := strings.Cut(rest, ":")
				if key, err := strconv.ParseUint(text, 10, 64); err == nil {
					l.On.Learn(scope, key, min(amount, maxDebt)*1000, l.Clock())
				}
			}
		}
	})
	if err != nil {
		x.o.Log.Warn("what is owed by limits is not known at the start: buckets begin full", "error", err)
	}
}

// maxBegin bounds what a start waits for.
const maxBegin = time.Second

// Run exchanges until ctx ends, and then once more: what was admitted last is not forgotten.
func (x *Exchanger) Run(ctx context.Context) {
	tick := time.NewTicker(x.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			x.Exchange(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			x.Exchange(ctx)
		}
	}
}

// Exchange makes one round, if there is something to tell.
func (x *Exchanger) Exchange(ctx context.Context) {
	if x.collect(); len(x.round.Names) == 0 {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 2*x.o.Every)
	defer cancel()
	totals, err := x.o.Peer.Exchange(ctx, &x.round)
	x.took.Store(int64(time.Since(began)))
	x.note(err)
	if err == nil {
		x.learn(totals)
	}
}

// collect fills the round with what was used since the last one.
func (x *Exchanger) collect() {
	r := &x.round
	r.Names, r.Drains, r.Amounts = r.Names[:0], r.Drains[:0], r.Amounts[:0]
	now, left := time.Now(), 0
	r.Since, x.last = now.Sub(x.last), now
	x.sums = x.o.Book.Used(x.sums[:0], maxRows, now)
	for i := range x.sums {
		u := &x.sums[i]
		r.add(sumName(u), false, u.N)
	}
	for i, l := range x.o.Limits {
		if l.On == nil {
			continue
		}
		var more int
		x.limits[i], more = l.On.Used(x.limits[i][:0], max(0, maxRows-len(r.Names)), l.Clock())
		left += more
		for j := range x.limits[i] {
			u := &x.limits[i][j]
			r.add(l.Name+u.Scope+":"+strconv.FormatUint(u.Key, 10), true, u.Cost/1000)
		}
	}
	x.left.Add(uint64(left))
}

func (r *Round) add(name string, drains bool, amount int64) {
	r.Names, r.Drains, r.Amounts = append(r.Names, name), append(r.Drains, drains), append(r.Amounts, amount)
}

func sumName(u *quota.Use) string {
	return u.Bound + ":" + strconv.FormatInt(u.Account, 10) + ":" + strconv.FormatUint(u.Window, 10)
}

// learn hands out what the peer has answered.
func (x *Exchanger) learn(totals []int64) {
	for i := range x.sums {
		x.sums[i].Sum(totals[i])
	}
	totals = totals[len(x.sums):]
	for _, uses := range x.limits {
		for i := range uses {
			uses[i].Owe(min(totals[i], maxDebt) * 1000)
		}
		totals = totals[len(uses):]
	}
}

// maxDebt is what nanoseconds can say, in microseconds.
const maxDebt = 1 << 51

// note counts a round, and logs once that rounds have begun to fail and once that they work again.
func (x *Exchanger) note(err error) {
	switch {
	case err == nil:
		x.worked.Add(1)
		x.told.Add(uint64(len(x.round.Names)))
		if x.failing {
			x.o.Log.Info("limits are shared again")
		}
	default:
		x.degraded.Add(1)
		if !x.failing {
			x.o.Log.Warn("limits cannot be shared: until they can, each gateway bounds its callers by itself", "error", err)
		}
	}
	x.failing = err != nil
}

// Stats returns what was counted since the start.
func (x *Exchanger) Stats() Stats {
	return Stats{
		Worked: x.worked.Load(), Degraded: x.degraded.Load(), Told: x.told.Load(), Left: x.left.Load(),
		Took: time.Duration(x.took.Load()),
	}
}
