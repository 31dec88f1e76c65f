package proxy

import (
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
	"aclgate/proxy/quota"
	"aclgate/upstream"
)

// exchange is one request and its answer. Each part belongs to one phase, which fills it in for
// those that come later; the file of the phase declares the part and its reset. Exchanges are
// pooled: begin and reset leave nothing of one caller for the next.
type exchange struct {
	call
	req   policy.Request // parse
	share quota.Hold     // account limits: what the request takes of them
	hold  limit.Hold     // limit: what the request takes of its bounds
	eval  evaluation     // authenticate, scope, decide, resolve
	body  requestBody    // body
	out   outgoing       // rewrite
	resp  response       // forward, and whoever answers
	again second         // shadow

	underWay underWay // while an upload or an answer streams
}

// newExchange returns an exchange of g. Functions are bound once: binding allocates.
func newExchange(g *Gateway) *exchange {
	x := new(exchange)
	x.resp.ans = new(upstream.Answer)
	x.resp.cancel = x.resp.ans.Cancel
	x.eval.confirmCaller = func() error { return g.confirmCaller(x) }
	x.out.confirm = func() error { return g.confirm(x) }
	x.out.judge = func() policy.Reason { return g.judgeUnderWay(x) }
	x.body.started = func() { g.watch(x) }
	x.underWay.check = func() { g.cutIfEnded(x) }
	x.resp.quota = &x.hold.Quota
	x.eval.in.Request = &x.req
	return x
}

func (x *exchange) begin(conn *head.Conn) {
	x.conn, x.head = conn, conn.Head()
	x.began = time.Now()
	x.rec.Start, x.rec.ID = x.began, record.NewID()
}

// reset forgets the request. What is still to be sent stays: see sent.
func (x *exchange) reset() {
	x.conn.OnGone(nil)
	x.unwatch()
	x.call = call{}
	// What was wrong with this request must not be shown to the next caller.
	x.req.Detail, x.req.Arg = "", nil
	x.eval.reset()
	x.body.reset()
	x.out.reset()
	x.resp.reset()
}

// sent forgets the answer and reports whether the exchange may be used again.
func (x *exchange) sent() bool {
	if cap(x.resp.out) > 2*maxKept {
		x.resp.out = nil
	}
	x.resp.out = x.resp.out[:0]
	x.resp.status, x.resp.streams, x.resp.close = 0, false, false
	return !x.resp.broken
}

// ends notes the reason of a step and reports whether the line ends with it.
func (x *exchange) ends(r policy.Reason) bool {
	x.reason = r
	return r != policy.NotJudged
}
