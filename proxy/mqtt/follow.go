package mqtt

import (
	"errors"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// What filters are narrowed to moves: items come and go, groups and accounts change (SPEC 16.6).
// Deliveries are judged by what is known at that moment, whatever was subscribed to; here the
// subscriptions at the broker follow.

// followEvery is how often a server looks whether something has moved, at most.
const followEvery = 250 * time.Millisecond

// restFor is how much longer than its work the walk over all sessions rests, while there is time.
const restFor = 4

// places is where items and accounts are at one moment.
type places struct {
	tree   *policy.Tree
	grants *policy.Grants
	items  uint64
}

func (s *Server) places() (p places) {
	p.tree = s.o.Accounts.Tree()
	if s.o.Grants != nil {
		p.grants = s.o.Grants.Grants()
	}
	if s.o.Items != nil {
		p.items = s.o.Items(p.tree).Version()
	}
	return p
}

// same reports whether nothing has moved. The tree is another one with every policy.
func (p *places) same(as *places) bool {
	return p.items == as.items && p.grants == as.grants && (p.tree == as.tree || slices.Equal(p.tree.Accounts(), as.tree.Accounts()))
}

// follow has the sessions follow what moves, one walk after the other. A walk takes half of Refresh at
// most: what moves after it has begun is done with by the next.
func (s *Server) follow() {
	tick := time.NewTicker(min(max(s.o.Refresh/8, time.Millisecond), followEvery))
	defer tick.Stop()
	last := s.places()
	var left []*session // they were busy
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		if now := s.places(); !now.same(&last) {
			last, left = now, s.all()
		} else if last = now; len(left) == 0 {
			continue
		}
		left = s.walk(left)
	}
}

// walk has sessions follow, and returns those that are busy.
func (s *Server) walk(sessions []*session) (busy []*session) {
	end := time.Now().Add(s.o.Refresh / 2)
	from, first := time.Now(), 0
	for i, x := range sessions {
		done := true // a session that panics has ended
		if x.guard(func() { done = x.follow() }); !done {
			busy = append(busy, x)
		}
		now := time.Now()
		worked := now.Sub(from)
		if worked < time.Millisecond {
			continue
		}
		share := end.Sub(now) * time.Duration(i+1-first) / time.Duration(len(sessions)-first)
		select {
		case <-s.done:
			return nil
		case <-time.After(min(restFor*worked, max(share, 0))):
		}
		from, first = time.Now(), i+1
	}
	return busy
}

// difference is how an asked filter follows: what is new at the broker, and what nobody needs.
type difference struct {
	asked    *asked
	fresh    []print
	needless []*printed
}

// follow narrows all filters of the session anew, and tells the broker the difference. It reports false
// if something else is being sent at the moment: nobody waits for a slow broker.
func (x *session) follow() bool {
	if !x.serving.Load() || x.ended.Load() {
		return true
	}
	if !x.shape.TryLock() {
		return false
	}
	held := true
	defer func() {
		if held { // also where something panics: others wait for it
			x.shape.Unlock()
		}
	}()
	var differences []difference
	if !x.guard(func() { differences = x.differences() }) || len(differences) == 0 {
		return true
	}
	held = false
	x.side(func() error {
		defer x.shape.Unlock()
		for _, s := range differences {
			if err := x.ask(nil, 0, s.asked, s.fresh); err != nil {
				return err
			}
			if err := x.takeBack(nil, s.needless); err != nil {
				return err
			}
		}
		return x.toBroker.flush()
	})
	return true
}

// differences finds the difference, and puts it into the table. Whoever calls it holds shape. A client that
// cannot have all that it may see any more is told so by the end of the session.
func (x *session) differences() (all []difference) {
	x.rights.mu.Lock()
	moves := x.rights.judge.Moves()
	x.rights.mu.Unlock()
	if !moves {
		return nil
	}
	for _, a := range x.table.all() {
		var narrowed topic.Subscription
		reason, why := x.narrow(&narrowed, a)
		switch {
		case why != wire.Success:
			x.end(why, destroyed)
			return nil
		case reason == policy.TooManyFilters || reason == policy.ShareWide:
			x.endAs(wire.QuotaExceeded, destroyed, reason)
			return nil
		}
		if fresh, needless := x.table.renew(a, &narrowed); len(fresh)+len(needless) > 0 {
			all = append(all, difference{a, fresh, needless})
		}
	}
	return all
}

// followed handles the answer of the broker to what the gateway asked for on its own. With the last,
// what was waiting for it leaves.
func (x *session) followed(a *asked, codes []wire.Reason) {
	switch {
	case a == nil: // UNSUBACK
	case slices.ContainsFunc(codes, wire.Reason.Failed):
		x.endAs(wire.QuotaExceeded, destroyed, policy.TooManyFilters)
	case x.table.arrived(a):
		x.reshape(func() error { return x.takeBack(nil, x.table.leave(a)) })
	}
}

// reshape changes what is subscribed to from the goroutine that reads from the broker: whoever holds
// shape may be waiting for that.
func (x *session) reshape(change func() error) {
	x.side(func() error {
		x.shape.Lock()
		defer x.shape.Unlock()
		return errors.Join(change(), x.toBroker.flush(), x.toClient.flush())
	})
}

// side does something beside the two goroutines of the session, which ends if it fails. It is called
// by goroutines that the server waits for.
func (x *session) side(do func() error) {
	x.server.running.Go(func() {
		x.guard(func() {
			if err := do(); err != nil {
				x.endBy(err)
			}
		})
	})
}

// all returns the asked filters.
func (t *table) all() []*asked {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*asked, 0, len(t.asked))
	for _, a := range t.asked {
		all = append(all, a)
	}
	return all
}

// renew makes what is printed for an asked filter what s says. It returns what the broker has to be
// asked for, and what nobody needs. Where there is both, the latter stays until the broker has
// answered, so that what both match is neither lost nor shown twice: at that place of the stream, and
// nowhere else, copies by the one are shown no more, and those by the other are.
func (t *table) renew(a *asked, s *topic.Subscription) (fresh []print, needless []*printed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked[string(a.options.Filter)] != a || a.isFor(s) {
		return nil, nil
	}
	a.wide, a.cid = s.Wide, s.CID
	before := a.prints
	stays := make(map[string]bool, len(before)) // false: it was about to leave
	for i, p := range before {
		stays[p.filter] = i >= a.leaving
	}
	groups, wanted := map[int64]uint32{}, make(map[string]bool, len(s.Printed))
	a.prints = nil
	for i := range s.Printed {
		p := print{printed: t.print(&s.Printed[i], groups), overlaps: s.Printed[i].Overlaps}
		wanted[p.filter] = true
		stayed, known := stays[p.filter]
		if !known {
			p.behind = append(p.behind, a)
		}
		account := p.cid
		if p.ask(s.Printed[i].CID, a, s.Shared); !stayed || p.cid != account {
			fresh = append(fresh, p)
		}
		a.prints = append(a.prints, p)
	}
	leaving := slices.DeleteFunc(before, func(p print) bool { return wanted[p.filter] })
	a.leaving = len(leaving)
	a.prints = append(leaving, a.prints...)
	if len(fresh) == 0 && a.open == 0 {
		a.over()
		needless = t.leaveLocked(a)
	}
	t.remix(a)
	return fresh, needless
}

// isFor reports whether what is printed for an asked filter is what s says. The table's lock is held.
func (a *asked) isFor(s *topic.Subscription) bool {
	if a.leaving > 0 || a.wide != s.Wide || a.cid != s.CID || len(a.prints) != len(s.Printed) {
		return false
	}
	for i, p := range a.prints {
		is := &s.Printed[i]
		united := p.cid == 0 && len(p.behind) > 1
		if p.filter != is.Filter || p.overlaps != is.Overlaps || p.cid != is.CID && !united {
			return false
		}
	}
	return true
}

// arrived counts an answer of the broker, and reports whether it was the last that something waits for.
// Whoever reads from the broker calls it.
func (t *table) arrived(a *asked) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.open--; a.open > 0 {
		return false
	}
	a.over()
	return a.leaving > 0
}

// over has everything that is leaving be over. The table's lock is held.
func (a *asked) over() {
	for i := range a.prints[:a.leaving] {
		a.prints[i].over = true
	}
}

// leave takes away what is over, and returns what nobody needs any more.
func (t *table) leave(a *asked) []*printed {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked[string(a.options.Filter)] != a {
		return nil
	}
	return t.leaveLocked(a)
}

func (t *table) leaveLocked(a *asked) []*printed {
	var over []print
	for _, p := range a.prints[:a.leaving] {
		if p.over {
			over = append(over, p)
		}
	}
	needless := t.drop(a, over)
	a.prints = slices.DeleteFunc(a.prints, func(p print) bool { return p.over })
	a.leaving -= len(over)
	return needless
}
