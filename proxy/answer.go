package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// What every answer says (SPEC 5).
const (
	varyOn       = "Authorization, x-flespi-cid, Origin"
	exposed      = "x-aclgate-decision, x-aclgate-denied, retry-after"
	allowMethods = "GET, POST, PUT, PATCH, DELETE"
	allowHeaders = "authorization, content-type, x-flespi-cid, x-flespi-app, x-flespi-trace, " +
		"traceparent, tracestate, x-request-id, if-none-match, range"
)

// answer writes an answer of the gateway's own.
func (g *Gateway) answer(c *call, status int, body string) {
	resp := &c.desk.own
	resp.ResetBody()
	resp.AppendBodyString(body)
	g.ownHeaders(c, status)
}

func (g *Gateway) answerBytes(c *call, status int, body []byte) {
	resp := &c.desk.own
	resp.ResetBody()
	resp.AppendBody(body)
	g.ownHeaders(c, status)
}

func (g *Gateway) ownHeaders(c *call, status int) {
	resp := &c.desk.own
	resp.SetStatusCode(status)
	resp.Header.SetContentType("application/json")
	resp.Header.Set("Cache-Control", "no-store")
	resp.SkipBody = string(c.head.Method) == "HEAD"
	g.commonHeaders(c)
}

// commonHeaders adds what every answer carries, the backend's included.
func (g *Gateway) commonHeaders(c *call) {
	h := &c.desk.own.Header
	h.Add("Vary", varyOn)
	var room [24]byte
	h.SetBytesV("x-aclgate-decision", c.rec.AppendID(room[:0]))
	g.quotaHeaders(c)
	if c.named != nil {
		h.SetBytesV("x-aclgate-denied", c.named)
	}
	if origin := g.allowOrigin(c); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposed)
	}
	if c.conn.MustClose() {
		h.SetConnectionClose()
	}
}

// allowOrigin returns what Access-Control-Allow-Origin says, "" for nothing.
func (g *Gateway) allowOrigin(c *call) string {
	if len(c.head.Origin) == 0 {
		return ""
	}
	for _, o := range g.Origins {
		if o == "*" || bytes.EqualFold(c.head.Origin, []byte(o)) {
			return o
		}
	}
	return ""
}

// options answers OPTIONS, with or without a token: a browser asks it before
// it sends one.
func (g *Gateway) options(c *call) {
	g.answer(c, fasthttp.StatusNoContent, "")
	h := &c.desk.own.Header
	h.Del("Content-Type")
	if len(c.head.Origin) == 0 {
		h.Set("Allow", allowMethods+", OPTIONS")
		return
	}
	h.Set("Access-Control-Allow-Methods", allowMethods)
	h.Set("Access-Control-Allow-Headers", allowHeaders)
	h.Set("Access-Control-Max-Age", strconv.Itoa(g.CORSMaxAge))
}

// regions tells clients where the API is: here. They must not be sent around
// the gateway (SPEC 3).
func (g *Gateway) regions(c *call) {
	b := append(c.merge[:0], `{"result":[{"name":"aclgate","default":true,"rest":"`...)
	if g.PublicURL != "" {
		b = appendJSONText(b, g.PublicURL)
	} else {
		b = append(append(b, g.scheme(c)...), "://"...)
		b = appendJSONBytes(b, c.head.Host)
	}
	c.merge = append(b, `"}]}`...)
	g.answerBytes(c, fasthttp.StatusOK, c.merge)
}

// own answers /auth/info from the token's own record; the key is not in it and
// nobody has it.
func (g *Gateway) own(c *call) policy.Reason {
	if c.dec.Reason != policy.OwnAnswer {
		return policy.NotJudged
	}
	t := c.tok
	b := append(c.merge[:0], `{"result":[{"access":`...)
	b = appendAccess(b, t)
	b = appendMember(b, "accessed", t.LastUsed())
	b = appendMember(b, "blocked", 0)
	b = appendMember(b, "cid", t.CID)
	b = appendMember(b, "created", t.Created)
	b = append(b, `,"enabled":true`...)
	b = appendMember(b, "expire", t.Expire)
	b = appendMember(b, "id", t.ID)
	b = append(b, `,"info":"`...)
	b = appendJSONText(b, t.Info)
	b = append(b, '"')
	b = appendMember(b, "ttl", t.TTL)
	c.merge = append(b, `}]}`...)
	g.answerBytes(c, fasthttp.StatusOK, c.merge)
	return policy.OwnAnswer
}

func appendMember(b []byte, name string, n int64) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, n, 10)
}

// appendAccess appends access type and ACL in the form in which flespi exports
// them, so that a client can see what it may do.
func appendAccess(b []byte, t *policy.Token) []byte {
	b = append(b, '{')
	if t.Access == policy.ACLAccess {
		b = append(b, `"acl":[`...)
		for i, e := range t.ACL.Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendEntry(b, &e)
		}
		b = append(b, `],`...)
	}
	b = append(b, `"type":`...)
	b = strconv.AppendInt(b, int64(t.Access.Number()), 10)
	return append(b, '}')
}

func appendEntry(b []byte, e *policy.Entry) []byte {
	b = append(b, `{"uri":"`...)
	b = appendJSONText(b, e.URI)
	b = append(b, `","methods":`...)
	b = appendMethods(b, e.Methods)
	switch e.Rule {
	case policy.IDsAll:
		b = append(b, `,"ids":"all"`...)
	case policy.IDsInGroups:
		b = append(b, `,"ids":"in-groups"`...)
	case policy.IDsList:
		b = append(append(append(b, `,"ids":[`...), e.IDs.Text()...), ']')
	}
	if !e.HasSubmodules {
		return append(b, '}')
	}
	b = append(b, `,"submodules":[`...)
	for i, s := range e.Submodules {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"`...)
		b = appendJSONText(b, s.Name)
		b = append(b, `","methods":`...)
		b = append(appendMethods(b, s.Methods), '}')
	}
	return append(b, `]}`...)
}

func appendMethods(b []byte, s policy.MethodSet) []byte {
	b = append(b, '[')
	n := len(b)
	for m := policy.GET; m <= policy.DELETE; m++ {
		if !s.Has(m) {
			continue
		}
		if len(b) > n {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.String()...), '"')
	}
	return append(b, ']')
}
