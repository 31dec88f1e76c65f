package proxy

import (
	"github.com/valyala/fasthttp"

	"aclgate/policy"
	"aclgate/proxy/head"
)

const (
	bodyHealthy  = `{"result":[{"state":"ok"}]}`
	bodyNotReady = `{"errors":[{"code":503,"reason":"not ready"}]}`
)

// health answers load balancers: OPTIONS / by HTTP/1.0 without a Host, and /healthz and /readyz on the
// public listener where the settings say so (listen.public_health). What is not ready, it does not
// say: that is for the admin listener.
type health struct {
	heads *headPrinter
	ready func() error // nil: the paths are not served
}

func (h *health) answer(c *call, resp *response) policy.Reason {
	if len(c.head.Host) == 0 && c.head.Fault == nil && string(c.head.Method) == "OPTIONS" {
		h.heads.reply(c, resp, fasthttp.StatusOK, nil) // a balancer's plain check: proxy/head lets no other pass
		return policy.OwnAnswer
	}
	if h.ready == nil || !head.IsHealth(c.head.Target) || string(c.head.Method) != "GET" && string(c.head.Method) != "HEAD" {
		return policy.NotJudged
	}
	if string(c.head.Target) == "/readyz" && h.ready() != nil {
		h.heads.replyText(c, resp, fasthttp.StatusServiceUnavailable, bodyNotReady)
	} else {
		h.heads.replyText(c, resp, fasthttp.StatusOK, bodyHealthy)
	}
	return policy.OwnAnswer
}
