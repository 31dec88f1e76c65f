package proxy

import (
	"errors"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// forward sends the printed request and waits for the head of the answer.
func (g *Gateway) forward(c *call) policy.Reason {
	if c.split != nil {
		return g.forwardParts(c)
	}
	if c.method == policy.GET {
		// Nobody waits for what a client that is gone has asked for. A write
		// goes on: half of it could be done already.
		c.conn.OnGone(c.cancel)
	}
	c.sent = c.target
	began := now()
	err := g.Backend.Do(&c.out, c.ans)
	c.waited += since(began)
	if err != nil {
		if !errors.Is(err, upstream.ErrBusy) {
			g.noteWrite(c, false) // it was sent, and may have been done
		}
		return g.failed(c, err)
	}
	reason := g.refusedBy(c, c.ans.Status)
	if reason == policy.UpstreamRedirect {
		g.noteWrite(c, false) // it may come behind the work
	}
	return reason
}

// refusedBy judges a status by which the backend refused the gateway, not the
// client.
func (g *Gateway) refusedBy(c *call, status int) policy.Reason {
	switch status {
	case 301, 302, 303, 307, 308:
		return policy.UpstreamRedirect
	case 401:
		if g.Key() != "" {
			return g.unauthorized(c)
		}
	}
	return policy.NotJudged
}

// unauthorized raises the alarm: the backend does not take the gateway's own
// credential. The client's was good and must not be thrown away for it.
func (g *Gateway) unauthorized(c *call) policy.Reason {
	g.Metrics.Add(metrics.UpstreamUnauthorized, 1)
	g.Log.Error("the backend refuses the gateway's own credential: renew upstream.token_file", "decision", c.id())
	return policy.UpstreamUnauthorized
}

// failed maps what went wrong between gateway and backend.
func (g *Gateway) failed(c *call, err error) policy.Reason {
	var reason policy.Reason
	var fault *head.Fault
	var answer *listing.AnswerError
	switch {
	case errors.As(err, &reason):
		return reason
	case errors.As(err, &answer):
		return g.passError(c, answer)
	case errors.As(err, &fault):
		return g.bodyFailed(c, err)
	case errors.Is(err, listing.ErrUnauthorized):
		return g.unauthorized(c)
	case errors.Is(err, listing.ErrRedirect):
		return policy.UpstreamRedirect
	case errors.Is(err, upstream.ErrBody), errors.Is(err, upstream.ErrCanceled):
		return policy.ClientGone
	case errors.Is(err, upstream.ErrTimeout):
		reason = policy.UpstreamSlow
	case errors.Is(err, upstream.ErrBusy):
		reason = policy.UpstreamBusy
	case errors.Is(err, upstream.ErrRequest):
		reason = policy.Internal
	default:
		reason = policy.UpstreamBroken
	}
	g.Log.Warn("the backend did not answer", "decision", c.id(), "reason", reason.String(), "error", err)
	return reason
}

// passError gives the client what the backend said against its match: a 4xx is
// about the client's own selector (SPEC 4.3, Resolving).
func (g *Gateway) passError(c *call, a *listing.AnswerError) policy.Reason {
	g.answerBytes(c, a.Status, a.Body)
	if a.ContentType != "" {
		c.desk.own.Header.SetContentType(a.ContentType)
	}
	return policy.BackendRefused
}
