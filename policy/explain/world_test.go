package explain_test

import (
	"slices"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/policy/routes"
)

// now is the moment of every ask here.
var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).Unix()

// world is what the tests ask about: an engine, a tree of accounts and tokens.
type world struct {
	engine *policy.Engine
	tree   *policy.Tree
	tokens map[string]*policy.Token
}

func newWorld(t testing.TB) *world {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tree, faults := policy.NewTree([]policy.Account{
		{ID: 1, Name: "operator"}, {ID: 11, Parent: 1, Name: "ACME Fleet"}, {ID: 12, Parent: 1, Name: "Rival Cars"},
		{ID: 111, Parent: 11, Name: "ACME North"},
	}, 10)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w := &world{engine: &policy.Engine{Catalogue: cat, MaxIDs: 100}, tree: tree, tokens: map[string]*policy.Token{}}
	w.add("root", policy.Master, 1)
	w.add("standard", policy.Standard, 11)
	w.add("noapi", policy.NoAPI, 11)
	w.add("viewer", policy.ACLAccess, 11, viewer...)
	w.add("linker", policy.ACLAccess, 11, linker...)
	w.add("empty", policy.ACLAccess, 11)
	w.add("grouped", policy.ACLAccess, 11, grouped...)
	old := w.add("old", policy.ACLAccess, 11, viewer...)
	old.Expire = now - 86400
	return w
}

// add makes the token called name.
func (w *world) add(name string, access policy.Access, cid int64, entries ...policy.Entry) *policy.Token {
	id := int64(len(w.tokens) + 15)
	tok := &policy.Token{
		ID: id, Digest: policy.Digest{byte(id), 0xab, 0xcd, 0xef}, CID: cid, Access: access, Info: name, Enabled: true,
		Expire: now + 86400*200, Line: int(id) * 10,
	}
	if access == policy.ACLAccess {
		entries = slices.Clone(entries)
		for i := range entries {
			entries[i].Line = tok.Line + 4 + i
		}
		tok.ACL = policy.NewACL(entries, w.engine.Catalogue)
	}
	w.tokens[name] = tok
	return tok
}

func listOf(ids ...int64) policy.IDSet { return policy.NewIDSet(ids) }

func sub(name string, ms ...policy.Method) policy.Submodule {
	return policy.Submodule{Name: name, Methods: policy.Methods(ms...)}
}

var (
	get    = policy.Methods(policy.GET)
	getPut = policy.Methods(policy.GET, policy.PUT)
)

// viewer is an ACL with something to say about devices.
var viewer = []policy.Entry{
	{URI: "gw", Methods: get},
	{URI: "gw/devices", Methods: policy.Methods(policy.GET, policy.PUT, policy.POST), Rule: policy.IDsList, IDs: listOf(7, 9),
		HasSubmodules: true, Submodules: []policy.Submodule{sub("messages", policy.GET), sub("settings", policy.GET, policy.PUT)}},
	{URI: "gw/devices", Methods: getPut},
	{URI: "gw/devices", Methods: policy.Methods(policy.DELETE), Rule: policy.IDsList, IDs: listOf(9)},
	{URI: "gw/channels", Methods: getPut, Rule: policy.IDsAll},
	{URI: "gw/calcs", Methods: get, Rule: policy.IDsInGroups},
	{URI: "gw/dev", Methods: getPut},
	{URI: "storage", Methods: get},
}

// linker may change streams and groups, and see some devices.
var linker = []policy.Entry{
	{URI: "gw/streams", Methods: policy.Methods(policy.GET, policy.POST, policy.PUT)},
	{URI: "gw/groups", Methods: policy.Methods(policy.GET, policy.POST, policy.PUT)},
	{URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: listOf(5, 6, 7), HasSubmodules: true},
	{URI: "gw/devices", Rule: policy.IDsList, IDs: listOf(5, 6), HasSubmodules: true,
		Submodules: []policy.Submodule{sub("messages", policy.GET)}},
}

// grouped sees the members of some groups; but who may add assets to a group gains nothing by them.
var grouped = []policy.Entry{
	{URI: "gw/groups", Methods: getPut, Rule: policy.IDsList, IDs: listOf(3), HasSubmodules: true,
		Submodules: []policy.Submodule{sub("assets", policy.POST)}},
}

// index is a policy.Items made of a map.
type index struct {
	tree   *policy.Tree
	owners map[int64]int64 // of every collection alike
	member []int64         // of whatever groups
}

func (x *index) Account(_ *policy.Collection, id int64) (int64, bool) {
	cid, known := x.owners[id]
	return cid, known
}

func (x *index) Of(_ *policy.Collection, cid int64) (ids []int64) {
	for id, owner := range x.owners {
		if x.tree.Contains(cid, owner) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (x *index) Doubtful(*policy.Collection, int64) []int64 { return nil }

func (x *index) Members(_ *policy.Collection, groups []int64) []int64 {
	if len(groups) == 0 {
		return nil
	}
	return x.member
}

// withRoles makes the standard token a session of a user with two roles.
func (w *world) withRoles() {
	user := *w.tokens["standard"]
	get := policy.NewACL([]policy.Entry{{Number: 1, URI: "gw", Methods: get, Rule: policy.IDsAbsent}}, w.engine.Catalogue)
	user.IsUser, user.Access, user.Info, user.CID = true, policy.ACLAccess, "a session of user 5", 111
	user.Roles = []policy.UserRole{{Name: "member", ACL: get}, {Name: "consultant", Reach: policy.ReachClients, Clients: []int64{12}, ACL: get}}
	w.tokens["standard"] = &user
}

// ask explains one request of the token called name.
func (w *world) ask(name string, ask explain.Ask) *explain.Report {
	ask.At, ask.File, ask.Tree, ask.Token = now, "policy.yaml", w.tree, w.tokens[name]
	return explain.Explain(w.engine, ask)
}
