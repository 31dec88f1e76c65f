package record

// The kinds of managed records (SPEC 10.3, "Fields").
var (
	Tokens = newKind("tokens", "platform/tokens", "A credential with its rights and its validity.", tokenFields...)

	// LegacyTokens is Tokens as the path of 2017 says them: there, and only there, acl stands for
	// access.acl (SPEC 10.4).
	LegacyTokens = newKind("tokens", "platform/customer/tokens", "The same tokens; `acl` stands for `access.acl`.",
		append([]Field{{"acl", Entries, Always, 0, "the entries; `[]` of master and standard tokens"}}, tokenFields...)...)

	Subaccounts = newKind("subaccounts", "platform/subaccounts", "An account below the acting one, at any level.",
		Field{"id", ID, Never, Default, "given by the gateway, never used twice"},
		Field{"cid", ID, Never, Default, "the account above it, which never changes"},
		Field{"limit_id", OptionalID, Always, Default, "the limit that bounds it, made strictly above it; null: none"},
		Field{"name", Name, Always, Default | Needed, "what people call it"},
		Field{"email", Line, Always, 0, "whom to write to"},
		Field{"enabled", Enabled, Always, 0, "false: it and everything below it is blocked at once"},
		Field{"metadata", Metadata, Always, 0, "anything, for its clients"},
		Field{"account_roles", Texts, Always, 0, "roles of the account, for `when` of roles"},
		Field{"consultancy_account_id", OptionalID, Always, 0, "the account that consults it; null: none"},
		Field{"blocked", State, Never, Computed, "0 no, 1 by a limit, 2 by hand"},
		Field{"counters", Numbers, Never, Computed, "what is used now, by the names of the bounds"},
		Field{"created", Time, Never, 0, "unix seconds"},
	)

	Customer = newKind("customer", "platform/customer", "The acting account itself.",
		Field{"id", ID, Never, Default, "of the account"},
		Field{"name", Name, Always, Default, "what people call it"},
		Field{"email", Line, Always, 0, "whom to write to"},
		Field{"metadata", Metadata, Always, 0, "anything, for its clients"},
		Field{"cid", ID, Never, 0, "the account above it; null for who does not see it"},
		Field{"limits", Numbers, Never, Computed, "the bounds that hold, taken from all limits up to the root; -1: none"},
		Field{"counters", Numbers, Never, Computed, "what is used now, by the names of the bounds"},
		Field{"blocked", State, Never, Computed, "0 no, 1 by a limit, 2 by hand"},
	)

	Limits = newKind("limits", "platform/limits", "Bounds for accounts below the one that made it.", limitFields()...)

	// Changes are the rows of …/logs.
	Changes = newKind("logs", "…/logs", "A change of a record: who made it, when, and of which fields; never of which values.",
		Field{"timestamp", Time, Never, Default, "unix seconds"},
		Field{"id", ID, Never, Default, "the record"},
		Field{"event", Line, Never, Default, "created, changed, deleted, or shown: its key was"},
		Field{"fields", Texts, Never, Default, "which fields"},
		Field{"by", Line, Never, Default, "token, operator, db (a hand in the database), or above: somebody out of scope, of whom nothing more is said"},
		Field{"token_id", OptionalID, Never, Default, "the token that did it"},
		Field{"cid", OptionalID, Never, Default, "the acting account"},
		Field{"decision", Line, Never, Default, "the `x-aclgate-decision` of the request"},
		Field{"source", Line, Never, Default, "the address that it came from"},
	)

	Grants = newKind("grants", "platform/grants", "What an account lets other accounts do with its items.",
		Field{"id", ID, Never, Default, "given by the gateway, never used twice"},
		Field{"name", Name, Always, Default, "what people call it"},
		Field{"access", GrantAccess, Always, Default | Needed, "uri, ids and levels"},
		Field{"cid", ID, AtPost, Default, "the grantor"},
		Field{"enabled", Enabled, Always, 0, "false: it gives nothing"},
		Field{"expire", Time, Always, 0, "unix seconds; 0: never"},
		Field{"metadata", Metadata, Always, 0, "anything, for its clients"},
		Field{"created", Time, Never, 0, "unix seconds"},
	)

	// GrantLinks are whom a grant is for.
	GrantLinks = newKind("links", "platform/grants/{}/subaccounts", "An account that a grant is for.",
		Field{"grant_id", ID, Never, Default, "the grant"},
		Field{"subaccount_id", ID, Never, Default, "the account"},
	)

	Grantors = newKind("grantors", "platform/grantors", "A grant that the acting account has got.",
		Field{"id", ID, Never, Default, "of the grant"},
		Field{"name", Name, Never, Default, "what the grantor calls it"},
		Field{"access", GrantAccess, Never, Default, "uri, ids and levels"},
		Field{"cid", ID, Never, Default, "the grantor: `x-flespi-cid` of a cross-account request"},
		Field{"expire", Time, Never, 0, "unix seconds; 0: never"},
	)

	Realms = newKind("realms", "platform/realms", "A place where users log in.",
		Field{"id", ID, Never, Default, "given by the gateway, never used twice"},
		Field{"name", Name, Always, Default | Needed, "what people call it"},
		Field{"cid", ID, AtPost, Default, "the account that it belongs to"},
		Field{"public_id", Line, Never, Default, "its name in `/realm/{public_id}`, fixed"},
		Field{"enabled", Enabled, Always, 0, "false: nobody logs in"},
		Field{"home", Home, Always, 0, "where users live: type 0, 1 or 2"},
		Field{"token_params", TokenParams, Always, 0, "access, ttl, ips and origins of its users' tokens"},
		Field{"public_info", Metadata, Always, 0, "what `/realm/{public_id}/info` says"},
		Field{"registration", Registration, Always, 0, "how users come to be"},
		Field{"max_users", Bound, Always, 0, "how many users there may be; -1: any number"},
		Field{"audience", Line, Always, 0, "the `aud` of tokens from elsewhere"},
		Field{"claims", Claims, Always, 0, "`issuer`: the name out of `realms.issuers` whose tokens it takes; `roles`: which `value` of which `claim` of a token `gives` which roles"},
		Field{"metadata", Metadata, Always, 0, "anything, for its clients"},
	)

	Users = newKind("users", "platform/realms/{}/users", "Somebody who logs in.",
		Field{"id", ID, Never, Default, "given by the gateway, never used twice"},
		Field{"realm_id", ID, Never, Default, "the realm"},
		Field{"name", Name, Always, Default | Needed, "unique in the realm, without regard to case"},
		Field{"cid", ID, AtPost, Default, "the home account, which never changes"},
		Field{"enabled", Enabled, Always, 0, "false: all tokens of the user end"},
		Field{"email", Line, Always, 0, "whom to write to"},
		Field{"registration", Registration, Always, 0, "how the user came to be"},
		Field{"token_params", TokenParams, Always, 0, "instead of the realm's"},
		Field{"roles", Texts, Always, 0, "names of roles"},
		Field{"metadata", Metadata, Always, 0, "anything, for its clients"},
		Field{"password", Password, Always, Secret | WriteOnly, "12 to 1024 bytes; never read"},
	)

	// Logins, Logouts and Passwords are what a master does with the sessions and the password of users.
	Logins = newKind("users", "platform/realms/{}/users/{}/login", "A session of a user, made without the password. It is said once.",
		Field{"token", Line, Never, Default, "the key of the session"},
	)
	Logouts = newKind("users", "platform/realms/{}/users/{}/logout", "A user whose sessions, and the tokens made with them, have ended.",
		Field{"id", ID, Never, Default, "of the user"},
		Field{"ended", Time, Never, Default, "how many tokens have ended"},
	)
	Passwords = newKind("users", "platform/realms/{}/users/{}/password", "A user whose password was taken away: nobody logs in with it any more, and the sessions have ended.",
		Field{"id", ID, Never, Default, "of the user"},
	)

	Roles = newKind("roles", "platform/realms/{}/roles", "A named template of rights.",
		Field{"id", ID, Never, Default, "given by the gateway, never used twice"},
		Field{"name", Name, Always, Default | Needed, "as `roles` of users spell it"},
		Field{"access", Access, Always, 0, "what it permits"},
		Field{"reach", Reach, Always, 0, "own, branch, clients or tree"},
		Field{"when", Metadata, Always, 0, "account roles that the user's account must all have"},
		Field{"platform", PlatformRights, Always, 0, "uris and methods below `/platform`"},
		Field{"assignable_by", Texts, Always, 0, "who may give it to users"},
		Field{"realm_id", OptionalID, Never, 0, "the realm; none: the operator's"},
	)
)

var tokenFields = []Field{
	{"id", ID, Never, Default, "given by the gateway, never used twice"},
	{"access", Access, Always, Default | Needed, "type (0 standard, 1 master, 2 acl, 3 noapi) and entries"},
	{"cid", ID, AtPost, Default, "its account; without it, the acting account"},
	{"created", Time, Never, Default, "unix seconds"},
	{"enabled", Enabled, Always, Default, "false: it is not accepted"},
	{"expire", Time, Always, Default, "unix seconds; 0: unused. It is valid while expire or ttl holds, and needs one"},
	{"ttl", Seconds, Always, Default, "seconds since the last use; 0: unused"},
	{"info", Line, Always, Default, "what people call it"},
	{"ips", IPs, Always, Default, "addresses, networks and masks that it may come from, with commas between; empty: any"},
	{"key", Key, Never, Secret | Computed, "the credential: answered when it is made, else null"},
	{"accessed", Time, Never, Computed, "the last use, unix seconds; 0: never"},
	{"blocked", State, Never, Computed, "0 no, 1 by a limit, 2 by hand: of its account"},
	{"origins", Origins, Always, 0, "pages that may use it: `\"*\"`, or a list"},
	{"metadata", Metadata, Always, 0, "anything, for its clients"},
	{"realm_id", OptionalID, Never, 0, "the realm of its user"},
	{"user_id", OptionalID, Never, 0, "the user that it carries: it can never do more than that user"},
	{"created_by", OptionalID, Never, 0, "the token that made it"},
}

func limitFields() []Field {
	fields := []Field{
		{"id", ID, Never, Default, "given by the gateway, never used twice"},
		{"name", Name, Always, Default, "what people call it"},
		{"description", Line, Always, 0, "what it is for"},
		{"blocking_duration", Seconds, Always, 0, "how long an account is blocked that exceeds api_calls or api_traffic"},
		{"metadata", Metadata, Always, 0, "anything, for its clients"},
		{"cid", ID, Never, 0, "the account that made it"},
	}
	for _, b := range Bounds() {
		fields = append(fields, Field{b.Name, Bound, Always, 0, b.Says()})
	}
	return fields
}

// Kinds returns all kinds, in the order in which the reference shows them.
func Kinds() []*Kind {
	return []*Kind{Tokens, LegacyTokens, Subaccounts, Customer, Limits, Changes, Grants, GrantLinks, Grantors, Realms, Users, Logins, Logouts, Passwords, Roles}
}
