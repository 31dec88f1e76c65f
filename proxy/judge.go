package proxy

import (
	"time"

	"aclgate/policy"
)

// attempts is how often a request is judged again, at most: what a decision rests on does not move
// that often while one request is about to be sent.
const attempts = 8

// decide decides a request for the first time. One that names what was never read is decided again
// when it was.
func (g *Gateway) decide(x *exchange) policy.Reason {
	reason := g.authorizer.decide(&x.call, &x.eval)
	if reason == policy.IndexStale && g.firstReading.await(&x.call, &x.eval) {
		return g.decideAgain(x)
	}
	return reason
}

// send prints the request and sends it as it is permitted at that moment
// (SPEC 2, The moment of judgement). A body may take minutes to arrive, and so may a connection to
// the backend: what has moved meanwhile has the request judged and printed again.
func (g *Gateway) send(x *exchange) policy.Reason {
	c, ev, body, out, resp := &x.call, &x.eval, &x.body, &x.out, &x.resp
	for range attempts {
		b := ev.basis()
		switch {
		case (resp.withdrawn || g.confirmer.moved(&b)) && x.ends(g.judge(x)):
			return x.reason
		case x.ends(g.rewriter.print(c, ev, body, out)): // the request to the backend
			return x.reason
		case x.ends(g.forwarder.forward(c, ev, out, resp)): // sent, unless it was withdrawn
			return x.reason
		case !resp.withdrawn:
			return policy.NotJudged
		}
	}
	return policy.Overloaded
}

// judge judges a request again, from its token on, until nothing moves meanwhile. It has passed
// once, so what it was charged for is not asked again.
func (g *Gateway) judge(x *exchange) policy.Reason {
	c, ev, resp := &x.call, &x.eval, &x.resp
	for range attempts {
		resp.withdrawn = false
		switch {
		case x.ends(g.decideAgain(x)):
		case x.ends(g.authorizer.resolve(c, ev, resp)):
		case resp.withdrawn:
			continue
		case x.ends(g.bodyReader.again(c, ev, &x.body)):
		}
		return x.reason
	}
	return policy.Overloaded
}

// decideAgain takes the steps of a decision that need no backend.
func (g *Gateway) decideAgain(x *exchange) policy.Reason {
	c, ev := &x.call, &x.eval
	switch {
	case x.ends(g.authenticator.again(c, ev)):
	case x.ends(g.authorizer.scope(c, ev)):
	default:
		x.ends(g.authorizer.decide(c, ev))
	}
	return x.reason
}

// confirm is asked when a connection to the backend is there. A request whose decision comes out
// the same keeps its place: in a busy gateway items move all the time.
func (g *Gateway) confirm(x *exchange) error {
	ev := &x.eval
	b := ev.basis()
	switch {
	case !g.confirmer.moved(&b):
		return nil
	case g.decideAgain(x) != policy.NotJudged, ev.dec.Verdict == policy.Unresolved:
		return errMoved
	case g.bodyReader.again(&x.call, ev, &x.body) != policy.NotJudged, !g.rewriter.unchanged(ev, &x.out):
		return errMoved
	}
	return nil
}

// confirmCaller is asked before each question that has to be asked for a caller.
func (g *Gateway) confirmCaller(x *exchange) error {
	b := x.eval.basis()
	if g.confirmer.callerMoved(&b) {
		return errMoved
	}
	return nil
}

// note notes what a write has changed, before its client has the answer.
func (g *Gateway) note(x *exchange) policy.Reason {
	reason := g.invalidator.note(&x.call, &x.eval, &x.body, &x.resp)
	g.accountLimits.settle(&x.share, &x.resp)
	return reason
}

// answerRecords answers what is asked of the gateway's own records, as it is permitted at that moment.
// It returns at once for all other requests.
func (g *Gateway) answerRecords(x *exchange) policy.Reason {
	ev := &x.eval
	if ev.dec.Reason != policy.ManagedRecord {
		return policy.NotJudged
	}
	if g.managed.records == nil {
		return policy.UnknownRoute
	}
	b := ev.basis()
	if g.confirmer.callerMoved(&b) && x.ends(g.judge(x)) { // a body may take minutes to arrive
		return x.reason
	}
	return g.managed.answer(&x.call, ev, &x.body, &x.resp)
}

// moveItems moves items as it is permitted at that moment. It returns at once for all other requests.
func (g *Gateway) moveItems(x *exchange) policy.Reason {
	c, ev, body, resp := &x.call, &x.eval, &x.body, &x.resp
	if !g.mover.concerns(ev.in.Request) {
		return policy.NotJudged
	}
	for range attempts {
		b := ev.basis()
		switch {
		case (resp.withdrawn || g.confirmer.moved(&b)) && x.ends(g.judge(x)):
			return x.reason
		case x.ends(g.mover.move(c, ev, body, resp)):
			return x.reason
		case !resp.withdrawn:
			return policy.Internal // it has answered
		}
		time.Sleep(time.Millisecond) // until the index says whose they are
	}
	return policy.Overloaded
}
