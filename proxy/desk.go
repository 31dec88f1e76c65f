package proxy

import (
	"bufio"
	"io"

	"github.com/valyala/fasthttp"

	"aclgate/proxy/head"
)

// deskBytes is how much of an answer is written at once: head and body of an
// ordinary one. Desks are pooled, so this is no price of a connection.
const deskBytes = 16 << 10

// desk is what serving one request takes: the answer, and the buffer it is
// written through. No connection holds one between two requests.
type desk struct {
	ctx fasthttp.RequestCtx
	out *bufio.Writer
}

func newDesk() *desk { return &desk{out: bufio.NewWriterSize(nil, deskBytes)} }

// open prepares for a request of c.
func (d *desk) open(c *head.Conn) {
	d.out.Reset(c)
	resp := &d.ctx.Response
	resp.KeepBodyBuffer = true
	resp.Header.SetNoDefaultContentType(true)
	resp.Header.DisableNormalizing() // names of the backend pass as they came
}

// send writes the answer. It reports whether another request may follow: not
// behind an answer that could not be written whole, and not behind one that said
// so.
func (d *desk) send(c *head.Conn) bool {
	resp := &d.ctx.Response
	var err error
	if body := resp.BodyStream(); body != nil {
		err = d.stream(c, body)
	} else if err = resp.Write(d.out); err == nil {
		err = d.out.Flush()
	}
	return err == nil && !resp.ConnectionClose()
}

// stream writes an answer whose body passes piece by piece, each as it comes.
// fasthttp would fill its buffers first, and frame 4 KiB at a time.
func (d *desk) stream(c *head.Conn, body io.Reader) error {
	resp := &d.ctx.Response
	defer resp.CloseBodyStream()
	err := resp.Header.Write(d.out)
	if err == nil {
		err = d.out.Flush()
	}
	length := resp.Header.ContentLength()
	switch {
	case err != nil:
		return err
	case length < 0:
		return c.WriteChunks(body)
	}
	n, err := c.ReadFrom(body)
	if err == nil && n != int64(length) {
		err = io.ErrUnexpectedEOF // the answer must not look whole
	}
	return err
}

// close forgets the request, and ends the stream of an answer that was not read
// to its end. It reports whether the desk is fit for another request: one with
// the memory of a giant is not.
func (d *desk) close() bool {
	fit := d.ctx.Response.IsBodyStream() || len(d.ctx.Response.Body()) <= maxKept
	d.ctx.Response.Reset()
	d.out.Reset(nil)
	return fit
}
