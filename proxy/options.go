package proxy

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/limit"
	"aclgate/proxy/login"
	"aclgate/proxy/platform"
	"aclgate/proxy/quota"
	"aclgate/upstream"
	"aclgate/upstream/index"
)

// Tokens finds a token by the digest of its key. The error is a policy.Reason: TokenUnknown, or
// StoreStale when the store cannot say at that time. Revision grows with every change that Lookup may
// show of digests with this key (policy.Digest.Key). Fresh reports whether the store can say at all.
type Tokens interface {
	Lookup(d policy.Digest, now time.Time) (*policy.Token, error)
	Revision(key uint64) uint64
	Fresh(now time.Time) bool
}

// Accounts returns the account tree that is in force.
type Accounts interface {
	Tree() *policy.Tree
}

// Grants returns what accounts have granted to others, as it is in force; nil: nothing.
type Grants interface {
	Grants() *policy.Grants
}

// ShadowPolicy is a policy that is evaluated beside the one in force and enforces nothing (SPEC 8,
// policy.shadow).
type ShadowPolicy interface {
	Tokens
	Accounts
	Grants
}

// Backend sends one printed request and reads the head of its answer.
type Backend interface {
	Do(*upstream.Request, *upstream.Answer) error
}

// Resolver asks the backend what the engine has to know first. Its errors are a policy.Reason, an
// *listing.AnswerError, or those of Backend.
type Resolver interface {
	Resolve(*index.Question) error
}

// ScopeProbe tells why nothing keeps accounts apart where x-flespi-cid alone would: the backend
// ignores it, or nobody has checked yet. NotJudged: it is obeyed, or nothing tells. A nil ScopeProbe
// means that this is not checked.
type ScopeProbe interface {
	Refusal() policy.Reason
}

// Index knows the account of every item, and is told of changes that pass through before the client
// has its answer (SPEC 4.4). Nil where nobody has to know.
type Index interface {
	View(*policy.Tree) *index.View
	StaleFor(*policy.Input) bool
	FirstReading(*policy.Input) <-chan struct{}
	ReadAt(c *policy.Collection) time.Time
	Created(c *policy.Collection, id, cid int64)
	Moved(c *policy.Collection, ids []int64, cid int64)
	Deleted(c *policy.Collection, ids []int64)
	Doubted(c *policy.Collection, ids []int64, to int64)
	Settle(context.Context, *policy.Collection, *policy.Input) error
	GroupsChanged(ctx context.Context, members *policy.Collection, groups []int64) error
}

// Owners records whose items are, where the backend knows no accounts (SPEC 4.4). When its methods
// return nil, every request judged later obeys it. actor is who changes it: the id of a token.
type Owners interface {
	Created(ctx context.Context, actor string, c *policy.Collection, ids []int64, cid int64) error
	Deleted(ctx context.Context, actor string, c *policy.Collection, ids []int64) error
	// Moved gives items to an account if each belongs to that of from, and reports whether they did.
	Moved(ctx context.Context, actor string, c *policy.Collection, ids, from []int64, to int64) (done bool, err error)
}

// Records are those that the gateway itself keeps (SPEC 10). Serve answers one call, whoever makes it.
type Records interface {
	Serve(context.Context, *platform.Call) platform.Answer
}

// AccountTree is told of accounts that are made or changed through the gateway. Nil where the tree
// comes from the policy alone.
type AccountTree interface {
	Stale() bool
	Created(id, parent int64)
	Moved(ids []int64, parent int64)
	Deleted(ids []int64)
	PolicyLoaded()
}

// Realms lets users in (SPEC 10.6).
type Realms interface {
	// Info returns what everybody may know of a realm, as JSON, and whether there is one.
	Info(publicID string) ([]byte, bool)
	// Login checks a password and makes a session. Where it fails it takes its time, but no longer
	// than ctx lets it.
	Login(ctx context.Context, a login.Attempt) login.Answer
	// Mark writes to d what a token from elsewhere is found by, which costs less than its digest.
	Mark(token []byte, d *policy.Digest)
	// Bearer verifies a token from elsewhere that Tokens does not know by its digest or mark, and
	// reports whether it does now; if not, refused is the user whom it is about, if it is an issuer's.
	Bearer(ctx context.Context, token []byte, d policy.Digest) (known bool, refused *policy.User)
	// User returns the record of the user whose token asks, or changes it by a body. The answer has
	// the reason NoEntry where the token is of no user of the realm.
	User(ctx context.Context, t *policy.Token, publicID string, change []byte) login.Answer
}

// Options is everything that a Gateway is made of. All of it is shared by all requests and none of
// it changes.
type Options struct {
	Engine      *policy.Engine
	Tokens      Tokens
	Accounts    Accounts
	Grants      Grants        // nil: there are none
	Blocks      policy.Blocks // of grantors; nil: no account is blocked
	Backend     Backend
	Resolver    Resolver
	ScopeProbe  ScopeProbe
	Index       Index          // nil: the accounts of items need not be known
	Records     Records        // that the gateway itself keeps; nil: none
	Owners      Owners         // nil: the backend knows whose items are, or nobody may change it
	AccountTree AccountTree    // nil: the tree is the policy's
	Realms      Realms         // where users log in; nil: nowhere
	Quota       *quota.Book    // what limits say of accounts; nil: nobody is bounded
	Limits      *limit.Limiter // nil: nobody is bounded
	Metrics     *metrics.Metrics
	Ring        *record.Ring
	Audit       *record.Audit // nil: there is no audit log
	Log         *slog.Logger

	Key            func() string // the gateway's own credential; "": the caller's own goes upstream
	Marker         string        // what a request of ours is known by when it comes back: see NewMarker
	Identity       bool          // the backend is told who asks
	PassHeaders    []string      // further client headers to pass
	PublicURL      string
	PublicHealth   func() error  // why the gateway is not ready; nil: /healthz and /readyz are not answered
	Region         []byte        // JSON members that /auth/regions has more, each after a comma; nil: none
	MQTT, MQTTWS   func() string // where /auth/regions sends MQTT clients: host:port, or :port of its own Host, or "": nowhere; may be nil
	TLS            bool
	TrustedProxies []netip.Prefix
	Origins        []string // of CORS; "*" is any
	CORSMaxAge     int      // seconds
	HSTS           int      // seconds of Strict-Transport-Security (RFC 6797); 0: it is not sent
	MaxBody        int64
	MaxUpload      int64
	MaxBodies      int64 // bytes of large bodies held at once; 0: no bound
	MaxURL         int
	Backends       []string // upstream.urls: what a client must not be sent to

	Shadow ShadowPolicy // nil: none
	Served Served       // nil: nobody watches
}

// Served is called once per request, at its end: with the method, known or not, and the target that
// were asked for and, if it was forwarded, the target that the backend was sent. All three are only
// valid during the call.
type Served func(r *record.Record, method, asked, sent []byte)
