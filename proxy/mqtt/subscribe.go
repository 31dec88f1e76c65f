package mqtt

import (
	"slices"
	"strconv"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// request is a SUBSCRIBE or UNSUBSCRIBE of the client until all that was sent to the broker for it
// is answered. The table's lock guards it. Nil is what the gateway does on its own.
type request struct {
	answer  wire.Suback
	denied  []byte // ids of lists that are not permitted, for the user property
	waiting int    // packets that are not answered
}

// part is one packet of the gateway's for a request.
type part struct {
	request *request
	filter  int     // of the request, that it is for
	asked   *asked  // of SUBSCRIBE
	prints  []print // of SUBSCRIBE
}

// subscribePacket is how many bytes of filters one SUBSCRIBE to the broker has at most.
const subscribePacket = 32 << 10

// subscribe narrows each filter and sends what is printed to the broker (SPEC 16.4.3). The answer
// goes to the client when the broker's have come.
func (x *session) subscribe(f wire.Frame) error {
	var s wire.Subscribe
	if err := s.Parse(f); err != nil {
		return err
	}
	cid, valid := takeAccount(&s.Properties)
	r := &request{answer: wire.Suback{Type: wire.SUBACK, ID: s.ID, Codes: make([]wire.Reason, len(s.Filters))}}
	x.hold(r)
	x.shape.Lock()
	defer x.shape.Unlock()
	for i := range s.Filters {
		a := &asked{options: s.Filters[i], named: cid}
		a.options.Filter = append([]byte(nil), a.options.Filter...)
		if len(s.Properties.IDs) > 0 {
			a.id = s.Properties.IDs[0]
		}
		var narrowed topic.Subscription
		reason, why := policy.SenderOutside, wire.Success
		switch {
		case i >= x.server.o.MaxFilters || x.table.full(a.options.Filter, x.server.o.MaxFilters):
			reason = policy.TooManyFilters // the same one again and again is work, too
		case valid:
			reason, why = x.narrow(&narrowed, a)
		}
		if why != wire.Success {
			x.end(why, destroyed)
			return nil
		}
		if !topic.Granted(reason) {
			r.answer.Codes[i] = wire.Reason(topic.Code(reason))
			x.note(record.Subscribe, reason, r.answer.Codes[i], a.options.Filter)
			continue
		}
		x.noteFilter(record.Subscribe, reason, wire.Reason(a.options.QoS), a.options.Filter, &narrowed)
		r.answer.Codes[i] = wire.Reason(a.options.QoS)
		for _, id := range narrowed.Denied {
			r.denied = append(strconv.AppendInt(r.denied, id, 10), ',')
		}
		needless := x.table.add(a, &narrowed)
		if err := x.ask(r, i, a, a.prints); err != nil {
			return err
		}
		if err := x.takeBack(r, needless); err != nil {
			return err
		}
	}
	return x.finish(r)
}

// narrow narrows an asked filter by what is in force now: whoever holds shape is as new as the next
// look at all sessions. It returns why the session has to end, if it has to.
func (x *session) narrow(s *topic.Subscription, a *asked) (policy.Reason, wire.Reason) {
	room := x.table.room(a.options.Filter, x.server.o.MaxFilters)
	x.rights.mu.Lock()
	defer x.rights.mu.Unlock()
	if why := x.inForce(time.Now()); why != wire.Success {
		return policy.NotJudged, why
	}
	return x.rights.judge.Subscribe(s, a.options.Filter, a.named, room), wire.Success
}

// hold keeps a request from being answered until finish.
func (x *session) hold(r *request) {
	x.table.mu.Lock()
	r.waiting++
	x.table.mu.Unlock()
}

// ask subscribes to some of what is printed for a: a SUBSCRIBE holds the filters of one identifier
// and one account.
func (x *session) ask(r *request, filter int, a *asked, prints []print) error {
	for rest := prints; len(rest) > 0; {
		s := wire.Subscribe{}
		if x.broker.Load().Can.IDs {
			s.Properties.IDs = []uint32{rest[0].group}
		}
		if cid := rest[0].cid; cid != 0 {
			s.Properties.User = []wire.Pair{{Name: []byte(userAccount), Value: strconv.AppendInt(nil, cid, 10)}}
		}
		n := 0
		for size := 0; n < len(rest) && rest[n].group == rest[0].group && rest[n].cid == rest[0].cid && size < subscribePacket; n++ {
			options := a.options
			options.Filter = []byte(rest[n].filter)
			x.unite(&options, rest[n].printed)
			s.Filters = append(s.Filters, options)
			size += len(options.Filter)
		}
		id, err := x.wait(&part{request: r, filter: filter, asked: a, prints: slices.Clone(rest[:n])})
		if err != nil {
			return err
		}
		s.ID, rest = id, rest[n:]
		if err := x.toBroker.put(&s); err != nil {
			return err
		}
	}
	return nil
}

// unite makes the options those of all asked filters behind a printed one: whatever one of them
// wants comes.
func (x *session) unite(options *wire.Subscription, p *printed) {
	x.table.mu.Lock()
	defer x.table.mu.Unlock()
	for _, a := range p.behind {
		options.QoS = max(options.QoS, a.options.QoS)
		options.NoLocal = options.NoLocal && a.options.NoLocal
		options.RetainAsPublished = options.RetainAsPublished || a.options.RetainAsPublished
	}
}

// wait gives a packet its id, and has its request, or what the gateway asks for on its own, wait for
// the answer.
func (x *session) wait(p *part) (uint16, error) {
	x.table.mu.Lock()
	defer x.table.mu.Unlock()
	id := x.table.ownID(p)
	if id == 0 {
		return 0, &wire.Fault{Reason: wire.QuotaExceeded, Text: "no packet id is free"}
	}
	if p.request != nil {
		p.request.waiting++
	} else if p.asked != nil {
		p.asked.open++
	}
	return id, nil
}

// takeBack unsubscribes from what nobody needs.
func (x *session) takeBack(r *request, needless []*printed) error {
	for len(needless) > 0 {
		id, err := x.wait(&part{request: r})
		if err != nil {
			return err
		}
		u := wire.Unsubscribe{ID: id}
		for size := 0; len(needless) > 0 && size < subscribePacket; needless = needless[1:] {
			u.Filters = append(u.Filters, []byte(needless[0].filter))
			size += len(needless[0].filter)
		}
		if err := x.toBroker.put(&u); err != nil {
			return err
		}
	}
	return nil
}

// unsubscribe takes asked filters away, and at the broker what nobody else needs.
func (x *session) unsubscribe(f wire.Frame) error {
	var u wire.Unsubscribe
	if err := u.Parse(f); err != nil {
		return err
	}
	r := &request{answer: wire.Suback{Type: wire.UNSUBACK, ID: u.ID, Codes: make([]wire.Reason, len(u.Filters))}}
	x.hold(r)
	x.shape.Lock()
	defer x.shape.Unlock()
	for i, filter := range u.Filters {
		a := x.table.find(filter)
		if a == nil {
			r.answer.Codes[i] = wire.NoSubscriptionExisted
			continue
		}
		if err := x.takeBack(r, x.table.remove(a)); err != nil {
			return err
		}
	}
	return x.finish(r)
}

// answered handles a SUBACK or UNSUBACK of the broker. The code of an asked filter is the lowest
// QoS of what was printed for it; if one of these is refused, the others are taken back and its
// code is the answer.
func (x *session) answered(s *wire.Suback) error {
	p := x.table.answered(s.ID)
	switch {
	case p == nil:
		return &wire.Fault{Reason: wire.ProtocolError, Text: "the broker answers what was not asked"}
	case p.request == nil:
		x.followed(p.asked, s.Codes)
		return nil
	case p.asked == nil:
		return x.finish(p.request)
	}
	var refused wire.Reason
	x.table.mu.Lock()
	code := &p.request.answer.Codes[p.filter]
	for _, c := range s.Codes {
		if c.Failed() {
			refused = c
		} else if !code.Failed() {
			*code = min(*code, c)
		}
	}
	if refused != 0 {
		*code = refused
	}
	x.table.mu.Unlock()
	if refused == 0 {
		return x.finish(p.request)
	}
	x.reshape(func() error {
		if err := x.takeBack(p.request, x.table.remove(p.asked)); err != nil {
			return err
		}
		return x.finish(p.request)
	})
	return nil
}

// finish counts one answer, and answers the client when it was the last.
func (x *session) finish(r *request) error {
	x.table.mu.Lock()
	r.waiting--
	done := r.waiting == 0
	x.table.mu.Unlock()
	if !done {
		return nil
	}
	a := &r.answer
	for i := range a.Codes {
		a.Codes[i] = wire.SubackCode(a.Codes[i], x.version)
	}
	if len(r.denied) > 0 {
		a.Properties.User = []wire.Pair{{Name: []byte(userOurs + "denied"), Value: r.denied[:len(r.denied)-1]}}
	}
	return x.toClient.put(a)
}
