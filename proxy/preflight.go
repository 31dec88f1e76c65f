package proxy

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// What OPTIONS says (SPEC 5).
const (
	allowMethods = "GET, POST, PUT, PATCH, DELETE"
	allowHeaders = "authorization, content-type, x-flespi-cid, x-flespi-app, x-flespi-trace, " +
		"traceparent, tracestate, x-request-id, if-none-match, range"
)

// preflight answers OPTIONS, with or without a token: a browser asks it before it sends one.
type preflight struct {
	heads  *headPrinter
	maxAge int // seconds
}

func (p *preflight) answer(c *call, resp *response) policy.Reason {
	if string(c.head.Method) != "OPTIONS" {
		return policy.NotJudged
	}
	if len(c.head.Origin) == 0 {
		resp.lines = append(resp.lines, "Allow: "+allowMethods+", OPTIONS\r\n"...)
	} else {
		resp.lines = append(resp.lines, "Access-Control-Allow-Methods: "+allowMethods+"\r\n"+
			"Access-Control-Allow-Headers: "+allowHeaders+"\r\nAccess-Control-Max-Age: "...)
		resp.lines = append(strconv.AppendInt(resp.lines, int64(p.maxAge), 10), "\r\n"...)
	}
	p.heads.reply(c, resp, fasthttp.StatusNoContent, nil)
	return policy.OwnAnswer
}
