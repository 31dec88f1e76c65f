package main

import (
	"fmt"
	"slices"
	"strings"
)

// selectors returns one of each kind, for a collection.
func (s *naiveSite) selectors(collection string) []*naiveSelector {
	if collection == "customer" {
		return []*naiveSelector{nil}
	}
	ids, word := naiveIDs(s.w.tokens), "info"
	switch collection {
	case "grants", "links", "grantors":
		ids, word = naiveIDs(s.w.grants), "name"
	case "realms":
		ids, word = naiveIDs(s.w.realms), "name"
	case "subaccounts":
		ids, word = naiveIDs(s.w.accounts), "name"
	case "limits":
		ids, word = naiveIDs(s.w.limits), "name"
	}
	one := func() int64 { return pickOne(s.r, append(ids, 99999)...) }
	cid, first := pickOne(s.r, append(naiveIDs(s.w.accounts), 7777)...), pickOne(s.r, "a", "t1", "l", "x", "g", "r")
	list := []int64{one()}
	for range 1 + s.r.IntN(3) {
		if id := one(); id != list[len(list)-1] {
			list = append(list, id)
		}
	}
	seen := map[int64]bool{}
	var texts []string
	distinct := list[:0]
	for _, id := range list {
		if !seen[id] {
			distinct, texts = append(distinct, id), append(texts, fmt.Sprint(id))
		}
		seen[id] = true
	}
	single := one()
	return []*naiveSelector{
		{text: "all"},
		{text: fmt.Sprint(single), ids: []int64{single}},
		{text: strings.Join(texts, ","), ids: distinct},
		{text: fmt.Sprint("cid=", cid), cid: cid},
		{text: fmt.Sprint("all,cid=", cid), cid: cid},
		{text: fmt.Sprint(strings.Join(texts, ","), ",cid=", cid), ids: distinct, cid: cid},
		{text: word + "=" + first + "*", name: first},
		{text: fmt.Sprintf("%s=%s*,cid=%d", word, first, cid), name: first, cid: cid},
		{text: "key=x", bad: true},
		{text: "{id>1}", bad: true},
	}
}

// randomCall returns a call of a random caller.
func (s *naiveSite) randomCall() *naiveCall {
	r := s.r
	q := &naiveCall{method: pickOne(r, "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE")}
	q.naiveCaller = s.randomCaller()
	if guest, found := s.randomGuest(); found && r.IntN(8) == 0 {
		q.naiveCaller = guest
		if r.IntN(4) > 0 { // what a guest may ask, most of all
			q.method, q.collection = "GET", pickOne(r, "subaccounts", "limits", "customer")
			q.selector = pickOne(r, s.selectors(q.collection)...)
			return q
		}
	}
	if r.IntN(2) == 0 {
		return s.randomPeople(q)
	}
	q.collection = pickOne(r, "tokens", "tokens", "tokens", "customer/tokens", "subaccounts", "subaccounts", "limits", "customer")
	if q.method != "POST" || r.IntN(12) == 0 {
		q.selector = pickOne(r, s.selectors(q.collection)...)
	} else if q.collection == "customer" && r.IntN(3) > 0 {
		q.method = "PUT"
	}
	if q.method == "DELETE" && q.selector != nil && q.selector.ids == nil && r.IntN(6) > 0 {
		q.method = "PUT" // or the world were soon empty
	}
	q.release = q.method == "DELETE" && q.collection == "subaccounts" && q.selector != nil && r.IntN(2) == 0
	q.logs = q.method == "GET" && r.IntN(8) == 0
	if r.IntN(30) == 0 {
		q.fields = "nope"
	}
	q.body = []map[string]any{s.randomBody(q)}
	if q.method == "POST" && r.IntN(5) == 0 {
		q.body = append(q.body, s.randomBody(q))
	}
	if q.badBody == 0 && r.IntN(40) == 0 {
		q.badBody = 400
	}
	return q
}

// randomCaller returns who asks: masters and users most, and mostly for accounts that they see, or that
// have granted them something.
func (s *naiveSite) randomCaller() (c naiveCaller) {
	r, w := s.r, s.w
	switch n := r.IntN(12); {
	case n < 2:
		c.operator = true
	case n >= 3 && n < 6 && len(w.bearers) > 0:
		c.token = pickOne(r, naiveIDs(w.bearers)...)
	case n == 2:
		c.token = pickOne(r, 0, naiveIDs(w.tokens)[0])
	default:
		for range 6 {
			c.token = pickOne(r, naiveIDs(w.tokens)...)
			if t := w.tokens[c.token]; n < 6 && t.user != 0 || n >= 6 && t.kind == 1 && !t.disabled {
				break
			}
		}
	}
	own := w.tokens[c.token].cid
	switch r.IntN(6) {
	case 0:
		c.cid = pickOne(r, append(naiveIDs(w.accounts), 7777)...)
	case 1, 2:
		if below := naiveIDs(w.branch(own)); len(below) > 0 {
			c.cid = pickOne(r, below...)
		}
	case 3:
		for _, id := range naiveIDs(w.grants) {
			if slices.Contains(w.grants[id].to, own) {
				c.cid = w.grants[id].cid
			}
		}
	}
	return c
}

// randomGuest returns a master of an account that was granted the use of all rights in another one, for that.
func (s *naiveSite) randomGuest() (c naiveCaller, found bool) {
	var all []naiveCaller
	for _, g := range naiveIDs(s.w.grants) {
		for _, id := range naiveIDs(s.w.tokens) {
			grant, t := s.w.grants[g], s.w.tokens[id]
			if grant.level == "operate-as" && !grant.disabled && t.kind == 1 && !t.disabled && t.ips != "10.0.0.0/8" && slices.Contains(grant.to, t.cid) {
				all = append(all, naiveCaller{token: id, cid: grant.cid})
			}
		}
	}
	if len(all) == 0 {
		return c, false
	}
	return pickOne(s.r, all...), true
}

// randomBody returns a body, and notes in the call where any reader of it finds a fault.
func (s *naiveSite) randomBody(q *naiveCall) map[string]any {
	r := s.r
	if r.IntN(12) == 0 {
		q.badBody = 2
		return pickOne(r, map[string]any{"id": 7}, map[string]any{"nope": 1}, map[string]any{"Name": "x"}, map[string]any{"name": 7, "info": 7}, map[string]any{"blocked": 0})
	}
	name := fmt.Sprint(pickOne(r, "a", "t", "l", "x"), r.IntN(99))
	account := pickOne(r, append(naiveIDs(s.w.accounts), 7777)...)
	limit := pickOne(r, append(naiveIDs(s.w.limits), 7777)...)
	switch q.collection {
	case "customer":
		return map[string]any{"name": name}
	case "limits":
		body := map[string]any{"name": name}
		if q.method == "POST" || !s.anyZero() {
			body[pickOne(r, "tokens_count", "subaccounts_count", "limits_count", "grants_count", "realms_count")] = 3 + r.IntN(25)
		}
		return body
	case "subaccounts":
		body := pickOne(r, map[string]any{}, map[string]any{"limit_id": limit}, map[string]any{"limit_id": limit}, map[string]any{"consultancy_account_id": account},
			map[string]any{"limit_id": nil}, map[string]any{"enabled": r.IntN(3) > 0})
		if q.method == "POST" || len(body) == 0 {
			body["name"] = name
		}
		return body
	}
	return s.randomToken(q, name, account)
}

// anyZero reports whether there is a limit of all zeros: another bound of it would count requests.
func (s *naiveSite) anyZero() bool {
	for _, l := range s.w.limits {
		if l.zero {
			return true
		}
	}
	return false
}

// randomToken returns a body for tokens.
func (s *naiveSite) randomToken(q *naiveCall, name string, account int64) map[string]any {
	r := s.r
	acl := []map[string]any{{"uri": "gw/channels", "methods": []string{"GET"}}}
	if items := naiveIDs(s.w.channels); len(items) > 0 && r.IntN(3) > 0 {
		acl[0]["ids"] = []int64{pickOne(r, items...)}
	}
	access := pickOne(r, map[string]any{"type": 0}, map[string]any{"type": 1}, map[string]any{"type": 1}, map[string]any{"type": 2, "acl": acl}, map[string]any{"type": 3})
	if q.method != "POST" {
		return pickOne(r, map[string]any{"info": name}, map[string]any{"enabled": r.IntN(3) > 0}, map[string]any{"expire": pickOne(r, naiveEnds...)},
			map[string]any{"ttl": pickOne(r, 0, 3000, 3600, 7200)}, map[string]any{"access": access}, map[string]any{"ips": pickOne(r, naiveIPs...)})
	}
	body := map[string]any{"info": name, "access": access}
	if q.collection == "customer/tokens" && r.IntN(3) == 0 {
		delete(body, "access")
		body["acl"] = acl
	}
	switch r.IntN(8) {
	case 0:
		body["ttl"] = pickOne(r, 3000, 7200)
	case 1: // for ever
	default:
		body["expire"] = pickOne(r, naiveEnds...)
	}
	if r.IntN(3) == 0 {
		body["cid"] = account
	}
	if r.IntN(2) == 0 {
		body["ips"] = pickOne(r, naiveIPs...)
	}
	if r.IntN(2) == 0 {
		body["origins"] = []string{pickOne(r, "https://a.example", "https://b.example")}
	}
	return body
}
