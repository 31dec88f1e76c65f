package proxy

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// Bodies that never change, in the vendor's bytes (SPEC 3, 5).
const (
	bodyUnauthorized = `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`
	bodyLoginFailed  = `{"errors":[{"code":401,"reason":"wrong name or password"}],"result":[]}`
	bodyNotPermitted = `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`
	bodyEmpty        = `{"result":[]}`
)

// refuser answers requests that ended before the backend was reached, or that the backend failed,
// as the table of reasons in policy says.
type refuser struct {
	heads *headPrinter
}

func (r *refuser) refuse(c *call, ev *evaluation, resp *response) {
	a := c.reason.AnswerTo(ev.in.Token)
	c.rec.Verdict, c.rec.Reason = policy.Deny, c.reason
	if c.reason == policy.OwnAnswer || c.reason == policy.ManagedRecord {
		c.rec.Verdict = policy.Allow
	}
	if c.answered {
		return
	}
	switch a.Class {
	case policy.ClassAnswered:
	case policy.ClassUnauthorized:
		r.heads.replyText(c, resp, a.Status, bodyUnauthorized)
	case policy.ClassLoginFailed:
		r.heads.replyText(c, resp, a.Status, bodyLoginFailed)
	case policy.ClassNotPermitted:
		r.heads.replyText(c, resp, a.Status, bodyNotPermitted)
	case policy.ClassEmpty:
		r.empty(c, ev, resp)
	case policy.ClassGone:
		// The answer has no reader; the connection ends with it.
		resp.close = true
		r.heads.reply(c, resp, a.Status, nil)
	case policy.ClassDeniedItems, policy.ClassDeniedAccount, policy.ClassDeniedBodyItem:
		r.denied(c, ev, resp, a)
	default:
		r.fault(c, ev, resp, faultOf(a))
	}
}

// fault answers what is no policy: the code is the HTTP status, so that it can never be taken for
// one of the backend's, and there is no result, which a script would take for an answer with nothing
// in it [G].
func (r *refuser) fault(c *call, ev *evaluation, resp *response, a policy.Answer) {
	if c.refusal.status != 0 {
		a.Status = c.refusal.status
	}
	if retry := max(a.Retry, c.refusal.retry); retry > 0 {
		resp.lines = appendNumber(resp.lines, "Retry-After: ", int64(retry))
	}
	switch c.reason {
	case policy.UnknownMethod:
		resp.lines = appendAllow(resp.lines, ev.in.Request.Allow)
	case policy.OwnersFixed:
		resp.lines = appendAllow(resp.lines, ev.in.Request.Route.Methods.Without(ev.in.Request.Method))
	}
	b := appendErrorHead(append(resp.body[:0], `{"errors":[`...), a.Status)
	b = appendReason(b, c, ev.in.Request, a.Text)
	resp.body = append(b, faultEnd...)
	r.heads.reply(c, resp, a.Status, resp.body)
}

// appendReason appends what the client reads: fixed text, and of its own request the piece that is
// wrong, escaped and cut.
func appendReason(b []byte, c *call, req *policy.Request, text string) []byte {
	switch {
	case c.refusal.public != "":
		text = c.refusal.public
	case req.Detail != "":
		text = req.Detail
	}
	b = appendJSONText(b, text)
	if c.refusal.public == "" && req.Arg != nil {
		b = append(b, `: '`...)
		b = appendClientText(b, req.Arg)
		b = append(b, '\'')
	}
	if c.refusal.offset > 0 {
		b = append(b, " at byte "...)
		b = strconv.AppendInt(b, int64(c.refusal.offset), 10)
	}
	return b
}

// empty answers where nothing is left to ask for: with an empty result, and the errors of denied
// items behind a page that is empty.
func (r *refuser) empty(c *call, ev *evaluation, resp *response) {
	if c.rec.Denied == 0 {
		r.heads.replyText(c, resp, fasthttp.StatusOK, bodyEmpty)
		return
	}
	b := appendDenied(append(resp.body[:0], `{"errors":[`...), ev)
	resp.body = append(b, `],"result":[]}`...)
	r.heads.reply(c, resp, fasthttp.StatusOK, resp.body)
}

// denied answers with one code-6 error per denied thing.
func (r *refuser) denied(c *call, ev *evaluation, resp *response, a policy.Answer) {
	b := append(resp.body[:0], `{"errors":[`...)
	switch a.Class {
	case policy.ClassDeniedItems:
		b = appendDenied(b, ev)
	case policy.ClassDeniedAccount:
		account := ev.in.AskedCID
		if c.reason == policy.BodyAccount {
			account = ev.dec.Element.CID
		}
		b = appendDeniedItem(b, "accounts", account)
	case policy.ClassDeniedBodyItem:
		b = appendDeniedItem(b, ev.in.Request.Route.Collection.Type, ev.dec.Element.ID)
	}
	resp.body = append(b, `],"result":[]}`...)
	r.heads.reply(c, resp, a.Status, resp.body)
}
