package topic

import (
	"aclgate/policy"
)

// Judge judges what one session does. It keeps the buffers that a decision needs, so it is for one
// goroutine at a time, and allocates nothing to judge a delivery or a publish.
//
// Whoever owns it sets At, Source, Origin, Tree and Items of Input before each call, as they are in
// force at that moment; Scope and AskedCID, Request, Token and Resolved are the judge's own.
type Judge struct {
	policy.Input
	// Revision is another one whenever Tree or Items are others; 0: it is not known. By it the
	// members of groups are remembered from one delivery to the next.
	Revision uint64

	permit *Permit
	groups map[*part]*right // at the revision known; of a token with rights by groups
	at     uint64
	req    policy.Request
	d      policy.Decision
	known  policy.Resolved
	ids    [2]int64
	levels [][]byte
	number int // of the entry that decided last, 0: none did

	above []int64 // the accounts of the path of a topic
	shown []byte
	cid   int64 // whose own topic was delivered, ByPath
}

// NewJudge returns a judge of what the holder of a permit does.
func NewJudge(p *Permit) *Judge {
	j := &Judge{levels: make([][]byte, 0, 12)}
	// What the index does not know is not looked up: deliveries come faster than look-ups could be
	// made. Items that are new to it are withheld until it knows them.
	j.known.LookedUp = true
	j.Input.Request, j.Input.Resolved = &j.req, &j.known
	j.SetPermit(p)
	return j
}

// SetPermit puts another permit in force, because the token or its entries changed.
func (j *Judge) SetPermit(p *Permit) { j.permit, j.Token, j.groups = p, p.token, nil }

// Moves is that of the permit in force.
func (j *Judge) Moves() bool { return j.permit.Moves() }

// Entry returns the number of the entry that decided the last delivery or publish, 0 if none did.
func (j *Judge) Entry() int { return j.number }

// Deliver judges whether a message may be shown (SPEC 16.4.4): Permitted, or why it is withheld.
// cid is the account that the broker says it is of, 0 if it says none. A platform topic is permitted
// exactly if the GET of the same data would be allowed.
func (j *Judge) Deliver(topic []byte, cid int64) policy.Reason {
	l := j.permit.law
	more := 0
	if l.Namespace == ByPath {
		more = l.Depth + 1
	}
	if reason := j.begin(topic, more); reason != policy.NotJudged {
		return reason
	}
	if l.Namespace == ByPath && ownTopic(j.levels) {
		ok := false
		if cid, ok = j.cutPath(topic); !ok {
			return policy.SenderOutside
		}
		if j.cid = cid; !ownTopic(j.levels) {
			return policy.TopicClosed
		}
	}
	switch {
	case (l.Namespace == ByCID || j.cid != 0) && (cid == 0 || !j.Tree.Contains(j.Scope, cid)):
		if cid == 0 || ownTopic(j.levels) {
			return policy.SenderOutside
		}
		return j.granted()
	case ownTopic(j.levels):
		return j.own(policy.Subscribe)
	}
	return j.platform()
}

func (j *Judge) own(action policy.Actions) (reason policy.Reason) {
	reason, j.number = j.permit.ownTopics(action, j.levels)
	return reason
}

// begin reads a topic, which may have more levels than its kind is bound to, and judges whether the
// token may be used at all.
func (j *Judge) begin(topic []byte, more int) policy.Reason {
	j.number, j.req.Selectors, j.shown, j.cid = 0, j.req.Selectors[:0], topic, 0
	if !j.split(topic, j.permit.law.MaxLevels+more) {
		return policy.TopicSyntax
	}
	return j.enter(0)
}

// enter judges what does not depend on topics: token and account.
func (j *Judge) enter(cid int64) policy.Reason {
	e := j.permit.law.Engine
	if reason := e.Authenticate(&j.Input); reason != policy.NotJudged {
		return reason
	}
	if j.Token.IsUser {
		return policy.ClosedMQTT // topics have no roles [G]
	}
	j.AskedCID = cid
	reason := e.Scope(&j.Input)
	if reason == policy.NotJudged && j.CrossAccount() {
		return policy.ForeignAccount // topics of grantors are those of granted items, beside the own ones [G]
	}
	return reason
}

// granted judges a platform topic of an account outside of the scope: it has to be about an item that a
// grant lets in.
func (j *Judge) granted() policy.Reason {
	for _, f := range moduleFamilies {
		if len(j.levels) < 3 || string(j.levels[1]) == f.category && string(j.levels[2]) == f.module {
			return policy.SenderOutside
		}
	}
	if !j.United() {
		return policy.SenderOutside
	}
	if reason := j.platform(); reason != policy.Permitted {
		return policy.SenderOutside
	}
	if !j.d.Granted() {
		return policy.SenderOutside
	}
	return policy.Permitted
}

// split cuts a topic into its levels, at most most, and reports whether it is one.
func (j *Judge) split(topic []byte, most int) bool {
	j.levels = j.levels[:0]
	if len(topic) == 0 || len(topic) > maxBytes {
		return false
	}
	from := 0
	for i, c := range topic {
		switch {
		case c == '/':
			if len(j.levels) == most {
				return false
			}
			j.levels = append(j.levels, topic[from:i])
			from = i + 1
		case c == '+' || c == '#' || c < ' ' || c == 0x7f:
			return false
		}
	}
	if len(j.levels) == most {
		return false
	}
	j.levels = append(j.levels, topic[from:])
	return true
}

// ownTopic reports whether a topic is governed by mqtt entries: its first level is not flespi and
// does not begin with $.
func ownTopic(levels [][]byte) bool {
	return !startsSystem(levels[0]) && string(levels[0]) != platformLevel
}

// platform judges a topic that is not own, as the GET that would show the same data.
func (j *Judge) platform() policy.Reason {
	t := j.permit.law.table
	if string(j.levels[0]) != platformLevel || len(j.levels) < 3 {
		return closedReason(j.levels)
	}
	for _, f := range moduleFamilies {
		if string(j.levels[1]) == f.category && string(j.levels[2]) == f.module {
			return j.module(f.module)
		}
	}
	if len(j.levels) < 5 {
		return closedReason(j.levels)
	}
	p := t.place(j.levels)
	if p == nil {
		return closedReason(j.levels)
	}
	id, ok := policy.ParseID(j.levels[4])
	if !ok {
		return policy.TopicClosed
	}
	found, second := p.find(j.levels[5:])
	if found == nil {
		return policy.TopicClosed
	}
	all := found.linked != nil && second == nil
	id2 := int64(0)
	if second != nil {
		if id2, ok = policy.ParseID(second); !ok {
			return policy.TopicClosed
		}
	}
	return j.get(found, id, id2, all)
}

// place returns what the table says of the first levels of a topic. They are next to each other in
// it, with single slashes between them.
func (t *table) place(levels [][]byte) *place {
	n := len(levels[1]) + len(levels[2]) + len(levels[3]) + 2
	return t.places[string(levels[1][:n:n])]
}

// get judges the GET of a part of an item. Of all linked items it has to be allowed as it is: what
// would be narrowed cannot be shown whole.
func (j *Judge) get(p *part, id, id2 int64, all bool) policy.Reason {
	if j.permit.groups && j.Revision != 0 && j.Items != nil && !j.United() { // grants end by themselves
		return j.byGroups(p, id, id2, all)
	}
	j.ids = [2]int64{id, id2}
	j.ask(p.route)
	j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectIDs, Collection: p.route.Collection, IDs: j.ids[:1:1]})
	switch {
	case all:
		j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectAll, Collection: p.linked})
	case p.linked != nil:
		j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectIDs, Collection: p.linked, IDs: j.ids[1:2:2]})
	}
	return j.allowed()
}

// byGroups is get for a token with rights by groups. To find their members takes time and memory, so
// what is permitted of a part is found once for a revision.
func (j *Judge) byGroups(p *part, id, id2 int64, all bool) policy.Reason {
	if j.groups == nil || j.at != j.Revision {
		j.groups, j.at = map[*part]*right{}, j.Revision
	}
	r := j.groups[p]
	if r == nil {
		r = j.rightOn(p, 0)
		j.groups[p] = r
	}
	j.ids = [2]int64{id, id2}
	j.ask(p.route)
	j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectIDs, Collection: p.route.Collection, IDs: j.ids[:1:1]})
	j.number = r.entry
	switch {
	case r.reason != policy.NotJudged:
		return r.reason
	case !r.items.has(id), all && !r.linked.all, p.linked != nil && !all && !r.linked.has(id2):
		return policy.DeniedItems
	}
	return policy.Permitted
}

// ask makes the request a GET of a route without selectors.
func (j *Judge) ask(r *policy.Route) {
	j.req.Method, j.req.Route, j.req.Allow = policy.GET, r, r.Methods
	j.req.Selectors = j.req.Selectors[:0]
}

// allowed has the engine decide the request, and takes nothing but an allowed one for permitted.
func (j *Judge) allowed() policy.Reason {
	j.permit.law.Engine.Decide(&j.d, &j.Input)
	if j.d.Entry != nil {
		j.number = j.d.Entry.Number
	}
	switch {
	case j.d.Reason == policy.ManagedRecord: // the gateway's own, of which the broker knows nothing but another truth
		return policy.TopicClosed
	case j.d.Verdict == policy.Allow:
		return policy.Permitted
	case j.d.Verdict == policy.Narrow, j.d.Reason == policy.NotJudged, j.d.Reason == policy.NothingLeft:
		return policy.DeniedItems
	}
	return j.d.Reason
}

// module judges a topic of a module without ids (SPEC 16.4.1).
func (j *Judge) module(name string) policy.Reason {
	t, e := j.permit.token, j.permit.law.Engine
	if name == mqttModule {
		if t.Access == policy.ACLAccess || !e.Mode.Unindexed() {
			return policy.ClosedMQTT
		}
		return policy.Permitted
	}
	if t.Access != policy.Master {
		return policy.ClosedPlatform
	}
	for _, m := range j.permit.law.table.module {
		if !begins(m.pattern, j.levels[2:]) {
			continue
		}
		j.ask(m.route)
		if !j.selectors(m.pattern, m.route) {
			return policy.TopicClosed
		}
		return j.allowed()
	}
	return policy.TopicClosed
}

// begins reports whether the levels begin with the segments of a pattern.
func begins(pattern []string, levels [][]byte) bool {
	if len(pattern) > len(levels) {
		return false
	}
	for i, p := range pattern {
		if p == "{}" && len(levels[i]) > 0 {
			continue
		}
		if p != string(levels[i]) {
			return false
		}
	}
	return true
}

// selectors makes the levels at the selectors of a route those of the request, and reports whether
// each is one.
func (j *Judge) selectors(pattern []string, r *policy.Route) bool {
	next := 0
	for i, p := range pattern {
		if p != "{}" {
			continue
		}
		s := policy.Selector{Kind: policy.SelectLocal, Collection: r.Selectors[next], Text: j.levels[2+i]}
		if s.ByID() {
			id, ok := policy.ParseID(s.Text)
			if !ok || next >= len(j.ids) {
				return false
			}
			j.ids[next] = id
			s.Kind, s.IDs, s.Text = policy.SelectIDs, j.ids[next:next+1:next+1], nil
		}
		j.req.Selectors = append(j.req.Selectors, s)
		next++
	}
	return true
}
