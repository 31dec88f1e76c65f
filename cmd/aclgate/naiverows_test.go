package main

import (
	"encoding/json"
	"fmt"
)

// The fields that rows are compared by.
var naiveFields = map[string]string{
	"tokens":          "access.type,blocked,cid,created_by,enabled,expire,id,info,ips,realm_id,ttl,user_id",
	"customer/tokens": "access.type,blocked,cid,created_by,enabled,expire,id,info,ips,realm_id,ttl,user_id",
	"subaccounts":     "blocked,cid,consultancy_account_id,enabled,id,limit_id,name",
	"limits":          "cid,grants_count,id,limits_count,name,realms_count,subaccounts_count,tokens_count",
	"grants":          "access,cid,enabled,expire,id,name",
	"links":           "grant_id,subaccount_id",
	"grantors":        "access,cid,expire,id,name",
	"realms":          "claims,cid,enabled,home,id,max_users,name",
	"realms/users":    "cid,enabled,id,name,realm_id,roles",
	"realms/roles":    "assignable_by,id,name,reach,realm_id",
	"login":           "token",
	"logout":          "id",
	"password":        "id",
	"customer":        "blocked,cid,counters.grants_count,counters.limits_count,counters.realms_count,counters.subaccounts_count,counters.tokens_count,id,limits.limits_count,limits.tokens_count,name",
}

// row is what a caller sees of a record. What names a record out of scope is null. The caller is who
// they were before the call.
func (w *naiveWorld) row(l *naiveLaw, id int64) string {
	l = &naiveLaw{naiveWorld: w, q: l.q, self: l.self, acting: l.acting, holders: l.holders, permits: l.permits}
	l.scope = l.whole()
	q, scope := l.q, l.scope
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
		counts := map[string]any{"grants_count": w.used("grants_count", id), "realms_count": w.used("realms_count", id), "limits_count": w.used("limits_count", id), "subaccounts_count": w.used("subaccounts_count", id), "tokens_count": w.used("tokens_count", id)}
		row = map[string]any{"blocked": w.state(id), "cid": seen(a.parent, scope[a.parent]), "counters": counts, "id": id, "name": a.name,
			"limits": map[string]any{"limits_count": w.least("limits_count", id), "tokens_count": w.least("tokens_count", id)}}
	case "limits":
		l := w.limits[id]
		row = map[string]any{"cid": l.cid, "id": id, "name": l.name}
		for _, name := range naiveBounds {
			row[name] = -1
			if n, says := l.bounds[name]; says || l.zero {
				row[name] = n
			}
		}
	case "grants", "grantors":
		g := w.grants[id]
		row = g.row()
		if q.collection == "grantors" {
			delete(row, "enabled")
		}
		row["id"] = id
	case "realms":
		r := w.realms[id]
		home := map[string]any{"type": r.home.kind}
		if r.home.kind != 0 {
			home["subaccount_id"] = r.home.at
		}
		if r.home.limit != 0 {
			home["limit_id"] = seen(r.home.limit, scope[w.limits[r.home.limit].cid])
		}
		claims := r.claims
		if claims == nil {
			claims = map[string]any{}
		}
		row = map[string]any{"claims": claims, "cid": r.cid, "enabled": !r.disabled, "home": home, "id": id, "max_users": r.most, "name": r.name}
		if !scope[r.cid] { // of users in scope: its names alone
			row = map[string]any{"claims": nil, "cid": nil, "enabled": nil, "home": nil, "id": id, "max_users": nil, "name": r.name}
		}
	case "realms/users":
		u := w.users[id]
		row = map[string]any{"cid": u.cid, "enabled": !u.disabled, "id": id, "name": u.name, "realm_id": u.realm, "roles": append([]string{}, u.roles...)}
	case "realms/roles":
		r := w.roles[id]
		row = map[string]any{"assignable_by": append([]string{}, r.givers...), "id": id, "name": r.name, "reach": r.reach, "realm_id": r.realm}
	case "login", "logout", "password":
		row = map[string]any{"id": id}
	default:
		t := w.tokens[id]
		u := w.users[t.user]
		maker, found := w.tokens[t.by]
		row = map[string]any{"access": map[string]any{"type": t.kind}, "blocked": w.state(t.cid), "cid": t.cid, "created_by": seen(t.by, found && scope[maker.cid]),
			"enabled": !t.disabled, "expire": t.expire, "id": id, "info": t.info, "ips": t.ips, "ttl": t.ttl,
			"realm_id": seen(u.realm, scope[u.cid]), "user_id": seen(t.user, scope[u.cid])}
	}
	text, err := json.Marshal(row)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}

// row is that of a grant, without its id.
func (g *naiveGrant) row() map[string]any {
	access := map[string]any{"levels": []string{g.level}, "uri": g.uri}
	if g.ids != nil {
		access["ids"] = g.ids
	} else if g.uri != "account" {
		access["ids"] = "all"
	}
	return map[string]any{"access": []any{access}, "cid": g.cid, "enabled": !g.disabled, "expire": g.expire, "name": g.name}
}

// row is what a link looks like.
func (n naiveLink) row() string {
	return fmt.Sprintf(`{"grant_id":%d,"subaccount_id":%d}`, n.grant, n.account)
}
