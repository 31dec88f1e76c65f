package proxy

import (
	"bytes"
	"io"
	"strconv"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/splice"
	"aclgate/upstream"
)

// maxNamed is how many denied ids x-aclgate-denied names.
const maxNamed = 100

// merge puts one error per denied item into the backend's answer (SPEC 5). An
// answer that cannot take them passes as it is, with the ids in a header.
func (g *Gateway) merge(c *call) policy.Reason {
	c.errs = appendDenied(c.errs[:0], c)
	if !mergeable(c.ans) {
		return g.passNamed(c)
	}
	if whole, here := c.ans.Buffered(); here {
		return g.mergeWhole(c, whole)
	}
	if c.ans.Length < 0 || c.ans.Length > maxHeld {
		return g.mergeStream(c)
	}
	whole, err := c.appendAnswer(c.merge[:0])
	if err != nil {
		return g.failed(c, err)
	}
	c.merge = whole
	return g.mergeWhole(c, whole)
}

// mergeable reports whether an answer may be a JSON object that errors can be
// merged into: a whole, plain, successful one.
func mergeable(a *upstream.Answer) bool {
	return a.Status >= 200 && a.Status <= 299 && a.Status != 204 && a.Status != 206 && plainJSON(a)
}

// plainJSON reports whether an answer says that it is JSON, and not encoded.
func plainJSON(a *upstream.Answer) bool {
	for i := range a.Fields {
		f := &a.Fields[i]
		if head.EqualFold(f.Name, "Content-Encoding") && !bytes.EqualFold(f.Value, []byte("identity")) {
			return false
		}
	}
	media, _, _ := bytes.Cut(contentType(a), []byte{';'})
	return bytes.EqualFold(bytes.TrimSpace(media), []byte("application/json"))
}

// contentType returns the last Content-Type of an answer, nil without one.
func contentType(a *upstream.Answer) (value []byte) {
	for i := range a.Fields {
		if head.EqualFold(a.Fields[i].Name, "Content-Type") {
			value = a.Fields[i].Value
		}
	}
	return value
}

// mergeWhole answers with the whole text and the errors in it. The fields of the
// request were sent; their buffer is free.
func (g *Gateway) mergeWhole(c *call, text []byte) policy.Reason {
	merged, err := splice.Whole(c.fields[:0], text, c.errs)
	if err != nil {
		g.nameDenied(c)
		return g.passWhole(c, text)
	}
	c.fields, c.changed = merged, true
	return g.passWhole(c, merged)
}

// mergeStream splices while the answer passes. What has arrived by now is
// looked at first: a fault in it still lets the answer pass untouched.
func (g *Gateway) mergeStream(c *call) policy.Reason {
	s := &c.stream
	if s.splicer == nil {
		s.splicer = new(splice.Splicer)
	}
	s.splicer.Reset(c.errs)
	first := s.room()
	began := now()
	n, readErr := c.ans.Read(first)
	c.waited += since(began)
	if readErr != nil && readErr != io.EOF {
		return g.failed(c, readErr)
	}
	out, err := s.splicer.Feed(c.merge[:0], first[:n])
	c.merge = out
	s.done = readErr == io.EOF
	if err == nil && s.done {
		err = s.splicer.Finish()
	}
	if err != nil {
		g.nameDenied(c)
		s.out = first[:n]
		return g.streamRest(c, c.ans.Length)
	}
	c.changed = true
	s.out, s.splices = out, true
	return g.streamRest(c, -1)
}

// room returns space for a piece of an answer.
func (s *answerStream) room() []byte {
	if s.raw == nil {
		s.raw = make([]byte, maxHeld/2)
	}
	return s.raw
}

// spliceMore reads and splices the next piece of the answer.
func (s *answerStream) spliceMore() {
	c := s.call
	raw := s.room()
	n, err := s.readRaw(raw)
	if err != nil && err != io.EOF {
		return // readRaw has kept it
	}
	out, fault := s.splicer.Feed(c.merge[:0], raw[:n])
	if err == io.EOF && fault == nil {
		s.done = true
		fault = s.splicer.Finish()
	}
	// After a fault the answer must not look whole: the stream fails, and the
	// connection ends without the last chunk.
	c.merge, s.out, s.err = out, out, fault
	if fault != nil {
		s.out = nil
	}
}

// passNamed passes an answer that takes no errors, with the denied ids named
// beside it.
func (g *Gateway) passNamed(c *call) policy.Reason {
	g.nameDenied(c)
	return g.deliverPlain(c)
}

// nameDenied notes what x-aclgate-denied says: at most 100 ids.
func (g *Gateway) nameDenied(c *call) {
	b, n := []byte{}, 0
	for i := range c.dec.Selectors {
		for _, id := range c.dec.Selectors[i].Denied {
			if n == maxNamed {
				c.named = append(b, ",…"...)
				return
			}
			if n > 0 {
				b = append(b, ',')
			}
			b, n = strconv.AppendInt(b, id, 10), n+1
		}
	}
	c.named = b
}

// listed reports whether a comma list holds an element, without case.
func listed(list, element []byte) bool {
	for more := true; more; {
		var item []byte
		item, list, more = bytes.Cut(list, []byte{','})
		if bytes.EqualFold(bytes.TrimSpace(item), element) {
			return true
		}
	}
	return false
}
