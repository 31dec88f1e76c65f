package proxy

import (
	"aclgate/metrics"
	"aclgate/policy"
)

// parser reads the request.
type parser struct {
	marker  string // of this gateway
	engine  *policy.Engine
	metrics *metrics.Metrics
	via     *forwarding
}

// head ends the line for what proxy/head refused.
func (p *parser) head(c *call) policy.Reason {
	fault := c.head.Fault
	switch {
	case fault == nil && looped(c.head, p.marker):
		c.rec.Source = c.conn.Peer()
		c.rec.SetRefused(c.head.Target)
		return policy.Loop
	case fault == nil:
		c.rec.Method, c.rec.Source = policy.ParseMethod(c.head.Method), p.via.source(c)
		return policy.NotJudged
	}
	p.metrics.HeadFault(fault.Status)
	c.rec.Source = c.conn.Peer() // what the head says of others is not to be trusted
	c.rec.SetRefused(c.head.Target)
	c.rec.SetFault(c.head.FaultField, true)
	c.refusal.status = fault.Status
	return c.refuse(policy.BadHead, fault.Reason)
}

// parse reads method and target (SPEC 2). A method that the API does not have is parsed as far as
// the target goes: which fault comes first is part of the contract.
func (p *parser) parse(c *call, req *policy.Request) policy.Reason {
	if reason := req.Parse(p.engine, c.rec.Method, c.head.Target); reason != policy.NotJudged {
		c.rec.SetRefused(c.head.Target)
		c.rec.SetFault(req.Param, false)
		return reason
	}
	c.rec.SetRequest(req)
	if len(req.Dropped) > 0 {
		c.dropped = policy.AppendDropped(nil, req)
		c.rec.SetDropped(c.dropped)
		p.metrics.Add(metrics.QueryDropped, int64(len(req.Dropped)))
	}
	if trace := c.head.Get("traceparent"); trace != nil {
		c.rec.SetTrace(trace)
	}
	switch {
	case req.CID != 0 && c.head.CID != nil:
		c.rec.SetFault([]byte("cid"), false)
		return c.refuse(policy.BadQuery, "the account is named twice: by x-flespi-cid and by cid")
	case req.Data != nil && c.head.Length != 0:
		c.rec.SetFault([]byte("data"), false)
		return c.refuse(policy.BadQuery, "the body is given twice: as a body and as data")
	}
	return policy.NotJudged
}
