package backend

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// Fault is asked for each request before it is answered; nil means that nothing is wrong with this
// one. It may be called by several goroutines.
type Fault func(*Request) *Canned

// Canned says how an answer goes wrong. Its parts combine: a delayed answer may also be cut.
type Canned struct {
	Delay time.Duration // before anything else
	Hang  bool          // never answer; the connection stays open until Close

	Raw []byte // these bytes are the answer; then the connection is closed

	Status int      // when set, the answer is this status, these headers and this body
	Header []Header // Content-Type is application/json unless it is named here
	Body   []byte

	Cut int // when positive, the connection is closed after so many bytes of body
}

// SetFault makes f decide about all requests from now on; nil ends that.
func (s *Server) SetFault(f Fault) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

// canned returns what the fault hook says about the request.
func (s *Server) canned(ctx *fasthttp.RequestCtx, body []byte, size int64) *Canned {
	f := s.fault.Load()
	if f == nil {
		return nil
	}
	req := copyRequest(ctx, body, size)
	return (*f)(&req)
}

// before plays the part of c that comes before an ordinary answer; it reports whether the request
// has been dealt with.
func (s *Server) before(ctx *fasthttp.RequestCtx, c *Canned) bool {
	if c.Delay > 0 && !s.pause(c.Delay) {
		_ = ctx.Conn().Close() // else the end would look like an answer
		return true
	}
	switch {
	case c.Hang:
		<-s.done
		_ = ctx.Conn().Close()
	case c.Raw != nil:
		_, _ = ctx.Conn().Write(c.Raw)
		_ = ctx.Conn().Close()
	case c.Status != 0:
		c.write(&ctx.Response)
	default:
		return false
	}
	return true
}

func (c *Canned) write(resp *fasthttp.Response) {
	resp.SetStatusCode(c.Status)
	resp.Header.SetContentType("application/json")
	for _, h := range c.Header {
		resp.Header.Set(h.Name, h.Value)
	}
	resp.SetBody(c.Body)
}

// after cuts the finished answer, if c says so. It writes around fasthttp, which finds the
// connection closed and gives up on it.
func (c *Canned) after(ctx *fasthttp.RequestCtx) {
	if c.Cut <= 0 || c.Hang || c.Raw != nil {
		return
	}
	bw := bufio.NewWriter(&cutWriter{conn: ctx.Conn(), left: c.Cut})
	_ = ctx.Response.Write(bw)
	_ = bw.Flush()
	_ = ctx.Conn().Close()
	ctx.Response.ResetBody() // a stream is spent
}

var errCut = errors.New("backend: answer cut")

// cutWriter passes a whole head and then left bytes of what follows it, which for a chunked answer
// counts the chunk sizes too.
type cutWriter struct {
	conn net.Conn
	head []byte // what was seen of the head
	body bool   // the head is complete
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if !w.body {
		w.head = append(w.head, p...)
		end := bytes.Index(w.head, []byte("\r\n\r\n"))
		if end < 0 {
			return len(p), nil
		}
		rest := w.head[end+4:]
		w.body = true
		if _, err := w.conn.Write(w.head[:end+4]); err != nil {
			return 0, err
		}
		return len(p), w.pass(rest)
	}
	return len(p), w.pass(p)
}

func (w *cutWriter) pass(p []byte) error {
	n := min(len(p), w.left)
	w.left -= n
	if _, err := w.conn.Write(p[:n]); err != nil {
		return err
	}
	if w.left == 0 {
		return errCut
	}
	return nil
}
