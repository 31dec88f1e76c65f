package policy

import (
	"bytes"
	"slices"
	"strings"
)

// Input is one request to be judged: who asks, for what, in which scope.
type Input struct {
	Request  *Request
	Token    *Token
	Scope    Scope
	Resolved *Resolved // nil: nothing was asked of the backend yet
}

// Decide judges a case by steps 7 to 9 of SPEC 2 (route, entry, selectors) and
// writes the outcome to d. With Unresolved the parts say what the backend has
// to be asked; Decide is then called again with Resolved.
func (l *Engine) Decide(d *Decision, c *Input) {
	d.reset()
	if reason, verdict := l.route(c); reason != NotJudged {
		d.OnlyAccountScope = reason == MasterRoute
		d.end(verdict, reason)
		return
	}
	found, reason := l.entry(c)
	d.right, d.Entry = found, found.entry
	switch {
	case reason != NotJudged:
		d.end(Deny, reason)
	case l.Mode.Index() && c.Scope.Items == nil:
		d.end(Deny, IndexStale) // nobody can say whose an item is
	default:
		l.selectors(d, c)
	}
}

// acl reports whether the entries of the token are to be asked.
func (l *Engine) acl(t *Token) bool { return t.Access == ACLAccess && !l.Unenforced }

// route judges steps 7 and 8 as far as no entry is asked: unknown and closed
// routes. NotJudged goes on to the entries.
func (l *Engine) route(c *Input) (Reason, Verdict) {
	r, t := c.Request, c.Token
	switch {
	case t.Access == NoAccess || t.Access == NoAPI:
		return TokenNoAPI, Deny
	case r.Route == nil && l.masterRoute(c):
		return MasterRoute, Allow
	case r.Route == nil && r.Allow != 0:
		return UnknownMethod, Deny
	case r.Route == nil:
		return UnknownRoute, Deny
	case r.Route.Own != OwnNone:
		return OwnAnswer, Allow
	case l.closed(r.Route.Closed, t):
		return closedReasons[r.Route.Closed], Deny
	case r.Route.Collection.Module == "platform" && t.Access != Master:
		return ClosedPlatform, Deny
	case r.Route.Collection.Module == "mqtt":
		return l.mqtt(c)
	case l.blind(c):
		return ClosedScope, Deny
	}
	return NotJudged, Deny
}

var closedReasons = [...]Reason{NotJudged, ClosedCredential, ClosedKeys}

// closed reports whether a route of this kind is closed to t. Where the
// caller's own credential goes upstream, the backend judges it by that.
func (l *Engine) closed(kind Closed, t *Token) bool {
	if kind == NotClosed || l.CallersKey && (t.Access == Master || t.Access == Standard) {
		return false
	}
	return kind == ByCredential || !l.ForwardKeys
}

// masterRoute reports whether an unknown path may be forwarded as it is: for
// masters of a root account, if the settings say so, and never below a route
// that is closed.
func (l *Engine) masterRoute(c *Input) bool {
	r := c.Request
	if !l.MasterRoutes || r.Method == NoMethod || r.Allow != 0 || l.Catalogue.root.shut(r.segments) {
		return false
	}
	switch strings.ToLower(string(r.segments[0])) {
	case "auth", "realm", "ai", "mqtt":
		return false
	}
	assists := func(s []byte) bool { return bytes.EqualFold(s, []byte("assistance")) }
	return !slices.ContainsFunc(r.segments, assists) && l.rootMaster(c)
}

// rootMaster reports whether the token is a master of a root account whose
// scope nobody narrows but the backend: where the gateway is the only one that
// knows accounts, x-flespi-cid must not name one below the root.
func (l *Engine) rootMaster(c *Input) bool {
	s := &c.Scope
	if c.Token.Access != Master || !s.Tree.Root(c.Token.CID) {
		return false
	}
	return l.Mode.Header() || s.Tree.Root(s.CID)
}

// mqtt judges what only the backend can: topics are no items. A topic that
// carries REST calls would go around the gateway (SPEC 4).
func (l *Engine) mqtt(c *Input) (Reason, Verdict) {
	if c.Token.Access == ACLAccess || !l.Mode.Header() {
		return ClosedMQTT, Deny
	}
	r := c.Request
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

// blind reports whether the index cannot judge the route and nobody else will:
// no header goes upstream, and the route names no items with integer ids.
func (l *Engine) blind(c *Input) bool {
	r := c.Request.Route
	if l.Mode.Header() || r.Collection.Open && c.Request.Method == GET {
		return false
	}
	judged := r.Item || r.Creates && r.Collection.IDs == IDInt
	return !(judged && r.Collection.Scoped) && !l.rootMaster(c)
}

// entry chooses the one entry that decides. Dictionaries, and tokens that have
// no ACL, need none.
func (l *Engine) entry(c *Input) (right, Reason) {
	r := c.Request
	if r.Route.Collection.Open && r.Method == GET || !l.acl(c.Token) {
		return right{}, NotJudged
	}
	creates := r.Route.Creates && r.Method == POST
	if creates { // members exist already: groups confer nothing here
		e := c.Token.ACL.Choose(r.Route.Collection, SlotItem, POST)
		switch {
		case e == nil:
			return right{}, NoEntry
		case e.Rule != IDsAbsent:
			return right{entry: e}, CreateLimited
		}
		return right{entry: e}, NotJudged
	}
	found := l.right(c.Token.ACL, r.Route.Collection, r.Route.Slot, r.Method)
	switch {
	case found.entry == nil:
		return right{}, NoEntry
	case found.entry.Limited() && !r.Route.Item:
		return found, NoEntry // named items only, and this is no item
	}
	return found, NotJudged
}

// selectors judges step 9: every selector on its own, then all of them.
func (l *Engine) selectors(d *Decision, c *Input) {
	r := c.Request
	open := r.Route.Collection.Open && r.Method == GET
	d.OnlyAccountScope = !open && (len(r.Selectors) == 0 || !r.Route.Item)
	tooMany := false
	for i := range r.Selectors {
		d.Selectors = append(d.Selectors, SelectorDecision{})
		tooMany = tooMany || l.MaxIDs > 0 && len(r.Selectors[i].IDs) > l.MaxIDs
		if reason := l.part(d, c, i); reason != NotJudged {
			d.end(Deny, reason)
			return
		}
	}
	if tooMany { // after what an entry does not permit (SPEC 2, Order of faults)
		d.end(Deny, TooManyIDs)
		return
	}
	d.conclude(r)
	if d.Verdict == Allow && open {
		d.Reason = OpenRoute
	}
}

// conclude turns the parts into one verdict. One part with nothing left is
// enough to forward nothing: a wider or an empty selector must never stand in
// its place.
func (d *Decision) conclude(r *Request) {
	unresolved, empty, changed := false, false, false
	for i := range d.Selectors {
		p := &d.Selectors[i]
		unresolved = unresolved || p.Match || len(p.Unknown) > 0
		empty = empty || p.As == AsNothing || p.As == AsIDs && len(p.IDs) == 0
		changed = changed || p.As != AsAsked
	}
	switch {
	case unresolved:
		d.end(Unresolved, NotJudged)
	case empty && d.DeniedCount() > 0:
		d.end(Deny, DeniedItems)
	case empty:
		d.end(Deny, NothingLeft)
	case changed:
		d.end(Narrow, Narrowed)
	default:
		d.end(Allow, Permitted)
	}
}
