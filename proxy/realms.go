package proxy

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
	"aclgate/proxy/login"
)

const textNoRealm = "there is no such realm"

// realmReplies answers what users ask of their realm.
type realmReplies struct {
	realms Realms // nil: nobody logs in
	heads  *headPrinter
}

// info says what everybody may know of a realm.
func (r *realmReplies) info(c *call, ev *evaluation, resp *response) policy.Reason {
	if !asks(ev, policy.LocalRealmInfo) {
		return policy.NotJudged
	}
	if r.realms != nil {
		if row, found := r.realms.Info(string(ev.in.Request.Selectors[0].Text)); found {
			return r.answer(c, resp, row)
		}
	}
	return c.refuse(policy.UnknownRoute, textNoRealm)
}

// asks reports whether the request is for one of the gateway's own routes.
func asks(ev *evaluation, local policy.LocalReply) bool {
	route := ev.in.Request.Route
	return route != nil && route.Local == local
}

// answer answers with one element of result.
func (r *realmReplies) answer(c *call, resp *response, row []byte) policy.Reason {
	resp.body = append(append(append(resp.body[:0], `{"result":[`...), row...), "]}"...)
	r.heads.reply(c, resp, fasthttp.StatusOK, resp.body)
	return policy.OwnAnswer
}

// login answers POST /realm/{}/login.
func (r *realmReplies) login(c *call, ev *evaluation, b *requestBody, resp *response) policy.Reason {
	if r.realms == nil {
		return policy.LoginFailed
	}
	from := ev.in.Source
	if !from.IsValid() {
		from = c.conn.Peer() // a proxy that does not know its client answers for it
	}
	a := r.realms.Login(context.Background(), login.Attempt{PublicID: string(ev.in.Request.Selectors[0].Text), Body: b.text, From: from, Began: time.Now()})
	return r.become(c, resp, &a)
}

// user answers /realm/{}/user for the user who asks.
func (r *realmReplies) user(c *call, ev *evaluation, b *requestBody, resp *response) policy.Reason {
	if r.realms == nil {
		return policy.NoEntry
	}
	var change []byte
	if ev.in.Request.Method == policy.PUT {
		change = b.text
	}
	a := r.realms.User(context.Background(), ev.in.Token, string(ev.in.Request.Selectors[0].Text), change)
	return r.become(c, resp, &a)
}

// become makes what came of it the answer.
func (r *realmReplies) become(c *call, resp *response, a *login.Answer) policy.Reason {
	if a.Reason == policy.OwnAnswer {
		return r.answer(c, resp, a.Body)
	}
	c.refusal.public = a.Text
	if a.Retry > 0 {
		c.refusal.retry = int((a.Retry + time.Second - 1) / time.Second)
	}
	return a.Reason
}
