package explain

import "aclgate/policy"

// Codes of flespi's errors that are policy; every other code is an HTTP status.
const (
	codeDenied       = 6 // access denied to an item
	codeNotPermitted = 8 // action not permitted by ACL
)

// Docs returns every reason with its answer, its meaning and a hint, in the
// order of policy.Reasons: what the documentation is made from.
func Docs() []ReasonDoc {
	docs := make([]ReasonDoc, 0, len(reasonDocs))
	for _, r := range policy.Reasons() {
		docs = append(docs, docOf(r))
	}
	return docs
}

// docOf returns the documentation of one reason.
func docOf(r policy.Reason) ReasonDoc {
	doc := reasonDocs[r]
	doc.Reason = r
	return doc
}

// reasonDocs says of each reason its status, its code, what it means and what
// to do. Meanings finish the sentence "because …"; a test wants all of them.
var reasonDocs = map[policy.Reason]ReasonDoc{
	policy.NotJudged: {Status: 500, Code: 500, Meaning: "nobody judged the request, which is a fault of the gateway",
		Hint: "Report it with the x-aclgate-decision of the answer."},

	policy.Permitted: {Meaning: "everything that was asked for is permitted",
		Hint: "If the caller still misses something, the backend decided that: look there whether the items exist in this account."},
	policy.Narrowed: {Meaning: "a part of what was asked for is permitted, and the request goes on for that part",
		Hint: "If an item is missing, its selector says what kept it out; if that is not meant, change that entry."},
	policy.OpenRoute: {Meaning: "it is a dictionary, open to every valid token",
		Hint: "Nothing to do: dictionaries hold nobody's items."},
	policy.OwnAnswer: {Status: 200, Meaning: "the gateway answers this itself",
		Hint: "Nothing to do: the backend is not asked."},
	policy.Unenforced: {Meaning: "the ACL would not permit it, but policy.enforce is false",
		Hint: "Before policy.enforce becomes true, give the token an entry for this, or expect a denial."},
	policy.MasterRoute: {Meaning: "the path is unknown, and policy.unknown_routes lets masters of a root account use it",
		Hint: "Put the path into a catalogue of your own (policy.routes_file) if other tokens need it."},

	policy.BadHead: {Status: 400, Code: 400, Meaning: "the head of the request is malformed (also 411, 414, 417, 421, 431, 505)",
		Hint: "Correct the client: the answer names what is wrong with its request line or headers."},
	policy.BadTarget: {Status: 400, Code: 400, Meaning: "the path does not fit the grammar",
		Hint: "Correct the path: no empty segment, no slash at its end, no . or .., each special character percent-encoded once."},
	policy.BadQuery: {Status: 400, Code: 400, Meaning: "the query, or its data, does not fit the grammar",
		Hint: "Correct the query: known names, each once; a further name can be permitted by policy.query."},
	policy.BadSelector: {Status: 400, Code: 400, Meaning: "a selector is neither all nor an id list nor a match",
		Hint: "Write all, ids such as 7,9, field=value, or one {expression}, and never a mixture."},

	policy.TokenMissing: {Status: 401, Code: 401, Meaning: "the request carries no token",
		Hint: "Send the header Authorization: FlespiToken KEY; a key in the query or in a cookie does not count."},
	policy.TokenMalformed: {Status: 401, Code: 401, Meaning: "the Authorization header holds no key",
		Hint: "Send FlespiToken, one space and the key: 8 to 256 characters of A-Z a-z 0-9 . _ ~ and -."},
	policy.TokenUnknown: {Status: 401, Code: 401, Meaning: "no token has this key",
		Hint: "Compare the key with the token's key_sha256, and see whether the gateway has loaded the newest policy."},
	policy.TokenExpired: {Status: 401, Code: 401, Meaning: "the token's time is over: neither expire nor ttl holds",
		Hint: "Set a later expire, or a longer ttl, or give the caller a new token."},
	policy.TokenDisabled: {Status: 401, Code: 401, Meaning: "the token is disabled",
		Hint: "Set enabled: true, if the token should work again."},
	policy.TokenAddress: {Status: 401, Code: 401, Meaning: "the token may not be used from this address",
		Hint: "Add the address to the token's ips; behind a load balancer, name that in listen.trusted_proxies."},
	policy.TokenOrigin: {Status: 401, Code: 401, Meaning: "the token may not be used by pages of this origin",
		Hint: "Add the origin to the token's origins, spelled as the browser sends it: scheme, host and port."},
	policy.TokenNoAPI: {Status: 403, Code: codeNotPermitted, Meaning: "the token is of type noapi, which may not call the API",
		Hint: "Use a token of type acl, standard or master for the API."},
	policy.StoreStale: {Status: 503, Code: 503, Meaning: "tokens cannot be checked now, and in doubt nobody is let in",
		Hint: "See why the store is out of reach: the log names it, and requests pass again once it is back."},

	policy.LimitToken: {Status: 429, Code: 429, Meaning: "the token has sent too many requests",
		Hint: "Let the client wait for Retry-After, or raise limits for tokens."},
	policy.LimitAccount: {Status: 429, Code: 429, Meaning: "the account has sent too many requests",
		Hint: "See which token of the account sends so much, or raise limits for accounts."},
	policy.LimitSource: {Status: 429, Code: 429, Meaning: "too many requests came from this address",
		Hint: "See who calls from there; behind a load balancer, name that in listen.trusted_proxies."},

	policy.ForeignAccount: {Status: 403, Code: codeDenied, Meaning: "the account asked for is not in the branch of the token's account",
		Hint: "Ask for an account below the token's own, or use a token of an account above both."},
	policy.UnknownRoute: {Status: 404, Code: 404, Meaning: "the gateway knows no path of this shape (code 8 for an acl token)",
		Hint: "See \"aclgate routes\"; a path that the backend has and the catalogue lacks can be added by policy.routes_file."},
	policy.UnknownMethod: {Status: 405, Code: 405, Meaning: "the path does not take this method (code 8 for an acl token)",
		Hint: "Use one of the methods that the answer names in Allow."},

	policy.ClosedCredential: {Status: 403, Code: codeNotPermitted, Meaning: "the path acts on whoever holds the credential, which is the gateway",
		Hint: "Do this at the backend itself, with its own credential: it is closed to everyone here."},
	policy.ClosedKeys: {Status: 403, Code: codeNotPermitted, Meaning: "the path lists or issues keys of the backend, which would go around the gateway",
		Hint: "Do this at the backend itself; policy.backend_keys: forward opens it, with the risk that check warns about."},
	policy.ClosedPlatform: {Status: 403, Code: codeNotPermitted, Meaning: "/platform is for master tokens, and no entry opens it",
		Hint: "Use a master token for /platform."},
	policy.ClosedMQTT: {Status: 403, Code: codeNotPermitted, Meaning: "/mqtt is closed to acl tokens, and to everyone in scope.mode ids",
		Hint: "Use a standard or master token, in scope.mode header or both."},
	policy.ClosedTopic: {Status: 403, Code: codeNotPermitted, Meaning: "the backend takes REST calls over this MQTT topic",
		Hint: "Use a topic that begins neither with flespi/ nor with $, and send REST calls as such."},
	policy.ClosedScope: {Status: 403, Code: codeNotPermitted, Meaning: "in scope.mode ids the gateway cannot tell whose data this path is about",
		Hint: "Use a master token of a root account, or a backend that knows accounts (scope.mode header)."},
	policy.NoEntry: {Status: 403, Code: codeNotPermitted, Meaning: "no entry of the token's ACL permits the method on what is addressed",
		Hint: "Add an entry with this uri, method and submodule, if the token is meant to do this."},
	policy.CreateLimited: {Status: 403, Code: codeNotPermitted, Meaning: "the entry that decides has ids, and to create takes one without",
		Hint: "Give POST to an entry without ids: what is created is in no list."},
	policy.MatchUnreadable: {Status: 403, Code: codeNotPermitted, Meaning: "a match reads the item, and the entry does not permit to read that much",
		Hint: "Name the items by id, or give the entry GET; an {expression} also takes an entry that names no submodules."},
	policy.MatchDenied: {Status: 403, Code: codeNotPermitted, Meaning: "scope.match is deny: a token limited to some items may not ask by match",
		Hint: "Name the items by id or all, or set scope.match: resolve."},
	policy.LinkNoEntry: {Status: 403, Code: codeNotPermitted, Meaning: "no entry is about the collection whose items are linked, and to link hands them on",
		Hint: "Add an entry with GET for the linked collection, if the token is meant to link its items."},
	policy.LinkMessages: {Status: 403, Code: codeNotPermitted, Meaning: "the link carries messages out, and the token may not read them",
		Hint: "Permit GET on the submodule messages of what is linked, if the token is meant to read it."},

	policy.TooManyIDs: {Status: 400, Code: 400, Meaning: "one id list is longer than policy.max_ids",
		Hint: "Send fewer ids at a time, or raise policy.max_ids."},
	policy.LinkedMatch: {Status: 400, Code: 400, Meaning: "a match at a linked place speaks of links, which the gateway cannot resolve for this token",
		Hint: "Name the linked items by id or all."},
	policy.ListTooLong: {Status: 400, Code: 400, Meaning: "the permitted ids do not fit upstream.max_url_bytes",
		Hint: "Name fewer items, or raise upstream.max_url_bytes if the backend takes longer paths."},
	policy.IndexStale: {Status: 503, Code: 503, Meaning: "the index that knows whose an item is, is older than scope.max_staleness",
		Hint: "See why the index cannot be refreshed: the log names the backend's answer."},
	policy.ScopeIgnored: {Status: 503, Code: 503, Meaning: "the backend was seen to ignore x-flespi-cid, and nothing else limits this request",
		Hint: "Use scope.mode ids, or a backend that obeys the header; \"aclgate check --live\" looks again."},
	policy.DeniedItems: {Status: 403, Code: codeDenied, Meaning: "what was asked for by id is not permitted, and nothing is left to forward",
		Hint: "See what kept each id out: it is not among the ids of the entry that decides, or the item is of another account or does not exist."},
	policy.NothingLeft: {Status: 200, Meaning: "nothing of what the selector names is permitted, so the answer is an empty list",
		Hint: "See what limits the selector: a list without ids, or an account without items."},

	policy.BodyTooLarge: {Status: 413, Code: 413, Meaning: "the body is larger than listen.max_body_bytes",
		Hint: "Send less at a time, or raise listen.max_body_bytes (listen.max_upload_bytes for uploads)."},
	policy.BodyCoding: {Status: 415, Code: 415, Meaning: "the body is compressed, so it could not be judged",
		Hint: "Send the body without Content-Encoding."},
	policy.BadBody: {Status: 400, Code: 400, Meaning: "the body is no JSON that has one meaning only, or holds a key that this path does not take",
		Hint: "Correct the body where the answer points: no key twice, id and cid plain integers, no id on creation."},
	policy.BodyAccount: {Status: 403, Code: codeDenied, Meaning: "the cid in the body is outside the scope",
		Hint: "Name an account in the scope; if x-flespi-cid has narrowed that too far, leave it out."},
	policy.BodyItem: {Status: 403, Code: codeDenied, Meaning: "the id in the body is not one of the items that the path addresses and the token may touch",
		Hint: "Name the same items in path and body."},
	policy.MoveNoEntry: {Status: 403, Code: codeNotPermitted, Meaning: "to move an item takes an entry that names the submodule cid with PUT",
		Hint: "Add {name: cid, methods: [PUT]} to the submodules of the entry, if the token is meant to move items."},

	policy.BackendRefused: {Meaning: "the backend refused the match that the gateway had it resolve",
		Hint: "Correct the match: the answer is the backend's own."},
	policy.UpstreamBroken: {Status: 502, Code: 502, Meaning: "the backend could not be reached, or broke off",
		Hint: "See whether the backend runs, and what the log says about it."},
	policy.UpstreamRedirect: {Status: 502, Code: 502, Meaning: "the backend answered with a redirect, which is never followed",
		Hint: "Set upstream.urls to where it points, if that is the backend."},
	policy.UpstreamUnauthorized: {Status: 502, Code: 502, Meaning: "the backend refused the gateway's own credential",
		Hint: "Renew the key in upstream.token_file and reload."},
	policy.UpstreamSlow: {Status: 504, Code: 504, Meaning: "the backend did not answer in time",
		Hint: "Ask for less, or raise upstream.timeouts.first_byte."},
	policy.UpstreamBusy: {Status: 503, Code: 503, Meaning: "all connections to the backend are in use",
		Hint: "Raise upstream.max_connections, if the backend can bear it."},
	policy.Overloaded: {Status: 503, Code: 503, Meaning: "the gateway is busy or going down",
		Hint: "Let the client wait for Retry-After; add replicas if it lasts."},
	policy.ClientGone: {Status: 499, Meaning: "the client went away, so nobody was answered",
		Hint: "See whether the client's own timeout is shorter than the backend's answer."},
	policy.Internal: {Status: 500, Code: 500, Meaning: "a fault of the gateway",
		Hint: "Report it with the x-aclgate-decision of the answer and what the log says."},
}
