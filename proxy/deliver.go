package proxy

import (
	"errors"
	"io"

	"aclgate/policy"
	"aclgate/proxy/splice"
	"aclgate/upstream"
)

// maxHeld is the most of an answer that is held at once: what is not longer is
// answered whole, the rest streams (SPEC 5).
const maxHeld = 64 << 10

// deliver passes the backend's answer on, byte for byte unless errors of denied
// items have to be merged into it.
func (g *Gateway) deliver(c *call) policy.Reason {
	if c.split != nil {
		return g.deliverParts(c)
	}
	switch {
	case c.held:
		return g.deliverHeld(c)
	case c.rec.Denied > 0:
		return g.merge(c)
	}
	return g.deliverPlain(c)
}

// deliverPlain passes the answer on as it is.
func (g *Gateway) deliverPlain(c *call) policy.Reason {
	if c.ans.Framing == upstream.NoBody {
		return g.passNone(c)
	}
	if whole, here := c.ans.Buffered(); here {
		return g.passWhole(c, whole)
	}
	if c.ans.Length >= 0 && c.ans.Length <= maxHeld {
		return g.hold(c)
	}
	return g.streamRest(c, c.ans.Length)
}

// deliverHeld passes on an answer that was read already, to be learnt from.
func (g *Gateway) deliverHeld(c *call) policy.Reason {
	switch {
	case c.heldErr == nil: // there is more of it
		if c.rec.Denied > 0 {
			g.nameDenied(c)
		}
		c.stream.out = c.merge
		return g.streamRest(c, c.ans.Length)
	case c.heldErr != io.EOF:
		return g.failed(c, c.heldErr)
	case c.rec.Denied > 0 && mergeable(c.ans):
		c.errs = appendDenied(c.errs[:0], c)
		return g.mergeWhole(c, c.merge)
	case c.rec.Denied > 0:
		g.nameDenied(c)
	}
	return g.passWhole(c, c.merge)
}

// answerStream is the body of an answer on its way to the client. The desk reads
// it after the handler has returned and closes it at its end, which is where the
// request ends.
type answerStream struct {
	call    *call
	splicer *splice.Splicer // kept for reuse
	splices bool            // the bytes go through the splicer
	raw     []byte          // what the splicer is fed from; kept for reuse
	out     []byte          // to be read before anything else
	done    bool            // out is the last of it
	err     error
}

// streamRest hands the rest of the answer to the desk. length is -1 when it is
// not known or not kept.
func (g *Gateway) streamRest(c *call, length int64) policy.Reason {
	c.stream.call, c.streaming = c, true
	if length < 0 && c.head.HTTP10 {
		return g.streamUntilClose(c)
	}
	if c.split == nil { // of joined parts the head is the gateway's own
		c.desk.passed = g.printHead(c, max(length, inChunks))
	}
	c.desk.own.SetBodyStream(&c.stream, int(length))
	return policy.NotJudged
}

// streamUntilClose answers a client of HTTP/1.0, which knows no chunks: the end
// of the connection is the end of the body. The answer is written here, and the
// desk finds the connection closed.
func (g *Gateway) streamUntilClose(c *call) policy.Reason {
	if c.split == nil {
		c.desk.passed = g.printHead(c, unframed)
	} else {
		c.desk.own.Header.SetConnectionClose()
		c.desk.own.Header.SetContentLength(-2)
	}
	_, err := c.conn.Write(c.desk.head())
	if err == nil {
		_, err = io.Copy(c.conn, &c.stream)
	}
	c.streaming = false
	if err != nil {
		c.conn.Abort()
		return policy.NotJudged
	}
	c.conn.Close()
	return policy.NotJudged
}

// Read implements io.Reader. A panic cuts this answer: nobody above would stop
// it from ending the process.
func (s *answerStream) Read(p []byte) (n int, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.call.gateway.panicked(s.call, fault)
			s.err = policy.Internal
			n, err = 0, s.err
		}
	}()
	return s.next(p)
}

func (s *answerStream) next(p []byte) (int, error) {
	for len(s.out) == 0 {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.done:
			return 0, io.EOF
		case s.call.split != nil:
			s.joinMore()
			continue
		case !s.splices:
			return s.readRaw(p)
		}
		s.spliceMore()
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	s.call.rec.BytesOut += int64(n)
	return n, nil
}

func (s *answerStream) readRaw(p []byte) (int, error) {
	began := now()
	n, err := s.call.ans.Read(p)
	s.call.waited += since(began)
	if !s.splices {
		s.call.rec.BytesOut += int64(n)
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Close ends the request. It is called once, after the last byte or the first
// failure.
func (s *answerStream) Close() error {
	c := s.call
	if c == nil {
		return nil
	}
	if s.err != nil && !errors.Is(s.err, upstream.ErrCanceled) {
		c.gateway.Log.Warn("an answer was cut", "decision", c.id(), "error", s.err)
	}
	c.streaming = false
	defer func() {
		if fault := recover(); fault != nil {
			c.desk.broken = true
			c.gateway.panicked(c, fault)
			c.gateway.over(c)
		}
	}()
	c.gateway.finish(c)
	return nil
}
