package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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

func textOr(body map[string]any, name, or string) string {
	if v, said := body[name].(string); said {
		return v
	}
	return or
}

func boundsOf(body map[string]any, or map[string]int64) map[string]int64 {
	bounds := maps.Clone(or)
	for _, name := range []string{"tokens_count", "subaccounts_count", "limits_count"} {
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
		if len(l.chain(l.acting)) >= 4 {
			faults = append(faults, faultField)
		}
		faults = append(faults, l.accountFaults(0, l.acting, body)...)
	case "limits":
		if bound = "limits_count"; cid == 0 {
			return []naiveFault{faultField}
		}
	default:
		bound, cid = "tokens_count", numberOr(body, "cid", cid)
		is := naiveToken{cid: cid, by: l.q.token, key: "new"}.with(body)
		switch {
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
		l.tokens[id] = naiveToken{cid: cid, by: l.q.token, key: "new"}.with(body)
	}
	return faults
}

// The fields that rows are compared by.
var naiveFields = map[string]string{
	"tokens":          "access.type,blocked,cid,created_by,enabled,expire,id,info,ips,ttl",
	"customer/tokens": "access.type,blocked,cid,created_by,enabled,expire,id,info,ips,ttl",
	"subaccounts":     "blocked,cid,consultancy_account_id,enabled,id,limit_id,name",
	"limits":          "cid,id,limits_count,name,subaccounts_count,tokens_count",
	"customer":        "blocked,cid,counters.limits_count,counters.subaccounts_count,counters.tokens_count,id,limits.limits_count,limits.tokens_count,name",
}

// row is what a caller sees of a record. What names a record out of scope is null.
func (w *naiveWorld) row(q *naiveCall, id int64) string {
	acting := q.cid
	if !q.operator && acting == 0 {
		acting = w.tokens[q.token].cid
	}
	scope := w.branch(acting)
	seen := func(id int64, in bool) any {
		if id == 0 || !in {
			return nil
		}
		return id
	}
	var row map[string]any
	switch a := w.accounts[id]; q.collection {
	case "subaccounts":
		row = map[string]any{"blocked": w.state(id), "cid": a.parent, "consultancy_account_id": seen(a.consultancy, scope[a.consultancy]), "enabled": !a.disabled,
			"id": id, "limit_id": seen(a.limit, scope[w.limits[a.limit].cid]), "name": a.name}
	case "customer":
		counts := map[string]any{"limits_count": w.used("limits_count", id), "subaccounts_count": w.used("subaccounts_count", id), "tokens_count": w.used("tokens_count", id)}
		row = map[string]any{"blocked": w.state(id), "cid": seen(a.parent, scope[a.parent]), "counters": counts, "id": id, "name": a.name,
			"limits": map[string]any{"limits_count": w.least("limits_count", id), "tokens_count": w.least("tokens_count", id)}}
	case "limits":
		l := w.limits[id]
		row = map[string]any{"cid": l.cid, "id": id, "name": l.name}
		for _, name := range []string{"tokens_count", "subaccounts_count", "limits_count"} {
			row[name] = -1
			if n, says := l.bounds[name]; says || l.zero {
				row[name] = n
			}
		}
	default:
		t := w.tokens[id]
		maker, found := w.tokens[t.by]
		row = map[string]any{"access": map[string]any{"type": t.kind}, "blocked": w.state(t.cid), "cid": t.cid, "created_by": seen(t.by, found && scope[maker.cid]),
			"enabled": !t.disabled, "expire": t.expire, "id": id, "info": t.info, "ips": t.ips, "ttl": t.ttl}
	}
	text, err := json.Marshal(row)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
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
