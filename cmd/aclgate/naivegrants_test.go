package main

import "slices"

// SPEC 10.7 for the naive law.

// with returns a grant with the fields of a body.
func (g naiveGrant) with(body map[string]any) naiveGrant {
	g.name, g.expire = textOr(body, "name", g.name), numberOr(body, "expire", g.expire)
	if enabled, said := body["enabled"].(bool); said {
		g.disabled = !enabled
	}
	if access, said := body["access"].([]map[string]any); said {
		g.uri, g.level = access[0]["uri"].(string), access[0]["levels"].([]string)[0]
		g.ids, _ = access[0]["ids"].([]int64)
	}
	return g
}

// bound judges whether the caller is bound by less than a grant is.
func (l *naiveLaw) bound4ever(expire int64) []naiveFault {
	ends := l.self.expire != 0 && l.self.ttl == 0 && (expire == 0 || expire > l.self.expire)
	if !l.q.operator && (l.self.user != 0 || l.self.ips != "" || l.self.origin != "" || ends) {
		return []naiveFault{faultACL}
	}
	return nil
}

// gives judges what a grant gives: items of the grantor's branch, or that it named before.
func (l *naiveLaw) gives(was, is *naiveGrant) []naiveFault {
	faults := l.bound4ever(is.expire)
	for _, id := range is.ids {
		if !(was.uri == is.uri && slices.Contains(was.ids, id)) && !l.branch(is.cid)[l.channels[id]] {
			faults = append(faults, faultDenied)
		}
	}
	return faults
}

func (l *naiveLaw) postGrant(id int64, body map[string]any) (faults []naiveFault) {
	is := naiveGrant{cid: numberOr(body, "cid", l.acting)}.with(body)
	switch {
	case is.cid == 0:
		return []naiveFault{faultField}
	case !l.scope[is.cid]:
		return []naiveFault{faultDenied}
	}
	faults = l.gives(&naiveGrant{}, &is)
	if l.full("grants_count", is.cid) {
		faults = append(faults, faultBlocked)
	}
	l.grants[id] = is
	return faults
}

// putGrant: whoever sees a grant may take it out of use and rename it.
func (l *naiveLaw) putGrant(id int64, body map[string]any) []naiveFault {
	was := l.grants[id]
	is := was.with(body)
	l.grants[id] = is
	if was.expire == is.expire && was.uri == is.uri && was.level == is.level && slices.Equal(was.ids, is.ids) && (was.disabled == is.disabled || is.disabled) {
		return nil
	}
	return l.gives(&was, &is)
}

// link is one grant with one account that it is for.
type naiveLink struct{ grant, account int64 }

// links judges a call on whom grants are for.
func (l *naiveLaw) linked() (a naiveAnswer) {
	s := l.q.second
	if l.q.selector.match() {
		return refused(faultField)
	}
	grants := l.pick(&a, l.q.selector, naiveIDs(l.grants), func(id int64) bool { return l.scope[l.grants[id].cid] && l.grants[id].cid != 0 })
	if s.match() || s.ids == nil && l.q.method == "POST" {
		return refused(faultField)
	}
	for _, id := range grants {
		g := l.grants[id]
		accounts := g.to
		if s.ids != nil {
			accounts = s.ids
		}
		for _, cid := range accounts {
			is := slices.Contains(g.to, cid)
			switch {
			case l.q.method != "POST" && !is, l.q.method == "POST" && !l.scope[cid]:
				a.denied = append(a.denied, cid)
				continue
			case l.q.method == "POST" && slices.Contains(l.chain(g.cid), cid):
				return refused(faultField)
			case l.q.method == "POST":
				if faults := l.bound4ever(g.expire); len(faults) > 0 {
					return refused(faults...)
				}
				g.to = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(g.to), cid))))
			case l.q.method == "DELETE":
				g.to = slices.DeleteFunc(slices.Clone(g.to), func(to int64) bool { return to == cid })
			}
			a.links = append(a.links, naiveLink{id, cid})
		}
		l.grants[id] = g
	}
	return l.done(a, len(a.links))
}

// received judges a call on the grants that the acting account has got.
func (l *naiveLaw) received() (a naiveAnswer) {
	switch {
	case l.acting == 0 || l.q.selector.match():
		return refused(faultField)
	case !l.scope[l.acting]:
		return refused(faultDenied)
	}
	a.rows = l.pick(&a, l.q.selector, naiveIDs(l.grants), func(id int64) bool { return slices.Contains(l.grants[id].to, l.acting) })
	if l.q.method == "DELETE" {
		for _, id := range a.rows {
			g := l.grants[id]
			g.to = slices.DeleteFunc(slices.Clone(g.to), func(to int64) bool { return to == l.acting })
			l.grants[id] = g
		}
	}
	return l.done(a, len(a.rows))
}

// pick returns which of some ids a selector names and sees says yes to; named ones that it does not see
// are denied.
func (l *naiveLaw) pick(a *naiveAnswer, s *naiveSelector, known []int64, sees func(int64) bool) (picked []int64) {
	if s.ids != nil {
		known = s.ids
	}
	for _, id := range known {
		if sees(id) {
			picked = append(picked, id)
		} else if s.ids != nil {
			a.denied = append(a.denied, id)
		}
	}
	return picked
}

// done ends a call: nothing but denials is a refusal, and a write has changed the world.
func (l *naiveLaw) done(a naiveAnswer, rows int) naiveAnswer {
	if rows == 0 && len(a.denied) > 0 {
		a.faults = []naiveFault{faultDenied}
	} else if l.q.method != "GET" {
		a.after = l.naiveWorld
	}
	return a
}

// match reports whether a selector has conditions, or is an expression.
func (s *naiveSelector) match() bool { return s.bad || s.cid != 0 || s.name != "" }
