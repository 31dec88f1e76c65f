package main

import (
	"maps"
	"slices"
	"strings"
)

// What bodies say, and what rows show, for the naive law.

func numberOr(body map[string]any, name string, or int64) int64 {
	switch v := body[name].(type) {
	case int:
		return int64(v)
	case int64:
		return v
	case nil:
		if _, said := body[name]; said {
			return 0
		}
	}
	return or
}

func hasKey(body map[string]any, name string) bool { _, said := body[name]; return said }

func textOr(body map[string]any, name, or string) string {
	if v, said := body[name].(string); said {
		return v
	}
	return or
}

func boundsOf(body map[string]any, or map[string]int64) map[string]int64 {
	bounds := maps.Clone(or)
	for _, name := range naiveBounds {
		if n := numberOr(body, name, -1); n >= 0 {
			if bounds == nil {
				bounds = map[string]int64{}
			}
			bounds[name] = n
		}
	}
	return bounds
}

// with returns a token with the fields of a body.
func (t naiveToken) with(body map[string]any) naiveToken {
	t.info, t.ips = textOr(body, "info", t.info), textOr(body, "ips", t.ips)
	t.expire, t.ttl = numberOr(body, "expire", t.expire), numberOr(body, "ttl", t.ttl)
	if enabled, said := body["enabled"].(bool); said {
		t.disabled = !enabled
	}
	if origins, said := body["origins"].([]string); said {
		t.origin = origins[0]
	}
	access, said := body["access"].(map[string]any)
	acl := body["acl"]
	if said {
		t.kind, t.ids, acl = access["type"].(int), nil, access["acl"]
	} else if acl != nil {
		t.kind, t.ids = 2, nil
	}
	if acl != nil {
		t.ids, _ = acl.([]map[string]any)[0]["ids"].([]int64)
	}
	return t
}

func (t *naiveToken) equal(is *naiveToken) bool {
	return t.cid == is.cid && t.expire == is.expire && t.ttl == is.ttl && t.kind == is.kind && slices.Equal(t.ids, is.ids) &&
		t.disabled == is.disabled && t.ips == is.ips && t.origin == is.origin && t.info == is.info
}

// with returns an account with the fields of a body.
func (a naiveAccount) with(body map[string]any) naiveAccount {
	a.name = textOr(body, "name", a.name)
	a.limit, a.consultancy = numberOr(body, "limit_id", a.limit), numberOr(body, "consultancy_account_id", a.consultancy)
	if enabled, said := body["enabled"].(bool); said {
		a.disabled = !enabled
	}
	return a
}

// post makes records.
func (l *naiveLaw) post() (a naiveAnswer) {
	if l.q.badBody != 0 {
		return refused(naiveFault{400, l.q.badBody})
	}
	if l.q.second != nil || strings.HasPrefix(l.q.collection, "realms/") {
		return l.below()
	}
	for i, body := range l.q.body {
		id := fresh + int64(i)
		if faults := l.postOne(id, body); len(faults) > 0 {
			return refused(faults...)
		}
		a.rows = append(a.rows, id)
	}
	a.after = l.naiveWorld
	return a
}

func (l *naiveLaw) postOne(id int64, body map[string]any) (faults []naiveFault) {
	cid, bound := l.acting, ""
	switch l.q.collection {
	case "subaccounts":
		bound = "subaccounts_count"
		if cid != 0 && !l.scope[cid] {
			return []naiveFault{faultDenied}
		}
		if len(l.chain(l.acting)) >= 4 {
			faults = append(faults, faultField)
		}
		faults = append(faults, l.accountFaults(0, l.acting, body)...)
	case "limits":
		switch bound = "limits_count"; {
		case cid == 0:
			return []naiveFault{faultField}
		case !l.scope[cid]:
			return []naiveFault{faultDenied}
		}
	case "grants":
		return l.postGrant(id, body)
	case "realms":
		return l.postRealm(id, body)
	default:
		bound, cid = "tokens_count", numberOr(body, "cid", cid)
		is := l.newToken(cid, body)
		switch {
		case l.holders != nil:
			return []naiveFault{faultACL}
		case cid == 0:
			return []naiveFault{faultField}
		case !l.scope[cid]:
			return []naiveFault{faultDenied}
		}
		faults = l.tokenFaults(&naiveToken{}, &is)
	}
	if cid != 0 && l.full(bound, cid) {
		faults = append(faults, faultBlocked)
	}
	switch l.q.collection {
	case "subaccounts":
		l.accounts[id] = naiveAccount{parent: cid}.with(body)
	case "limits":
		l.limits[id] = naiveLimit{cid: cid, name: textOr(body, "name", ""), bounds: boundsOf(body, nil)}
	default:
		l.tokens[id] = l.newToken(cid, body)
	}
	return faults
}

// newToken is the token that a body asks for: it carries the caller's user.
func (l *naiveLaw) newToken(cid int64, body map[string]any) naiveToken {
	return naiveToken{cid: cid, by: l.q.token, user: l.self.user, key: "new"}.with(body)
}

// least is the smallest bound up the tree.
func (w *naiveWorld) least(name string, cid int64) int64 {
	least := int64(-1)
	for _, up := range w.chain(cid) {
		if n := w.bound(name, up); n >= 0 && (least < 0 || n < least) {
			least = n
		}
	}
	return least
}
