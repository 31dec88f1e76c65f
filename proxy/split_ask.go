package proxy

import (
	"strconv"

	"aclgate/policy"
	"aclgate/upstream"
)

// current returns the part that is to be read, nil after the last one, and sees
// to it that the next ones are asked for.
func (s *split) current() *part {
	for s.asked < s.done+s.width && s.from < len(s.ids) {
		s.ask()
	}
	if s.done == s.asked {
		return nil
	}
	return s.part(s.done)
}

// part returns the place of part number n.
func (s *split) part(n int) *part { return &s.parts[n%partsAtOnce] }

// ask asks for the next part.
func (s *split) ask() {
	c, p := s.call, s.part(s.asked)
	p.from, p.to = s.from, s.cut()
	s.from = p.to
	s.asked++
	s.wording.dec.SetIDs(s.ids[p.from:p.to])
	p.target = s.wording.append(p.target[:0])
	p.out = upstream.Request{Method: c.method.String(), Target: p.target, Head: c.fields, Repeatable: true}
	s.note(p)
	s.send(p)
}

// cut returns where the next part ends: as many ids as there is room for.
func (s *split) cut() int {
	to, used := s.from, 0
	for to < len(s.ids) {
		used += digits(s.ids[to])
		if used > s.room {
			break
		}
		used++ // the comma
		to++
	}
	return to
}

// maxSent is how much of its first target stands for a whole split.
const maxSent = 80

// note says what the backend was sent, for whoever watches.
func (s *split) note(p *part) {
	if s.asked == 1 {
		s.sent = append(s.sent, p.target[:min(len(p.target), maxSent)]...)
	}
	b := append(s.sent, "… in "...)
	b = strconv.AppendInt(b, int64(s.asked), 10)
	s.call.sent = append(b, " requests"...)
}

// send sends the request of a part.
func (s *split) send(p *part) {
	p.err, p.begun = nil, false
	s.work.Go(func() { s.fetch(p) })
}

// fetch waits for the head of a part's answer. A panic in here would end the
// process: it is this part's failure.
func (s *split) fetch(p *part) {
	g := s.call.gateway
	defer func() {
		if fault := recover(); fault != nil {
			g.panicked(s.call, fault)
			p.err = policy.Internal
		}
		p.ready <- struct{}{}
	}()
	p.err = g.Backend.Do(&p.out, &p.ans)
}

// alone asks for the current part once more when there was no connection for it.
// Those that its successors hold are given up first, and from now on there are
// no successors: otherwise two splits could wait for each other, each holding
// what the other lacks.
func (s *split) alone(p *part) {
	s.width = 1
	s.recall(s.done + 1)
	s.send(p)
}

// recall takes back the parts from number n on, as if they had never been asked
// for.
func (s *split) recall(n int) {
	for i := n; i < s.asked; i++ {
		s.part(i).ans.Cancel()
	}
	for i := n; i < s.asked; i++ {
		<-s.part(i).ready
		s.renew(s.part(i))
	}
	if n < s.asked {
		s.from, s.asked = s.part(n).from, n
	}
}

// renew forgets the Cancel of a recalled part, but not that of a client that is
// gone.
func (s *split) renew(p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.ans.Reset()
	if s.stopped {
		p.ans.Cancel()
	}
}
