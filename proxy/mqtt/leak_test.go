package mqtt

import (
	"flag"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	fake "aclgate/bench/broker"

	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

var long = flag.Bool("long", false, "many generated worlds in the leak test")

func splitLevels(text string) []string  { return strings.Split(text, "/") }
func joinLevels(levels []string) string { return strings.Join(levels, "/") }
func (l *listener) describe() string {
	return fmt.Sprintf("token %d of account %d %v", l.token.id, l.token.cid, l.token.entries)
}

// sent is a message that was published.
type sent struct {
	name, payload string
	account       int64
	qos           uint8
	retained      bool
}

// retainedAt says whose topic holds a retained message.
type retainedAt struct {
	name    string
	account int64
}

// play is one run of the leak test.
type play struct {
	*generated
	t         *testing.T
	listeners []*listener
	messages  map[string]sent // by payload
	retained  map[retainedAt]sent
	elsewhere []string // topics of items that have moved
	packetID  uint16

	shown, publishes, denied, granted, leaks, lost int
}

// TestLeak: in generated worlds, of every message who may see it and asked for it is shown it, once
// for each of its identifiers, and nobody else is. Retained messages, and rights, items, groups and
// accounts that change, are part of it.
func TestLeak(t *testing.T) {
	t.Parallel()
	worlds, rounds := 2, 6
	if *long {
		worlds, rounds = 60, 15
	}
	for _, kind := range []struct {
		namespace string
		dialect   topic.Dialect
	}{{"none", topic.Plain}, {"none", topic.Flespi}, {"path", topic.Plain}, {"path", topic.Flespi}, {"cid", topic.Plain}, {"cid", topic.Flespi}} {
		t.Run(fmt.Sprintf("%s-%d", kind.namespace, kind.dialect), func(t *testing.T) {
			total := play{}
			worlds := worlds
			if kind.namespace == "path" && !*long {
				worlds *= 3 // where things move
			}
			for seed := range uint64(worlds) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					p := &play{generated: newGenerated(t, seed, kind.namespace, kind.dialect), t: t}
					p.messages, p.retained = map[string]sent{}, map[retainedAt]sent{}
					for range rounds {
						p.round()
					}
					total.shown, total.publishes = total.shown+p.shown, total.publishes+p.publishes
					total.denied, total.granted = total.denied+p.denied, total.granted+p.granted
				})
				if t.Failed() {
					return
				}
			}
			if total.shown == 0 || total.denied == 0 || total.granted == 0 {
				t.Errorf("the test shows nothing: %d deliveries, %d filters granted, %d denied", total.shown, total.granted, total.denied)
			}
			t.Logf("%d messages, %d deliveries, %d filters granted, %d denied", total.publishes, total.shown, total.granted, total.denied)
		})
	}
}

// round connects who is not there, has everybody subscribe, publishes, changes the world, and
// publishes again.
func (p *play) round() {
	for _, tok := range p.tokens {
		if !tok.off && p.rng.IntN(2) == 0 {
			p.connect(tok)
		}
	}
	for range 8 {
		p.publishAny(true)
	}
	for _, l := range p.listeners {
		for range 1 + p.rng.IntN(3) {
			p.subscribe(l)
		}
		if p.rng.IntN(3) == 0 {
			p.unsubscribe(l)
		}
	}
	p.batch()
	p.change()
	p.batch()
	p.listeners = slices.DeleteFunc(p.listeners, func(l *listener) bool {
		if !l.ended && p.rng.IntN(4) == 0 {
			l.send(&wire.Disconnect{})
			l.ended = true
		}
		if l.ended {
			l.Close()
		}
		return l.ended
	})
}

func (p *play) connect(tok *oracleToken) {
	version := pick(p.rng, wire.V5, wire.V5, wire.V311)
	l := &listener{token: tok, asked: map[string]*wanted{}, answers: map[uint16]wire.Reason{}}
	l.peer = p.dial(version, tok.key, func(c *wire.Connect) { c.ClientID = fmt.Appendf(nil, "c%d", len(p.listeners)) })
	l.t = p.t
	l.want("CONNACK 0x00 <nil>")
	for _, other := range p.listeners { // the same client id of the same token takes over
		p.drain(other)
	}
	p.listeners = append(p.listeners, l)
}

// batch publishes on many topics and checks what everybody was shown.
func (p *play) batch() {
	p.check(nil, nil)
	var batch []sent
	for range 30 {
		if m, passed := p.publishAny(false); passed {
			batch = append(batch, m)
		}
	}
	for _, name := range p.elsewhere {
		batch = append(batch, p.publishAs(sent{name: name}))
	}
	p.elsewhere = nil
	for _, l := range p.listeners {
		p.drain(l)
	}
	p.check(batch, nil)
}

// publishAny publishes as the platform does or, own topics, as a client. It reports whether the
// message was let pass.
func (p *play) publishAny(retain bool) (sent, bool) {
	m := sent{name: p.name(), retained: retain}
	if p.namespace != "none" {
		m.account = p.account()
	}
	if p.namespace == "cid" && p.rng.IntN(10) == 0 {
		m.account = 0
	}
	if len(p.listeners) > 0 && p.rng.IntN(2) == 0 {
		return p.publishBy(p.listeners[p.rng.IntN(len(p.listeners))], m)
	}
	return p.publishAs(m), true
}

// publishAs publishes as the platform does.
func (p *play) publishAs(m sent) sent {
	m.payload = p.payload()
	m.qos = uint8(p.rng.IntN(3))
	p.messages[m.payload] = m
	at := p.at(m.name, m.account)
	p.broker.Publish(fake.Message{Topic: at, Payload: m.payload, QoS: m.qos, Retain: m.retained, Account: uint64(m.account)})
	p.keep(m)
	return m
}

// payload returns one that no other message has.
func (p *play) payload() string {
	p.publishes++
	return fmt.Sprint("m", p.publishes)
}

func (p *play) keep(m sent) {
	if m.retained {
		key := retainedAt{m.name, m.account}
		if p.namespace == "path" && !ownName(m.name) {
			key.account = 0
		}
		p.retained[key] = m
	}
}

// publishBy publishes as a client, which may name an account.
func (p *play) publishBy(l *listener, m sent) (sent, bool) {
	if l.ended {
		return m, false
	}
	m.payload = p.payload()
	p.packetID++
	m.qos = 1
	packet := wire.Publish{QoS: 1, ID: 1 + p.packetID%1000, Retain: m.retained, Topic: []byte(m.name), Payload: []byte(m.payload)}
	cid := int64(0)
	if p.namespace == "path" && l.v == wire.V5 && p.rng.IntN(2) == 0 {
		cid = m.account
		packet.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: fmt.Append(nil, cid)}}
	} else if p.namespace != "none" {
		m.account = l.token.cid // the broker is told so by the gateway
	}
	p.messages[m.payload] = m
	may := p.mayPublish(l.token, m.name, cid)
	received := len(p.broker.Received())
	l.send(&packet)
	if !l.read(func() bool { _, answered := l.answers[packet.ID]; return answered }) {
		return m, false
	}
	code := l.answers[packet.ID]
	delete(l.answers, packet.ID)
	passed := slices.ContainsFunc(p.broker.Received()[min(received, len(p.broker.Received())):], func(r fake.Received) bool {
		return r.Type == byte(wire.PUBLISH) && r.Payload == m.payload
	})
	if passed != may || l.v == wire.V5 && code.Failed() == may {
		p.t.Errorf("%s publishes %s for %d: passed %v, answer %v; may %v", l.describe(), m.name, cid, passed, code, may)
	}
	if passed {
		p.keep(m)
	}
	return m, passed
}

// subscribe asks for one filter, and checks that the retained messages come.
func (p *play) subscribe(l *listener) {
	if p.drain(l); l.ended {
		return
	}
	p.check(nil, nil)
	filter := p.filter()
	w := &wanted{qos: uint8(p.rng.IntN(3)), shared: p.rng.IntN(4) == 0}
	if w.shared { // in a group of its own: whatever is handed to the group is for it
		filter = fmt.Sprintf("$share/%d/%s", l.LocalAddr().(*net.TCPAddr).Port, filter)
	}
	s := wire.Subscribe{ID: 5000, Filters: []wire.Subscription{{Filter: []byte(filter), QoS: w.qos}}}
	if l.v == wire.V5 {
		l.lastID++
		w.id = l.lastID
		s.Properties.IDs = []uint32{w.id}
		if p.namespace != "none" && p.rng.IntN(5) == 0 {
			w.cid = p.account()
			s.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: fmt.Append(nil, w.cid)}}
		}
	}
	l.send(&s)
	if !l.read(func() bool { _, answered := l.answers[5000]; return answered }) {
		return
	}
	code := l.answers[5000]
	delete(l.answers, 5000)
	if code.Failed() {
		p.denied++
		if w.cid != 0 && !p.below(l.token.cid, w.cid) || code == 0x97 || w.shared {
			p.check(nil, nil)
			return // the account was denied, or a group would lose messages
		}
		for _, m := range p.retained {
			if p.due(l.token, filter, w, m) {
				p.lost++
				p.t.Errorf("%s asks for %s and is refused with %v, but may see %s", l.describe(), filter, code, m.name)
			}
		}
		return
	}
	p.granted++
	l.asked[filter] = w
	p.drain(l)
	var due []sent
	for _, m := range p.retained {
		if !w.shared && p.due(l.token, filter, w, m) {
			due = append(due, m)
		}
	}
	p.check(due, l)
}

// wants reports whether a filter of a token is for a message that the token may see.
func (p *play) wants(tok *oracleToken, filter string, w *wanted, m sent) bool {
	if w.cid != 0 && p.accountOf(m) != w.cid {
		return false
	}
	if w.shared {
		filter = joinLevels(splitLevels(filter)[2:])
	}
	return naiveMatch(filter, m.name) && p.may(tok, m.name, m.account)
}

// due is wants, and for one account the message has to be within its scope whole: with the second
// item, and the groups.
func (p *play) due(tok *oracleToken, filter string, w *wanted, m sent) bool {
	alone := *tok
	if w.cid != 0 {
		alone.cid = w.cid
	}
	return p.wants(tok, filter, w, m) && p.may(&alone, m.name, m.account)
}

// accountOf returns whose a message is: on a broker that knows no accounts, that of the item.
func (p *play) accountOf(m sent) int64 {
	if p.namespace != "path" || ownName(m.name) {
		return m.account
	}
	if levels := splitLevels(m.name); len(levels) > 4 {
		return p.owners[levels[2]+"/"+levels[3]][number(levels[4])]
	}
	return 0
}

func (p *play) unsubscribe(l *listener) {
	filters := slices.Sorted(maps.Keys(l.asked))
	if l.ended || len(filters) == 0 {
		return
	}
	filter := pick(p.rng, filters...)
	l.send(&wire.Unsubscribe{ID: 5001, Filters: [][]byte{[]byte(filter)}})
	if l.read(func() bool { _, answered := l.answers[5001]; return answered }) {
		delete(l.answers, 5001)
		delete(l.asked, filter)
	}
}

// drain reads everything that was sent to a client so far.
func (p *play) drain(l *listener) {
	if l.ended {
		return
	}
	pong := false
	if b, err := (&wire.Empty{Type: wire.PINGREQ}).Append(nil, l.v); err == nil {
		l.Write(b) // it may have been ended meanwhile
	}
	l.read(func() bool { pong = pong || l.answers[0] != 0; return pong })
	delete(l.answers, 0)
}

// read takes packets until one makes done true. It reports false when the session has ended.
func (l *listener) read(done func() bool) bool {
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	for !done() {
		f, err := l.r.Next()
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				l.t.Fatalf("%s waits without an answer", l.describe())
			}
			l.ended = true
			return false
		}
		switch f.Type {
		case wire.PUBLISH:
			l.take(f)
		case wire.PUBACK:
			var a wire.Ack
			err = a.Parse(f)
			l.answers[a.ID] = a.Reason
		case wire.PUBREL:
			var a wire.Ack
			err = a.Parse(f)
			l.answer(wire.PUBCOMP, a.ID)
		case wire.SUBACK, wire.UNSUBACK:
			var s wire.Suback
			err = s.Parse(f)
			l.answers[s.ID] = 0
			if len(s.Codes) > 0 {
				l.answers[s.ID] = s.Codes[0]
			}
		case wire.PINGRESP:
			l.answers[0] = 1
		case wire.DISCONNECT:
			l.ended = true
			return false
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return true
}

func (l *listener) take(f wire.Frame) {
	var m wire.Publish
	if err := m.Parse(f); err != nil {
		l.t.Fatal(err)
	}
	s := shown{name: string(m.Topic), payload: string(m.Payload), qos: m.QoS, retained: m.Retain, ids: slices.Clone(m.Properties.IDs)}
	for _, u := range m.Properties.User {
		if string(u.Name) == "cid" {
			s.account += string(u.Value)
		}
	}
	l.shown = append(l.shown, s)
	switch m.QoS {
	case 1:
		l.answer(wire.PUBACK, m.ID)
	case 2:
		l.answer(wire.PUBREC, m.ID)
	}
}

// answer sends an acknowledgement. The session may have ended meanwhile.
func (l *listener) answer(kind wire.Type, id uint16) {
	if b, err := (&wire.Ack{Type: kind, ID: id}).Append(nil, l.v); err == nil {
		l.Write(b)
	}
}

// check compares what was shown since the last check with what the oracle says of the messages that
// were due: to everybody, or to the one who subscribed.
func (p *play) check(due []sent, only *listener) {
	for _, l := range p.listeners {
		got, best := map[string][]uint32{}, map[string]uint8{}
		for _, s := range l.shown {
			m, known := p.messages[s.payload]
			p.shown++
			if !known || m.name != s.name || !p.may(l.token, m.name, m.account) {
				p.leaks++
				p.t.Errorf("%s was shown %s of %d as %s", l.describe(), m.name, m.account, s.name)
			}
			if own := ownName(m.name); p.namespace != "none" && (own || p.namespace == "cid") && l.v == wire.V5 && s.account != fmt.Sprint(m.account) {
				p.t.Errorf("%s was shown %s of %d as of %s", l.describe(), m.name, m.account, s.account)
			}
			if !slices.ContainsFunc(slices.Sorted(maps.Keys(l.asked)), func(f string) bool { return p.wants(l.token, f, l.asked[f], m) }) {
				p.t.Errorf("%s was shown %s of %d unasked; it asked for %v", l.describe(), m.name, m.account, slices.Sorted(maps.Keys(l.asked)))
			}
			for _, id := range s.ids {
				if !s.retained && slices.Contains(got[s.payload], id) {
					p.t.Errorf("%s was shown %s with identifier %d twice", l.describe(), m.name, id)
				}
			}
			got[s.payload] = append(got[s.payload], s.ids...)
			best[s.payload] = max(best[s.payload], s.qos)
			if s.qos > m.qos {
				p.t.Errorf("%s was shown %s with QoS %d, which was published with %d", l.describe(), m.name, s.qos, m.qos)
			}
		}
		l.shown = nil
		if l.ended || only != nil && l != only {
			continue
		}
		for _, m := range due {
			p.checkDue(l, m, got, only != nil)
			p.checkQoS(l, m, best, only != nil)
		}
	}
}

// checkDue reports what a client was not shown, though it may see it and asked for it.
func (p *play) checkDue(l *listener, m sent, got map[string][]uint32, retained bool) {
	ids, came := got[m.payload]
	for filter, w := range l.asked {
		if !p.due(l.token, filter, w, m) {
			continue
		}
		if !came || !retained && w.id != 0 && !slices.Contains(ids, w.id) {
			p.lost++
			p.t.Errorf("%s asked for %s %+v and was not shown %s of %d, retained %v, as %v", l.describe(), filter, *w, m.name, m.account, retained, ids)
		}
	}
}

// checkQoS reports what came with less than a filter for it was granted.
func (p *play) checkQoS(l *listener, m sent, best map[string]uint8, retained bool) {
	for filter, w := range l.asked {
		if got, came := best[m.payload]; came && !retained && p.due(l.token, filter, w, m) && got < min(w.qos, m.qos) {
			p.t.Errorf("%s asked for %s with QoS %d and was shown %s of %d with %d", l.describe(), filter, w.qos, m.name, m.qos, got)
		}
	}
}

// change changes rights, and where things are, and checks that who has other rights is told so.
func (p *play) change() {
	for range 1 + p.rng.IntN(3) {
		tok := p.tokens[p.rng.IntN(len(p.tokens))]
		switch p.rng.IntN(6) {
		case 0:
			tok.off = !tok.off
			p.tell(tok)
		case 1, 2:
			p.entries(tok)
			p.tell(tok)
		case 3:
			uri := pick(p.rng, devicesURI, channelsURI, calcsURI, groupsURI)
			id := 1 + p.rng.Int64N(int64(len(p.owners[uri])))
			p.owners[uri][id] = p.account()
			p.moved(uri, id)
		case 4:
			ids := p.ids(10)
			p.members[1+p.rng.Int64N(4)] = ids
			p.moved(devicesURI, ids...)
		case 5:
			if p.namespace == "path" {
				p.parents[112] = pick(p.rng, int64(11), int64(12), int64(1))
				// What is retained at the old place is of nobody.
				maps.DeleteFunc(p.retained, func(at retainedAt, _ sent) bool { return at.account == 112 })
				p.moved("")
			}
		}
	}
}

// moved tells the gateway of other places, and waits until filters have followed: the server has
// looked and walked, and whatever it sends is sent.
func (p *play) moved(uri string, ids ...int64) {
	for _, id := range ids {
		for _, tail := range []string{"/name", "/telemetry", "/telemetry/x", "/connections/x"} {
			p.elsewhere = append(p.elsewhere, fmt.Sprintf("flespi/state/%s/%d%s", uri, id, tail))
		}
	}
	p.publishWorld(p.t)
	if !p.indexed {
		return
	}
	now := p.items.Load()
	waitFor(p.t, func() bool { return now.looks.Load() > 3 })
	for _, x := range p.server.all() {
		x.settle()
	}
	for _, l := range p.listeners {
		p.drain(l)
	}
}

// settle waits for whoever changes what is subscribed to.
func (x *session) settle() {
	x.shape.Lock()
	defer x.shape.Unlock()
}
