package proxy

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
)

// Gateway serves requests. It is safe for concurrent use. Each phase is a value of its own that has
// the settings it needs.
type Gateway struct {
	Options
	busy   atomic.Int64
	memory memoryGuard
	bodies budget

	parser        parser
	health        health
	preflight     preflight
	authenticator authenticator
	accountLimits accountLimits
	rateLimiter   rateLimiter
	localReplies  localReplies
	realmReplies  realmReplies
	authorizer    authorizer
	firstReading  firstReading
	confirmer     confirmer
	bodyReader    bodyReader
	rewriter      rewriter
	forwarder     forwarder
	invalidator   invalidator
	mover         mover
	managed       managed
	responder     responder
	refuser       refuser
	shadow        shadow
	faults        *faults
}

// New returns a Gateway.
func New(o Options) *Gateway {
	g := &Gateway{Options: o}
	o.Metrics.CollectInFlight(g.Busy)
	g.bodies.metrics = o.Metrics
	g.bodies.bound(o.MaxBodies, o.MaxBody+1)
	g.memory = memoryGuard{metrics: o.Metrics, log: o.Log}
	g.faults = &faults{key: o.Key, metrics: o.Metrics, log: o.Log}
	via := &forwarding{trusted: o.TrustedProxies, tls: o.TLS, publicURL: o.PublicURL}
	heads := &headPrinter{origins: o.Origins, hsts: hstsLine(o.HSTS), locations: newLocations(via, &o)}
	clock := limitClock(time.Now())

	g.parser = parser{marker: o.Marker, engine: o.Engine, metrics: o.Metrics, via: via}
	g.health = health{heads: heads, ready: o.PublicHealth}
	g.preflight = newPreflight(heads, &o)
	g.authenticator = authenticator{engine: o.Engine, tokens: o.Tokens, realms: o.Realms, limits: o.Limits, clock: clock}
	g.accountLimits = accountLimits{book: o.Quota}
	if o.Engine.Mode.Index() {
		g.accountLimits.index = o.Index
	}
	g.rateLimiter = rateLimiter{limits: o.Limits, accounts: o.Accounts, clock: clock}
	g.localReplies = localReplies{heads: heads, via: via, mqttWS: o.MQTTWS, mqtt: o.MQTT, region: o.Region}
	g.authorizer = authorizer{
		engine: o.Engine, accounts: o.Accounts, grants: o.Grants, blocks: o.Blocks, accountTree: o.AccountTree, index: o.Index, probe: o.ScopeProbe,
		resolver: o.Resolver, faults: g.faults, heads: heads,
	}
	g.firstReading.index, g.firstReading.within = o.Index, firstReadingFor
	g.confirmer = confirmer{tokens: o.Tokens, accounts: o.Accounts, grants: o.Grants, index: o.Index}
	g.bodyReader = bodyReader{engine: o.Engine, max: o.MaxBody, maxUpload: o.MaxUpload, maxURL: o.MaxURL, budget: &g.bodies}
	g.realmReplies = realmReplies{realms: o.Realms, heads: heads}
	g.rewriter = rewriter{
		engine: o.Engine, key: o.Key, identity: o.Identity, pass: passHeaders(o.PassHeaders), via: via, maxURL: o.MaxURL,
		whole: o.Served != nil, backend: o.Backend, faults: g.faults, confirmer: &g.confirmer,
	}
	g.forwarder = forwarder{backend: o.Backend, faults: g.faults}
	g.invalidator = invalidator{index: o.Index, owners: o.Owners, accountTree: o.AccountTree, budget: &g.bodies, log: o.Log}
	if o.Engine.Mode == policy.ModeIDs && o.Owners == nil {
		g.invalidator.elsewhere = &elsewhere{log: o.Log, metrics: o.Metrics}
	}
	g.mover = mover{owners: o.Owners, heads: heads, log: o.Log}
	g.managed = managed{records: o.Records, heads: heads, log: o.Log}
	g.responder = responder{heads: heads, faults: g.faults}
	g.refuser = refuser{heads: heads}
	g.shadow.init(&o)
	return g
}

// LimitsNow returns the time of the clock that limits of requests are judged by.
func (g *Gateway) LimitsNow() int64 { return g.authenticator.clock.at(time.Now()) }

// ChargeSource charges an address for an attempt without a valid token that was made elsewhere, and
// reports whether it had something left.
func (g *Gateway) ChargeSource(from netip.Addr) bool {
	a := &g.authenticator
	return a.limits.Source(from, a.clock.at(time.Now())) == 0
}

// Busy returns how many requests are being served.
func (g *Gateway) Busy() int64 { return g.busy.Load() }

// Bodies returns how many bytes of large bodies are held.
func (g *Gateway) Bodies() int64 { return g.bodies.inUse() }

// WatchMemory has requests refused while memory is near GOMEMLIMIT, until ctx ends. Without
// GOMEMLIMIT it returns at once.
func (g *Gateway) WatchMemory(ctx context.Context) { g.memory.watch(ctx) }

// handle serves the request that conn has read. The answer is in x.resp; where it streams, the
// exchange is finished by whoever sends it.
func (g *Gateway) handle(x *exchange, conn *head.Conn) {
	g.busy.Add(1)
	x.begin(conn)
	defer g.recovered(x)
	if g.serve(x) != policy.NotJudged {
		g.refuser.refuse(&x.call, &x.eval, &x.resp)
	}
	g.shadow.evaluate(&x.call, &x.eval, &x.body, &x.again)
	if x.resp.streams {
		g.watch(x)
	} else {
		g.finish(x)
	}
}

// serve is the straight line of a request (SPEC 2, Order of faults). A reason other than NotJudged
// is why it ended early.
func (g *Gateway) serve(x *exchange) policy.Reason {
	c, ev, body, out, resp := &x.call, &x.eval, &x.body, &x.out, &x.resp
	switch {
	case x.ends(g.parser.head(c)): // what proxy/head found wrong
	case x.ends(g.health.answer(c, resp)): // /healthz, /readyz
	case x.ends(g.memory.shed()): // memory is short
	case x.ends(g.preflight.answer(c, resp)): // OPTIONS
	case x.ends(g.parser.parse(c, &x.req)): // method and target become a policy.Request
	case x.ends(g.authenticator.authenticate(c, ev)): // key → token, valid here and now
	case x.ends(g.accountLimits.admit(c, ev, &x.share)): // blocked, or over the limits of its account
	case x.ends(g.rateLimiter.limit(c, ev, &x.hold)): // rate and concurrency
	case x.ends(g.localReplies.regions(c, ev, resp)): // where the API is
	case x.ends(g.realmReplies.info(c, ev, resp)): // what a realm is
	case x.ends(g.private(x, policy.LocalLogin, g.realmReplies.login)): // a login
	case x.ends(g.authorizer.scope(c, ev)): // the branch that the request may touch
	case x.ends(g.decide(x)): // deny, narrow, allow, or unresolved
	case x.ends(g.authorizer.resolve(c, ev, resp)): // unresolved becomes one of the others
	case resp.withdrawn && x.ends(g.judge(x)): // the caller's rights have moved meanwhile
	case x.ends(g.localReplies.info(c, ev, resp)): // what the token itself is
	case x.ends(g.private(x, policy.LocalUser, g.realmReplies.user)): // who the user of the token is
	case x.ends(g.bodyReader.read(c, ev, body)): // read, checked, its judged keys judged
	case body.asData && x.ends(g.judge(x)): // the body of a GET, which is a part of what it asks for
	case x.ends(g.answerRecords(x)): // records that the gateway itself keeps
	case x.ends(g.accountLimits.reserve(c, ev, body, &x.share)): // room for what it makes or moves
	case x.ends(g.moveItems(x)): // between accounts, where the gateway itself knows whose they are
	case x.ends(g.send(x)): // printed and sent, as it is permitted now; the head of the answer is there
	case x.ends(g.note(x)): // what a write has changed, for the index and the limits
	default:
		x.ends(g.responder.respond(c, ev, out, resp)) // the answer, with the errors of denied items
	}
	return x.reason
}

// private has a request answered whose body may hold a password, which stays in no buffer that is
// used again.
func (g *Gateway) private(x *exchange, local policy.LocalReply, answer func(*call, *evaluation, *requestBody, *response) policy.Reason) policy.Reason {
	if !asks(&x.eval, local) {
		return policy.NotJudged
	}
	defer func() { clear(x.body.text) }()
	if x.req.Method.Write() && x.ends(g.bodyReader.readPrivate(&x.call, &x.eval, &x.body)) {
		return x.reason
	}
	return answer(&x.call, &x.eval, &x.body, &x.resp)
}

// finish closes the books on a request: its record goes out, its connection to the backend goes
// back.
func (g *Gateway) finish(x *exchange) {
	x.resp.ans.Close()
	g.complete(x)
	g.remember(&x.rec)
	if g.Served != nil {
		g.Served(&x.rec, x.head.Method, x.head.Target, x.out.sent)
	}
	g.release(x)
	x.reset()
}

// complete adds to the record what is only known at the end.
func (g *Gateway) complete(x *exchange) {
	r := &x.rec
	r.Upstream = x.waited.total
	r.Total = time.Since(x.began)
	r.Own = r.Total - r.Upstream
	r.BytesIn = max(int64(len(x.body.text)+len(x.body.data)), x.body.uploaded)
	switch x.reason {
	case policy.BodyAccount:
		r.BodyCID = x.eval.dec.Element.CID
	case policy.BodyItem:
		r.BodyID = x.eval.dec.Element.ID
	}
	if x.reason != policy.ClientGone {
		r.Status = x.resp.status
	}
}

// remember puts a finished request where it is asked for later.
func (g *Gateway) remember(r *record.Record) {
	g.Metrics.Observe(r)
	g.Audit.Add(r)
	if g.Ring != nil {
		g.Ring.Add(r)
	}
}

// release gives back what a request holds of the gateway.
func (g *Gateway) release(x *exchange) {
	x.out.fan.close()
	g.accountLimits.end(&x.call, &x.share, x.resp.status)
	x.hold.Release()
	g.bodies.release(&x.memory)
	g.busy.Add(-1)
}

// recovered turns a panic into a 500 for this request alone. The exchange is not used again: nobody
// knows in what state it is.
func (g *Gateway) recovered(x *exchange) {
	fault := recover()
	if fault == nil {
		return
	}
	g.faults.panicked(&x.call, fault)
	x.resp.broken, x.resp.streams = true, false
	x.resp.ans.Cancel()
	x.resp.ans.Close() // its connection would be missing from the pool for ever
	x.reason, x.resp.close = policy.Internal, true
	x.resp.lines, x.resp.kind, x.resp.deniedHeader = x.resp.lines[:0], "", nil
	g.refuser.refuse(&x.call, &x.eval, &x.resp)
	g.remember(&x.rec)
	g.release(x)
}
