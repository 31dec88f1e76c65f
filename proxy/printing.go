package proxy

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// passHeader is one client header that may reach the backend.
type passHeader struct {
	name        string // as it is printed
	list        bool   // may come in several lines, which are passed one by one
	conditional bool   // not sent where the answer may have to be changed
}

// passHeaders returns the allow list of SPEC 2 with the operator's additions.
func passHeaders(more []string) []passHeader {
	list := []passHeader{
		{name: "Accept", list: true}, {name: "Accept-Encoding", list: true, conditional: true},
		{name: "Accept-Language", list: true}, {name: "If-Match", list: true, conditional: true},
		{name: "If-None-Match", list: true, conditional: true}, {name: "If-Modified-Since", conditional: true},
		{name: "If-Unmodified-Since", conditional: true}, {name: "If-Range", conditional: true},
		{name: "Range", conditional: true}, {name: "User-Agent"}, {name: "x-flespi-app"},
		{name: "x-flespi-trace"}, {name: "traceparent"}, {name: "tracestate", list: true}, {name: "X-Request-Id"},
	}
	for _, name := range more {
		known := func(h passHeader) bool { return strings.EqualFold(h.name, name) }
		if !slices.ContainsFunc(list, known) {
			list = append(list, passHeader{name: name})
		}
	}
	return list
}

// print makes the request to the backend: nothing in it is copied from the
// client but values of the allow list and a checked body.
func (g *Gateway) print(c *call) policy.Reason {
	if g.Served == nil {
		c.target, c.out.Segment = policy.AppendTargetSegment(c.target[:0], &c.req, &c.dec)
	} else {
		c.target = policy.AppendTarget(c.target[:0], &c.req, &c.dec) // to be shown in one piece
	}
	if len(c.target)+c.out.Segment.IDs.Len() > g.MaxURL {
		c.out.Segment = policy.Segment{}
		if reason := g.shorten(c); reason != policy.NotJudged {
			return reason
		}
	}
	c.out.Method, c.out.Target = c.method.String(), c.target
	c.out.Repeatable = c.method == policy.GET
	c.printBody()
	c.fields = g.appendFields(c.fields[:0], c)
	c.out.Head = c.fields
	return policy.NotJudged
}

func (c *call) printBody() {
	c.out.HasBody = c.method.Write() && c.method != policy.DELETE
	if c.upload {
		c.out.BodyReader, c.out.BodyLength = bodyReader{c}, c.head.Length
		return
	}
	c.out.Body = c.text
}

// bodyReader streams an upload from the client to the backend. It counts,
// because nobody knows the length of a chunked one before its end.
type bodyReader struct{ c *call }

// Read implements io.Reader.
func (r bodyReader) Read(p []byte) (int, error) {
	n, err := r.c.conn.ReadBody(p)
	r.c.uploaded += int64(n)
	if r.c.uploaded > r.c.gateway.MaxUpload {
		return 0, policy.BodyTooLarge
	}
	return n, err
}

// appendFields prints the header lines.
func (g *Gateway) appendFields(dst []byte, c *call) []byte {
	dst = append(dst, "Authorization: FlespiToken "...)
	if key := g.Key(); key != "" {
		dst = append(dst, key...)
	} else {
		dst = append(dst, c.key...)
	}
	if g.engine.Mode.Header() {
		dst = append(dst, "\r\nx-flespi-cid: "...)
		dst = strconv.AppendInt(dst, c.in.Scope, 10)
	}
	dst = append(dst, "\r\nX-Forwarded-For: "...)
	dst = c.source.AppendTo(dst)
	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	dst = append(dst, g.scheme(c)...)
	dst = append(dst, "\r\nX-Forwarded-Host: "...)
	dst = append(dst, c.head.Host...)
	dst = append(dst, "\r\n"...)
	if c.upload {
		dst = appendField(dst, "Content-Type", c.head.ContentType)
	} else if len(c.text) > 0 {
		dst = append(dst, "Content-Type: application/json\r\n"...)
	}
	return g.appendPassed(dst, c)
}

// appendPassed prints the client's headers of the allow list, by the names of
// the list. Where errors may have to be merged into the answer, nothing is
// asked for that would make it partial, encoded or empty.
func (g *Gateway) appendPassed(dst []byte, c *call) []byte {
	merging := c.rec.Denied > 0 || c.split != nil
	for i := range c.head.Fields {
		f := &c.head.Fields[i]
		n := g.passed(f.Name)
		if n < 0 {
			continue
		}
		h := &g.pass[n]
		if merging && h.conditional || !h.list && c.cameBefore(i, h.name) {
			continue
		}
		dst = appendField(dst, h.name, f.Value)
	}
	return dst
}

// cameBefore reports whether a header that may come once came before line i.
func (c *call) cameBefore(i int, name string) bool {
	for _, f := range c.head.Fields[:i] {
		if head.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// passed returns the position of a name in the allow list, or -1.
func (g *Gateway) passed(name []byte) int {
	for i := range g.pass {
		if head.EqualFold(name, g.pass[i].name) {
			return i
		}
	}
	return -1
}

// appendField prints one line, or nothing for a value that is empty or holds
// anything but visible ASCII and spaces: what parsers read in different ways
// does not travel with the gateway's rights.
func appendField(dst []byte, name string, value []byte) []byte {
	for _, b := range value {
		if b < 0x20 || b > 0x7e {
			return dst
		}
	}
	if len(value) == 0 {
		return dst
	}
	return appendLine(dst, name, value)
}

// scheme returns the scheme that the client used: the connection's own, or what
// a trusted proxy says of its side.
func (g *Gateway) scheme(c *call) string {
	own := "http"
	if g.TLS {
		own = "https"
	}
	if len(g.TrustedProxies) == 0 || !g.trustedPeer(c) {
		return own
	}
	switch string(c.head.Get("X-Forwarded-Proto")) {
	case "https":
		return "https"
	case "http":
		return "http"
	}
	return own
}
