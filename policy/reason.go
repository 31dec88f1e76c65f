package policy

// Verdict is what becomes of a request. The zero value denies.
type Verdict uint8

// The verdicts. Unresolved is not an end: the Decision names what has to be
// asked of the backend first, and Decide is called again with the answer.
const (
	Deny Verdict = iota
	Unresolved
	Narrow
	Allow
	verdictCount
)

var verdictNames = [verdictCount]string{"deny", "unresolved", "narrow", "allow"}

// String returns the word that metrics, audit and explain use.
func (v Verdict) String() string { return verdictNames[v] }

// Verdicts returns every verdict that a request can end in.
func Verdicts() []Verdict {
	return []Verdict{Deny, Narrow, Allow}
}

// Reason says why, from a closed set: the same word is metric label, audit
// field, explain output and test word. It is one byte, so that returning it as
// an error allocates nothing. The zero value is the reason of a request that
// nobody judged; it denies.
type Reason uint8

// The reasons, in the order of faults of SPEC 2. Comments name the answer.
const (
	NotJudged Reason = iota // 500

	Permitted   // forwarded as asked
	Narrowed    // forwarded for the permitted ids
	OpenRoute   // forwarded: a dictionary, open to every valid token
	OwnAnswer   // answered by the gateway itself
	Unenforced  // forwarded because policy.enforce is off
	MasterRoute // forwarded: unknown route, policy.unknown_routes is master

	BadHead     // 400 and its kin, from proxy/head
	BadTarget   // 400
	BadQuery    // 400
	BadSelector // 400

	TokenMissing   // 401
	TokenMalformed // 401
	TokenUnknown   // 401
	TokenExpired   // 401
	TokenDisabled  // 401
	TokenAddress   // 401
	TokenOrigin    // 401
	TokenNoAPI     // 403, code 8
	StoreStale     // 503

	LimitToken   // 429
	LimitAccount // 429
	LimitSource  // 429

	ForeignAccount // 403, code 6: cid outside the branch

	UnknownRoute  // 404; code 8 for an acl token
	UnknownMethod // 405; code 8 for an acl token

	ClosedCredential // 403, code 8: acts on the holder of the credential
	ClosedKeys       // 403, code 8: lists or issues the backend's keys
	ClosedPlatform   // 403, code 8: /platform is for master tokens
	ClosedMQTT       // 403, code 8: acl tokens, and every token in ids mode
	ClosedTopic      // 403, code 8: a topic that carries REST calls
	ClosedScope      // 403, code 8: the index cannot judge this route
	NoEntry          // 403, code 8
	CreateLimited    // 403, code 8: POST on the collection by an entry with ids
	MatchUnreadable  // 403, code 8: the entry does not permit what a match reads
	MatchDenied      // 403, code 8: scope.match is deny
	LinkNoEntry      // 403, code 8: no entry for the linked collection
	LinkMessages     // 403, code 8: the link would carry messages out

	TooManyIDs   // 400
	LinkedMatch  // 400: a match at a linked place by a limited token
	ListTooLong  // 400: the permitted ids do not fit upstream.max_url_bytes
	IndexStale   // 503
	ScopeIgnored // 503: the backend does not obey x-flespi-cid
	DeniedItems  // 403, code 6
	NothingLeft  // 200 {"result":[]}

	BodyTooLarge // 413
	BodyCoding   // 415
	BadBody      // 400
	BodyAccount  // 403, code 6: cid in the body outside the branch
	BodyItem     // 403, code 6: id in the body is not addressed and permitted
	MoveNoEntry  // 403, code 8: no entry names the submodule cid

	BackendRefused       // the backend's own 4xx about a match that was to be resolved
	UpstreamBroken       // 502
	UpstreamRedirect     // 502
	UpstreamUnauthorized // 502: the gateway's own credential was refused
	UpstreamSlow         // 504
	UpstreamBusy         // 503
	Overloaded           // 503
	ClientGone           // nobody is left to answer
	Internal             // 500
	reasonCount
)

var reasonNames = [reasonCount]string{
	NotJudged: "not-judged", Permitted: "permitted", Narrowed: "narrowed", OpenRoute: "open-route",
	OwnAnswer: "own-answer", Unenforced: "unenforced", MasterRoute: "master-route",
	BadHead: "bad-head", BadTarget: "bad-target", BadQuery: "bad-query", BadSelector: "bad-selector",
	TokenMissing: "token-missing", TokenMalformed: "token-malformed", TokenUnknown: "token-unknown",
	TokenExpired: "token-expired", TokenDisabled: "token-disabled", TokenAddress: "token-address",
	TokenOrigin: "token-origin", TokenNoAPI: "token-noapi", StoreStale: "store-stale",
	LimitToken: "limit-token", LimitAccount: "limit-account", LimitSource: "limit-source",
	ForeignAccount: "foreign-account", UnknownRoute: "unknown-route", UnknownMethod: "unknown-method",
	ClosedCredential: "closed-credential", ClosedKeys: "closed-keys", ClosedPlatform: "closed-platform",
	ClosedMQTT: "closed-mqtt", ClosedTopic: "closed-topic", ClosedScope: "closed-scope",
	NoEntry: "no-entry", CreateLimited: "create-limited", MatchUnreadable: "match-unreadable",
	MatchDenied: "match-denied", LinkNoEntry: "link-no-entry", LinkMessages: "link-messages",
	TooManyIDs: "too-many-ids", LinkedMatch: "linked-match", ListTooLong: "list-too-long",
	IndexStale: "index-stale", ScopeIgnored: "scope-ignored", DeniedItems: "denied-items",
	NothingLeft: "nothing-left", BodyTooLarge: "body-too-large", BodyCoding: "body-coding",
	BadBody: "bad-body", BodyAccount: "body-account", BodyItem: "body-item", MoveNoEntry: "move-no-entry",
	BackendRefused: "backend-refused", UpstreamBroken: "upstream-broken", UpstreamRedirect: "upstream-redirect",
	UpstreamUnauthorized: "upstream-unauthorized", UpstreamSlow: "upstream-slow",
	UpstreamBusy: "upstream-busy", Overloaded: "overloaded", ClientGone: "client-gone", Internal: "internal",
}

// String returns the word of the reason.
func (r Reason) String() string {
	if r >= reasonCount {
		return reasonNames[NotJudged]
	}
	return reasonNames[r]
}

// Error makes a Reason usable as an error.
func (r Reason) Error() string { return r.String() }

// Reasons returns the whole closed set, for whoever resolves labels at start
// or documents the words.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
