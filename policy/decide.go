package policy

import (
	"bytes"
	"slices"
	"strings"
)

// Decide judges a request by steps 7 to 9 of SPEC 2 (route, entry, selectors) and writes the
// outcome to d. It returns d.Reason if that denies, NotJudged if not. With Unresolved the selectors
// of d say what the backend has to be asked; Decide is then called again with in.Resolved.
func (e *Engine) Decide(d *Decision, in *Input) Reason {
	d.reset()
	reason, verdict := e.route(in)
	d.OnlyAccountScope = reason == MasterRoute
	if reason == NotJudged {
		d.right, reason = e.entry(in)
		d.Entry = d.right.entry
	}
	if reason == NotJudged && e.Owners == OwnersFile && in.Request.changesOwners() {
		reason = OwnersFixed
	}
	if reason == NotJudged {
		reason = e.fields(d, in)
	}
	if reason != NotJudged {
		d.end(verdict, reason)
	} else {
		e.selectors(d, in)
	}
	if d.Verdict == Deny {
		return d.Reason
	}
	return NotJudged
}

// acl reports whether the entries of the token are to be asked.
func (e *Engine) acl(in *Input) bool {
	if in.Token.IsUser { // of a role with all rights none are
		return in.paths.role == nil || in.paths.role.ACL != nil
	}
	return in.Token.Access == ACLAccess && !e.Unenforced
}

// acl returns the entries that count: those of the token, or of the role that is judged.
func (in *Input) acl() *ACL {
	if in.paths.role != nil {
		return in.paths.role.ACL
	}
	return in.Token.ACL
}

// route judges steps 7 and 8 as far as no entry is asked: unknown and closed routes. NotJudged goes
// on to the entries.
func (e *Engine) route(in *Input) (Reason, Verdict) {
	r, t := in.Request, in.Token
	switch {
	case r.Route != nil && r.Route.Public:
		return PublicRoute, Allow
	case t.Access == NoAccess || t.Access == NoAPI:
		return TokenNoAPI, Deny
	case r.Route == nil && e.masterRoute(in):
		return MasterRoute, Allow
	case r.Route == nil && r.Allow != 0:
		return UnknownMethod, Deny
	case r.Route == nil:
		return UnknownRoute, Deny
	case r.Route.Local != NoLocalReply:
		return OwnAnswer, Allow
	case e.manages(r.Route):
		return e.managed(in)
	case e.closed(r.Route.Closed, t):
		return r.Route.Closed.reason(), Deny
	case r.Route.Collection.MasterOnly && t.Access != Master:
		return ClosedPlatform, Deny
	case in.paths.cross && !e.crossRoute(in):
		return NoGrant, Deny
	case r.Route.Collection.Topics:
		return e.mqtt(in)
	case e.unscopable(in):
		return ClosedScope, Deny
	}
	return NotJudged, Deny
}

func (e *Engine) manages(r *Route) bool {
	if !r.Collection.MasterOnly || e.Managed == nil {
		return false
	}
	_, ours := e.Managed[r]
	return ours
}

// managed judges who may ask for records of the gateway's own. Which of them is judged where they are
// read (policy/admin).
func (e *Engine) managed(in *Input) (Reason, Verdict) {
	switch {
	case in.Token.Access != Master && !slices.ContainsFunc(in.Token.Roles, func(r UserRole) bool { return r.Administers }):
		return ClosedPlatform, Deny
	case in.paths.cross && !e.crossRoute(in):
		return NoGrant, Deny
	case !e.Managed[in.Request.Route]:
		return UnknownRoute, Deny
	}
	return ManagedRecord, Allow
}

// reason returns why a route of this kind is closed.
func (c Closed) reason() Reason {
	if c == ByKeys {
		return ClosedKeys
	}
	return ClosedCredential
}

// closed reports whether a route of this kind is closed to t. Where the caller's own credential
// goes upstream, the backend judges it by that.
func (e *Engine) closed(kind Closed, t *Token) bool {
	if kind == NotClosed || e.CallersKey && (t.Access == Master || t.Access == Standard) {
		return false
	}
	return kind == ByCredential || !e.ForwardKeys
}

// masterRoute reports whether an unknown path may be forwarded as it is: for masters of a root
// account, if the settings say so, and never below a route that is closed.
func (e *Engine) masterRoute(in *Input) bool {
	r := in.Request
	if !e.MasterRoutes || r.Method == NoMethod || r.Allow != 0 || e.Catalogue.root.closedBelow(r.segments) {
		return false
	}
	module := strings.ToLower(string(r.segments[0]))
	if slices.Contains(credentialModules, module) || module == "mqtt" { // whatever the catalogue says
		return false
	}
	assists := func(s []byte) bool { return bytes.EqualFold(s, []byte("assistance")) }
	return !slices.ContainsFunc(r.segments, assists) && e.rootMaster(in)
}

// rootMaster reports whether the token is a master of a root account, in a scope that is the root
// itself where the backend does not enforce it: there the gateway alone knows accounts, so
// x-flespi-cid must not name one below the root.
func (e *Engine) rootMaster(in *Input) bool {
	if in.Token.Access != Master || !in.Tree.Root(in.Token.CID) || in.paths.cross {
		return false
	}
	return e.Mode.Unindexed() || in.Tree.Root(in.Scope)
}

// mqtt judges what only the backend can: topics are no items. A topic that carries REST calls would
// go around the gateway (SPEC 4).
func (e *Engine) mqtt(in *Input) (Reason, Verdict) {
	if in.Token.Access == ACLAccess || !e.Mode.Unindexed() {
		return ClosedMQTT, Deny
	}
	r := in.Request
	for i := range r.Selectors {
		if r.Selectors[i].Kind == SelectLocal && r.Route.Slash && ClosedTopicName(r.Selectors[i].Text) {
			return ClosedTopic, Deny
		}
	}
	return NotJudged, Deny
}

// ClosedTopicName reports whether the vendor takes REST calls over a topic.
func ClosedTopicName(topic []byte) bool {
	const prefix = "flespi/"
	return len(topic) > 0 && topic[0] == '$' || len(topic) >= len(prefix) && string(topic[:len(prefix)]) == prefix
}

// unscopable reports whether the index cannot judge the route, and neither does the backend: no
// header goes upstream, and the route names no items with integer ids.
func (e *Engine) unscopable(in *Input) bool {
	r := in.Request.Route
	if e.Mode.Unindexed() || r.Collection.OpenTo(in.Request.Method) {
		return false
	}
	judged := r.Item || r.Creates && r.Collection.IDs == IDInt
	return !(judged && r.Collection.Scoped) && !e.rootMaster(in)
}

// changesOwners reports whether the request makes items, takes them away or gives them to another
// account.
func (r *Request) changesOwners() bool {
	route := r.Route
	if route == nil || !route.Owned() {
		return false
	}
	return route.Creates && r.Method == POST || route.Moves() && r.Method == PUT ||
		route.Item && route.Slot == SlotItem && r.Method == DELETE
}

// Owned reports whether the route is about items that belong to accounts, by ids that a record can
// have.
func (r *Route) Owned() bool { return r.Collection.Scoped && r.Collection.IDs == IDInt }

// entry chooses the one entry that decides. Dictionaries, and tokens that have no ACL, need none.
func (e *Engine) entry(in *Input) (right, Reason) {
	r := in.Request
	if r.Route.Collection.OpenTo(r.Method) {
		return right{}, NotJudged
	}
	if in.Token.IsUser {
		return e.roleEntry(in)
	}
	return e.ownEntry(in)
}

// ownEntry chooses it among the entries that count now.
func (e *Engine) ownEntry(in *Input) (right, Reason) {
	r := in.Request
	if !e.acl(in) {
		return right{}, NotJudged
	}
	creates := r.Route.Creates && r.Method == POST
	if creates { // members exist already: groups confer nothing here
		entry := in.acl().Choose(r.Route.Collection, SlotItem, POST)
		switch {
		case entry == nil:
			return right{}, NoEntry
		case entry.Rule != IDsAbsent:
			return right{entry: entry}, CreateLimited
		}
		return right{entry: entry}, NotJudged
	}
	found := e.rightOn(in.acl(), r.Route.Collection, r.Route.Slot, r.Method)
	switch {
	case found.entry == nil:
		return right{}, NoEntry
	case found.entry.Limited() && !r.Route.Item:
		return found, NoEntry // named items only, and this is no item
	}
	return found, NotJudged
}
