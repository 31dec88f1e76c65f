package routes

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"aclgate/policy"
)

func TestDefaultIsSound(t *testing.T) {
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Collections); got < 40 {
		t.Errorf("the built-in catalogue has %d collections, want all of the API", got)
	}
}

func TestWhatFollowsFromThePath(t *testing.T) {
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		path  string
		check func(r *policy.Route) bool
	}{
		{"/gw/devices", func(r *policy.Route) bool { return r.Creates && !r.Item }},
		{"/gw/devices/{}", func(r *policy.Route) bool { return r.Item && r.Slot == policy.SlotItem }},
		{"/gw/devices/{}/cid", func(r *policy.Route) bool { return r.Moves() }},
		{"/gw/devices/{}/messages", func(r *policy.Route) bool { return r.Slot == policy.SlotMessages && r.Body == policy.BodyData }},
		{"/gw/calcs/{}/devices/{}", func(r *policy.Route) bool { return r.Link && r.CarriesMessages() }},
		{"/gw/calcs/{}/devices/{}/intervals/{}", func(r *policy.Route) bool { return !r.Link && len(r.Selectors) == 3 && r.Selectors[2] == nil }},
		{"/gw/groups/{}/devices/{}", func(r *policy.Route) bool { return r.Link && r.CarriesMessages() }},
		{"/gw/devices/{}/geofences/{}", func(r *policy.Route) bool { return r.Link && !r.CarriesMessages() }},
		{"/gw/calcs/{}/devices/{}/recalculate", func(r *policy.Route) bool { return !r.Link && r.CarriesMessages() }},
		{"/gw/devices/{}/calculate", func(r *policy.Route) bool { return !r.CarriesMessages() }},
		{"/platform/customer/tokens/{}", func(r *policy.Route) bool { return r.Closed == policy.ByKeys && r.Collection.Type == "tokens" }},
		{"/auth/info", func(r *policy.Route) bool { return r.Local == policy.LocalInfo && r.Closed == policy.NotClosed }},
		{"/auth/password", func(r *policy.Route) bool { return r.Closed == policy.ByCredential }},
		{"/realm/{}/login", func(r *policy.Route) bool { return !r.Item && len(r.Selectors) == 1 }},
		{"/platform/deleted/{}", func(r *policy.Route) bool { return !r.Item && r.Slash }},
	}
	for _, row := range rows {
		t.Run(row.path, func(t *testing.T) {
			r := find(c, row.path)
			if r == nil {
				t.Fatal("there is no such route")
			}
			if !row.check(r) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func find(c *policy.Catalogue, path string) *policy.Route {
	for _, col := range c.Collections {
		for _, r := range col.Routes {
			if r.String() == path {
				return r
			}
		}
	}
	return nil
}

// An operator's catalogue must not open what acts on the gateway's own credential, and the
// gateway's own two routes exist in front of any backend.
func TestClosedWhateverTheDataSays(t *testing.T) {
	c, faults := Parse("r.yaml", []byte(`collections:
- {uri: ai, id: none, routes: [{path: /logs, methods: [GET]}]}
- {uri: gw/things, id: int, routes: [{path: '/{}/assistance', methods: [POST]}]}
`))
	if faults.Err() != nil {
		t.Fatal(faults)
	}
	for _, path := range []string{"/ai/logs", "/gw/things/{}/assistance"} {
		if r := find(c, path); r.Closed != policy.ByCredential {
			t.Errorf("%s: closed is %v, want by credential", path, r.Closed)
		}
	}
	if r := find(c, "/auth/info"); r == nil || r.Local != policy.LocalInfo {
		t.Error("there is no /auth/info")
	}
}

func TestFaultsAreNamedWithTheirPlace(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"unknown key", "collections:\n- {uri: gw/a, id: int, scopd: true, routes: []}\n", `r.yaml:2:24: unknown key "scopd": did you mean "scoped"?`},
		{"unknown method", "collections:\n- {uri: gw/a, id: int, routes: [{path: /, methods: [GRAB]}]}\n", "r.yaml:2:53:"},
		{"link to nowhere", "collections:\n- {uri: gw/a, id: int, routes: [{path: '/{}/b/{}', methods: [GET], links: [gw/aa]}]}\n", `did you mean "gw/a"?`},
		{"missing link", "collections:\n- {uri: gw/a, id: int, routes: [{path: '/{}/b/{}', methods: [GET]}]}\n", "links must name"},
		{"twice", "collections:\n- {uri: gw/a, id: int, routes: [{path: /, methods: [POST]}, {path: /, methods: [POST]}]}\n", "appears twice"},
		{"public with a selector", "collections:\n- {uri: gw/a, id: int, routes: [{path: '/{}', methods: [GET], public: true}]}\n", "a public route"},
		{"public write", "collections:\n- {uri: gw/a, id: none, routes: [{path: /b, methods: [GET, POST], public: true}]}\n", "a public route"},
		{"public and closed", "collections:\n- {uri: ai, id: none, routes: [{path: /logs, methods: [GET], public: true}]}\n", "a public route"},
		{"bad path", "collections:\n- {uri: gw/a, id: int, routes: [{path: '/{}/', methods: [GET]}]}\n", "expected a path"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, faults := Parse("r.yaml", []byte(row.text))
			if err := faults.Err(); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// What is exported is a catalogue that an operator can use as it is.
func TestBuiltinIsACatalogueOfAnOperator(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(file, Builtin(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Collections, want.Collections) {
		t.Error("the exported catalogue is not the built-in one")
	}
}

// A file that is older than a key must not open what the key closes.
func TestWhatAFileDoesNotSay(t *testing.T) {
	c, faults := Parse("r.yaml", []byte(`collections:
- {uri: platform/unheard, id: int, routes: [{path: '/{}', methods: [GET]}]}
- {uri: platform/webhooks, id: int, master_only: false, routes: [{path: '/{}', methods: [GET]}]}
- {uri: mqtt/unheard, id: int, routes: [{path: '/{}', methods: [GET]}]}
- {uri: gw/groups, id: int, routes: [{path: '/{}', methods: [GET]}]}
- {uri: gw/devices, id: int, grouped: false, routes: [{path: '/{}', methods: [GET]}]}
- {uri: gw/streams, id: int, routes: [{path: '/{}/devices/{}', methods: [POST], links: [gw/devices]}]}
- {uri: gw/unheard, id: int, routes: [{path: '/{}', methods: [GET]}]}
`))
	if faults.Err() != nil {
		t.Fatal(faults)
	}
	col := c.Collection
	switch {
	case !col("platform/unheard").MasterOnly, col("platform/webhooks").MasterOnly, !col("mqtt/unheard").Topics:
		t.Error("the module does not say who may reach a collection, or the file has no say")
	case c.WithRole(policy.RoleGroups) != col("gw/groups"), c.WithRole(policy.RoleDevices) != col("gw/devices"):
		t.Error("a role is lost")
	case col("gw/devices").Grouped, !col("gw/streams").Routes[0].CarriesMessages():
		t.Error("what the file says, or does not say, is taken otherwise")
	case col("gw/unheard").MasterOnly || col("gw/unheard").Topics || col("gw/unheard").Grouped:
		t.Error("an unknown collection has attributes")
	}
}

// A file that was exported before a route was closed does not keep it open, unless it says so.
func TestWhatIsClosedLaterIsClosedInOlderFiles(t *testing.T) {
	c, faults := Parse("r.yaml", []byte(`collections:
- {uri: platform/webhooks, id: int, routes: [{path: /, methods: [POST], closed: none}, {path: '/{}', methods: [GET, PUT, PATCH, DELETE]}]}
- uri: platform/grants
  id: int
  routes:
  - {path: /, methods: [POST]}
  - {path: '/{}/subaccounts/{}', methods: [GET, POST, DELETE], links: [platform/webhooks]}
  - {path: '/{}/unheard', methods: [POST]}
`))
	if faults.Err() != nil {
		t.Fatal(faults)
	}
	for _, row := range []struct {
		path   string
		method policy.Method
		want   policy.Closed
	}{
		{"/platform/webhooks", policy.POST, policy.NotClosed},
		{"/platform/webhooks/1", policy.GET, policy.NotClosed},
		{"/platform/webhooks/1", policy.PUT, policy.ByKeys},
		{"/platform/webhooks/1", policy.PATCH, policy.ByKeys},
		{"/platform/webhooks/1", policy.DELETE, policy.NotClosed},
		{"/platform/grants", policy.POST, policy.ByKeys},
		{"/platform/grants/1/subaccounts/2", policy.GET, policy.NotClosed},
		{"/platform/grants/1/subaccounts/2", policy.POST, policy.ByKeys},
		{"/platform/grants/1/unheard", policy.POST, policy.NotClosed},
	} {
		var req policy.Request
		reason := req.Parse(&policy.Engine{Catalogue: c}, row.method, []byte(row.path))
		if reason != policy.NotJudged || req.Route == nil || req.Route.Closed != row.want || req.Allow&policy.Methods(row.method) == 0 {
			t.Errorf("%v %s: got %v %+v, want closed %v", row.method, row.path, reason, req.Route, row.want)
		}
	}
}

func TestRolesAreUnique(t *testing.T) {
	_, faults := Parse("r.yaml", []byte(`collections:
- {uri: gw/groups, id: int, routes: [{path: '/{}', methods: [GET]}]}
- {uri: gw/teams, id: int, role: groups, routes: [{path: '/{}', methods: [GET]}]}
`))
	if err := faults.Err(); err == nil || !strings.Contains(err.Error(), "the same role") {
		t.Errorf("got %v, want that two have one role", err)
	}
}

// The page of the documentation has a row for each key.
func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/routes.md")
	if err != nil {
		t.Fatal(err)
	}
	collection, route, _ := strings.Cut(string(page), "## A route")
	for _, section := range []struct {
		text string
		keys []string
	}{{collection, collectionKeys}, {route, routeKeys}} {
		for _, key := range section.keys {
			if !strings.Contains(section.text, "\n| `"+key+"` |") {
				t.Errorf("docs/routes.md does not say what %s means", key)
			}
		}
	}
}
