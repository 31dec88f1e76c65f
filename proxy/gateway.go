package proxy

import (
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
	"aclgate/upstream"
	"aclgate/upstream/index"
)

// Tokens finds a token by the digest of its key. The error is a policy.Reason:
// TokenUnknown, or StoreStale when the store cannot say.
type Tokens interface {
	Lookup(policy.Digest) (*policy.Token, error)
}

// Accounts returns the account tree that is in force.
type Accounts interface {
	Tree() *policy.Tree
}

// Backend sends one printed request and reads the head of its answer.
type Backend interface {
	Do(*upstream.Request, *upstream.Answer) error
}

// Resolver asks the backend what the engine has to know first. Its errors are a
// policy.Reason, an *listing.AnswerError, or those of Backend.
type Resolver interface {
	Resolve(*index.Question) error
}

// ScopeProbe tells whether the backend ignores x-flespi-cid. Nil means that
// this is not checked.
type ScopeProbe interface {
	Ignored() bool
}

// Options is everything that a Gateway is made of. All of it is shared by all
// requests and none of it changes.
type Options struct {
	Engine      *policy.Engine
	Tokens      Tokens
	Accounts    Accounts
	Backend     Backend
	Resolver    Resolver
	ScopeProbe  ScopeProbe
	Index       Index          // nil: the accounts of items need not be known
	AccountTree AccountTree    // nil: the tree is the policy's
	Limits      *limit.Limiter // nil: nobody is bounded
	Metrics     *metrics.Metrics
	Ring        *record.Ring
	Audit       *record.Audit // nil: there is no audit log
	Log         *slog.Logger

	Key            func() string // the gateway's own credential; "": the caller's own goes upstream
	PassHeaders    []string      // further client headers to pass
	PublicURL      string
	TLS            bool
	TrustedProxies []netip.Prefix
	Origins        []string // of CORS; "*" is any
	CORSMaxAge     int      // seconds
	MaxBody        int64
	MaxUpload      int64
	MaxBodies      int64 // bytes of large bodies held at once; 0: no bound
	MaxURL         int

	Shadow Second // a second policy, judged and not enforced; nil: none

	// Served is called once per request, at its end: with the method, known or
	// not, and the target that were asked for and, if it was forwarded, the
	// target that the backend was sent. All three are only valid during the
	// call. It may be nil.
	Served func(r *record.Record, method, asked, sent []byte)
}

// Gateway serves requests. It is safe for concurrent use.
type Gateway struct {
	Options
	engine    *policy.Engine
	enforcing *policy.Engine // Engine with policy.enforce true
	pass      []passHeader
	epoch     time.Time // where the clock of the limits begins
	seldom    seldom
	busy      atomic.Int64

	bodies     budget
	overloaded atomic.Bool // see WatchMemory
}

// New returns a Gateway.
func New(o Options) *Gateway {
	g := &Gateway{Options: o, engine: o.Engine, enforcing: enforcing(o.Engine), pass: passHeaders(o.PassHeaders), epoch: time.Now()}
	g.bodies.size = o.MaxBodies
	return g
}

// Busy returns how many requests are being served.
func (g *Gateway) Busy() int64 { return g.busy.Load() }

// handle serves the request that conn has read, and lays its answer on the desk.
func (g *Gateway) handle(d *desk, conn *head.Conn) {
	c := g.take(d, conn)
	defer g.recovered(c)
	if reason := g.serve(c); reason != policy.NotJudged {
		g.refuse(c, reason)
	}
	g.beside(c)
	g.finish(c)
}

// serve is the straight line of a request. A reason other than NotJudged is why
// it ended early.
func (g *Gateway) serve(c *call) policy.Reason {
	switch {
	case c.ends(g.head(c)): // what proxy/head found wrong
	case c.ends(g.shed(c)): // memory is short
	case c.ends(g.parse(c)): // method and target become a policy.Request
	case c.ends(g.preflight(c)): // OPTIONS, and what needs no token
	case c.ends(g.authenticate(c)): // key → token, valid here and now
	case c.ends(g.limit(c)): // rate and concurrency
	case c.ends(g.scope(c)): // the branch that the request may touch
	case c.ends(g.decide(c)): // deny, narrow, allow, or unresolved
	case c.ends(g.resolve(c)): // unresolved becomes one of the others
	case c.ends(g.own(c)): // /auth/info
	case c.ends(g.body(c)): // read, checked, its judged keys judged
	case c.ends(g.print(c)): // the request to the backend
	case c.ends(g.forward(c)): // sent; the head of the answer is there
	case c.ends(g.learn(c)): // what a write has changed, for the index
	default:
		return g.deliver(c) // the answer, with the errors of denied items
	}
	return c.reason
}

func (g *Gateway) take(d *desk, conn *head.Conn) *call {
	g.busy.Add(1)
	g.Metrics.Add(metrics.InFlight, 1)
	d.call.begin(d, conn)
	return &d.call
}

// finish closes the books on a request: its record goes out, its connection to
// the backend goes back. A streamed answer does this when its stream ends.
func (g *Gateway) finish(c *call) {
	if c.streaming {
		return
	}
	c.ans.Close()
	c.end()
	g.note(&c.rec)
	if g.Served != nil {
		g.Served(&c.rec, c.head.Method, c.head.Target, c.sent)
	}
	g.over(c)
	c.reset()
}

// note remembers a finished request, in every place where it is asked for later.
func (g *Gateway) note(r *record.Record) {
	g.Metrics.Observe(r)
	g.Audit.Add(r)
	if g.Ring != nil {
		g.Ring.Add(r)
	}
}

// over gives back what a request holds of the gateway.
func (g *Gateway) over(c *call) {
	c.split.close()
	c.limits.Release()
	g.dropBody(c)
	g.Metrics.Add(metrics.InFlight, -1)
	g.busy.Add(-1)
}

// recovered turns a panic into a 500 for this request alone. The desk is not
// used again: nobody knows in what state its call is.
func (g *Gateway) recovered(c *call) {
	fault := recover()
	if fault == nil {
		return
	}
	g.panicked(c, fault)
	c.desk.broken = true
	// Dropping the answer closes its stream, which would end the request once
	// more.
	c.stream.call, c.streaming = nil, false
	c.ans.Cancel()
	c.ans.Close() // its connection would be missing from the pool for ever
	c.desk.clear()
	g.refuse(c, policy.Internal)
	c.desk.own.Header.SetConnectionClose()
	g.note(&c.rec)
	g.over(c)
}

func (g *Gateway) panicked(c *call, fault any) {
	g.Metrics.Add(metrics.Panics, 1)
	g.Log.Error("panic while serving a request", "decision", c.id(), "fault", fault, "stack", stack())
}
