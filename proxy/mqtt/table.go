package mqtt

import (
	"slices"
	"sync"

	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// table is what a session has subscribed to: the filters that the client asked for, those that were
// printed to the broker for them, and which of them a delivery is for (SPEC 16.4.3). It also gives
// the gateway's own packets their ids.
type table struct {
	mu    sync.Mutex // guards all of it
	freed sync.Cond  // an id of the gateway's is free again
	ended bool

	asked   map[string]*asked
	printed map[string]*printed // by filter: a broker knows a session's subscriptions by that alone
	groups  map[uint32]*group   // by the identifier that the broker knows

	lastGroup uint32
	lastID    uint16
	busy      map[uint16]flight // the client's messages that the broker has not acknowledged, by id
	single    int               // of them, those with QoS 1, which end without a further packet of the client
	own       map[uint16]*part  // the gateway's packets that wait for an answer
}

// asked is one filter of the client.
type asked struct {
	options wire.Subscription // Filter is copied
	id      uint32            // the client's identifier; 0: none
	named   int64             // the account of the user property of its SUBSCRIBE; 0: none
	cid     int64             // that account alone; 0: the scope
	wide    bool              // what is printed matches more than is permitted
	prints  []print           // those that are leaving are first
	leaving int               // how many of them
	open    int               // packets for further ones that the broker has not answered
}

// print is one filter that is printed for an asked one.
type print struct {
	*printed
	overlaps bool // an earlier one may match the same topic: then that one's copy is shown
	over     bool // it is leaving, and what takes its place has begun
}

// printed is a filter at the broker.
type printed struct {
	filter string
	cid    int64 // user property of its SUBSCRIBE: that account alone; 0: none
	group  uint32
	live   bool     // the broker has answered
	behind []*asked // who needs it
}

// group is the filters that the broker knows by one identifier.
type group struct {
	filters []*printed
	mixed   bool // not the same asked filters stand behind all of them
}

func (t *table) init() {
	t.freed.L = &t.mu
	t.asked, t.printed, t.groups = map[string]*asked{}, map[string]*printed{}, map[uint32]*group{}
	t.busy, t.own = map[uint16]flight{}, map[uint16]*part{}
}

// wake ends all waiting.
func (t *table) wake() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.freed.Broadcast()
}

// ownID gives a packet of the gateway's an id that is not under way. Clients count from 1 up, so it
// counts down. 0: there is none. The lock is held.
func (t *table) ownID(p *part) uint16 {
	for range 1<<16 - 1 {
		if t.lastID--; t.lastID != 0 && t.busy[t.lastID].qos == 0 && t.own[t.lastID] == nil {
			t.own[t.lastID] = p
			return t.lastID
		}
	}
	return 0
}

// answered takes the packet with this id from those that wait.
func (t *table) answered(id uint16) *part {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.own[id]
	delete(t.own, id)
	t.freed.Broadcast()
	if p != nil {
		for _, one := range p.prints {
			one.live = true
		}
	}
	return p
}

// full reports whether a filter would be one more than the client may ask for, however little is
// printed for them.
func (t *table) full(filter []byte, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked[string(filter)] == nil && len(t.asked) >= most
}

// room returns how many filters may be printed for an asked one, in the place of what is printed for
// it alone.
func (t *table) room(filter []byte, most int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	room := most - len(t.printed)
	if a := t.asked[string(filter)]; a != nil {
		for _, p := range a.prints {
			if len(p.behind) == 1 {
				room++
			}
		}
	}
	return room
}

// add puts an asked filter into the table, in the place of an earlier one of the same text, and
// returns what that one needed and nobody needs now.
func (t *table) add(a *asked, s *topic.Subscription) (needless []*printed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.wide, a.cid = s.Wide, s.CID
	before := t.asked[string(a.options.Filter)]
	t.asked[string(a.options.Filter)] = a
	groups := map[int64]uint32{}
	for i := range s.Printed {
		known := t.print(&s.Printed[i], groups)
		known.ask(s.Printed[i].CID, before, s.Shared)
		known.behind = append(known.behind, a)
		a.prints = append(a.prints, print{printed: known, overlaps: s.Printed[i].Overlaps})
	}
	if before != nil {
		needless = t.drop(before, before.prints)
	}
	t.remix(a)
	return needless
}

// print returns what is in the table for a filter, after it was put there. Those of one asked filter
// that do not overlap share an identifier; the others have one each. groups has those of one account,
// since an identifier belongs to one SUBSCRIBE, with one account. The lock is held.
func (t *table) print(p *topic.Printed, groups map[int64]uint32) *printed {
	known := t.printed[p.Filter]
	if known != nil {
		return known
	}
	known = &printed{filter: p.Filter, cid: p.CID, group: groups[p.CID]}
	if known.group == 0 || p.Overlaps {
		t.lastGroup++
		known.group = t.lastGroup
		t.groups[known.group] = &group{}
	}
	if !p.Overlaps {
		groups[p.CID] = known.group
	}
	t.printed[p.Filter] = known
	t.groups[known.group].filters = append(t.groups[known.group].filters, known)
	return known
}

// ask puts another account on a filter that is printed already. With two at once none is named, and
// deliveries are told apart; of a shared filter that would take messages of others from its group,
// so the later account counts. What is asked for anew needs its account no more. The lock is held.
func (p *printed) ask(cid int64, anew *asked, shared bool) {
	alone := !slices.ContainsFunc(p.behind, func(a *asked) bool { return a != anew })
	switch {
	case p.cid == cid:
	case alone || shared:
		p.cid = cid
	default:
		p.cid = 0
	}
}

// remove takes an asked filter away, if it is still the one in force. It returns what nobody needs
// any more.
func (t *table) remove(a *asked) (needless []*printed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked[string(a.options.Filter)] != a {
		return nil
	}
	delete(t.asked, string(a.options.Filter))
	return t.drop(a, a.prints)
}

// count returns how many filters were asked for, how many are printed, and how many asked ones are
// printed wide.
func (t *table) count() (asked, printed, wide int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.asked {
		if a.wide {
			wide++
		}
	}
	return len(t.asked), len(t.printed), wide
}

// find returns the asked filter of this text.
func (t *table) find(filter []byte) *asked {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked[string(filter)]
}

// drop takes a from behind some of what was printed for it, and returns what nobody needs any more.
// The lock is held.
func (t *table) drop(a *asked, prints []print) (needless []*printed) {
	for _, p := range prints {
		p.behind = slices.DeleteFunc(p.behind, func(b *asked) bool { return b == a })
		if len(p.behind) > 0 {
			continue
		}
		needless = append(needless, p.printed)
		delete(t.printed, p.filter)
		g := t.groups[p.group]
		if g.filters = slices.DeleteFunc(g.filters, func(q *printed) bool { return q == p.printed }); len(g.filters) == 0 {
			delete(t.groups, p.group)
		}
	}
	t.remix(a)
	return needless
}

// remix finds out anew whether the groups of an asked filter are mixed. The lock is held.
func (t *table) remix(a *asked) {
	for _, p := range a.prints {
		g := t.groups[p.group]
		if g == nil {
			continue
		}
		g.mixed = false
		for _, q := range g.filters {
			g.mixed = g.mixed || !slices.Equal(q.behind, g.filters[0].behind)
		}
	}
}
