package proxy

import (
	"bufio"
	"io"

	"github.com/valyala/fasthttp"

	"aclgate/proxy/head"
	"aclgate/upstream"
)

// deskBytes is how much of an answer of the gateway's own is written at once.
// Desks are pooled, so this is no price of a connection.
const deskBytes = 4 << 10

// desk is what serving one request takes: the call, and what is to be sent for
// it. No connection holds one between two requests.
type desk struct {
	call   call
	broken bool              // after a panic: not to be used again
	passed []byte            // a printed answer of the backend, or its head; empty: the answer is own
	own    fasthttp.Response // of the gateway; and of both the stream and whether the connection ends
	out    *bufio.Writer     // own is written through it
}

func newDesk(g *Gateway) *desk {
	answer := new(upstream.Answer)
	d := &desk{
		call: call{gateway: g, ans: answer, cancel: answer.Cancel},
		out:  bufio.NewWriterSize(nil, deskBytes),
	}
	d.clear()
	return d
}

// open prepares for a request of c.
func (d *desk) open(c *head.Conn) { d.out.Reset(c) }

// clear drops what is laid on the desk.
func (d *desk) clear() {
	d.passed = d.passed[:0]
	d.own.Reset()
	d.own.KeepBodyBuffer = true
	d.own.Header.SetNoDefaultContentType(true)
	d.own.Header.DisableNormalizing() // names are written as they are spelled
}

// send writes the answer. It reports whether another request may follow: not
// behind an answer that could not be written whole, and not behind one that said
// so.
func (d *desk) send(c *head.Conn) bool {
	var err error
	if body := d.own.BodyStream(); body != nil {
		err = d.stream(c, body)
	} else if len(d.passed) > 0 {
		_, err = c.Write(d.passed)
	} else if err = d.own.Write(d.out); err == nil {
		err = d.out.Flush()
	}
	return err == nil && !d.own.ConnectionClose()
}

// stream writes an answer whose body passes piece by piece, each as it comes.
// fasthttp would fill its buffers first, and frame 4 KiB at a time.
func (d *desk) stream(c *head.Conn, body io.Reader) error {
	defer d.own.CloseBodyStream()
	if _, err := c.Write(d.head()); err != nil {
		return err
	}
	length := d.own.Header.ContentLength()
	if length < 0 {
		return c.WriteChunks(body)
	}
	n, err := c.ReadFrom(body)
	if err == nil && n != int64(length) {
		err = io.ErrUnexpectedEOF // the answer must not look whole
	}
	return err
}

// head returns the head of an answer that streams.
func (d *desk) head() []byte {
	if len(d.passed) > 0 {
		return d.passed
	}
	return d.own.Header.Header()
}

// close forgets the request, and ends the stream of an answer that was not read
// to its end. It reports whether the desk is fit for another request: one with
// the memory of a giant is not.
func (d *desk) close() bool {
	fit := !d.broken && (d.own.IsBodyStream() || len(d.own.Body()) <= maxKept) && cap(d.passed) <= 2*maxKept
	d.clear()
	d.out.Reset(nil)
	return fit
}
