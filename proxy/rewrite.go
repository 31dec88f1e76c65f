package proxy

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// outgoing is the request to the backend.
type outgoing struct {
	req    upstream.Request
	target []byte
	head   []byte  // its header lines
	sent   []byte  // the target, once it was forwarded
	scope  int64   // the account whose branch it was printed for
	caller caller  // whom it was printed for
	fan    *fanOut // nil unless the list of ids is too long for one request

	confirm func() error         // does the decision still hold? bound once
	judge   func() policy.Reason // judges the request again; bound once
}

func (o *outgoing) reset() {
	*o = outgoing{target: kept(o.target), head: kept(o.head), confirm: o.confirm, judge: o.judge}
}

// caller is who asks, as the backend may be told (SPEC 2, Printed upstream).
type caller struct {
	token, account, user int64
	roles                *policy.UserRole // the first of them: other roles are another list
}

func callerOf(t *policy.Token) caller {
	if t == nil {
		return caller{}
	}
	c := caller{token: t.ID, account: t.CID, user: t.UserID}
	if len(t.Roles) > 0 {
		c.roles = &t.Roles[0]
	}
	return c
}

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

// rewriter prints requests to the backend: nothing in them is copied from the client but values of
// the allow list and a checked body.
type rewriter struct {
	engine    *policy.Engine
	key       func() string
	identity  bool
	pass      []passHeader
	via       *forwarding
	maxURL    int
	whole     bool // the target is shown to somebody, so it is printed in one piece
	backend   Backend
	faults    *faults
	confirmer *confirmer
}

func (r *rewriter) print(c *call, ev *evaluation, b *requestBody, out *outgoing) policy.Reason {
	req := ev.in.Request
	if r.whole {
		out.target = policy.AppendTarget(out.target[:0], req, &ev.dec)
	} else {
		out.target, out.req.Segment = policy.AppendTargetSegment(out.target[:0], req, &ev.dec)
	}
	if len(out.target)+out.req.Segment.IDs.Len() > r.maxURL || ev.dec.Apart() {
		out.req.Segment = policy.Segment{}
		if reason := r.fit(c, ev, out); reason != policy.NotJudged {
			return reason
		}
	}
	out.scope, out.caller = ev.dec.Account(&ev.in), callerOf(ev.in.Token)
	out.req.Method, out.req.Target, out.req.Confirm = req.Method.String(), out.target, out.confirm
	out.req.Repeatable = req.Method == policy.GET
	out.req.HasBody = req.Method.Write() && req.Method != policy.DELETE
	if b.upload {
		out.req.BodyReader, out.req.BodyLength = b, c.head.Length
	} else {
		out.req.Body = b.text
	}
	out.head = r.appendHead(out.head[:0], c, ev, b, out.fan)
	out.head = r.appendPassed(out.head, c, c.rec.Denied > 0 || out.fan != nil)
	out.req.Head = out.head
	return policy.NotJudged
}

// unchanged reports whether the request that was printed would be printed in the same way now. One
// that had to be shortened counts as changed.
func (r *rewriter) unchanged(ev *evaluation, out *outgoing) bool {
	if out.scope != ev.dec.Account(&ev.in) || out.caller != callerOf(ev.in.Token) {
		return false
	}
	if r.whole {
		return bytes.Equal(policy.AppendTarget(nil, ev.in.Request, &ev.dec), out.target)
	}
	target, segment := policy.AppendTargetSegment(nil, ev.in.Request, &ev.dec)
	was := &out.req.Segment
	return segment.At == was.At && bytes.Equal(target, out.target) && bytes.Equal(segment.IDs.Bytes(), was.IDs.Bytes())
}

// appendHead prints the header lines that are the gateway's own. Where a fan-out asks under several
// accounts, each of its shards adds its own.
func (r *rewriter) appendHead(dst []byte, c *call, ev *evaluation, b *requestBody, fan *fanOut) []byte {
	if !ev.in.Request.Route.ForAnyone() {
		dst = r.appendCredential(dst, c)
		if r.engine.Mode.Header() && (fan == nil || !fan.apart) {
			dst = appendAccount(dst, ev.dec.Account(&ev.in))
		}
		dst = r.appendIdentity(dst, ev)
	}
	if ev.in.Source.IsValid() {
		dst = append(dst, "X-Forwarded-For: "...)
		dst = append(ev.in.Source.AppendTo(dst), "\r\n"...)
	}
	dst = append(dst, "X-Forwarded-Proto: "...)
	dst = append(dst, r.via.scheme(c)...)
	dst = append(dst, "\r\nX-Forwarded-Host: "...)
	dst = append(dst, c.head.Host...)
	dst = append(dst, "\r\n"...)
	if b.upload {
		return appendPassable(dst, "Content-Type", c.head.ContentType)
	}
	if len(b.text) > 0 {
		dst = append(dst, "Content-Type: application/json\r\n"...)
	}
	return dst
}

// appendCredential prints what the backend knows the request by.
func (r *rewriter) appendCredential(dst []byte, c *call) []byte {
	dst = append(dst, "Authorization: FlespiToken "...)
	if key := r.key(); key != "" {
		dst = append(dst, key...)
	} else {
		dst = append(dst, c.auth.key...)
	}
	return append(dst, "\r\n"...)
}

// appendIdentity prints who asks, where the backend wants to know.
func (r *rewriter) appendIdentity(dst []byte, ev *evaluation) []byte {
	if !r.identity {
		return dst
	}
	dst = append(dst, "x-aclgate-token: "...)
	dst = strconv.AppendInt(dst, ev.in.Token.ID, 10)
	dst = append(dst, "\r\nx-aclgate-account: "...)
	dst = strconv.AppendInt(dst, ev.in.Token.CID, 10)
	if user := ev.in.Token.UserID; user != 0 {
		dst = append(dst, "\r\nx-aclgate-user: "...)
		dst = strconv.AppendInt(dst, user, 10)
	}
	for i := range ev.in.Token.Roles {
		sep := ","
		if i == 0 {
			sep = "\r\nx-aclgate-roles: "
		}
		dst = append(dst, sep...)
		dst = append(dst, url.PathEscape(ev.in.Token.Roles[i].Name)...)
	}
	return append(dst, "\r\n"...)
}

// appendPassed prints the client's headers of the allow list, by the names of the list. Where
// errors may have to be merged into the answer, nothing is asked for that would make it partial,
// encoded or empty.
func (r *rewriter) appendPassed(dst []byte, c *call, merging bool) []byte {
	if c.head.HasVia {
		dst = appendMarkers(dst, c.head)
	}
	for i := range c.head.Fields {
		f := &c.head.Fields[i]
		h := r.passed(f.Name)
		if h == nil || merging && h.conditional || !h.list && cameBefore(c.head.Fields[:i], h.name) {
			continue
		}
		dst = appendPassable(dst, h.name, f.Value)
	}
	return dst
}

// cameBefore reports whether a header that may come once is in the fields before it.
func cameBefore(fields []head.Field, name string) bool {
	return slices.ContainsFunc(fields, func(f head.Field) bool { return head.EqualFold(f.Name, name) })
}

// passed returns the entry of a name in the allow list, or nil.
func (r *rewriter) passed(name []byte) *passHeader {
	for i := range r.pass {
		if head.EqualFold(name, r.pass[i].name) {
			return &r.pass[i]
		}
	}
	return nil
}

// appendPassable prints one line, or nothing for a value that is empty or holds anything but
// visible ASCII and spaces: what parsers read in different ways does not travel with the gateway's
// rights.
func appendPassable(dst []byte, name string, value []byte) []byte {
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

// fit finds another way to ask for permitted ids that do not fit one target (SPEC 4.5): as "all"
// where that says the same, as one page, or by a fan-out. What it cannot shorten it refuses: never
// are fewer items asked for than permitted. Those that no account is above are fanned out whether they
// fit or not (SPEC 11). Request and decision stay as they were judged; what is printed is a copy.
func (r *rewriter) fit(c *call, ev *evaluation, out *outgoing) policy.Reason {
	p := &printed{req: *ev.in.Request, dec: ev.dec.Copy()}
	p.req.Query = slices.Clone(p.req.Query)
	p.dec.UseAll(r.engine.Mode)
	apart := ev.dec.Apart()
	if out.target = p.append(out.target[:0]); len(out.target) <= r.maxURL && !apart {
		return policy.NotJudged
	}
	ids := p.dec.FanOutIDs(&p.req)
	if ids == nil {
		return r.tooLong(c, ev, out)
	}
	ids = p.req.Page(ascending(ids))
	if len(ids) == 0 {
		return policy.NothingLeft
	}
	p.dec.SetIDs(ids[:0])
	room := r.maxURL - len(p.append(nil))
	p.dec.SetIDs(ids)
	out.target = p.append(out.target[:0])
	switch {
	case len(out.target) <= r.maxURL && !apart:
		return policy.NotJudged
	case room < digits(ids[len(ids)-1]): // the query alone is too long
		return r.tooLong(c, ev, out)
	}
	out.fan = newFanOut(c, ev, out, p, ids, room)
	out.fan.apart = ev.in.United() && r.engine.Mode.Header() && r.engine.Mode.Index()
	out.fan.ids = out.fan.order(ids)
	out.fan.backend, out.fan.faults, out.fan.confirmer = r.backend, r.faults, r.confirmer
	return policy.NotJudged
}

// tooLong says how many ids are permitted and what to do (SPEC 4.5).
func (r *rewriter) tooLong(c *call, ev *evaluation, out *outgoing) policy.Reason {
	n := 0
	for i := range ev.dec.Selectors {
		n = max(n, len(ev.dec.Selectors[i].IDs))
	}
	return c.refuse(policy.ListTooLong, fmt.Sprintf("the path for %d ids is %d bytes long and the backend takes %d: name fewer items",
		n, len(out.target), r.maxURL))
}

// ascending returns ids in ascending order, which is that of the pages and of the rows.
func ascending(ids []int64) []int64 {
	if slices.IsSorted(ids) {
		return ids
	}
	return slices.Sorted(slices.Values(ids))
}
