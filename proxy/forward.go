package proxy

import (
	"errors"
	"io"

	"aclgate/policy"
	"aclgate/upstream"
)

// forwarder sends requests to the backend.
type forwarder struct {
	backend Backend
	faults  *faults
}

// forward sends the printed request and waits for the head of the answer. A failure ends the line
// one step later: what a write may have changed before it failed has to be noted first. A request
// whose decision does not hold any more is not sent, and resp says so.
func (f *forwarder) forward(c *call, ev *evaluation, out *outgoing, resp *response) policy.Reason {
	if out.fan != nil {
		return f.fanOut(c, out.fan, resp)
	}
	if ev.in.Request.Method == policy.GET {
		// Nobody waits for what a client that is gone has asked for. A write goes on: half of it
		// could be done already.
		c.conn.OnGone(resp.cancel)
	}
	out.sent, out.req.Holder = out.target, ev.holder()
	c.waited.start()
	err := f.backend.Do(&out.req, resp.ans)
	c.waited.stop()
	if errors.Is(err, upstream.ErrWithdrawn) {
		out.sent, resp.withdrawn = nil, true
		return policy.NotJudged
	}
	if err != nil {
		resp.unsent = errors.Is(err, upstream.ErrBusy)
		resp.failed = f.faults.of(c, err)
		return policy.NotJudged
	}
	if ev.in.Request.Route.ForAnyone() && resp.ans.Status == 401 {
		resp.failed = policy.UpstreamUnauthorized // nobody's credential was refused: no alarm, and no 401
		return policy.NotJudged
	}
	resp.failed = f.faults.refusedBy(c, resp.ans.Status)
	return policy.NotJudged
}

// fanOut asks for the first shards and waits until there is something for the client: only then the
// status is known.
func (f *forwarder) fanOut(c *call, fan *fanOut, resp *response) policy.Reason {
	c.conn.OnGone(fan.stop)
	out, err := fan.next(resp.piece[:0])
	resp.piece = out
	resp.stream.out, resp.stream.done = out, err == io.EOF
	switch {
	case err != nil && err != io.EOF:
		return f.faults.of(c, err)
	case resp.stream.done && fan.served == 0:
		return fan.first.reason
	}
	return policy.NotJudged
}
