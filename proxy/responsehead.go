package proxy

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/proxy/head"
	"aclgate/upstream"
)

// What every answer says (SPEC 5).
const (
	varyOn  = "Authorization, x-flespi-cid, Origin"
	exposed = "x-aclgate-decision, x-aclgate-denied, retry-after, x-ratelimit-limit, x-ratelimit-remaining, " +
		"x-ratelimit-reset, x-aclgate-dropped, etag, content-range, content-disposition, location"
)

// quotaPrefix begins the headers that tell a client what it has left. The backend's own speak of
// the gateway's credential and would be taken for these.
const quotaPrefix = "x-ratelimit-"

// Lengths of a body that is not known when its head is printed.
const (
	inChunks = -1 - iota // framed as it comes
	unframed             // none, or up to the end of the connection
)

// headPrinter prints the heads of answers: of the backend's and of the gateway's own.
type headPrinter struct {
	origins []string // of CORS
	hsts    []byte   // the line of Strict-Transport-Security; nil: none is printed, and the backend's passes
	locations
}

// reply answers with this body of the gateway's own, JSON unless resp.kind says otherwise.
func (p *headPrinter) reply(c *call, resp *response, status int, body []byte) {
	length := int64(len(body))
	if status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified {
		length = unframed
	}
	p.own(c, resp, status, length)
	if c.rec.BytesOut == 0 {
		c.rec.BytesOut = int64(len(body))
	}
	if string(c.head.Method) != "HEAD" {
		resp.out = append(resp.out, body...)
	}
}

// replyText answers with this JSON of the gateway's own.
func (p *headPrinter) replyText(c *call, resp *response, status int, body string) {
	resp.body = append(resp.body[:0], body...)
	p.reply(c, resp, status, resp.body)
}

// own prints the head of an answer of the gateway's own.
func (p *headPrinter) own(c *call, resp *response, status int, length int64) {
	resp.status = status
	b := appendDate(appendStatus(resp.out[:0], status), c)
	switch {
	case resp.kind != "":
		b = appendLine(b, "Content-Type", resp.kind)
	case status != fasthttp.StatusNoContent:
		b = append(b, "Content-Type: application/json\r\n"...)
	}
	if length >= 0 {
		b = appendFraming(b, length)
	}
	b = append(appendCommon(append(b, "Cache-Control: no-store\r\n"...), c, resp), p.hsts...)
	b = append(p.appendCORS(appendDeniedHeader(b, resp), c), resp.lines...)
	if length == inChunks {
		b = appendFraming(b, length)
	}
	resp.out = append(appendConnection(b, c, resp), "\r\n"...)
}

// backend prints the head of the backend's answer: its headers, less what could mislead a browser
// or a cache, and what every answer carries. Of Content-Type the last one passes, which is the one
// that was judged. No shared cache may keep the answer, whatever the backend says of that: it does
// not know that its callers differ.
func (p *headPrinter) backend(c *call, resp *response, length int64) {
	resp.status = resp.ans.Status
	b := appendStatus(resp.out[:0], resp.status)
	hops := hopByHop(resp.ans.Fields)
	dated := false
	var room [64]byte
	directives := room[:0] // of Cache-Control, each after a comma
	for i := range resp.ans.Fields {
		f := &resp.ans.Fields[i]
		if !resp.passes(f.Name, hops) || head.EqualFold(f.Name, "Content-Type") {
			continue
		}
		switch {
		case head.EqualFold(f.Name, "Cache-Control"):
			directives = appendPrivate(directives, f.Value)
		case p.hsts != nil && head.EqualFold(f.Name, "Strict-Transport-Security"):
		case head.EqualFold(f.Name, "Location"), head.EqualFold(f.Name, "Content-Location"):
			b = p.appendLocation(b, c, f)
		case head.EqualFold(f.Name, "Link"):
			b = p.appendLink(b, c, f)
		default:
			dated = dated || head.EqualFold(f.Name, "Date")
			b = appendLine(b, f.Name, f.Value)
		}
	}
	if kind := contentType(resp.ans); len(kind) > 0 {
		b = appendLine(b, "Content-Type", kind)
	}
	b = append(append(append(b, "Cache-Control: private"...), directives...), "\r\n"...)
	if !dated { // RFC 9110 6.6.1
		b = appendDate(b, c)
	}
	b = appendDeniedHeader(p.appendCORS(append(appendCommon(b, c, resp), p.hsts...), c), resp)
	b = appendFraming(appendConnection(b, c, resp), length)
	resp.out = append(b, "\r\n"...)
}

// hstsLine returns the line that has a browser use TLS alone for so many seconds; nil for 0.
func hstsLine(seconds int) []byte {
	if seconds == 0 {
		return nil
	}
	return appendNumber(nil, "Strict-Transport-Security: max-age=", int64(seconds))
}

// appendCommon prints what every answer carries.
func appendCommon(b []byte, c *call, resp *response) []byte {
	b = append(c.rec.AppendID(append(b, "Vary: "+varyOn+"\r\nx-aclgate-decision: "...)), "\r\n"...)
	if c.dropped != nil {
		b = appendLine(b, "x-aclgate-dropped", c.dropped)
	}
	if q := resp.quota; q.Limit != 0 {
		b = appendNumber(b, quotaPrefix+"limit: ", q.Limit)
		b = appendNumber(b, quotaPrefix+"remaining: ", q.Remaining)
		b = appendNumber(b, quotaPrefix+"reset: ", q.Reset)
	}
	return b
}

// appendCORS prints who may read the answer in a browser.
func (p *headPrinter) appendCORS(b []byte, c *call) []byte {
	if len(c.head.Origin) == 0 {
		return b
	}
	for _, o := range p.origins {
		if o == "*" || bytes.EqualFold(c.head.Origin, []byte(o)) {
			b = appendLine(b, "Access-Control-Allow-Origin", o)
			return append(b, "Access-Control-Expose-Headers: "+exposed+"\r\n"...)
		}
	}
	return b
}

func appendDeniedHeader(b []byte, resp *response) []byte {
	if resp.deniedHeader == nil {
		return b
	}
	return appendLine(b, "x-aclgate-denied", resp.deniedHeader)
}

func appendConnection(b []byte, c *call, resp *response) []byte {
	resp.close = resp.close || c.conn.MustClose()
	if resp.close {
		b = append(b, "Connection: close\r\n"...)
	}
	return b
}

func appendFraming(b []byte, length int64) []byte {
	switch {
	case length >= 0:
		return appendNumber(b, "Content-Length: ", length)
	case length == inChunks:
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return b
}

// droppedFields are the headers of the backend that do not pass: hop-by-hop ones, framing, which is
// written anew, and what is the gateway's to say.
var droppedFields = newNameSet(
	"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
	"Proxy-Authorization", "TE", "Trailer", "Upgrade", "Set-Cookie", "Set-Cookie2", "Alt-Svc", "WWW-Authenticate",
	// What speaks to caches in front of the gateway, which serve all callers.
	"CDN-Cache-Control", "Surrogate-Control",
)

// validators describe an answer's bytes: they are wrong once those were changed.
var validators = newNameSet(
	"ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges", "Last-Modified",
)

// nameSet is header names by their length.
type nameSet [20][]string

func newNameSet(all ...string) (s nameSet) {
	for _, name := range all {
		s[len(name)] = append(s[len(name)], name)
	}
	return s
}

func (s *nameSet) has(name []byte) bool {
	if len(name) >= len(s) {
		return false
	}
	for _, own := range s[len(name)] {
		if head.EqualFold(name, own) {
			return true
		}
	}
	return false
}

// passes reports whether a header of the backend is for the client. hops is the value of
// Connection, which may name others that are hop-by-hop (RFC 9110 7.6.1).
func (resp *response) passes(name, hops []byte) bool {
	return !droppedFields.has(name) && !hasPrefixFold(name, "Access-Control-") && !hasPrefixFold(name, "x-aclgate-") && !hasPrefixFold(name, "X-Accel-") &&
		!(resp.quota.Limit > 0 && hasPrefixFold(name, quotaPrefix)) && !(resp.changed && validators.has(name)) && !(len(hops) > 0 && listed(hops, name))
}

func hasPrefixFold(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && head.EqualFold(name[:len(prefix)], prefix)
}

// hopByHop returns what the backend's Connection headers list.
func hopByHop(fields []upstream.Field) (list []byte) {
	for i := range fields {
		f := &fields[i]
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

// contentType returns the last Content-Type of an answer, nil without one.
func contentType(a *upstream.Answer) (value []byte) {
	for i := range a.Fields {
		if head.EqualFold(a.Fields[i].Name, "Content-Type") {
			value = a.Fields[i].Value
		}
	}
	return value
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

// mergeable reports whether an answer may be a JSON object that errors can be merged into: a whole,
// plain, successful one.
func mergeable(a *upstream.Answer) bool {
	return a.Status >= 200 && a.Status <= 299 && a.Status != 204 && a.Status != 206 && plainJSON(a)
}

func appendStatus(b []byte, status int) []byte {
	if status == fasthttp.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	b = append(append(b, ' '), fasthttp.StatusMessage(status)...)
	return append(b, "\r\n"...)
}

func appendDate(b []byte, c *call) []byte {
	return append(fasthttp.AppendHTTPDate(append(b, "Date: "...), c.began), "\r\n"...)
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
