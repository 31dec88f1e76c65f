package policy

// Answer is how a reason is answered.
type Answer struct {
	Class  Class
	Status int    // HTTP status; 0: the backend's
	Code   int    // in the errors of the body; 0: none
	Retry  int    // seconds of Retry-After; 0: none
	Text   string // for the client, of ClassFault; the request may have a better one
}

// Class says what the body of an answer looks like.
type Class uint8

// The classes.
const (
	ClassFault          Class = iota // no policy: the code is the HTTP status, the reason is in words
	ClassUnauthorized                // one and the same 401 whatever is wrong with the token
	ClassLoginFailed                 // one and the same 401 whatever is wrong with a login
	ClassNotPermitted                // code 8
	ClassDeniedItems                 // code 6 for each denied item
	ClassDeniedAccount               // code 6 for an account
	ClassDeniedBodyItem              // code 6 for the item that the body names
	ClassEmpty                       // an empty result, without errors of its own
	ClassAnswered                    // another step has written it
	ClassForwarded                   // the backend's
	ClassGone                        // the client is not there any more
)

// Codes of flespi's errors that are policy; every other code is an HTTP status.
const (
	CodeDenied       = 6 // access denied to an item
	CodeNotPermitted = 8 // action not permitted by ACL
)

var (
	forwarded    = Answer{Class: ClassForwarded}
	local        = Answer{Class: ClassAnswered, Status: 200}
	backends     = Answer{Class: ClassAnswered}
	unauthorized = Answer{Class: ClassUnauthorized, Status: 401, Code: 401, Text: "invalid or expired token"}
	notPermitted = Answer{Class: ClassNotPermitted, Status: 403, Code: CodeNotPermitted, Text: "action is not permitted by ACL"}
	empty        = Answer{Class: ClassEmpty, Status: 200}
	gone         = Answer{Class: ClassGone, Status: 499}
)

func denied(c Class) Answer { return Answer{Class: c, Status: 403, Code: CodeDenied} }

func fault(status int, text string) Answer { return Answer{Status: status, Code: status, Text: text} }

// later is a fault that may be over after some seconds.
func later(status, retry int, text string) Answer {
	return Answer{Status: status, Code: status, Retry: retry, Text: text}
}

type reasonRow struct {
	word    string
	answer  Answer
	meaning string
	hint    string
}

// reasonTable says everything about each reason; docs/reasons.md is made from it.
var reasonTable = [reasonCount]reasonRow{
	NotJudged: {"not-judged", fault(500, "internal error"),
		"the request was not judged, which is a fault of the gateway",
		"Report it with the x-aclgate-decision of the answer."},

	Permitted: {"permitted", forwarded,
		"everything that was asked for is permitted",
		"If the caller still misses something, the backend decided that: look there whether the items exist in this account."},
	Narrowed: {"narrowed", forwarded,
		"a part of what was asked for is permitted, and the request goes on for that part",
		"If an item is missing, its selector says what kept it out; if that is not meant, change that entry."},
	OpenRoute: {"open-route", forwarded,
		"it is a dictionary, open to every valid token",
		"Nothing to do: dictionaries hold no customer's items."},
	PublicRoute: {"public-route", forwarded,
		"the catalogue marks the route as public: it is forwarded without credential or account",
		"Nothing to do: no token is needed."},
	OwnAnswer: {"own-answer", local,
		"the gateway answers this itself",
		"Nothing to do: the backend is not asked."},
	ManagedRecord: {"managed-record", local,
		"the record is the gateway's own, which it answers and changes itself",
		"Nothing to do. aclgate changes, or GET …/logs, says who changed what."},
	Unenforced: {"unenforced", forwarded,
		"the ACL would not permit it, but policy.enforce is false",
		"Before policy.enforce becomes true, give the token an entry for this, or expect a denial."},
	MasterRoute: {"master-route", forwarded,
		"the path is unknown, and policy.unknown_routes lets masters of a root account use it",
		"Put the path into a catalogue of your own (policy.routes_file) if other tokens need it."},

	BadHead: {"bad-head", fault(400, "the head of the request is malformed"),
		"the head of the request is malformed (also 408, 411, 414, 417, 421, 431, 505)",
		"Correct the client: the answer names what is wrong with its request line or headers."},
	Loop: {"loop", fault(508, "the request has come back to the gateway that forwarded it"),
		"the request has come back to this gateway, or passed too many others",
		"Correct upstream.urls, here or behind: one of them leads back to a gateway on the way, not to the backend."},
	BadTarget: {"bad-target", fault(400, "the path is malformed"),
		"the path does not fit the grammar",
		"Correct the path: no empty segment, no slash at the end of a write, no . or .., each special character percent-encoded once."},
	BadQuery: {"bad-query", fault(400, "the query is malformed"),
		"the query, or its data, does not fit the grammar",
		"Correct the query: known names, each once; a further name can be permitted by policy.query."},
	BadSelector: {"bad-selector", fault(400, "a selector is malformed"),
		"a selector is neither all nor an id list nor a match",
		"Write all, ids such as 7,9, field=value, or one {expression}; field=value may follow ids or all."},

	TokenMissing: {"token-missing", unauthorized,
		"the request carries no token",
		"Send the header Authorization: FlespiToken KEY; a key in the query or in a cookie does not count."},
	TokenMalformed: {"token-malformed", unauthorized,
		"the Authorization header holds no key",
		"Send FlespiToken, one space and the key: 8 to 256 characters of A-Z a-z 0-9 . _ ~ and -."},
	TokenUnknown: {"token-unknown", unauthorized,
		"no token has this key",
		"Compare the key with the token's key_sha256, and see whether the gateway has loaded the newest policy. Of a token of an issuer, the log says why with log.level debug."},
	TokenExpired: {"token-expired", unauthorized,
		"the token's time is over: neither expire nor ttl holds",
		"Set a later expire, or a longer ttl, or give the caller a new token."},
	TokenDisabled: {"token-disabled", unauthorized,
		"the token is disabled",
		"Set enabled: true, if the token should work again."},
	TokenAddress: {"token-address", unauthorized,
		"the token may not be used from this address",
		"Add the address to the token's ips; behind a load balancer, name that in listen.trusted_proxies."},
	TokenOrigin: {"token-origin", unauthorized,
		"the token may not be used by pages of this origin",
		"Add the origin to the token's origins, spelled as the browser sends it: scheme, host and port."},
	TokenNoAPI: {"token-noapi", notPermitted,
		"the token is of type noapi, which may not call the API",
		"Use a token of type acl, standard or master for the API."},
	StoreStale: {"store-stale", later(503, 1, "tokens cannot be checked now"),
		"tokens cannot be checked now, so every caller is refused",
		"See why the store is out of reach: the log names it, and requests pass again once it is back."},

	LoginFailed: {"login-failed", Answer{Class: ClassLoginFailed, Status: 401, Code: 401, Text: "wrong name or password"},
		"no user of the realm has this name and password, or the user, the realm or the account is closed",
		"Which it was is not said to anybody. Look at the realm, at `enabled` and `cid` of the user, and at the account; set a new password if all are sound."},
	LoginBusy: {"login-busy", later(503, 1, "too many logins at one time: try again"),
		"all workers that check passwords are busy, and enough logins wait for them",
		"If nobody attacks, raise realms.hashers, or use fewer logins and longer sessions."},
	LoginLimited: {"login-limited", later(429, 1, "too many failed logins: try again later"),
		"too many logins have failed from this address, or of this name from this address",
		"Wait: 10 fail a minute from one address, 30 an hour of one name from one address. The user can log in from elsewhere."},

	AccountBlocked: {"account-blocked", fault(403, "the account is blocked"),
		"the account of the token, or one above it, is disabled or has a limit of zero",
		"A master of an account above enables it, or gives it another limit."},
	AccountLimit: {"account-limit", later(429, 1, "a limit of the account is reached"),
		"the account of the token, or one above it, has used up the calls or the traffic of its limit, and is blocked for a while",
		"Let the client wait for Retry-After, or give the account a higher limit."},
	LimitToken: {"limit-token", later(429, 1, "too many requests of this token"),
		"the token has sent too many requests",
		"Let the client wait for Retry-After, or raise limits for tokens."},
	LimitAccount: {"limit-account", later(429, 1, "too many requests of this account"),
		"the account has sent too many requests",
		"See which token of the account sends so much, or raise limits for accounts."},
	LimitSource: {"limit-source", later(429, 1, "too many requests from this address"),
		"too many requests came from this address",
		"See who calls from there; behind a load balancer, name that in listen.trusted_proxies."},

	ManyAccounts: {"many-accounts", later(503, 5, "accounts cannot be kept apart"),
		"scope.mode is none, which keeps no accounts apart, and the store has several",
		"Set scope.mode to header or ids, or leave one account."},
	ForeignAccount: {"foreign-account", denied(ClassDeniedAccount),
		"the account asked for is not in the branch of the token's account",
		"Ask for an account below the token's own, or use a token of an account above both."},

	UnknownRoute: {"unknown-route", fault(404, "unknown path"),
		"the gateway knows no path of this shape (code 8 for an acl token)",
		"See \"aclgate routes\"; a path that the backend has and the catalogue lacks can be added by policy.routes_file."},
	UnknownMethod: {"unknown-method", fault(405, "this path does not take the method"),
		"the path does not take this method (code 8 for an acl token)",
		"Use one of the methods that the answer names in Allow."},

	ClosedCredential: {"closed-credential", notPermitted,
		"the path acts on whoever holds the credential, which is the gateway",
		"Do this at the backend itself, with its own credential: it is closed to everyone here."},
	ClosedKeys: {"closed-keys", notPermitted,
		"the path lists or issues keys of the backend, or has it act with master rights, which would go around the gateway",
		"Do this at the backend itself; policy.backend_keys: forward opens it, with the risk that check warns about."},
	ClosedPlatform: {"closed-platform", notPermitted,
		"/platform is for master tokens, and no entry opens it",
		"Use a master token for /platform."},
	ClosedMQTT: {"closed-mqtt", notPermitted,
		"/mqtt is closed to acl tokens, and to everyone in scope.mode ids",
		"Use a standard or master token, in scope.mode header or both."},
	ClosedTopic: {"closed-topic", notPermitted,
		"the backend takes REST calls over this MQTT topic",
		"Use a topic that begins neither with flespi/ nor with $, and send REST calls as such."},
	ClosedScope: {"closed-scope", notPermitted,
		"in scope.mode ids the gateway cannot tell which account's data this path is about",
		"Use a master token of a root account, or a backend that knows accounts (scope.mode header)."},
	NoGrant: {"no-grant", notPermitted,
		"the request is made under an account that granted something, and none of its grants permits this",
		"See what was granted: GET /platform/grantors/all. A guest makes no tokens, users, grants or webhooks, whatever was granted."},
	NoEntry: {"no-entry", notPermitted,
		"no entry of the token's ACL permits the method on what is addressed",
		"Add an entry with this uri, method and submodule, if the token is meant to do this."},
	CreateLimited: {"create-limited", notPermitted,
		"the entry that decides has ids, and to create takes one without",
		"Give POST to an entry without ids: what is created is in no list."},
	OwnersFixed: {"owners-fixed", fault(405, "whose an item is stands in the policy file, which the gateway only reads"),
		"the request makes, deletes or moves items, and the policy file, where their owners stand, cannot be written",
		"Change owners in the policy file, and the items at the backend itself; or keep the policy in a database (store.kind)."},
	FieldHidden: {"field-hidden", notPermitted,
		"a field is part of a submodule, or an expression could be about one, and the token may not read that",
		"Ask for other fields, or give the token GET on the item and on the submodule that the field belongs to."},
	MatchUnreadable: {"match-unreadable", notPermitted,
		"a match reads the item, and the entry does not permit to read that much",
		"Name the items by id, or give the entry GET; an {expression} also takes an entry that names no submodules."},
	MatchDenied: {"match-denied", notPermitted,
		"scope.match is deny: a token limited to some items may not ask by match",
		"Name the items by id or all, or set scope.match: resolve."},
	LinkNoEntry: {"link-no-entry", notPermitted,
		"no entry is about the collection of the linked items, and to link hands them on",
		"Add an entry with GET for the linked collection, if the token is meant to link its items."},
	LinkMessages: {"link-messages", notPermitted,
		"the request hands on messages of the linked items, and the token may not read them",
		"Permit GET on the submodule messages of what is linked, if the token is meant to read it."},

	TooManyIDs: {"too-many-ids", fault(400, "too many ids in one list"),
		"one id list is longer than policy.max_ids",
		"Send fewer ids at a time, or raise policy.max_ids."},
	WriteTooWide: {"write-too-wide", fault(400, "this would change too many items: name them"),
		"a write by all or a match reaches more items than policy.max_write, or nobody here knows how many",
		"Name the items by id, or raise policy.max_write if one call is meant to change that many."},
	MatchTooWide: {"match-too-wide", fault(400, "too many items match: narrow the match"),
		"more items of the scope match than policy.max_resolved",
		"Add a condition, or name the items by id or all; or raise policy.max_resolved."},
	LinkedMatch: {"linked-match", fault(400, "name ids here: at this place a match speaks of links"),
		"a match at a linked place is about links, which the gateway cannot resolve for this token",
		"Name the linked items by id or all."},
	MixedAccounts: {"mixed-accounts", fault(400, "these items belong to several accounts: name those of one account"),
		"the items belong to several accounts, some of them by a grant, and no one account can be named to the backend for all of them",
		"Send one request for each account; scope.mode ids does not need this."},
	ListTooLong: {"list-too-long", fault(400, ""),
		"the permitted ids do not fit upstream.max_url_bytes",
		"Name fewer items, or raise upstream.max_url_bytes if the backend takes longer paths."},
	IndexStale: {"index-stale", later(503, 1, "the account of items is not known now"),
		"what the index knows about accounts of items is older than scope.max_staleness",
		"See why the index cannot be refreshed: the log names the backend's answer."},
	ScopeIgnored: {"scope-ignored", later(503, 5, "the backend does not obey x-flespi-cid"),
		"the backend was seen to ignore x-flespi-cid, and nothing else limits this request",
		"Use scope.mode ids, or a backend that obeys the header; \"aclgate check --live\" looks again."},
	ScopeUnchecked: {"scope-unchecked", later(503, 1, "it is not known yet whether the backend obeys x-flespi-cid"),
		"the gateway has not been able to check yet whether the backend obeys x-flespi-cid, and nothing else limits this request",
		"It checks every second until the backend answers: the log says what fails. scope.trust_header leaves the check out."},
	DeniedItems: {"denied-items", denied(ClassDeniedItems),
		"what was asked for by id is not permitted, and nothing is left to forward",
		"See what kept each id out: it is not among the ids of the entry that decides, or the item is of another account or does not exist."},
	NothingLeft: {"nothing-left", empty,
		"nothing of what the selector names is permitted, so the answer is an empty list",
		"See what limits the selector: a list without ids, or an account without items."},
	MatchRefused: {"match-refused", empty,
		"the backend refused the match (4xx), and the answer is an empty list, as where nothing matches",
		"The record has the backend's status and words: most often a field is misspelled, or the backend says so where nothing matches."},

	RecordsFixed: {"read-only", fault(405, "these records are not written here"),
		"records stand in a policy file, at the backend, or in a database that this gateway only reads",
		"Edit the policy file, keep the records in a database (store.kind), or ask a gateway that writes."},
	RecordChanged: {"record-changed", fault(412, "the record is not any more what If-Match says"),
		"somebody else has changed the record since its ETag was read",
		"Read the record again, and change what it is now."},
	CountLimit: {"count-limit", fault(403, "a limit of the account is reached"),
		"the account that would get the items, or one above it, holds as many as its limit says",
		"Delete what is not needed, or give the account a higher limit."},
	BodyTooLarge: {"body-too-large", fault(413, "the body is too large"),
		"the body is larger than listen.max_body_bytes",
		"Send less at a time, or raise listen.max_body_bytes (listen.max_upload_bytes for uploads)."},
	BodyCoding: {"body-coding", fault(415, "the body may not be encoded"),
		"the body is compressed, so it could not be judged",
		"Send the body without Content-Encoding."},
	BadBody: {"bad-body", fault(400, "the body is malformed"),
		"the body is no JSON that has one meaning only, or holds a key that this path does not take",
		"Correct the body where the answer points: no key twice, id and cid plain integers, no id on creation."},
	BodyOwner: {"body-owner", fault(400, "a body does not say whose an item is: PUT …/cid does"),
		"the body names a cid, and the backend knows no accounts",
		"Leave cid out: what is created belongs to the scope's account, and PUT of the item's submodule cid moves it."},
	BodyAccount: {"body-account", denied(ClassDeniedAccount),
		"the cid in the body is outside the scope",
		"Name an account in the scope; if x-flespi-cid has narrowed that too far, leave it out."},
	BodyItem: {"body-item", denied(ClassDeniedBodyItem),
		"the id in the body is not one of the items that the path addresses and the token may touch",
		"Name the same items in path and body."},
	MoveNoEntry: {"move-no-entry", notPermitted,
		"to move an item takes an entry that names the submodule cid with PUT",
		"Add {name: cid, methods: [PUT]} to the submodules of the entry, if the token is meant to move items."},

	BadField: {"bad-field", Answer{Class: ClassFault, Status: 400, Code: 2, Text: "a field is wrong"},
		"a field of the body, of fields or of a match is not what the record has",
		"The answer names the field and what was expected; schema_hint has the names that are taken."},
	Stronger: {"stronger", Answer{Class: ClassNotPermitted, Status: 403, Code: CodeNotPermitted, Text: "a token may not create what is stronger than itself"},
		"the record would hand out more than the caller holds",
		"Let somebody who holds it make the record, or ask for less."},
	InTheWay: {"in-the-way", fault(409, "the record is in use"),
		"the record is in use, is the last master, or has a name that is taken",
		"The answer says what stands in the way: change that first."},
	StoreAway: {"store-away", later(503, 1, "the records cannot be reached now"),
		"the database did not answer, or what it did could not be read back",
		"See why the database does not answer: aclgate store status."},

	TopicSyntax: {"topic-syntax", fault(400, "the topic is malformed"),
		"the topic, or the topic filter, does not fit the grammar",
		"Correct it: + and # alone in their level, # last, no control characters; $filter/ only where mqtt.dialect is flespi."},
	TopicRest: {"topic-rest", notPermitted,
		"topics below flespi/rest carry REST calls, which would go around the gateway",
		"Send the call to the gateway over HTTP."},
	TopicClosed: {"topic-closed", notPermitted,
		"the topic belongs to the platform or to the broker, and is closed to everybody",
		"Publish to topics that begin neither with flespi/ nor with $; the table of SPEC 16.4.1 says what of flespi/ can be read."},
	NoTopicEntry: {"no-topic-entry", notPermitted,
		"no mqtt entry of the token covers the topic with this action",
		"Add an entry {uri: mqtt, topic: …, actions: […]} if the token is meant to do this."},
	WillDenied: {"will-denied", notPermitted,
		"the token may not publish the will that the client brought",
		"Give the token an mqtt entry with publish for the will's topic, or connect without a will."},
	ResponseTopic: {"response-topic", notPermitted,
		"the response topic is not one that the sender may subscribe to",
		"Name a topic of the client's own, with an mqtt entry that permits subscribe."},
	ShareWide: {"share-wide", notPermitted,
		"a shared filter would have to be wider than what the token may see, and its group would lose messages",
		"Subscribe to a narrower filter, or without $share."},
	TooManyFilters: {"too-many-filters", fault(400, "too many topic filters"),
		"what is permitted of the filter does not fit mqtt.max_filters",
		"Name fewer items, or raise mqtt.max_filters."},
	SenderOutside: {"sender-outside", notPermitted,
		"the message is of no account, or of one outside the scope",
		"See whether the broker sends the user property cid, and whose message it is."},
	BadPacket: {"bad-packet", fault(400, "malformed packet"),
		"what the client sent is no packet of MQTT that may come there, or came too late",
		"Correct the client: a version from 3.1 to 5, the first packet CONNECT within mqtt.timeouts.connect, a client id where the version needs one."},
	Revoked: {"revoked", unauthorized,
		"the token of the session is gone, disabled or expired, or cannot be checked now",
		"Nothing to do if that was meant; else see whether the token is in the policy, and valid."},
	RightsChanged: {"rights-changed", unauthorized,
		"the rights of the token have changed, and no session outlives the rights under which it was made",
		"Nothing to do: the client connects again, and has the new rights."},

	BackendRefused: {"backend-refused", backends,
		"the backend refused the match that the gateway had it resolve",
		"Correct the match: the answer is the backend's own."},
	OwnerUnrecorded: {"owner-unrecorded", fault(503, "whose the items are could not be recorded"),
		"the store could not record whose items are: what was created waits at the roots, what was to move has not moved",
		"See why the store cannot be written: the log names it. Assign what was created by \"aclgate item assign\"."},
	UpstreamBroken: {"upstream-broken", fault(502, "the backend cannot be reached or broke off"),
		"the backend could not be reached, or broke off",
		"See whether the backend runs, and what the log says about it."},
	UpstreamRedirect: {"upstream-redirect", fault(502, "the backend answered with a redirect"),
		"the backend answered with a redirect, which is never followed",
		"Set upstream.urls to where it points, if that is the backend."},
	UpstreamUnauthorized: {"upstream-unauthorized", fault(502, "the backend refused the gateway"),
		"the backend refused the gateway's own credential",
		"Renew the key in upstream.token_file and reload."},
	UpstreamSlow: {"upstream-slow", fault(504, "the backend did not answer in time"),
		"the backend did not answer in time",
		"Ask for less, or raise upstream.timeouts.first_byte."},
	UpstreamBusy: {"upstream-busy", later(503, 1, "the backend is busy"),
		"all connections to the backend are in use",
		"Raise upstream.max_connections, if the backend can bear it."},
	Overloaded: {"overloaded", later(503, 1, "the gateway is busy"),
		"the gateway is busy",
		"Let the client wait for Retry-After; add replicas if it lasts."},
	ClientGone: {"client-gone", gone,
		"the client went away, so there was nobody to answer",
		"See whether the client's own timeout is shorter than the backend's answer."},
	Internal: {"internal", fault(500, "internal error"),
		"a fault of the gateway",
		"Report it with the x-aclgate-decision of the answer and what the log says."},
}
