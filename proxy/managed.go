package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/platform"
)

// managed answers requests for the gateway's own records.
type managed struct {
	records Records
	heads   *headPrinter
	log     *slog.Logger
}

// answer asks for the records in the name of the caller, who may use the route.
func (m *managed) answer(c *call, ev *evaluation, b *requestBody, resp *response) policy.Reason {
	if len(b.text) > platform.MaxBody {
		return c.refuse(policy.BodyTooLarge, "the body is longer than 1MiB")
	}
	ask := platform.Call{
		Request: ev.in.Request, IfMatch: ifMatch(c.head), Token: ev.in.Token, Scope: ev.in.Scope, Guest: ev.in.CrossAccount(),
		Narrowed: ev.in.AskedCID != 0,
		Now:      time.Now(), Decision: c.id(), Source: addressText(c),
	}
	if len(b.text) > 0 {
		ask.Body = b.text
	}
	a := m.records.Serve(context.Background(), &ask)
	if a.Err != nil {
		m.log.Error("cannot reach the records of the store", "decision", c.id(), "error", a.Err)
	}
	c.rec.Denied = a.Denied
	if a.Reason == policy.TokenUnknown {
		return a.Reason
	}
	if a.ETag != "" {
		resp.lines = appendLine(resp.lines, "ETag", a.ETag)
	}
	if a.Allow != 0 {
		resp.lines = appendAllow(resp.lines, a.Allow)
	}
	if retry := a.Reason.Answer().Retry; retry > 0 {
		resp.lines = appendNumber(resp.lines, "Retry-After: ", int64(retry))
	}
	resp.body = append(resp.body[:0], a.Body...)
	m.heads.reply(c, resp, a.Status, resp.body)
	c.answered = true
	return a.Reason
}

// ifMatch returns the values of all If-Match headers, which mean one list (RFC 9110, 5.3).
func ifMatch(h *head.Head) string {
	var all [][]byte
	for _, f := range h.Fields {
		if head.EqualFold(f.Name, "if-match") {
			all = append(all, f.Value)
		}
	}
	return string(bytes.Join(all, []byte(",")))
}

// addressText returns the address that the history says a change came from, "" where none is known.
func addressText(c *call) string {
	if !c.rec.Source.IsValid() {
		return ""
	}
	return c.rec.Source.String()
}
