package store

import (
	"slices"
	"strings"
)

// Field is one key of the policy file.
type Field struct {
	Path     string // "tokens[].access.type"
	Type     string // what it takes, in words
	Required bool
	Default  string // what its absence means; "" where it is required
	Doc      string // what it means, in a sentence
}

// Names of what values are. A JSON Schema has one form for each: see valueForm.
const (
	typeList    = "list"
	typeMapping = "mapping"
	typeID      = "id"
	typeText    = "text"
	typeBool    = "bool"
	typeKey     = "key"
	typeDigest  = "64 hexadecimal digits"
	typeMoment  = "a day, a time or unix seconds"
	typeSeconds = "duration or seconds"
	typeIPs     = "text or list of addresses"
	typeOrigins = `list of origins, or "*"`
	typeAccess  = "master | standard | acl | noapi"
	typeMethods = "list of methods"
	typeIDs     = "list of ids | all | in-groups"
	typeActions = "list of publish, subscribe"
	typeOwners  = "mapping of collections"
	typeTexts   = "list of texts"
	typeRecords = "list of records"
	typeAny     = "anything"
)

// Reference returns a row for every key of the policy file, in the order in which they are read
// best.
func Reference() []Field { return slices.Clone(reference) }

var reference = []Field{
	{"accounts", typeList, false, "[]", "The account tree. An account without parent is a root; several may be."},
	{"accounts[].id", typeID, true, "", "The cid of the account at the backend."},
	{"accounts[].name", typeText, false, `""`, "Shown by `explain`, `why` and `check`."},
	{"accounts[].parent", typeID, false, "none: a root", "The account right above. At most `policy.max_depth` levels."},
	{"accounts[].enabled", typeBool, false, "true", "`false`: requests of this account and of all below it are a 403, code 403."},
	{"accounts[].limit_id", typeID, false, "none", "The limit that bounds the account, made by an account above it."},
	{"accounts[].email", typeText, false, `""`, "Whom to write to."},
	{"accounts[].created", typeMoment, false, "0", "When the account was made."},
	{"accounts[].account_roles", typeTexts, false, "[]", "Roles of the account, for `when` of roles."},
	{"accounts[].consultancy_account_id", typeID, false, "none", "The account that consults it."},
	{"accounts[].metadata", typeAny, false, "{}", "An object of at most 16 KiB, for clients."},

	{"limits", typeRecords, false, "[]", "Bounds for accounts below the one that made them: `id`, `cid`, and the fields of [`platform/limits`](api.md#platformlimits)."},
	{"grants", typeRecords, false, "[]", "What accounts let other accounts do with their items: `id`, `cid` (the grantor), `grantees`, a list of accounts, `name`, `access`, `enabled`, `expire` and `metadata`."},

	{"tokens", typeList, false, "[]", "Who may call. Without any every key is unknown."},
	{"tokens[].id", typeID, true, "", "The number by which logs, metrics and commands name the token. Never give one again."},
	{"tokens[].key_sha256", typeDigest, true, "", "The SHA-256 digest of the key, as `aclgate token new` prints it. Or `key`."},
	{"tokens[].key", typeKey, false, "", "The key itself, in the place of its digest. `check` warns: whoever reads the file has the key."},
	{"tokens[].info", typeText, false, `""`, "Who uses the token, and for what."},
	{"tokens[].cid", typeID, true, "", "The account of the token. It reaches this account and all below it."},
	{"tokens[].expire", typeMoment, false, "0: never by this", "When the token ends. A token needs `expire` or `ttl`; with both it is valid while either lets it."},
	{"tokens[].ttl", typeSeconds, false, "0: not by use", "How long the token may go unused. It counts from the last use, and from `created` before the first one."},
	{"tokens[].created", typeMoment, false, "0", "When the token was made. Required with `ttl`."},
	{"tokens[].enabled", typeBool, false, "true", "`false`: every request with the token is a 401."},
	{"tokens[].ips", typeIPs, false, "any address", "Where requests may come from: addresses, networks such as `10.0.0.0/8`, masks such as `10.0.*`."},
	{"tokens[].origins", typeOrigins, false, `"*"`, "The web pages that may use the token, such as `https://app.example.com`. A request without `Origin` comes from no page and passes."},
	{"tokens[].access", typeMapping, true, "", "What the token may do."},
	{"tokens[].access.type", typeAccess, true, "", "master: everything in its branch; standard: everything but administration; acl: what its entries permit; noapi: nothing by REST. Also 1, 0, 2, 3, as flespi writes them."},
	{"tokens[].access.acl", typeList, false, "[]: nothing", "The entries of an acl token. One of them decides: see [decisions](decisions.md)."},
	{"tokens[].access.acl[].uri", typeText, true, "", "A collection such as `gw/devices`, or a module such as `storage`; `mqtt` for own topics."},
	{"tokens[].access.acl[].methods", typeMethods, false, "[]: none", "GET, POST, PUT, PATCH, DELETE, on the items themselves. They do not reach submodules that the entry names."},
	{"tokens[].access.acl[].ids", typeIDs, false, "the collection alone, without a list", "A list of item ids, `all`, or `in-groups`: the members of groups that the token may GET."},
	{"tokens[].access.acl[].submodules", typeList, false, "all of them, by `methods`", "What below the item has methods of its own. `[]`: nothing below the item."},
	{"tokens[].access.acl[].submodules[].name", typeText, true, "", "The first word behind the item, such as `messages` or `telemetry`."},
	{"tokens[].access.acl[].submodules[].methods", typeMethods, false, "[]: none", "Its methods."},
	{"tokens[].access.acl[].topic", typeText, false, `""`, "Of an `mqtt` entry: the topics it is about, as an MQTT filter. See [MQTT](mqtt.md)."},
	{"tokens[].access.acl[].actions", typeActions, false, "[]: none", "Of an `mqtt` entry: what may be done with these topics."},
	{"tokens[].created_by", typeID, false, "not known", "The token that made it."},
	{"tokens[].user_id", typeID, false, "none", "The user that it carries."},
	{"tokens[].realm_id", typeID, false, "none", "The realm of that user."},
	{"tokens[].accessed", typeAny, false, "", "Stands in what flespi exports. Read and not used: last uses are in the file beside the policy."},
	{"tokens[].blocked", typeAny, false, "", "Stands in what flespi exports. A token that flespi had blocked is not enabled here, with a warning."},
	{"tokens[].metadata", typeAny, false, "", "Stands in what flespi exports. Kept by a database, not used."},

	{"owners", typeOwners, false, "{}", "Whose items are, for a backend that knows no accounts (`scope.owners: store`): by collection and account, lists of ids and of runs such as `\"100-199\"`."},
	{"realms", typeRecords, false, "[]", "Where users log in: `id`, `cid`, `public_id`, `name`, and what else [a realm](realms.md) has. `claims` has groups and roles of an issuer elsewhere give [roles](signin.md#roles-from-claims)."},
	{"roles", typeRecords, false, "[]", "Roles beside the built-in ones: `id`, `name`, `realm_id` of a realm's own, `access`, `reach`, `when`. See [roles](roles.md)."},
	{"users", typeRecords, false, "[]", "Who logs in: `id`, `realm_id`, `name`, `password_hash`, which `aclgate user hash` prints, and what else [a user](realms.md) has."},
}

// keysOf returns the keys of the mapping at a path, in their order; "" is the file.
func keysOf(path string) (keys []string) {
	for _, f := range reference {
		up, key := "", f.Path
		if i := strings.LastIndexByte(f.Path, '.'); i >= 0 {
			up, key = f.Path[:i], f.Path[i+1:]
		}
		if up == path {
			keys = append(keys, key)
		}
	}
	return keys
}

// The keys of every mapping of the file.
var (
	fileKeys      = keysOf("")
	accountKeys   = keysOf("accounts[]")
	tokenKeys     = keysOf("tokens[]")
	accessKeys    = keysOf("tokens[].access")
	entryKeys     = keysOf("tokens[].access.acl[]")
	submoduleKeys = keysOf("tokens[].access.acl[].submodules[]")
)
