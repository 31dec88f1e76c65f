package limit

import "sync/atomic"

const (
	// reserveOf: a quarter of the bound of an account is kept for others. Of less than four there is
	// nothing to keep.
	reserveOf = 4
	// turnsIn is how many requests of the rate there are in an epoch, at least.
	turnsIn = 64
)

// newEpoch returns the time in which those who share a bucket are counted: what a burst lasts.
func newEpoch(interval, window int64) int64 {
	if interval == 0 {
		return 1e9 // for requests at one time alone
	}
	return max(window, turnsIn*min(interval, maxWindow/turnsIn))
}

// epochOf returns the number of the epoch, which is never 0.
func (r *rule) epochOf(now int64) uint32 { return max(1, uint32(now/r.epoch)+1) }

// sharing is what the bucket of an account knows of those who share it, its users: the accounts
// below it, and its own callers as one.
type sharing struct {
	users users
	above turns // of this account, in the bucket of the one above
	own   turns // of its own callers, in this bucket
}

// turns counts the requests of one user that were admitted in an epoch: the number of the epoch and,
// in the lower half, the count.
type turns struct{ word atomic.Uint64 }

// ask returns the count, and whether the user asks for the first time in this epoch.
func (t *turns) ask(epoch uint32) (passed int64, first bool) {
	for {
		old := t.word.Load()
		if uint32(old>>32) == epoch {
			return int64(uint32(old)), false
		}
		if t.word.CompareAndSwap(old, uint64(epoch)<<32) {
			return 0, true
		}
	}
}

// pass counts one request. A request that began in the epoch before may count in the next.
func (t *turns) pass() { t.word.Add(1) }

// users counts the users of an account: the number of the epoch, then how many there were in the
// epoch before, and how many there are in this one.
type users struct{ word atomic.Uint64 }

// count counts one more user if it is new in this epoch, and returns how many there are: in this
// epoch or the one before, whichever had more.
func (u *users) count(epoch uint32, isNew bool) int64 {
	for {
		old := u.word.Load()
		now, before := uint16(old), uint16(old>>16)
		switch uint32(old>>32) - epoch {
		case 0:
		case ^uint32(0):
			now, before = 0, now
		default:
			now, before = 0, 0
		}
		if isNew {
			now = max(now, now+1) // which ends at 65535
		}
		fresh := uint64(epoch)<<32 | uint64(before)<<16 | uint64(now)
		if fresh == old || u.word.CompareAndSwap(old, fresh) {
			return int64(max(now, before, 1))
		}
	}
}

// user is one of those who share the bucket of an account, at the time of a request.
type user struct {
	turns  *turns
	below  bool  // an account below, not the account's own callers
	active int64 // its requests that are in, this one included; 0: not known
	users  int64 // how many share the bucket
	passed int64 // its requests that were admitted in this epoch
}

// shares returns the user of b that a request comes from: the account below, or nil for b's own
// callers.
func (b *bucket) shares(below *bucket, r *rule, now int64) user {
	u := user{turns: &b.own}
	if below != nil {
		u = user{turns: &below.above, below: true, active: int64(below.active.Load())}
	}
	epoch := r.epochOf(now)
	passed, first := u.turns.ask(epoch)
	u.passed, u.users = passed, b.users.count(epoch, first)
	return u
}

// wait returns 0 if the user may have a request that leaves the bucket full again at full, else the
// nanoseconds after which it may be worth asking again.
//
// While more than the reserve is left everybody may. Of the reserve, each of several users gets its
// part of the rate, its part of the reserve at once and the rest as the epoch goes by: whoever comes
// late finds something left. A single account below may not touch it: others may come.
func (u *user) wait(r *rule, full, now int64) int64 {
	hasReserve := r.burst >= reserveOf
	over := full - now - (r.window - r.burst/reserveOf*r.interval)
	switch {
	case hasReserve && over <= 0:
		return 0
	case u.users > 1:
		part := float64(r.epoch/r.interval) / float64(u.users)
		once := min(part, float64(r.burst)) / reserveOf / float64(u.users)
		if float64(u.passed) < once+(part-once)*float64(now%r.epoch)/float64(r.epoch) {
			return 0
		}
		return r.interval
	case hasReserve && u.below:
		return over
	}
	return 0
}

// kept returns how many requests of a bucket are not for the user.
func (u *user) kept(r *rule) int64 {
	if u.below {
		return r.burst / reserveOf
	}
	return 0
}

// most returns how many requests may be in the bucket at one time if one more is the user's. One that
// has more than its part leaves the reserve to others.
func (u *user) most(r *rule) int64 {
	free := !u.below && u.users == 1 || u.users > 1 && u.active > 0 && u.active <= max(1, r.concurrent/u.users)
	if free || r.concurrent < reserveOf || r.concurrent == unbounded {
		return r.concurrent
	}
	return r.concurrent - r.concurrent/reserveOf
}
