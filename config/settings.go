package config

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"aclgate/config/strict"
)

// Settings is every setting of the gateway. Reference says what each one means. Settings are read
// once and shared; they never change.
type Settings struct {
	Listen   Listen
	Admin    Admin
	Upstream Upstream
	Scope    Scope
	Platform Platform
	Realms   Realms
	Store    Store
	Cache    Cache
	Policy   Policy
	Limits   Limits
	Audit    Audit
	Log      Log
	Metrics  Metrics
	Shutdown Shutdown
	MQTT     MQTT

	file   string                // the file that was read
	sum    [sha256.Size]byte     // of its text, if Load has read it
	dir    string                // its folder, to which paths are relative
	places map[string]strict.Pos // where each setting that the file names has its value
}

// Name returns the name of the file that the settings were read from, as it was given; "" for
// defaults.
func (s *Settings) Name() string { return s.file }

// Pos returns where the file sets the setting of that path ("listen.address"); the zero Pos if it
// does not.
func (s *Settings) Pos(path string) strict.Pos { return s.places[path] }

// File is a path as a setting.
type File struct {
	Text string // as it was written; "" for none
	Path string // Text relative to the folder of the settings, as the process opens it; "" for none
}

// IsSet reports whether a file is named.
func (f File) IsSet() bool { return f.Text != "" }

// Listen is the public listener.
type Listen struct {
	Address             string
	Hosts               []string      // in lower case, without port; IPv6 in brackets
	PublicHealth        bool          // /healthz and /readyz on this listener, too
	PublicURL           Origin        // zero: from the request's Host
	Redirect            string        // address of a plain listener that sends clients to https; "": none
	HSTS                time.Duration // of Strict-Transport-Security; 0: it is not sent
	Region              []Member      // of the answer to /auth/regions; none that the gateway writes
	TLS                 ServerTLS
	TrustedProxies      []netip.Prefix
	Chunked             Chunked
	MaxHeaderBytes      int
	MaxBodyBytes        int64
	MaxUploadBytes      int64
	MaxConnections      int
	MaxConnectionsPerIP int // 0: no bound
	Timeouts            ListenTimeouts
	CORS                CORS
}

// Member is one member of a JSON object, with a text as its value.
type Member struct{ Name, Value string }

// ServerTLS is what the listener shows and asks for. Cert and Key are both set or neither.
type ServerTLS struct{ Cert, Key, ClientCA File }

// ListenTimeouts bound how long a client may take.
type ListenTimeouts struct {
	Read, Write, Idle time.Duration
	Body, Upload      time.Duration // a whole body
	MinRate           int           // bytes of a body a second, averaged after 10 s; 0: no bound
}

// CORS is what browsers are told.
type CORS struct {
	Origins []string // "*", or origins as browsers spell them
	MaxAge  time.Duration
}

// Chunked says what becomes of bodies without a length.
type Chunked string

// The values of listen.chunked.
const (
	ChunkedAccept Chunked = "accept"
	ChunkedRefuse Chunked = "refuse"
)

// Admin is the private listener.
type Admin struct {
	Address string
	Token   File // none: only /metrics, /healthz and /readyz exist
}

// Upstream is the backend.
type Upstream struct {
	URLs           []Origin // at least one
	Token          File     // none: the caller's own credential is passed on
	Headers        []string // in lower case; none that the gateway writes, judges or passes anyway
	Identity       bool     // the backend is told who asks
	TLS            ClientTLS
	Timeouts       UpstreamTimeouts
	MaxConnections int // per URL
	MaxURLBytes    int
	Conditions     bool // the backend knows selectors like 7,9,field=value
	Queue          Queue
	Eject          Eject
	Probe          string // a path; "": none
}

// ClientTLS is what the gateway believes and shows. Cert and Key are both set or neither.
type ClientTLS struct{ CA, Cert, Key File }

// UpstreamTimeouts bound how long the backend may take.
type UpstreamTimeouts struct{ Dial, FirstByte, Idle, Silence time.Duration }

// Queue is where requests wait for a connection.
type Queue struct {
	Max int // 0: no request waits
	For time.Duration
}

// Eject is when and for how long an address of the backend gets no requests.
type Eject struct {
	Failures int // in a row; 0: never
	For      time.Duration
}

// Platform is the administration.
type Platform struct {
	Serve       Switch
	Keys        PlatformKeys
	KeysFile    File
	MaxTTL      time.Duration // of tokens; 0: any
	MaxExpire   time.Duration // how far away the end of a token is; 0: any
	LimitWindow time.Duration // in which calls and traffic of limits are counted
}

// Realms is how users log in.
type Realms struct {
	MaxAge      time.Duration // of a session, whatever is used in between
	MaxSessions int           // of one user
	Hashers     int           // passwords that are checked at one time; 0: half of the cores
	BcryptCost  int
	Issuers     []Issuer // of tokens from elsewhere; no two with one name or one URL
}

// Issuer is who signs tokens that are accepted from elsewhere (SPEC 10.10).
type Issuer struct {
	Name       string        // by which realms name it
	URL        string        // https, as iss has it
	Audience   string        // of realms that name none; "": those take no tokens
	Algorithms []string      // of RS256, ES256, EdDSA
	JWKSMaxAge time.Duration // how old its keys may be
}

// Switch turns something on.
type Switch string

// The values of a Switch.
const (
	On  Switch = "on"
	Off Switch = "off"
)

// PlatformKeys says whether keys of tokens are shown again.
type PlatformKeys string

// The values of platform.keys.
const (
	KeysHide   PlatformKeys = "hide"   // a key is said once, when it is made
	KeysReveal PlatformKeys = "reveal" // the store keeps new keys sealed
)

// Scope is how accounts bound what a request may touch.
type Scope struct {
	Mode         ScopeMode
	Owners       ScopeOwners
	Unowned      int64 // an account; 0: none
	TrustHeader  bool
	Accounts     Accounts
	Refresh      time.Duration
	MaxStaleness time.Duration // at least Refresh
	Match        Match
	Linked       Linked
}

// ScopeMode says who enforces the account tree.
type ScopeMode string

// index reports whether the gateway reads an index of items in this mode.
func (m ScopeMode) index() bool { return m == ScopeIDs || m == ScopeBoth }

// The values of scope.mode.
const (
	ScopeNone   ScopeMode = "none"
	ScopeHeader ScopeMode = "header"
	ScopeIDs    ScopeMode = "ids"
	ScopeBoth   ScopeMode = "both"
)

// ScopeOwners says where the account of an item comes from.
type ScopeOwners string

// The values of scope.owners.
const (
	OwnersBackend ScopeOwners = "backend"
	OwnersStore   ScopeOwners = "store"
)

// Accounts says where the account tree comes from.
type Accounts string

// The values of scope.accounts.
const (
	AccountsPolicy  Accounts = "policy"
	AccountsBackend Accounts = "backend"
)

// Match says what becomes of match selectors of limited tokens.
type Match string

// The values of scope.match.
const (
	MatchResolve Match = "resolve"
	MatchDeny    Match = "deny"
)

// Linked says what becomes of linked selectors without an entry of their own.
type Linked string

// The values of scope.linked.
const (
	LinkedLenient Linked = "lenient"
	LinkedStrict  Linked = "strict"
)

// Store is where tokens and accounts live.
type Store struct {
	Kind         StoreKind
	Path         File          // the policy file, or the SQLite database
	URL          File          // postgres: holds the DSN of a login that reads and beats
	AdminURL     File          // postgres: that of a login that writes; none: this gateway only reads
	Poll         time.Duration // postgres: between two questions for changes
	MaxStaleness time.Duration // of a database
	Replica      string        // postgres: what this gateway is called; "": after its host
	History      time.Duration // of its changes
}

// StoreKind is a kind of store.
type StoreKind string

// The values of store.kind.
const (
	StoreFile     StoreKind = "file"
	StoreSQLite   StoreKind = "sqlite"
	StorePostgres StoreKind = "postgres"
)

// Cache bounds the memory of compiled tokens.
type Cache struct{ MaxBytes int64 }

// Policy is how the policy is read and enforced.
type Policy struct {
	Enforce       bool
	Shadow        File // none: no second policy
	MaxIDs        int
	MaxResolved   int
	MaxWrite      int // 0: no bound
	MaxDepth      int
	UnknownRoutes UnknownRoutes
	BackendKeys   BackendKeys
	RoutesFile    File     // none: the built-in catalogue
	Query         []string // none that the gateway judges or knows anyway
	QueryUnknown  QueryUnknown
	CutAfter      time.Duration
}

// QueryUnknown says what becomes of a parameter of a GET that no route has.
type QueryUnknown string

// The values of policy.query_unknown.
const (
	QueryDrop   QueryUnknown = "drop"
	QueryRefuse QueryUnknown = "refuse"
)

// UnknownRoutes says who may use routes that the catalogue does not know.
type UnknownRoutes string

// The values of policy.unknown_routes.
const (
	UnknownDeny   UnknownRoutes = "deny"
	UnknownMaster UnknownRoutes = "master" // of a root account
)

// BackendKeys says whether the routes that list or issue the backend's keys are open.
type BackendKeys string

// The values of policy.backend_keys.
const (
	BackendKeysClosed  BackendKeys = "closed"
	BackendKeysForward BackendKeys = "forward"
)

// Limits bound how much one caller gets.
type Limits struct {
	PerToken        CallerLimit
	PerAccount      CallerLimit
	Unauthenticated Limit // per source address; its Concurrent is always 0
	Shared          SharedLimits
	RedisURL        File // holds the URL of a Redis; none unless Shared is redis
}

// SharedLimits says by what gateways obey limits together.
type SharedLimits string

// The values of limits.shared.
const (
	SharedNone  SharedLimits = "none"
	SharedStore SharedLimits = "store"
	SharedRedis SharedLimits = "redis"
)

// CallerLimit is what bounds a token or an account.
type CallerLimit struct {
	Limit
	MQTTSessions int         // at one time; 0: no bound
	MQTTPublish  strict.Rate // messages
}

// Limit is one bound. The zero Limit bounds nothing.
type Limit struct {
	Rate       strict.Rate
	Burst      int
	Concurrent int // requests at one time; 0: no bound
}

// Size returns how many requests may come at once after a pause: Burst or, where it is 0, what the
// rate gives in a second, at least 1. Without a rate it means nothing.
func (l Limit) Size() int {
	if l.Burst > 0 {
		return l.Burst
	}
	return max(1, int(l.Rate.PerSecond()))
}

// Audit is the record of decisions.
type Audit struct {
	Path        File    // none: no audit log
	AllowSample float64 // the share of allowed requests that is written, 0 to 1
	MaxSize     int64
	Keep        int // older files
}

// Log is the log of the process.
type Log struct {
	Level  LogLevel
	Format LogFormat
}

// LogLevel is what is worth a line.
type LogLevel string

// The values of log.level.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LogFormat is how a line looks.
type LogFormat string

// The values of log.format.
const (
	LogAuto LogFormat = "auto" // text on a terminal, json elsewhere
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Shutdown is how the gateway ends.
type Shutdown struct {
	Delay time.Duration // between "not ready" and closing the listener
	Drain time.Duration // for requests under way
}
