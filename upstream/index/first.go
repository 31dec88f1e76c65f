package index

import "aclgate/policy"

// FirstReading returns a channel that is closed when what the index knows has changed or a reading has failed, if
// what a request names was never read and its first reading is still to come or under way. Else it
// returns nil: it was read, or its last reading has failed.
func (x *ItemIndex) FirstReading(in *policy.Input) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.neverRead(in) {
		return nil
	}
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.changed
}

// neverRead reports whether StaleFor is true of a request only because of what was not read yet. The
// caller holds mu.
func (x *ItemIndex) neverRead(in *policy.Input) bool {
	now := x.state.Load()
	first := false
	for i := range in.Request.Selectors {
		c := in.Request.Selectors[i].Collection
		if c == nil {
			continue
		}
		if x.opt.Mode.Index() && x.Stale(c) {
			if !x.awaits(subject{c, false}) {
				return false
			}
			first = true
		}
		if in.Token.Access == policy.ACLAccess && x.membersStale(c) {
			if x.old(now.members[c.Index].began) && !x.awaits(subject{c, true}) ||
				x.groups != nil && x.Stale(x.groups) && !x.awaits(subject{x.groups, false}) {
				return false
			}
			first = true
		}
	}
	return first
}

// awaits reports whether items, or members, were not read yet and nothing says that they cannot be. The
// caller holds mu.
func (x *ItemIndex) awaits(s subject) bool {
	now := x.state.Load()
	if l := now.members[s.collection.Index]; s.members && l != nil && !l.began.IsZero() {
		return false
	}
	if o := now.overlays[s.collection.Index]; !s.members && o != nil && !o.began.IsZero() {
		return false
	}
	r := x.refreshers[s]
	if r == nil {
		return true // Run has not heard of it yet
	}
	_, err := r.outcome()
	return err == nil
}

// tell wakes those who wait for a change. The caller holds mu.
func (x *ItemIndex) tell() {
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}
