package proxy

import (
	"io"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/proxy/limit"
	"aclgate/proxy/splice"
	"aclgate/upstream"
)

// maxNamed is how many denied ids x-aclgate-denied names.
const maxNamed = 100

// response is the answer: the backend's, and what is written to the client.
type response struct {
	ans    *upstream.Answer
	cancel func()        // ans.Cancel
	failed policy.Reason // why the backend gave no answer that counts
	unsent bool          // the backend never got the request

	// withdrawn says that what the decision rests on moved before the request was sent: it has to be
	// judged again.
	withdrawn bool

	quota        *limit.Quota // what the token has left
	kind         string       // Content-Type of an answer of the gateway's own; "": JSON
	lines        []byte       // further header lines of such an answer
	body         []byte       // of such an answer
	denied       []byte       // errors of denied items, to be merged into the answer
	deniedHeader []byte       // for x-aclgate-denied; nil: none
	changed      bool         // errors were merged: the answer is not what its validators say

	buffered    []byte // the answer, where it was read to be learnt from
	isBuffered  bool
	learnt      bool  // it is a listing that was read to its end
	bufferedErr error // io.EOF: all of it is there; nil: its beginning

	status  int
	out     []byte // what is written: the head, and the body unless that streams
	piece   []byte // of a changed answer, whole or as far as it was changed
	stream  stream
	streams bool
	close   bool // the connection ends behind the answer
	broken  bool // after a panic: the exchange must not be used again
}

func (resp *response) reset() {
	resp.ans.Reset() // forgets a Cancel: it was meant for this request alone
	*resp = response{
		ans: resp.ans, cancel: resp.cancel, quota: resp.quota, lines: kept(resp.lines), body: kept(resp.body),
		denied: kept(resp.denied), buffered: kept(resp.buffered), out: resp.out, piece: kept(resp.piece),
		status: resp.status, streams: resp.streams, close: resp.close,
		stream: stream{splicer: resp.stream.splicer, raw: resp.stream.raw},
	}
}

// responder passes the backend's answers on.
type responder struct {
	heads  *headPrinter
	faults *faults
}

// respond passes the backend's answer on, byte for byte unless errors of denied items have to be
// merged into it.
func (r *responder) respond(c *call, ev *evaluation, out *outgoing, resp *response) policy.Reason {
	switch {
	case out.fan != nil:
		return r.joined(c, ev, out.fan, resp)
	case resp.isBuffered:
		return r.buffered(c, ev, resp)
	case c.rec.Denied > 0:
		return r.merge(c, ev, resp)
	}
	return r.plain(c, resp)
}

// plain passes the answer on as it is.
func (r *responder) plain(c *call, resp *response) policy.Reason {
	if resp.ans.Framing == upstream.NoBody {
		r.heads.backend(c, resp, unframed)
		return policy.NotJudged
	}
	if whole, here := resp.ans.Buffered(); here {
		return r.whole(c, resp, whole)
	}
	if resp.ans.Length < 0 || resp.ans.Length > maxHeld {
		return r.rest(c, resp, resp.ans.Length)
	}
	// Of a short answer that is still coming none is sent before its end: if the backend breaks
	// off, the client gets an error instead of a piece.
	r.heads.backend(c, resp, resp.ans.Length)
	whole, err := appendAnswer(resp.out, c, resp.ans)
	if err != nil {
		return r.faults.of(c, err)
	}
	resp.out = whole
	c.rec.BytesOut = resp.ans.Length
	return policy.NotJudged
}

// whole answers with the backend's head and this body.
func (r *responder) whole(c *call, resp *response, body []byte) policy.Reason {
	r.heads.backend(c, resp, int64(len(body)))
	resp.out = append(resp.out, body...)
	c.rec.BytesOut = int64(len(body))
	return policy.NotJudged
}

// buffered passes on an answer that was read already, to be learnt from.
func (r *responder) buffered(c *call, ev *evaluation, resp *response) policy.Reason {
	switch {
	case resp.bufferedErr == nil: // there is more of it
		if c.rec.Denied > 0 {
			resp.nameDenied(ev)
		}
		resp.stream.out = resp.buffered
		return r.rest(c, resp, resp.ans.Length)
	case resp.bufferedErr != io.EOF:
		return r.faults.of(c, resp.bufferedErr)
	case c.rec.Denied > 0 && mergeable(resp.ans):
		resp.denied = appendDenied(resp.denied[:0], ev)
		return r.mergeWhole(c, ev, resp, resp.buffered)
	case c.rec.Denied > 0:
		resp.nameDenied(ev)
	}
	return r.whole(c, resp, resp.buffered)
}

// appendAnswer appends an answer that is short, and of known length, to b.
func appendAnswer(b []byte, c *call, ans *upstream.Answer) ([]byte, error) {
	b = slices.Grow(b, int(ans.Length))
	for end := len(b) + int(ans.Length); len(b) < end; {
		n, err := c.waited.read(ans, b[len(b):end])
		if err != nil {
			return b, err
		}
		b = b[:len(b)+n]
	}
	return b, nil
}

// merge puts one error per denied item into the backend's answer (SPEC 5). An answer that cannot
// take them passes as it is, with the ids in a header.
func (r *responder) merge(c *call, ev *evaluation, resp *response) policy.Reason {
	if !mergeable(resp.ans) {
		resp.nameDenied(ev)
		return r.plain(c, resp)
	}
	resp.denied = appendDenied(resp.denied[:0], ev)
	if whole, here := resp.ans.Buffered(); here {
		return r.mergeWhole(c, ev, resp, whole)
	}
	if resp.ans.Length < 0 || resp.ans.Length > maxHeld {
		return r.mergeStream(c, ev, resp)
	}
	whole, err := appendAnswer(resp.buffered[:0], c, resp.ans)
	if err != nil {
		return r.faults.of(c, err)
	}
	resp.buffered = whole
	return r.mergeWhole(c, ev, resp, whole)
}

// mergeWhole answers with the whole text and the errors in it.
func (r *responder) mergeWhole(c *call, ev *evaluation, resp *response, text []byte) policy.Reason {
	merged, err := splice.Whole(resp.piece[:0], text, resp.denied)
	if err != nil {
		resp.nameDenied(ev)
		return r.whole(c, resp, text)
	}
	resp.piece, resp.changed = merged, true
	return r.whole(c, resp, merged)
}

// mergeStream splices while the answer passes. What has arrived by now is looked at first: a fault
// in it still lets the answer pass untouched.
func (r *responder) mergeStream(c *call, ev *evaluation, resp *response) policy.Reason {
	s := &resp.stream
	if s.splicer == nil {
		s.splicer, s.raw = new(splice.Splicer), make([]byte, maxHeld/2)
	}
	s.splicer.Reset(resp.denied)
	n, readErr := c.waited.read(resp.ans, s.raw)
	if readErr != nil && readErr != io.EOF {
		return r.faults.of(c, readErr)
	}
	out, err := s.splicer.Feed(resp.piece[:0], s.raw[:n])
	resp.piece = out
	s.done = readErr == io.EOF
	if err == nil && s.done {
		err = s.splicer.Finish()
	}
	if err != nil {
		resp.nameDenied(ev)
		s.out = s.raw[:n]
		return r.rest(c, resp, resp.ans.Length)
	}
	resp.changed = true
	s.out, s.splices = out, true
	return r.rest(c, resp, inChunks)
}

// rest has the rest of the answer stream.
func (r *responder) rest(c *call, resp *response, length int64) policy.Reason {
	length = resp.begin(c, max(length, inChunks))
	r.heads.backend(c, resp, length)
	return policy.NotJudged
}

// joined answers with what the shards gave. It is never stored anywhere, because a shard may be
// missing. If none gave anything the first of them speaks for all.
func (r *responder) joined(c *call, ev *evaluation, fan *fanOut, resp *response) policy.Reason {
	if !resp.stream.done || fan.served > 0 {
		resp.stream.fan = fan
		r.heads.own(c, resp, 200, resp.begin(c, inChunks))
		return policy.NotJudged
	}
	if c.rec.Denied > 0 {
		resp.nameDenied(ev)
	}
	resp.kind = string(fan.first.kind)
	r.heads.reply(c, resp, fan.first.status, fan.first.body)
	return policy.NotJudged
}

// nameDenied notes what x-aclgate-denied says: at most 100 ids.
func (resp *response) nameDenied(ev *evaluation) {
	b, n := []byte{}, 0
	for i := range ev.dec.Selectors {
		for _, id := range ev.dec.Selectors[i].Denied {
			if n == maxNamed {
				resp.deniedHeader = append(b, ",…"...)
				return
			}
			if n > 0 {
				b = append(b, ',')
			}
			b, n = strconv.AppendInt(b, id, 10), n+1
		}
	}
	resp.deniedHeader = b
}

// stream is the body of an answer that passes piece by piece. Whoever sends the answer reads it.
type stream struct {
	call    *call
	resp    *response
	fan     *fanOut         // the bytes are joined; nil: they come from one answer
	splicer *splice.Splicer // kept for reuse
	splices bool            // the bytes go through the splicer
	raw     []byte          // what the splicer is fed from; kept for reuse
	out     []byte          // to be read before anything else
	done    bool            // out is the last of it
	length  int64
	err     error
}

// begin has the answer stream and returns how it is framed. A client of HTTP/1.0 knows no chunks:
// the end of the connection is the end of the body.
func (resp *response) begin(c *call, length int64) int64 {
	if length < 0 && c.head.HTTP10 {
		length, resp.close = unframed, true
	}
	resp.streams = true
	resp.stream.call, resp.stream.resp, resp.stream.length = c, resp, length
	return length
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.done:
			return 0, io.EOF
		case s.fan != nil:
			s.join()
		case s.splices:
			s.splice()
		default:
			n, err := s.read(p)
			s.call.rec.BytesOut += int64(n)
			return n, err
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	s.call.rec.BytesOut += int64(n)
	return n, nil
}

func (s *stream) read(p []byte) (int, error) {
	n, err := s.call.waited.read(s.resp.ans, p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// join reads the next piece of a joined answer.
func (s *stream) join() {
	out, err := s.fan.next(s.resp.piece[:0])
	s.resp.piece, s.out = out, out
	if err == io.EOF {
		s.done = true
	} else {
		s.err = err
	}
}

// splice reads and splices the next piece of the answer.
func (s *stream) splice() {
	n, err := s.read(s.raw)
	if err != nil && err != io.EOF {
		return // read has kept it
	}
	out, fault := s.splicer.Feed(s.resp.piece[:0], s.raw[:n])
	if err == io.EOF && fault == nil {
		s.done = true
		fault = s.splicer.Finish()
	}
	// After a fault the answer must not look whole: the stream fails, and the connection ends
	// without the last chunk.
	s.resp.piece, s.out, s.err = out, out, fault
	if fault != nil {
		s.out = nil
	}
}
