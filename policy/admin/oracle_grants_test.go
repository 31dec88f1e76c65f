package admin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"aclgate/policy/record"
)

// The part of the naive procedure that is about grants (SPEC 10.7). Like the rest it knows sets and
// tables alone.

// bound tells why the caller can give no grant, whatever it is about: their token has less than a grant
// has. It says so of a grant's end.
func (o *oracle) bound(expire int64) string {
	switch {
	case o.c.Operator:
		return ""
	case num(o.self, "user_id") != 0, texts(o.self, "ips") != nil, texts(o.self, "origins") != nil:
		return "stronger"
	case num(o.self, "expire") != 0 && num(o.self, "ttl") == 0 && (expire == 0 || expire > num(o.self, "expire")):
		return "stronger"
	}
	return ""
}

// gives judges what a grant gives: items of the grantor's branch, or that it gave before.
func (o *oracle) gives(was, is record.Value) string {
	if why := o.bound(num(is, "expire")); why != "" {
		return why
	}
	branch := o.branch(num(is, "cid"))
	for _, a := range is.Get("access").Items {
		for _, id := range a.Get("ids").Items {
			uri := a.Get("uri").Text
			named := slices.ContainsFunc(was.Get("access").Items, func(b record.Value) bool {
				return b.Get("uri").Text == uri && slices.ContainsFunc(b.Get("ids").Items, id.Equal)
			})
			n, _ := id.Int()
			if !named && !branch[o.items[item{uri, n}]] {
				return "denied"
			}
		}
	}
	return ""
}

func (o *oracle) newGrant(asked record.Value) string {
	cid := num(asked, "cid")
	if !o.scope[cid] {
		return "denied"
	}
	if why := o.gives(record.NewObject(), asked); why != "" {
		return why
	}
	return o.roomForGrant(cid)
}

func (o *oracle) roomForGrant(cid int64) string {
	for id := range o.accounts {
		limit, found := o.limits[num(o.accounts[id], "limit_id")]
		if !found || !o.branch(id)[cid] || limit.Get("grants_count").Shape == record.Absent || num(limit, "grants_count") < 0 {
			continue
		}
		n := int64(0)
		for _, doc := range o.grants {
			if o.branch(id)[num(doc, "cid")] {
				n++
			}
		}
		if n >= num(limit, "grants_count") {
			return "limit-reached"
		}
	}
	return ""
}

// changeGrant: whoever sees it may take it out of use and describe it.
func (o *oracle) changeGrant(before, after record.Value) string {
	if !o.scope[num(before, "cid")] {
		return "denied"
	}
	disabled := func(doc record.Value) bool { return doc.Get("enabled").Text == "false" }
	harmless := before.Get("access").Equal(after.Get("access")) && before.Get("expire").Equal(after.Get("expire")) &&
		(disabled(after) || disabled(before) == disabled(after))
	if harmless {
		return ""
	}
	return o.gives(before, after)
}

func (o *oracle) link(grant record.Value, cid int64) string {
	grantor := num(grant, "cid")
	switch {
	case !o.scope[grantor], !o.scope[cid]:
		return "denied"
	case cid == grantor || o.above(grantor)[cid]:
		return "bad-field"
	}
	return o.bound(num(grant, "expire"))
}

// TestOracleOfGrants: every caller makes, changes, links and deletes grants of generated worlds, without a
// difference.
func TestOracleOfGrants(t *testing.T) {
	worlds := uint64(6)
	if testing.Short() {
		worlds = 3
	}
	verdicts := map[string]int{}
	for seed := range worlds {
		r := rand.New(rand.NewPCG(17, seed))
		w := newWorld(r)
		for id, doc := range w.limits {
			w.limits[id] = doc.With("grants_count", record.NewInt(int64(r.IntN(3))))
		}
		for range 8 {
			id := w.id()
			w.grants[id], w.links[id] = first(record.Grants.ReadNew(w.randomGrant(r))).With("id", record.NewInt(id)), map[int64]bool{w.anyAccount(r): true}
		}
		for _, c := range w.callers() {
			o := newOracle(w, c)
			if !o.mayCall() {
				continue
			}
			l := w.law(c)
			verdict := func(what string, subject record.Value, got *record.Fault, want string) {
				check(t, o, what, subject, got, want)
				verdicts[what+" "+want]++
			}
			for range 6 {
				asked := first(record.Grants.ReadNew(w.randomGrant(r)))
				_, fault := l.NewGrant(asked)
				verdict("POST", asked, fault, o.newGrant(asked))
			}
			for _, id := range ids(w.grants) {
				doc := w.grants[id]
				if got := l.SeesGrant(doc); got != o.scope[num(doc, "cid")] {
					t.Errorf("sees %s: %v", doc, got)
				}
				change := pick(r, w.randomGrant(r).Without("cid"), mustParse(`{"enabled":false}`), mustParse(`{"enabled":true}`), mustParse(`{"name":"n"}`))
				if after, fault := record.Grants.Put(doc, change); fault == nil {
					verdict("PUT", after, l.ChangeGrant(doc, after), o.changeGrant(doc, after))
				}
				seen := ""
				if !o.scope[num(doc, "cid")] {
					seen = "denied"
				}
				verdict("DELETE", doc, l.DeleteGrant(doc), seen)
				verdict("unlink", doc, l.Unlink(doc), seen)
				cid := w.anyAccount(r)
				verdict("link", doc.With("to", record.NewInt(cid)), l.Link(doc, cid), o.link(doc, cid))
				if got, want := l.Receives(keysOf(w.links[id])), c.Scope != 0 && w.links[id][c.Scope]; got != want {
					t.Errorf("account %d receives grant %d: %v", c.Scope, id, got)
				}
			}
			if t.Failed() {
				t.Fatalf("in world %d", seed)
			}
		}
	}
	t.Log(verdicts)
	for _, want := range []string{"POST ", "POST denied", "POST stronger", "POST limit-reached", "PUT ", "PUT denied", "PUT stronger", "DELETE ", "link ",
		"link denied", "link bad-field", "link stronger"} {
		if verdicts[want] == 0 {
			t.Errorf("the worlds never show %q", want)
		}
	}
}

func keysOf(m map[int64]bool) (all []int64) {
	for id := range m {
		all = append(all, id)
	}
	return all
}

// A grant would outlive the user whose token makes it, so a user's token makes none, widens none and links
// none; it takes them away as any master does (SPEC 10.4, rule 5; 10.7).
func TestUsersGiveNoGrants(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	w := newWorld(r)
	tried := 0
	for _, c := range w.callers() {
		if c.Operator || c.Token.UserID == 0 || !newOracle(w, c).mayCall() {
			continue
		}
		tried++
		l := w.law(c)
		grant := mustParse(fmt.Sprintf(`{"id":900,"cid":%d,"name":"g","enabled":false,"expire":%d,"access":[{"uri":"gw/devices","ids":"all","levels":["view"]}]}`, c.Scope, now+60))
		if _, fault := l.NewGrant(grant.Without("id").Without("enabled")); word(fault) != "stronger" {
			t.Errorf("%+v makes a grant: %v", c, fault)
		}
		enabled, _ := record.Grants.Put(grant, mustParse(`{"enabled":true}`))
		if fault := l.ChangeGrant(grant, enabled); word(fault) != "stronger" {
			t.Errorf("%+v enables one: %v", c, fault)
		}
		for cid := range w.branch(c.Scope) {
			if fault := l.Link(grant, cid); cid != c.Scope && word(fault) != "stronger" {
				t.Errorf("%+v links one: %v", c, fault)
			}
		}
		disabled, _ := record.Grants.Put(enabled, mustParse(`{"enabled":false}`))
		if fault := l.ChangeGrant(enabled, disabled); fault != nil {
			t.Errorf("%+v disables one: %v", c, fault)
		}
		if fault := l.DeleteGrant(grant); fault != nil {
			t.Errorf("%+v deletes one: %v", c, fault)
		}
	}
	if tried == 0 {
		t.Error("no user's token was tried")
	}
}
