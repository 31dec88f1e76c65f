package main

import (
	"fmt"
	"slices"
	"strings"
)

// Calls about grants, realms, users and roles.

// seconds returns one selector of each kind, for what is below a realm or a grant.
func (s *naiveSite) seconds(collection string) []*naiveSelector {
	ids := naiveIDs(s.w.users)
	switch collection {
	case "links":
		ids = naiveIDs(s.w.accounts)
	case "realms/roles":
		ids = naiveIDs(s.w.roles)
	}
	list := []int64{pickOne(s.r, append(ids, 99999)...), pickOne(s.r, append(ids, 99998)...)}
	slices.Sort(list)
	list = slices.Compact(list)
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
	first := pickOne(s.r, "u", "u1", "c", "x")
	all := []*naiveSelector{{text: "all"}, {text: fmt.Sprint(list[0]), ids: list[:1]}, {text: text, ids: list}, {text: "name=" + first + "*", name: first}}
	if collection == "realms/users" {
		cid := pickOne(s.r, naiveIDs(s.w.accounts)...)
		all = append(all, &naiveSelector{text: fmt.Sprint("all,cid=", cid), cid: cid}, &naiveSelector{text: text + fmt.Sprint(",cid=", cid), ids: list, cid: cid},
			&naiveSelector{text: "password=x", bad: true})
	}
	return append(all, &naiveSelector{text: "{id>1}", bad: true})
}

// reads returns a GET of a collection, or else the call that it is served by, with each selector.
func (s *naiveSite) reads(collection string) (all []*naiveCall) {
	of := collection
	switch collection {
	case "login", "logout", "password":
		return nil // nothing is read there
	case "links", "grantors":
	case "realms/users", "realms/roles":
		of = "realms"
	default:
		for _, selector := range s.selectors(collection) {
			all = append(all, &naiveCall{method: "GET", collection: collection, selector: selector})
		}
		return all
	}
	for _, first := range s.selectors(of) {
		if collection == "grantors" {
			all = append(all, &naiveCall{method: "GET", collection: collection, selector: first})
			continue
		}
		for _, second := range s.seconds(collection) {
			all = append(all, &naiveCall{method: "GET", collection: collection, selector: first, second: second})
		}
	}
	return all
}

// randomPeople makes a call one about grants, realms, users or roles.
func (s *naiveSite) randomPeople(q *naiveCall) *naiveCall {
	r := s.r
	q.collection = pickOne(r, "grants", "grants", "links", "links", "grantors", "realms", "realms", "realms/users", "realms/users", "realms/users", "realms/roles", "realms/roles", "login", "login", "logout", "password")
	if q.collection == "login" && r.IntN(6) > 0 {
		q.method = "POST"
	}
	q.selector = pickOne(r, s.selectors(strings.TrimSuffix(strings.TrimSuffix(q.collection, "/users"), "/roles"))...)
	switch q.collection {
	case "links":
		q.selector, q.second = pickOne(r, s.selectors("links")...), pickOne(r, s.seconds("links")...)
		return q
	case "grantors":
		return q
	case "grants", "realms":
		if q.method == "POST" && r.IntN(12) > 0 {
			q.selector = nil
		}
	default:
		s.belowRealm(q)
	}
	if q.method == "DELETE" && q.selector != nil && q.selector.ids == nil && r.IntN(5) > 0 {
		q.method = "GET"
	}
	q.logs = q.method == "GET" && r.IntN(6) == 0 && (q.second == nil || q.second.ids != nil || q.selector.ids == nil) && q.collection != "login" && q.collection != "logout" && q.collection != "password"
	if r.IntN(30) == 0 {
		q.fields = "nope"
	}
	if q.collection != "login" && q.collection != "logout" && q.collection != "password" {
		q.body = []map[string]any{s.randomPerson(q)}
	}
	if q.method == "PATCH" && q.body != nil && q.body[0]["claims"] != nil { // an object, which PATCH merges: the cases of policy/admin judge that
		q.method = "PUT"
	}
	return q
}

// belowRealm gives a call selectors of a realm, which is mostly named alone, and of what is below it.
func (s *naiveSite) belowRealm(q *naiveCall) {
	r := s.r
	q.selector = pickOne(r, s.selectors("realms")...)
	if ids := naiveIDs(s.w.realms); len(ids) > 0 && r.IntN(6) > 0 {
		id := pickOne(r, ids...)
		q.selector = &naiveSelector{text: fmt.Sprint(id), ids: []int64{id}}
	}
	of := q.collection
	if of != "realms/roles" {
		of = "realms/users"
	}
	if of != q.collection || q.method != "POST" || r.IntN(12) == 0 {
		q.second = pickOne(r, s.seconds(of)...)
	}
	if q.collection != "login" {
		return
	}
	for id := range s.w.users { // the oldest of ten would go
		n := 0
		for _, t := range s.w.tokens {
			if t.login && t.user == id {
				n++
			}
		}
		if n > 6 {
			q.method = "GET"
		}
	}
}

// randomPerson returns a body for a collection, and notes in the call where any reader finds a fault.
func (s *naiveSite) randomPerson(q *naiveCall) map[string]any {
	r, w := s.r, s.w
	if r.IntN(14) == 0 {
		q.badBody = 2
		return pickOne(r, map[string]any{"id": 7}, map[string]any{"nope": 1}, map[string]any{"name": 7}, map[string]any{"password": "short", "name": "x", "token_params": 5, "access": 7})
	}
	account := pickOne(r, append(naiveIDs(w.accounts), 7777)...)
	body := map[string]any{}
	may := func(odds int, name string, value any) {
		if r.IntN(odds) == 0 {
			body[name] = value
		}
	}
	post := q.method == "POST"
	switch q.collection {
	case "grants":
		access := map[string]any{"uri": "gw/channels", "levels": []string{"view"}, "ids": "all"}
		if r.IntN(3) == 0 {
			access = map[string]any{"uri": "account", "levels": []string{pickOne(r, "operate-as", "view")}}
		} else if ids := naiveIDs(w.channels); len(ids) > 0 && r.IntN(2) == 0 {
			access["ids"] = []int64{pickOne(r, ids...)}
		}
		if post {
			body["access"], body["name"] = []map[string]any{access}, fmt.Sprint("g", r.IntN(99))
			may(2, "cid", account)
		} else {
			may(3, "access", []map[string]any{access})
			may(3, "name", fmt.Sprint("g", r.IntN(99)))
		}
		may(2, "expire", pickOne(r, naiveEnds...))
	case "realms":
		if post {
			may(2, "cid", account)
			body["home"] = map[string]any{"type": 0}
		}
		may(2, "home", s.randomHome(q, account))
		may(2, "token_params", s.randomParams(q))
		may(6, "max_users", r.IntN(9))
		if r.IntN(3) == 0 && (!post || r.IntN(6) == 0) {
			role := func() string {
				return pickOne(r, "", "account-admin", "account-admin", "consultant", "clerk", "clerk", "admin-reader", "nothing")
			}
			body["claims"] = naiveClaims(map[string]string{"g1": role(), "g2": role()})
		}
	case "realms/users":
		if post {
			may(4, "cid", account)
		}
		may(2, "roles", pickOne(r, []string{"account-admin"}, []string{"consultant"}, []string{"clerk"}, []string{"admin-reader"}, []string{"nothing"}, []string{}, []string{"account-admin", "consultant"}))
		may(4, "token_params", s.randomParams(q))
		may(12, "password", naivePassword+fmt.Sprint(r.IntN(1000)))
	case "realms/roles":
		return s.randomRole(q)
	}
	if len(body) == 0 || r.IntN(4) == 0 {
		may(1, "enabled", r.IntN(3) > 0)
	}
	if name := fmt.Sprint(pickOne(r, "u", "r"), r.IntN(40)); post && q.collection != "grants" {
		body["name"] = name
	} else if r.IntN(5) == 0 && q.collection == "realms/users" {
		body["name"] = strings.ToUpper(name)
	}
	return body
}

// randomHome returns where users are to live, a part of it for a PATCH.
func (s *naiveSite) randomHome(q *naiveCall, account int64) map[string]any {
	limit := pickOne(s.r, append(naiveIDs(s.w.limits), 7777)...)
	if q.method == "PATCH" && s.r.IntN(3) > 0 {
		return pickOne(s.r, map[string]any{"type": 1}, map[string]any{"type": 2}, map[string]any{"subaccount_id": account}, map[string]any{"limit_id": limit},
			map[string]any{"limit_id": nil}, map[string]any{"type": 0, "subaccount_id": nil, "limit_id": nil}, map[string]any{"type": 0}, map[string]any{})
	}
	return pickOne(s.r, map[string]any{"type": 0}, map[string]any{"type": 1, "subaccount_id": account}, map[string]any{"type": 2, "subaccount_id": account},
		map[string]any{"type": 2, "subaccount_id": account}, map[string]any{"type": 2, "subaccount_id": account, "limit_id": limit},
		map[string]any{"type": 1, "subaccount_id": account, "limit_id": limit}, map[string]any{"type": 0, "subaccount_id": account}, map[string]any{"type": 2})
}

// randomParams returns token_params, in which a PATCH may take something away.
func (s *naiveSite) randomParams(q *naiveCall) map[string]any {
	r := s.r
	params := map[string]any{}
	if q.method == "PATCH" && r.IntN(3) == 0 {
		params[pickOne(r, "ips", "origins")] = nil
	}
	if r.IntN(4) > 0 {
		params["access"] = pickOne(r, map[string]any{"type": 1}, map[string]any{"type": 1}, map[string]any{"type": 0},
			map[string]any{"type": 2, "acl": []map[string]any{{"uri": "gw", "methods": []string{"GET"}}, {"uri": "storage", "methods": []string{"GET"}}}})
	}
	if r.IntN(5) == 0 {
		params["ips"] = pickOne(r, "127.0.0.0/8", "10.0.0.0/8")
	}
	if r.IntN(8) == 0 {
		params["origins"] = []string{"https://a.example"}
	}
	return params
}

func (s *naiveSite) randomRole(q *naiveCall) map[string]any {
	r := s.r
	rights := []map[string]any{}
	for _, word := range []string{"customer", "users", "roles", "realms", "tokens", "subaccounts", "limits", "grants", "grantors", "logs", "all"} {
		if r.IntN(4) == 0 && (word != "all" || r.IntN(4) == 0) {
			rights = append(rights, map[string]any{"uri": word, "methods": pickOne(r, []string{"GET"}, []string{"GET"}, []string{"GET", "POST", "PUT", "DELETE"})})
		}
	}
	body := map[string]any{"platform": rights}
	if q.method == "POST" {
		body["name"] = pickOne(r, "clerk", "consultant", "c1", "c2")
		body["access"] = map[string]any{"type": 2, "acl": []map[string]any{{"uri": "gw", "methods": []string{"GET"}}, {"uri": "storage", "methods": []string{"GET"}}}}
		body["reach"] = pickOne(r, "own", "branch", "branch", "tree")
	}
	if r.IntN(4) == 0 {
		body["assignable_by"] = []string{pickOne(r, "account-admin", "clerk", "nothing")}
	}
	return body
}

// populate makes realms with roles and users, and sessions of them, by calls that the law judges too.
func (s *naiveSite) populate() {
	s.t.Helper()
	s.populateGrants()
	operator := naiveCaller{operator: true}
	post := func(collection string, first *naiveSelector, body map[string]any) int64 {
		q := &naiveCall{naiveCaller: operator, method: "POST", collection: collection, selector: first, body: []map[string]any{body}}
		s.made = 0
		s.compare(q)
		return s.made
	}
	for i, cid := range naiveIDs(s.w.accounts)[:4] {
		home := map[string]any{"type": 0}
		if i == 1 { // each user has an account
			home = map[string]any{"type": 2, "subaccount_id": pickOne(s.r, cid, pickOne(s.r, naiveIDs(s.w.branch(cid))...))}
		}
		realm := post("realms", nil, map[string]any{"name": fmt.Sprint("r", cid), "cid": cid, "home": home, "audience": fmt.Sprint("a", cid), "claims": naiveClaims(nil)})
		if realm == 0 {
			continue // a limit says no
		}
		at := &naiveSelector{text: fmt.Sprint(realm), ids: []int64{realm}}
		body := s.randomRole(&naiveCall{method: "POST"})
		body["name"], body["reach"] = "clerk", pickOne(s.r, "own", "branch")
		delete(body, "assignable_by")
		post("realms/roles", at, body)
		for n, roles := range [][]string{{"account-admin"}, {"clerk"}, {"consultant", "clerk"}, {"admin-reader"}, {}} {
			user := map[string]any{"name": fmt.Sprint("u", cid, n), "roles": roles}
			if home := naiveIDs(s.w.branch(cid)); s.r.IntN(2) == 0 {
				user["cid"] = pickOne(s.r, home...)
			}
			if len(roles) == 0 {
				user["token_params"] = map[string]any{"access": map[string]any{"type": 1}}
			}
			id := post("realms/users", at, user)
			if id == 0 {
				continue
			}
			s.compare(&naiveCall{naiveCaller: operator, method: "POST", collection: "login", selector: at, second: &naiveSelector{text: fmt.Sprint(id), ids: []int64{id}}})
		}
		s.populateBearers(realm)
		roles := map[string]string{"g1": pickOne(s.r, "account-admin", "clerk"), "g2": pickOne(s.r, "consultant", "clerk")}
		s.compare(&naiveCall{naiveCaller: operator, method: "PUT", collection: "realms", selector: at, body: []map[string]any{{"claims": naiveClaims(roles)}}})
	}
}

// populateGrants makes grants, each for two accounts; some let operate as the grantor.
func (s *naiveSite) populateGrants() {
	s.t.Helper()
	for i := range 6 {
		cid := pickOne(s.r, naiveIDs(s.w.accounts)...)
		access := map[string]any{"uri": "account", "levels": []string{"operate-as"}}
		if i%2 == 0 {
			access = map[string]any{"uri": "gw/channels", "levels": []string{"view"}, "ids": "all"}
		}
		q := &naiveCall{naiveCaller: naiveCaller{operator: true}, method: "POST", collection: "grants", body: []map[string]any{{"name": "g", "cid": cid, "access": []map[string]any{access}}}}
		s.made = 0
		if s.compare(q); s.made == 0 {
			continue // a limit says no
		}
		grant := &naiveSelector{text: fmt.Sprint(s.made), ids: []int64{s.made}}
		for range 2 {
			to := pickOne(s.r, naiveIDs(s.w.accounts)...)
			s.compare(&naiveCall{naiveCaller: q.naiveCaller, method: "POST", collection: "links", selector: grant, second: &naiveSelector{text: fmt.Sprint(to), ids: []int64{to}}})
		}
	}
}
