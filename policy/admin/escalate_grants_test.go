package admin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"aclgate/policy/admin"
	"aclgate/policy/record"
)

// addGranted adds what a token can do by grants, naively: it acts as each account of its branch, which
// is a grantee, and of what the grantor has now and gives, its own access permits.
func (w *world) addGranted(a *rights, doc record.Value, branch map[int64]bool) {
	typ := doc.Get("access").Get("type").Text
	permits := func(it item, method string) bool {
		return typ == "0" || typ == "1" || typ == "2" && aclPermits(doc, it, method)
	}
	for id, grant := range w.grants {
		received := false
		for cid := range w.links[id] {
			received = received || branch[cid] && w.links[id][cid]
		}
		if !received || grant.Get("enabled").Text == "false" || num(grant, "expire") != 0 && num(grant, "expire") <= now {
			continue
		}
		grantor := w.branch(num(grant, "cid"))
		for _, e := range grant.Get("access").Items {
			uri, levels := e.Get("uri").Text, e.Get("levels").String()
			for it, cid := range w.items {
				for _, m := range everything {
					gives := strings.Contains(levels, "operate-as") || m == "GET" && strings.Contains(levels, "view") ||
						(m == "PUT" || m == "PATCH") && strings.Contains(levels, "edit") || m == "DELETE" && strings.Contains(levels, "delete")
					named := uri == "account" || uri == it.uri && (e.Get("ids").Text == "all" || slices.ContainsFunc(e.Get("ids").Items, record.NewInt(it.id).Equal))
					if grantor[cid] && gives && named && permits(it, m) {
						a.what[fmt.Sprint(it, m)] = true
					}
				}
			}
			for _, uri := range uris {
				if (strings.Contains(levels, "operate-as") || strings.Contains(levels, "create-"+strings.TrimPrefix(uri, "gw/"))) && permits(item{uri, 0}, "POST") {
					for cid := range grantor {
						a.what[fmt.Sprint("create ", uri, " of ", cid)] = true
					}
				}
			}
		}
	}
}

// administerGrants makes one random call about grants.
func (w *world) administerGrants(r *rand.Rand, l *admin.Law) call {
	id := anyID(r, w.grants)
	before := w.grants[id]
	switch r.IntN(5) {
	case 0, 1:
		doc, fault := l.NewGrant(first(record.Grants.ReadNew(w.randomGrant(r))))
		if fault == nil {
			id = w.id()
			w.grants[id], w.links[id] = doc.With("id", record.NewInt(id)), map[int64]bool{}
		}
		return call{"POST grant", 0, fault, true}
	case 2:
		after, fault := record.Grants.Put(before, w.randomGrant(r).Without("cid"))
		if fault == nil {
			fault = l.ChangeGrant(before, after)
		}
		if fault == nil {
			w.grants[id] = after
		}
		return call{fmt.Sprint("PUT grant ", before, " as ", after), 0, fault, true}
	case 3:
		cid := w.anyAccount(r)
		fault := l.Link(before, cid)
		if fault == nil {
			w.links[id][cid] = true
		}
		return call{fmt.Sprint("link ", before, " to ", cid), 0, fault, true}
	}
	fault := l.DeleteGrant(before)
	if fault == nil {
		delete(w.grants, id)
		delete(w.links, id)
	}
	return call{"DELETE grant", 0, fault, true}
}

func (w *world) randomGrant(r *rand.Rand) record.Value {
	access := fmt.Sprintf(`{"uri":"%s","ids":[%d,%d],"levels":["%s"]}`, pick(r, uris...), 1+r.IntN(9), 1+r.IntN(9), pick(r, "view", "edit", "delete"))
	switch r.IntN(3) {
	case 0:
		access = fmt.Sprintf(`{"uri":"%s","ids":"all","levels":["view","%s"]}`, pick(r, uris...), pick(r, "edit", "delete"))
	case 1:
		access = fmt.Sprintf(`{"uri":"account","levels":["%s"]}`, pick(r, "view", "operate-as", "create-devices"))
	}
	v := mustParse(fmt.Sprintf(`{"name":"g","access":[%s],"cid":%d}`, access, w.anyAccount(r)))
	if r.IntN(3) > 0 {
		v = v.With("expire", record.NewInt(pick(r, append(expires, 0)...)))
	}
	if r.IntN(5) == 0 {
		v = v.With("enabled", record.NewBool(false))
	}
	return v
}
