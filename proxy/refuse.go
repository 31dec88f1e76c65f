package proxy

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// Bodies that never change, in the vendor's bytes (SPEC 3, 5).
const (
	bodyUnauthorized = `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`
	bodyNotPermitted = `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`
	bodyEmpty        = `{"result":[]}`
)

// refuse answers a request that ended before the backend was reached, or that
// the backend failed.
func (g *Gateway) refuse(c *call, r policy.Reason) {
	if r == policy.NotJudged {
		r = policy.Internal
	}
	a := r.AnswerTo(c.tok)
	c.rec.Verdict, c.rec.Reason = policy.Deny, r
	switch a.Class {
	case policy.ClassAnswered:
		if r == policy.OwnAnswer {
			c.rec.Verdict = policy.Allow
		}
	case policy.ClassUnauthorized:
		g.answer(c, a.Status, bodyUnauthorized)
	case policy.ClassNotPermitted:
		g.answer(c, a.Status, bodyNotPermitted)
	case policy.ClassEmpty:
		g.refuseEmpty(c)
	case policy.ClassGone:
		// The answer has no reader; the connection ends with it.
		c.desk.own.Header.SetConnectionClose()
		g.answer(c, a.Status, "")
	case policy.ClassDeniedItems, policy.ClassDeniedAccount, policy.ClassDeniedBodyItem:
		g.refuseItems(c, r, a.Class)
	default:
		g.refuseAsGateway(c, r, faultOf(a))
	}
}

// faultOf returns the answer to what ends a request and is no policy. A reason that lets requests
// through cannot end one: that is a fault of the gateway.
func faultOf(a policy.Answer) policy.Answer {
	if a.Class != policy.ClassFault {
		return policy.Internal.Answer()
	}
	return a
}

// refuseAsGateway answers what is no policy: the code is the HTTP status, so
// that it can never be taken for one of the backend's [G].
func (g *Gateway) refuseAsGateway(c *call, r policy.Reason, a policy.Answer) {
	if c.head.Fault != nil {
		a.Status, a.Text = c.head.Fault.Status, c.head.Fault.Reason
	}
	if c.status != 0 {
		a.Status = c.status
	}
	b := append(c.merge[:0], `{"errors":[{"code":`...)
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, `,"reason":"`...)
	b = g.appendText(b, c, r, a.Text)
	b = append(b, `"}],"result":[]}`...)
	c.merge = b
	g.answerBytes(c, a.Status, b)
	h := &c.desk.own.Header
	if retry := max(a.Retry, c.retry); retry > 0 {
		h.Set("Retry-After", strconv.Itoa(retry))
	}
	if r == policy.UnknownMethod {
		h.SetBytesV("Allow", c.req.Allow.Append(nil))
	}
}

// appendText appends what the client reads: fixed text, and of its own request
// the piece that is wrong, escaped and cut.
func (g *Gateway) appendText(b []byte, c *call, r policy.Reason, text string) []byte {
	switch {
	case r == policy.ListTooLong:
		return g.appendTooLong(b, c)
	case r == policy.BadTarget || r == policy.BadQuery || r == policy.BadSelector:
		if c.req.Detail != "" {
			text = c.req.Detail
		}
	}
	if c.public != "" {
		text = c.public
	}
	b = appendJSONText(b, text)
	if c.public == "" && c.req.Arg != nil {
		b = append(b, `: '`...)
		b = appendClientText(b, c.req.Arg)
		b = append(b, '\'')
	}
	if c.offset > 0 {
		b = append(b, " at byte "...)
		b = strconv.AppendInt(b, int64(c.offset), 10)
	}
	return b
}

// appendTooLong says how many ids are permitted and what to do (SPEC 4.5).
func (g *Gateway) appendTooLong(b []byte, c *call) []byte {
	n := 0
	for i := range c.dec.Selectors {
		n = max(n, len(c.dec.Selectors[i].IDs))
	}
	b = append(b, "the path for "...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, " ids is "...)
	b = strconv.AppendInt(b, int64(len(c.target)), 10)
	b = append(b, " bytes long and the backend takes "...)
	b = strconv.AppendInt(b, int64(g.MaxURL), 10)
	return append(b, ": name fewer items"...)
}

// refuseEmpty answers where nothing is left to ask for: with an empty result,
// and the errors of denied items behind a page that is empty.
func (g *Gateway) refuseEmpty(c *call) {
	if c.rec.Denied == 0 {
		g.answer(c, fasthttp.StatusOK, bodyEmpty)
		return
	}
	b := appendDenied(append(c.merge[:0], `{"errors":[`...), c)
	c.merge = append(b, `],"result":[]}`...)
	g.answerBytes(c, fasthttp.StatusOK, c.merge)
}

// refuseItems answers with one code-6 error per denied thing.
func (g *Gateway) refuseItems(c *call, r policy.Reason, kind policy.Class) {
	b := append(c.merge[:0], `{"errors":[`...)
	switch kind {
	case policy.ClassDeniedItems:
		b = appendDenied(b, c)
	case policy.ClassDeniedAccount:
		account := c.rec.Asked
		if r == policy.BodyAccount {
			account = c.dec.Element.CID
		}
		b = appendDeniedItem(b, "accounts", account)
	case policy.ClassDeniedBodyItem:
		b = appendDeniedItem(b, c.req.Route.Collection.Type, c.dec.Element.ID)
	}
	b = append(b, `],"result":[]}`...)
	c.merge = b
	g.answerBytes(c, fasthttp.StatusForbidden, b)
}

// appendDenied appends one error per denied id, in path order, then in the
// order asked, joined by commas.
func appendDenied(b []byte, c *call) []byte {
	first := true
	for i := range c.dec.Selectors {
		name := ""
		if col := c.req.Selectors[i].Collection; col != nil {
			name = col.Type
		}
		for _, id := range c.dec.Selectors[i].Denied {
			if !first {
				b = append(b, ',')
			}
			b, first = appendDeniedItem(b, name, id), false
		}
	}
	return b
}

// appendDeniedItem appends the vendor's error for one item. The path in it is
// the item's own type and id, whatever path it was asked by.
func appendDeniedItem(b []byte, kind string, id int64) []byte {
	b = append(b, `{"code":6,"id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"reason":"access denied to '\/`...)
	b = append(b, kind...)
	b = append(b, `\/`...)
	b = strconv.AppendInt(b, id, 10)
	return append(b, `'"}`...)
}
