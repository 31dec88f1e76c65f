package mqtt

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
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

// Items is what is known of items at one moment. Version is another number whenever it is something
// else; Old reports whether it may become less with time all the same, because it is too old.
type Items interface {
	policy.Items
	Version() uint64
	Old(now time.Time) bool
}

// Limits bounds what tokens and accounts have of sessions, and how often they publish. A reason other
// than policy.NotJudged is the limit that was met.
type Limits interface {
	// Begin takes a session, which end gives back.
	Begin(*policy.Token, *policy.Tree) (end func(), reason policy.Reason)
	// Publish charges a message, whatever becomes of it.
	Publish(*policy.Token, *policy.Tree) policy.Reason
}

// Broker opens connections to the broker.
type Broker interface {
	Connect(ctx context.Context, c *wire.Connect, key string) (*broker.Conn, error)
}

// Served gets every action of every session, also those that the audit log leaves out. made is what
// became of a filter that was granted; nil: it is no such action. Neither may be kept.
type Served func(t *record.Topic, made *topic.Subscription)

// Options is everything that a Server is made of. There are no defaults here: the settings file has
// them.
type Options struct {
	Engine   *policy.Engine
	Law      *topic.Law
	Tokens   Tokens
	Accounts Accounts
	Grants   Grants                   // nil: there are none
	Blocks   policy.Blocks            // of grantors; nil: no account is blocked
	Items    func(*policy.Tree) Items // the same value while nothing changes; nil: the accounts of items need not be known
	Broker   Broker
	Probe    time.Duration              // how often the broker is tried while no session does; 0: never
	Info     func(*policy.Token) []byte // the JSON of /auth/info, for CONNACK; nil: none
	Blocked  func(*policy.Token) bool   // is its account blocked now? nil: none ever is
	Charge   func(netip.Addr) bool      // charges an address for a CONNECT without a valid token: may it send another? nil: it may
	Limits   Limits                     // nil: there are none
	Metrics  *metrics.Metrics           // nil: nothing is counted
	Audit    *record.Audit              // nil: there is no audit log
	Served   Served                     // nil: no call
	Log      *slog.Logger

	MaxConnect     int // bytes of CONNECT
	MaxPacket      int // bytes of any other packet of a client
	MaxSessions    int // whose token is known
	MaxWaiting     int // connections that have not said CONNECT; as many more are read to their end. 0: any number
	MaxWaitingEach int // of them, from one address; 0: all
	MaxFilters     int // printed, of one session
	MaxInflight    int
	TopicAliases   int

	MaxWillDelay time.Duration
	Connect      time.Duration // until CONNECT has come
	Write        time.Duration // a write without progress
	CallersKey   bool          // the broker is shown the caller's own key: a refusal says nothing about the broker
	Revoke       time.Duration // until every session without packets has learnt of another policy
	Refresh      time.Duration // until filters have followed items that moved
}
