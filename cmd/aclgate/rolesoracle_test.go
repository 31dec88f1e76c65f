package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/backend"
)

// The built-in roles beside those of FlexMeasures (SPEC 13, 14): what its own code says who may do, and what
// a running gateway does when somebody tries.

// roleActor is a row of the table: who asks, and what they may do here with each resource: create below
// it, read, update, delete. consultant is the same where the built-in role was redefined to edit.
type roleActor struct {
	name, user string // the user is logged in by the operator; "": nobody is
	may        string // by roleResources, in their order
	redefined  string // "": the same

	theirs, theirsRedefined string // the same by the original's own code: v0.26.1, and 1.0.0.dev, whose consultant edits
}

// roleResource is a thing of FlexMeasures, with the requests that stand for what is done with it.
type roleResource struct {
	name    string
	request func(a *roleActor, id int) map[string]string // by permission; a missing one cannot be expressed
}

// roleResources are those of FlexMeasures that a gateway can express, by what stands for them.
var roleResources = []roleResource{
	{"account", func(a *roleActor, _ int) map[string]string { return accountRequests(a, 10, 11) }},
	{"account without consultancy", func(a *roleActor, _ int) map[string]string { return accountRequests(a, 60, 61) }},
	{"user", func(a *roleActor, id int) map[string]string {
		path := fmt.Sprintf("/platform/realms/1/users/%d", 100+id)
		r := map[string]string{"read": "GET " + path, "update": "PUT " + path, "delete": "DELETE " + path}
		if a.name == "self (no role)" {
			r["read"], r["update"], r["delete"] = "GET /realm/ours/user", "PUT /realm/ours/user", "DELETE /platform/realms/1/users/2"
		}
		return r
	}},
	{"asset", func(_ *roleActor, id int) map[string]string { return itemRequests(1000 + id) }},
	{"asset of account without consultancy", func(_ *roleActor, id int) map[string]string { return itemRequests(2000 + id) }},
	{"sensor", func(_ *roleActor, id int) map[string]string {
		path := fmt.Sprintf("/gw/devices/%d/", 1100+id)
		return map[string]string{"create-children": "POST " + path + "messages", "read": "GET " + path + "telemetry", "update": "PUT " + path + "settings/a", "delete": "DELETE " + path + "messages"}
	}},
	{"audit log of user", func(a *roleActor, id int) map[string]string {
		if a.name == "self (no role)" {
			return map[string]string{"read": "GET /platform/realms/1/users/2/logs"}
		}
		return map[string]string{"read": fmt.Sprintf("GET /platform/realms/1/users/%d/logs", 200+id)}
	}},
	{"audit log of account", func(a *roleActor, _ int) map[string]string {
		return map[string]string{"read": accountHeader(a, 10) + "GET /platform/customer/logs"}
	}},
}

func itemRequests(id int) map[string]string {
	path := fmt.Sprintf("/gw/devices/%d", id)
	return map[string]string{"create-children": "POST " + path + "/messages", "read": "GET " + path, "update": "PUT " + path, "delete": "DELETE " + path}
}

// accountHeader names an account in front of a request, where it is not the actor's own.
func accountHeader(a *roleActor, cid int) string {
	if cid == 10 && (strings.HasPrefix(a.name, "same account") || strings.HasPrefix(a.name, "self")) {
		return ""
	}
	return fmt.Sprintf("%d:", cid)
}

func accountRequests(a *roleActor, cid, victim int) map[string]string {
	at := accountHeader(a, cid)
	doomed := cid
	if strings.HasPrefix(a.name, "any account") {
		doomed = victim
	}
	return map[string]string{
		"create-children": at + "POST /gw/devices", "read": at + "GET /platform/customer", "update": at + "PUT /platform/customer",
		"delete": fmt.Sprintf("DELETE /platform/subaccounts/%d", doomed),
	}
}

var rolePermissions = []string{"create-children", "read", "update", "delete"}

// roleActors is the table. "." is no, "-" what cannot be expressed.
var roleActors = []roleActor{
	{"anonymous", "", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"self (no role)", "2", ".R.. .... -RU. CRU. .... CRU. -.-- -.--", "", ".RU. .... .RU. CRU. .... CR.. .R.. ....", ""},
	{"same account, no role", "3", ".R.. .... -... CRU. .... CRU. -.-- -.--", "", ".RU. .... .R.. CRU. .... CR.. .... ....", ""},
	{"same account, account-admin", "4", "CRU. .... -RU. CRUD .... CRUD -R-- -R--", "", "CRU. .... .RU. CRUD .... CRUD .R.. .R..", ""},
	{"same account, consultant", "5", ".R.. .... -... CRU. .... CRU. -.-- -.--", "", ".RU. .... .R.. CRU. .... CR.. .... ....", ""},
	{"consultancy, no role", "6", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"consultancy, account-admin", "7", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"consultancy, consultant", "8", ".R.. .... -R.. .R.. .... .R.. -R-- -R--", "CRU. .... -RU. CRUD .... CRUD -R-- -R--", ".R.. .... ..U. .R.. .... .R.. .R.. .R..", "CRU. .... .RU. CRUD .... CRUD .R.. .R.."},
	{"consultancy's consultancy, consultant", "9", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"unrelated consultancy, consultant", "10", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"other account, no role", "11", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"other account, account-admin", "12", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"other account, custom role HR", "13", ".... .... -... .... .... .... -.-- -.--", "", ".... .... .... .... .... .... .... ....", ""},
	{"any account, admin-reader", "14", ".R.. .R.. -R.. .R.. .R.. .R.. -R-- -R--", "", ".R.. .R.. .R.. .R.. .R.. .R.. .R.. .R..", ""},
	{"consultancy without account role, consultant", "8", ".R.. .... -R.. .R.. .... .R.. -R-- -R--", "CRU. .... -RU. CRUD .... CRUD -R-- -R--", ".R.. .... ..U. .R.. .... .R.. .R.. .R..", "CRU. .... .RU. CRUD .... CRUD .R.. .R.."},
	{"any account, admin", "15", "CRUD CRUD -RUD CRUD CRUD CRUD -R-- -R--", "", "CRUD CRUD CRUD CRUD CRUD CRUD CRUD CRUD", ""},
}

// roleDeviation is a difference from the original.
type roleDeviation struct {
	actors, resource, permission string // actors: a prefix
	why                          string
}

// roleDeviations are the differences that SPEC 13 names, and what follows from its table. Each sentence
// stands in docs/roles.md.
var roleDeviations = []roleDeviation{
	{"self", "account", "update", "A member does not edit the account."},
	{"same account, no role", "account", "update", "A member does not edit the account."},
	{"same account, consultant", "account", "update", "A member does not edit the account."},
	{"same account, no role", "user", "read", "A member does not read other users."},
	{"same account, consultant", "user", "read", "A member does not read other users."},
	{"self", "sensor", "update", "A member changes what is below an item as the item itself."},
	{"same account, no role", "sensor", "update", "A member changes what is below an item as the item itself."},
	{"same account, consultant", "sensor", "update", "A member changes what is below an item as the item itself."},
	{"self", "audit log of user", "read", "Nobody but an account-admin, a consultant or an admin reads change records, their own neither."},
	{"consultancy, consultant", "user", "read", "A consultant reads the users of clients, and does not change them."},
	{"consultancy, consultant", "user", "update", "A consultant reads the users of clients, and does not change them."},
	{"consultancy without", "user", "read", "A consultant reads the users of clients, and does not change them."},
	{"consultancy without", "user", "update", "A consultant reads the users of clients, and does not change them."},
}

// rolesPolicy is the world of the table. Account 11 and 61 are there to be deleted.
func rolesPolicy(redefined bool) string {
	var b strings.Builder
	b.WriteString(`accounts: [{id: 1, name: operator}, {id: 10, parent: 1, name: a, consultancy_account_id: 20}, {id: 20, parent: 1, name: b, account_roles: [Consultancy], consultancy_account_id: 30},
  {id: 30, parent: 1, name: c, account_roles: [Consultancy]}, {id: 40, parent: 1, name: d, account_roles: [Consultancy]}, {id: 50, parent: 1, name: e}, {id: 60, parent: 1, name: f},
  {id: 11, parent: 1, name: g, consultancy_account_id: 20}, {id: 61, parent: 1, name: h}]
realms: [{id: 1, cid: 1, public_id: ours, name: ours}]
roles:
  - {id: 1, name: HR, reach: own, access: {type: acl, acl: []}}
`)
	if redefined {
		b.WriteString(`  - {id: 2, name: consultant, reach: clients, access: {type: acl, acl: [{uri: gw, methods: [GET, POST, PUT, PATCH, DELETE]}, {uri: storage, methods: [GET, POST, PUT, PATCH, DELETE]}]},
     platform: [{uri: customer, methods: [GET, PUT]}, {uri: users, methods: [GET, PUT]}, {uri: logs, methods: [GET]}]}
`)
	}
	b.WriteString("users:\n")
	for id, of := range map[int]string{2: "10", 3: "10", 4: "10, roles: [account-admin]", 5: "10, roles: [consultant]", 6: "20", 7: "20, roles: [account-admin]", 8: "20, roles: [consultant]",
		9: "30, roles: [consultant]", 10: "40, roles: [consultant]", 11: "50", 12: "50, roles: [account-admin]", 13: "50, roles: [HR]", 14: "1, roles: [admin-reader]", 15: "1, roles: [admin]"} {
		fmt.Fprintf(&b, "  - {id: %d, realm_id: 1, name: u%d, cid: %s}\n", id, id, of)
	}
	for i := range roleActors {
		fmt.Fprintf(&b, "  - {id: %d, realm_id: 1, name: v%d, cid: 10}\n  - {id: %d, realm_id: 1, name: w%d, cid: 10}\n", 100+i, i, 200+i, i)
	}
	return b.String() + "tokens: []\nowners: {gw/devices: {10: [\"1000-1199\"], 60: [\"2000-2099\"]}}\n"
}

// roleGate starts a gateway on that world, with its records in a database.
func roleGate(t *testing.T, redefined bool) *gate {
	w := backend.NewWorld(backend.Account{ID: 1, Name: "operator"}, backend.Account{ID: 10, Parent: 1}, backend.Account{ID: 60, Parent: 1})
	for i := range roleActors {
		for base, cid := range map[int64]int64{1000: 10, 1100: 10, 2000: 60} {
			if err := w.Add("gw/devices", backend.Item{ID: base + int64(i), CID: cid, Fields: backend.Fields{"name": "x"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newSite(t, siteOptions{
		store: "kind: sqlite, path: gate.db", settings: "log: {level: error}\nscope: {mode: ids, owners: store}\n", policy: rolesPolicy(redefined),
		backend: backend.New(w, backend.Options{Key: upstreamKey}),
	})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

// sends sends "[account:]METHOD path" and returns the status.
func (g *gate) sends(base, authorization, request, body string) (int, string) {
	g.t.Helper()
	cid, rest, named := strings.Cut(request, ":")
	if !named {
		rest = request
	}
	method, path, _ := strings.Cut(rest, " ")
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if named {
		req.Header.Set("x-flespi-cid", cid)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// session logs a user in, as the operator may, and returns the credential.
func (g *gate) session(user string) string {
	g.t.Helper()
	if user == "" {
		return ""
	}
	status, text := g.sends(g.admin, "Bearer "+adminKey, "POST /platform/realms/1/users/"+user+"/login", "")
	var answer struct{ Result []struct{ Token string } }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Result) != 1 {
		g.t.Fatalf("user %s is not logged in: %d %s", user, status, text)
	}
	return "FlespiToken " + answer.Result[0].Token
}

// permits returns what the table says of one row: yes or no, and whether it can be expressed.
func (a *roleActor) permits(redefined bool, resource, permission int) (yes, expressed bool) {
	may := a.may
	if redefined && a.redefined != "" {
		may = a.redefined
	}
	mark := strings.Fields(may)[resource][permission]
	return mark != '.' && mark != '-', mark != '-'
}

// original returns what the original says of it.
func (a *roleActor) original(redefined bool, resource, permission int) bool {
	may := a.theirs
	if redefined && a.theirsRedefined != "" {
		may = a.theirsRedefined
	}
	return strings.Fields(may)[resource][permission] != '.'
}

// TestRolesOnTheWire plays the whole table: every actor tries everything, and passes or gets 401, 403.
func TestRolesOnTheWire(t *testing.T) {
	t.Parallel()
	for _, redefined := range []bool{false, true} {
		g := roleGate(t, redefined)
		for i := range roleActors {
			a := &roleActors[i]
			if strings.Contains(a.name, "without account role") {
				if status, text := g.sends(g.admin, "Bearer "+adminKey, "PUT /platform/subaccounts/20", `{"account_roles":[]}`); status != 200 {
					t.Fatalf("got %d %s", status, text)
				}
			}
			key := g.session(a.user)
			for n, resource := range roleResources {
				requests := resource.request(a, i)
				for m, permission := range rolePermissions {
					want, expressed := a.permits(redefined, n, m)
					request, found := requests[permission]
					if found != expressed {
						t.Fatalf("%s, %s, %s: the table and the requests differ in what can be expressed", a.name, resource.name, permission)
					}
					if !found {
						continue
					}
					body := ""
					switch {
					case strings.Contains(request, "/platform/") || strings.Contains(request, "/realm/"):
						body = `{"metadata":{}}`
					case strings.Contains(request, "/messages"):
						body = `[{"a":1}]`
					default:
						body = `{"name":"y"}`
					}
					if strings.Contains(request, "GET ") || strings.Contains(request, "DELETE ") {
						body = ""
					}
					status, text := g.sends(g.api, key, request, body)
					if got := status != 401 && status != 403; got != want || status >= 500 || status == 401 && a.user != "" || status == 400 {
						t.Errorf("redefined %v: %s, %s, %s: %s: got %d %s, want %v", redefined, a.name, resource.name, permission, request, status, text, want)
					}
				}
			}
		}
		g.end()
	}
}

// TestRolesOfTheOriginal compares the table with what the original's own code says, row by row: nothing
// differs but what is named, in docs/roles.md too, and all that is named differs.
func TestRolesOfTheOriginal(t *testing.T) {
	page := readText(t, "../../docs", "roles.md")
	met := map[int]bool{}
	compared := 0
	for _, redefined := range []bool{false, true} {
		for i := range roleActors {
			a := &roleActors[i]
			for n, resource := range roleResources {
				for m, permission := range rolePermissions {
					ours, expressed := a.permits(redefined, n, m)
					if !expressed {
						continue
					}
					if compared++; ours == a.original(redefined, n, m) {
						continue
					}
					k := slices.IndexFunc(roleDeviations, func(d roleDeviation) bool {
						return strings.HasPrefix(a.name, d.actors) && d.resource == resource.name && d.permission == permission
					})
					if met[k] = true; k < 0 {
						t.Errorf("redefined %v: %s, %s, %s: %v here, and no deviation is named", redefined, a.name, resource.name, permission, ours)
					}
				}
			}
		}
	}
	for k, d := range roleDeviations {
		if !met[k] || !strings.Contains(page, d.why) {
			t.Errorf("%s, %s, %s is no difference, or docs/roles.md does not say: %s", d.actors, d.resource, d.permission, d.why)
		}
	}
	t.Logf("%d rows", compared)
}

var roleRows = flag.String("roles", "", "folder of the rows that the original's own code computed, to compare the table of roles with")

// TestRolesAreCopiedRight compares what the table says of the original with its rows.
func TestRolesAreCopiedRight(t *testing.T) {
	if *roleRows == "" {
		t.Skip("the rows of the original are compared with -roles FOLDER")
	}
	for file, redefined := range map[string]bool{"oracle-v0.26.1.jsonl": false, "oracle.jsonl": true} {
		for line := range strings.Lines(readText(t, *roleRows, file)) {
			var row struct {
				Actor, Resource, Permission string
				Allow                       bool
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(roleActors, func(a roleActor) bool { return a.name == row.Actor })
			n := slices.IndexFunc(roleResources, func(r roleResource) bool { return r.name == row.Resource })
			m := slices.Index(rolePermissions, row.Permission)
			if n < 0 && (strings.Contains(row.Resource, "public asset") || row.Resource == "platform") {
				continue // what a gateway cannot express, see docs/roles.md
			}
			if i < 0 || n < 0 || m < 0 || roleActors[i].original(redefined, n, m) != row.Allow {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
}
