package admin

import (
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// power is what somebody may do with one set of accounts: of a caller what they hold, of a user what
// they get.
type power struct {
	reach   policy.Reach
	cid     int64 // the account of ReachOwn, the top of ReachBranch, the consultancy of ReachClients
	within  int64 // of ReachClients: the branch that the clients lie in; 0: any
	master  bool  // all of it, also what no role gives
	role    *realm.Role
	access  policy.Access
	entries []policy.Entry
}

// administers reports whether a power is one over records of a kind.
func (p *power) administers(word string, m policy.Method) bool {
	return p.master || p.role != nil && p.role.Administers(word, m)
}

// rolePower returns what a role gives a user.
func rolePower(r *realm.Role, u *realm.User, of *realm.Realm) power {
	p := power{reach: r.Reach, cid: of.HomeOf(u), role: r, access: r.Access, entries: r.Entries}
	if r.Reach == policy.ReachClients && r.RealmID != 0 {
		p.within = of.CID
	}
	return p
}

// held returns what the caller holds. The operator is not asked.
func (l *Law) held() (all []power) {
	c := &l.Caller
	if c.Roles == nil {
		return []power{{reach: policy.ReachBranch, cid: c.Scope, master: c.Token.Access == policy.Master, access: c.Token.Access}}
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		all = append(all, l.rolePowerOf(r))
		if r.Name == realm.RoleAccountAdmin && r.RealmID == 0 { // they count as holding the reach of consultancies (SPEC 13)
			if consultant, found := realm.Find(l.World.Roles(0), 0, realm.RoleConsultant); found {
				all = append(all, power{reach: policy.ReachClients, cid: c.Token.CID, role: &consultant, access: consultant.Access, entries: consultant.Entries})
			}
		}
	}
	return all
}

// rolePowerOf returns what a role gives the caller.
func (l *Law) rolePowerOf(r *realm.Role) power {
	p := power{reach: r.Reach, cid: l.Caller.Token.CID, role: r, access: r.Access, entries: r.Entries}
	if r.Reach == policy.ReachClients && r.RealmID != 0 {
		p.within = l.Caller.RealmCID
	}
	return p
}

// gets returns what the tokens of a user can do, whether or not the user is let in now, or a condition
// of a role is met: both can change without the caller.
func (l *Law) gets(u *realm.User, r *realm.Realm, known []realm.Role) (all []power) {
	params := paramsOf(u, r)
	rights := realm.Rights{Params: params, User: u, Realm: r}
	if !rights.ByRoles() {
		master := params.Access == policy.Master
		return []power{{reach: policy.ReachBranch, cid: r.HomeOf(u), master: master, access: params.Access, entries: params.Entries}}
	}
	for _, name := range slices.Concat([]string{realm.RoleMember}, u.Roles, r.Mapped()) { // any claims may come
		if role, found := realm.Find(known, r.ID, name); found {
			all = append(all, rolePower(&role, u, r))
		}
	}
	return all
}

func paramsOf(u *realm.User, r *realm.Realm) realm.Params {
	if u.Params != nil {
		return *u.Params
	}
	return r.Params
}

// holdsAll judges whether the caller may do all that the tokens of a user can: item by item, record by
// record, from their addresses and pages, and for as long as users log in.
func (l *Law) holdsAll(u *realm.User, r *realm.Realm, known []realm.Role) *record.Fault {
	if fault := l.holdsPowers(l.gets(u, r, known)); fault != nil {
		return fault
	}
	params := paramsOf(u, r)
	return l.boundAs(params.Sources, params.Origins)
}

func (l *Law) holdsPowers(all []power) *record.Fault {
	if l.Caller.Operator {
		return nil
	}
	held := l.held()
	for _, p := range all {
		if !l.covered(held, &p) {
			return stronger("", "a user would reach more than this token does")
		}
	}
	return nil
}

// boundAs judges whether what is used from these addresses and pages, and does not end, is bound as the
// caller is.
func (l *Law) boundAs(sources *policy.Sources, origins []string) *record.Fault {
	t := &l.Caller.Token
	switch {
	case l.Caller.Operator:
		return nil
	case t.Sources != nil && !coversSources(t.Sources, sources):
		return stronger("token_params.ips", "expected addresses out of its own: "+record.SourcesText(t.Sources))
	case t.Origins != nil && !coversOrigins(t.Origins, origins):
		return stronger("token_params.origins", "expected origins out of its own")
	}
	return l.lasts()
}

// lasting is from where on a token that ends counts as one that does not [G], in seconds: ten years.
const lasting = 10 * 365 * 86400

// lasts judges whether the caller may make what does not end with a token: users log in again and
// again, those of a consultancy too.
func (l *Law) lasts() *record.Fault {
	if t := &l.Caller.Token; !l.Caller.Operator && t.Expire > 0 && t.Expire < l.Now+lasting && t.TTL == 0 && t.UserID == 0 {
		return stronger("expire", "users, realms, roles and consultancies outlive this token: use one with a ttl, or log in")
	}
	return nil
}

// covered reports whether a power lies within what the caller holds: its accounts with its access, and
// its accounts with each of its rights over records, each within one of the caller's.
func (l *Law) covered(held []power, p *power) bool {
	one := func(enough func(h *power) bool) bool {
		return slices.ContainsFunc(held, func(h power) bool { return l.reaches(&h, p) && enough(&h) })
	}
	if !one(func(h *power) bool { return h.master || !p.master && coversAccess(h, p) }) {
		return false
	}
	if p.role == nil {
		return true
	}
	for _, right := range p.role.Platform {
		for _, m := range []policy.Method{policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE} {
			if right.Methods.Has(m) && !one(func(h *power) bool { return h.administers(right.Word, m) }) {
				return false
			}
		}
	}
	return true
}

// reaches reports whether the accounts of p lie within those of h, now and whatever becomes of tree and
// consultancies.
func (l *Law) reaches(h, p *power) bool {
	if h.reach == policy.ReachTree {
		return true
	}
	branch := func(cid int64) bool {
		switch h.reach {
		case policy.ReachBranch:
			return l.Within(h.cid, cid)
		case policy.ReachClients:
			return slices.ContainsFunc(l.World.Clients(h.cid), func(top int64) bool {
				return l.Within(top, cid) && (h.within == 0 || l.Within(h.within, top))
			})
		}
		return false
	}
	switch p.reach {
	case policy.ReachOwn:
		return h.reach == policy.ReachOwn && h.cid == p.cid || branch(p.cid)
	case policy.ReachBranch:
		return branch(p.cid)
	case policy.ReachClients:
		switch {
		case h.reach == policy.ReachClients:
			return h.cid == p.cid && (h.within == 0 || p.within != 0 && l.Within(h.within, p.within))
		case p.within != 0 && branch(p.within):
			return true
		}
		return h.master && branch(p.cid) // a master counts as holding the reach of its consultancies
	}
	return false
}

// coversAccess reports whether all that one access permits the other one permits. It may say no where
// it does in truth.
func coversAccess(h, p *power) bool {
	everything := func(a policy.Access) bool { return a == policy.Standard || a == policy.Master }
	switch {
	case p.access == policy.NoAccess || p.access == policy.NoAPI, everything(h.access):
		return true
	case p.access != policy.ACLAccess || h.access != policy.ACLAccess:
		return false
	case sameRole(h.role, p.role):
		return true
	}
	for i := range p.entries {
		if !coversEntry(h.entries, &p.entries[i]) {
			return false
		}
	}
	return true
}

func sameRole(a, b *realm.Role) bool {
	return a != nil && b != nil && a.ID == b.ID && a.Name == b.Name && a.RealmID == b.RealmID
}

// coversEntry reports whether one of these entries decides all that another one is about, and permits
// it. Where several could be chosen (SPEC 4.1) it says no.
func coversEntry(entries []policy.Entry, e *policy.Entry) bool {
	var only *policy.Entry
	for i := range entries {
		h := &entries[i]
		if !uriCovers(h.URI, e.URI) && !uriCovers(e.URI, h.URI) {
			continue
		}
		if only != nil {
			return false
		}
		only = h
	}
	if only == nil || !uriCovers(only.URI, e.URI) || only.Topic != e.Topic || e.Actions&^only.Actions != 0 {
		return false
	}
	return e.Methods&^only.Methods == 0 && coversIDs(only, e) && coversSubmodules(only, e)
}

// uriCovers reports whether an entry of the uri is about a path, segment by segment.
func uriCovers(uri, path string) bool { return uri == path || strings.HasPrefix(path, uri+"/") }

func coversIDs(h, e *policy.Entry) bool {
	switch h.Rule {
	case policy.IDsAbsent:
		return true
	case policy.IDsAll:
		return e.Rule != policy.IDsAbsent
	case policy.IDsList:
		return e.Rule == policy.IDsList && !slices.ContainsFunc(e.IDs.IDs(), func(id int64) bool { return !h.IDs.Has(id) })
	}
	return false // in-groups: of which groups another entry says
}

func coversSubmodules(h, e *policy.Entry) bool {
	named := func(name string) (methods policy.MethodSet) {
		for _, s := range h.Submodules {
			if s.Name == name {
				methods |= s.Methods
			}
		}
		return methods
	}
	if !e.HasSubmodules { // its methods are those of all submodules
		return !h.HasSubmodules
	}
	for _, s := range e.Submodules {
		methods := named(s.Name)
		if !h.HasSubmodules && s.Name != "cid" { // a move is never implied
			methods = h.Methods
		}
		if s.Methods&^methods != 0 {
			return false
		}
	}
	return true
}
