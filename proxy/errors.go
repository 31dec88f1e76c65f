package proxy

import (
	"errors"
	"log/slog"
	"strconv"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// faults says what a fault between client, gateway and backend means, and reports it.
type faults struct {
	key     func() string // the gateway's own credential; "": the caller's own goes upstream
	metrics *metrics.Metrics
	log     *slog.Logger
}

// of returns the reason for what went wrong between gateway and backend.
func (f *faults) of(c *call, err error) policy.Reason {
	var reason policy.Reason
	var fault *head.Fault
	switch {
	case errors.As(err, &reason):
		return reason
	case errors.As(err, &fault):
		return bodyFailed(c, err)
	case errors.Is(err, listing.ErrUnauthorized):
		return f.unauthorized(c)
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
	f.log.Warn("the backend did not answer", "decision", c.id(), "reason", reason.String(), "error", err)
	return reason
}

// refusedBy judges a status by which the backend refused the gateway, not the client.
func (f *faults) refusedBy(c *call, status int) policy.Reason {
	switch status {
	case 301, 302, 303, 307, 308:
		return policy.UpstreamRedirect
	case 401:
		if f.key() != "" {
			return f.unauthorized(c)
		}
	}
	return policy.NotJudged
}

// unauthorized raises the alarm: the backend does not take the gateway's own credential. The
// client's was good and must not be thrown away for it.
func (f *faults) unauthorized(c *call) policy.Reason {
	f.metrics.Add(metrics.UpstreamUnauthorized, 1)
	f.log.Error("the backend refuses the gateway's own credential: renew upstream.token_file", "decision", c.id())
	return policy.UpstreamUnauthorized
}

func (f *faults) panicked(c *call, fault any) {
	f.metrics.Add(metrics.Panics, 1)
	f.log.Error("panic while serving a request", "decision", c.id(), "fault", fault, "stack", stack())
}

// bodyFailed returns the reason for what went wrong while the body arrived: it was framed badly, it
// stalled, or its sender is gone.
func bodyFailed(c *call, err error) policy.Reason {
	var fault *head.Fault
	if errors.As(err, &fault) {
		c.refusal.status = fault.Status
		return c.refuse(policy.BadBody, fault.Reason)
	}
	return policy.ClientGone
}

// reasonIn returns the reason in an error, or a fault of ours.
func reasonIn(err error) policy.Reason {
	var reason policy.Reason
	if errors.As(err, &reason) {
		return reason
	}
	return policy.Internal
}

// faultOf returns the answer to what ends a request and is no policy. A reason that lets requests
// through cannot end one: that is a fault of the gateway.
func faultOf(a policy.Answer) policy.Answer {
	if a.Class != policy.ClassFault {
		return policy.Internal.Answer()
	}
	return a
}

// appendDenied appends one error per denied id, in path order, then in the order asked, joined by
// commas.
func appendDenied(b []byte, ev *evaluation) []byte {
	first := true
	for i := range ev.dec.Selectors {
		name := ""
		if col := ev.in.Request.Selectors[i].Collection; col != nil {
			name = col.Type
		}
		for _, id := range ev.dec.Selectors[i].Denied {
			if !first {
				b = append(b, ',')
			}
			b, first = appendDeniedItem(b, name, id), false
		}
	}
	return b
}

// appendDeniedItem appends the vendor's error for one item. The path in it is the item's own type
// and id, whatever path it was asked by.
func appendDeniedItem(b []byte, kind string, id int64) []byte {
	b = append(b, `{"code":6,"id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"reason":"access denied to '\/`...)
	b = append(b, kind...)
	b = append(b, `\/`...)
	b = strconv.AppendInt(b, id, 10)
	return append(b, `'"}`...)
}
