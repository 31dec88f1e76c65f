package proxy

import (
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// Lengths of a body for printHead, beside the known ones.
const (
	inChunks = -1 - iota // framed as it comes
	unframed             // none, or up to the end of the connection
)

// passWhole answers with the backend's head and this body.
func (g *Gateway) passWhole(c *call, body []byte) policy.Reason {
	b := g.printHead(c, int64(len(body)))
	c.desk.passed = append(b, body...)
	c.rec.BytesOut = int64(len(body))
	return policy.NotJudged
}

// passNone answers with the backend's head alone.
func (g *Gateway) passNone(c *call) policy.Reason {
	c.desk.passed = g.printHead(c, unframed)
	return policy.NotJudged
}

// hold answers with a short answer that is still coming, and sends none of it
// before its end: if the backend breaks off, the client gets an error instead
// of a piece.
func (g *Gateway) hold(c *call) policy.Reason {
	whole, err := c.appendAnswer(g.printHead(c, c.ans.Length))
	if err != nil {
		return g.failed(c, err)
	}
	c.desk.passed = whole
	c.rec.BytesOut = c.ans.Length
	return policy.NotJudged
}

// appendAnswer appends an answer that is short, and of known length, to b.
func (c *call) appendAnswer(b []byte) ([]byte, error) {
	began, n := now(), int(c.ans.Length)
	defer func() { c.waited += since(began) }()
	b = slices.Grow(b, n)
	for end := len(b) + n; len(b) < end; {
		m, err := c.ans.Read(b[len(b):end])
		if err != nil {
			return b, err
		}
		b = b[:len(b)+m]
	}
	return b, nil
}

// droppedFields are the headers of the backend that do not pass, by length:
// hop-by-hop ones, framing, which is written anew, and what is the gateway's to
// say.
var droppedFields = byLength(
	"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
	"Proxy-Authorization", "TE", "Trailer", "Upgrade", "Set-Cookie", "Set-Cookie2", "Alt-Svc", "WWW-Authenticate",
)

// labels describe an answer's bytes: they are wrong once those were changed.
var labels = byLength(
	"ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges", "Last-Modified",
)

// names are header names by their length.
type names [20][]string

func byLength(all ...string) (n names) {
	for _, name := range all {
		n[len(name)] = append(n[len(name)], name)
	}
	return n
}

func (n *names) have(name []byte) bool {
	if len(name) >= len(n) {
		return false
	}
	for _, own := range n[len(name)] {
		if head.EqualFold(name, own) {
			return true
		}
	}
	return false
}

// passes reports whether a header of the backend is for the client. hops is the
// value of Connection, which may name others that are hop-by-hop (RFC 9110
// 7.6.1).
func (c *call) passes(name, hops []byte) bool {
	return !droppedFields.have(name) && !hasPrefixFold(name, "Access-Control-") && !hasPrefixFold(name, "x-aclgate-") &&
		!(c.limits.Quota.Limit > 0 && hasPrefixFold(name, quotaPrefix)) && !(c.changed && labels.have(name)) && !(len(hops) > 0 && listed(hops, name))
}

func hasPrefixFold(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && head.EqualFold(name[:len(prefix)], prefix)
}

// hops returns what the backend's Connection headers list.
func (c *call) hops() (list []byte) {
	for i := range c.ans.Fields {
		f := &c.ans.Fields[i]
		switch {
		case !head.EqualFold(f.Name, "Connection"):
		case list == nil:
			list = f.Value
		default:
			list = append(append(slices.Clip(list), ','), f.Value...)
		}
	}
	return list
}

// printHead prints status and headers of the backend's answer and what every
// answer carries. Of Content-Type the last one passes, which is the one that
// was judged; without a Cache-Control no shared cache may keep the answer.
func (g *Gateway) printHead(c *call, length int64) []byte {
	c.desk.own.SetStatusCode(c.ans.Status) // for the record
	b := appendStatus(c.desk.passed[:0], c.ans.Status)
	hops, kind := c.hops(), []byte(nil)
	cached, dated := false, false
	for i := range c.ans.Fields {
		f := &c.ans.Fields[i]
		switch {
		case !c.passes(f.Name, hops):
			continue
		case head.EqualFold(f.Name, "Content-Type"):
			kind = f.Value
			continue
		}
		cached = cached || head.EqualFold(f.Name, "Cache-Control")
		dated = dated || head.EqualFold(f.Name, "Date")
		b = appendLine(b, f.Name, f.Value)
	}
	if len(kind) > 0 {
		b = appendLine(b, "Content-Type", kind)
	}
	if !cached {
		b = append(b, "Cache-Control: private\r\n"...)
	}
	if !dated { // RFC 9110 6.6.1
		b = append(fasthttp.AppendHTTPDate(append(b, "Date: "...), c.began), "\r\n"...)
	}
	return g.printCommon(b, c, length)
}

// printCommon prints what every answer carries and the end of the head; see
// commonHeaders.
func (g *Gateway) printCommon(b []byte, c *call, length int64) []byte {
	b = append(c.rec.AppendID(append(b, "Vary: "+varyOn+"\r\nx-aclgate-decision: "...)), "\r\n"...)
	if q := &c.limits.Quota; q.Limit != 0 {
		b = appendNumber(b, quotaPrefix+"limit: ", q.Limit)
		b = appendNumber(b, quotaPrefix+"remaining: ", q.Remaining)
		b = appendNumber(b, quotaPrefix+"reset: ", q.Reset)
	}
	if origin := g.allowOrigin(c); origin != "" {
		b = appendLine(b, "Access-Control-Allow-Origin", origin)
		b = append(b, "Access-Control-Expose-Headers: "+exposed+"\r\n"...)
	}
	if c.named != nil {
		b = appendLine(b, "x-aclgate-denied", c.named)
	}
	if c.conn.MustClose() {
		c.desk.own.Header.SetConnectionClose()
		b = append(b, "Connection: close\r\n"...)
	}
	switch {
	case length >= 0:
		b = appendNumber(b, "Content-Length: ", length)
	case length == inChunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendStatus(b []byte, status int) []byte {
	if status == fasthttp.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	b = append(append(b, ' '), fasthttp.StatusMessage(status)...)
	return append(b, "\r\n"...)
}

// appendLine prints a header line.
func appendLine[N, V string | []byte](b []byte, name N, value V) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// appendNumber prints a header line; name holds the colon and the space.
func appendNumber(b []byte, name string, n int64) []byte {
	return append(strconv.AppendInt(append(b, name...), n, 10), "\r\n"...)
}
