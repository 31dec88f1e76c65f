package proxy

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"aclgate/policy"
	"aclgate/upstream"
)

// textUnjoinable is what is wrong with a part that is no answer of the API.
const textUnjoinable = "the backend sent what is no list of items"

// more appends the next bytes of the joined answer to dst, which is empty. The
// error is io.EOF with the last of them; any other means that the answer cannot
// be brought to a good end.
func (s *split) more(dst []byte) ([]byte, error) {
	for len(dst) == 0 {
		p := s.current()
		if p == nil {
			return s.finish(dst), io.EOF
		}
		var err error
		if !p.begun {
			err = s.begin(p)
		} else {
			dst, err = s.read(dst, p)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// begin waits for the head of a part and looks at it. An error ends the whole
// answer.
func (s *split) begin(p *part) error {
	began := now()
	<-p.ready
	s.call.waited += since(began)
	p.begun = true
	s.joiner.Begin(true)
	c, g := s.call, s.call.gateway
	switch {
	case errors.Is(p.err, upstream.ErrCanceled):
		return p.err
	case errors.Is(p.err, upstream.ErrBusy) && s.width > 1:
		s.alone(p)
		return nil
	case p.err != nil:
		return s.lose(p, g.failed(c, p.err), "")
	}
	reason := g.refusedBy(c, p.ans.Status)
	switch {
	case reason != policy.NotJudged:
		return s.lose(p, reason, "")
	case p.ans.Status > 299:
		return s.refused(p)
	case !mergeable(&p.ans):
		return s.lose(p, policy.UpstreamBroken, textUnjoinable)
	}
	return nil
}

// read reads the next piece of a part.
func (s *split) read(dst []byte, p *part) ([]byte, error) {
	c := s.call
	began := now()
	n, err := p.ans.Read(s.raw)
	c.waited += since(began)
	dst, fault := s.joiner.Feed(dst, s.raw[:n])
	if err == io.EOF && fault == nil {
		fault = s.joiner.End()
	}
	switch {
	case fault != nil:
		c.gateway.Log.Warn("a part of an answer cannot be joined", "decision", c.id(), "error", fault)
		return dst, s.lose(p, policy.UpstreamBroken, textUnjoinable)
	case err == io.EOF:
		s.served++
		s.failing = 0
		s.next(p)
	case errors.Is(err, upstream.ErrCanceled):
		return dst, err
	case err != nil:
		return dst, s.lose(p, c.gateway.failed(c, err), "")
	}
	return dst, nil
}

// next goes on to the next part.
func (s *split) next(p *part) {
	p.ans.Close()
	s.done++
}

// errTorn says that a part broke inside a row that was partly sent already.
var errTorn = errors.New("the backend broke off in the middle of a long row")

// lose ends a part that the backend failed. What came of it stays, if it is
// whole. A backend that fails again and again is given up.
func (s *split) lose(p *part, reason policy.Reason, text string) error {
	if s.joiner.PartialRow() {
		return errTorn
	}
	if s.joiner.Rows() > 0 {
		s.served++
	}
	if s.done == 0 {
		s.first = failure{reason: reason}
	}
	s.joiner.AddErrors(s.appendLost(nil, p, reason, text))
	s.next(p)
	s.count(reason)
	return nil
}

// count counts parts that were lost in a row.
func (s *split) count(reason policy.Reason) {
	s.failing++
	if s.failing < giveUpAfter {
		return
	}
	s.recall(s.done)
	if rest := len(s.ids) - s.from; rest > 0 {
		b := appendFault(nil, reason, "the backend fails")
		b = s.appendRange(b, s.from, len(s.ids))
		s.joiner.AddErrors(append(b, ` were not asked for"}`...))
	}
	s.from = len(s.ids)
}

// refused ends a part that the backend refused: its errors are those of the
// part. The first of all is kept whole, in case that no part gives anything.
func (s *split) refused(p *part) error {
	body, err := s.hold(p)
	if errors.Is(err, upstream.ErrCanceled) {
		return err
	}
	s.joiner.Begin(false)
	if plainJSON(&p.ans) {
		s.joiner.Feed(nil, body)
	}
	if s.joiner.Found() == 0 {
		text := "the backend answered " + strconv.Itoa(p.ans.Status)
		s.joiner.AddErrors(s.appendLost(nil, p, policy.UpstreamBroken, text))
	}
	status := p.ans.Status
	if s.done == 0 {
		s.first = failure{status: status, kind: bytes.Clone(contentType(&p.ans)), body: body}
		if err != nil || len(body) > maxHeld {
			s.first = failure{reason: policy.UpstreamBroken}
		}
	}
	s.next(p)
	if status < 500 && status != 429 {
		s.failing = 0 // it has judged: it is alive
		return nil
	}
	s.count(policy.UpstreamBroken)
	return nil
}

// hold reads the answer of a part that was refused, as far as it is looked at.
func (s *split) hold(p *part) ([]byte, error) {
	began := now()
	body, err := io.ReadAll(io.LimitReader(&p.ans, maxHeld+1))
	s.call.waited += since(began)
	return body, err
}

// finish ends the joined answer: errors that were too many, and the denied
// items, come last.
func (s *split) finish(dst []byte) []byte {
	if n := s.joiner.LeftOut(); n > 0 {
		b := appendFault(nil, policy.UpstreamBroken, "further errors of the backend were left out: ")
		s.joiner.AddErrors(append(strconv.AppendInt(b, int64(n), 10), `"}`...))
	}
	s.joiner.AddErrors(appendDenied(nil, s.call))
	return s.joiner.Close(dst)
}

// appendLost appends the error that says what is missing of a part.
func (s *split) appendLost(b []byte, p *part, reason policy.Reason, text string) []byte {
	b = appendFault(b, reason, text)
	rows := s.joiner.Rows()
	b = s.appendRange(b, p.from, p.to)
	if rows == 0 {
		return append(b, ` are missing"}`...)
	}
	b = append(b, " gave "...)
	b = strconv.AppendInt(b, int64(rows), 10)
	return append(b, ` rows before"}`...)
}

// appendFault begins an error of the gateway's own. text is for what the reason
// says in general.
func appendFault(b []byte, reason policy.Reason, text string) []byte {
	a := faultOf(reason.Answer())
	if text == "" {
		text = a.Text
	}
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, `,"reason":"`...)
	return append(b, text...)
}

// appendRange says how many items stand from one place of the list to another.
func (s *split) appendRange(b []byte, from, to int) []byte {
	b = append(b, ": "...)
	b = strconv.AppendInt(b, int64(to-from), 10)
	b = append(b, " items, "...)
	b = strconv.AppendInt(b, s.ids[from], 10)
	b = append(b, " to "...)
	b = strconv.AppendInt(b, s.ids[to-1], 10)
	return append(b, ',')
}
