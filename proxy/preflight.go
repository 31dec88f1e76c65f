package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// What OPTIONS says (SPEC 5).
const (
	allowMethods = "GET, POST, PUT, PATCH, DELETE"
	allowHeaders = "authorization, content-type, x-flespi-cid, x-flespi-app, x-flespi-trace, " +
		"traceparent, tracestate, x-request-id, if-none-match, range"
)

// preflight answers OPTIONS, with or without a token: a browser asks it before it sends one. It is
// answered before the target is read, or a browser would show its page a CORS error where the
// request itself would be told what is wrong.
type preflight struct {
	heads   *headPrinter
	maxAge  int // seconds
	headers string
}

func newPreflight(heads *headPrinter, o *Options) preflight {
	names := append([]string{allowHeaders}, o.PassHeaders...)
	return preflight{heads: heads, maxAge: o.CORSMaxAge, headers: strings.ToLower(strings.Join(names, ", "))}
}

func (p *preflight) answer(c *call, resp *response) policy.Reason {
	if string(c.head.Method) != "OPTIONS" {
		return policy.NotJudged
	}
	c.rec.SetRefused(c.head.Target)
	if len(c.head.Origin) == 0 {
		resp.lines = append(resp.lines, "Allow: "+allowMethods+", OPTIONS\r\n"...)
	} else {
		resp.lines = p.appendAllowed(resp.lines, c.head)
	}
	p.heads.reply(c, resp, fasthttp.StatusNoContent, nil)
	return policy.OwnAnswer
}

// appendAllowed tells a browser what a page may send. The names that it asks for are among that: a
// page sends headers of its own, and what is not on the allow list of SPEC 2 goes no further than
// here.
func (p *preflight) appendAllowed(b []byte, h *head.Head) []byte {
	b = append(b, "Access-Control-Allow-Methods: "+allowMethods+"\r\nAccess-Control-Allow-Headers: "...)
	from := len(b)
	b = append(b, p.headers...)
	asked := h.Get("Access-Control-Request-Headers")
	for more := len(asked) > 0; more; {
		var name []byte
		name, asked, more = bytes.Cut(asked, []byte{','})
		if name = bytes.Trim(name, " \t"); head.IsToken(name) && !listed(b[from:], name) {
			b = append(append(b, ", "...), name...)
		}
	}
	b = appendNumber(b, "\r\nAccess-Control-Max-Age: ", int64(p.maxAge))
	if private := h.Get("Access-Control-Request-Private-Network"); bytes.EqualFold(private, []byte("true")) {
		b = append(b, "Access-Control-Allow-Private-Network: true\r\n"...)
	}
	return b
}
