package cases

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/routes"
)

// newWorld returns a policy with one acl token, 17, and a master, 1.
func newWorld(t *testing.T, entries ...policy.Entry) World {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	tokens := map[int64]*policy.Token{
		1:  {ID: 1, CID: 1, Access: policy.Master, Enabled: true, Expire: 1 << 40},
		17: {ID: 17, CID: 11, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40, ACL: policy.NewACL(entries, cat), Line: 5},
	}
	return World{
		Engine: &policy.Engine{Catalogue: cat, MaxIDs: 100}, Tree: tree, File: "policy.yaml",
		Token: func(id int64) *policy.Token { return tokens[id] },
	}
}

func reads(line int, uri string, ids ...int64) policy.Entry {
	e := policy.Entry{URI: uri, Methods: policy.Methods(policy.GET), Line: line}
	if ids != nil {
		e.Rule, e.IDs = policy.IDsList, policy.NewIDSet(ids)
	}
	return e
}

func TestRun(t *testing.T) {
	w := newWorld(t, reads(8, "gw/devices", 7, 9))
	for _, row := range []struct {
		name string
		c    Case
		want string // of the failure
	}{
		{"as expected", Case{Request: "GET /gw/devices/7,20/telemetry/all", Want: Want{
			Verdict: "narrow", Reason: "narrowed", Status: 200, Entry: 1, Backend: "GET /gw/devices/7/telemetry/all", Denied: []int64{20}}}, ""},
		{"widened", Case{Request: "GET /gw/devices/9", Want: Want{Verdict: "deny"}},
			"verdict is allow (permitted), want deny; entry 1 (policy.yaml:8) decides: gw/devices GET, ids 7,9"},
		{"no entry", Case{Request: "DELETE /gw/devices/7", Want: Want{Verdict: "allow"}}, "no entry decides; the token is policy.yaml:5"},
		{"reason", Case{Request: "GET /gw/devices/20", Want: Want{Reason: "no-entry"}}, "reason is denied-items, want no-entry"},
		{"status", Case{Request: "GET /gw/devices/20", Want: Want{Status: 200}}, "status is 403, want 200"},
		{"backend", Case{Request: "GET /gw/devices/20", Want: Want{Backend: "GET /gw/devices/20"}}, "what the backend gets is nothing"},
		{"account", Case{Request: "GET /gw/devices/all", CID: 12, Want: Want{Verdict: "deny", Reason: "foreign-account"}}, ""},
		{"match", Case{Request: "GET /gw/devices/name=x", Match: []int64{9, 20}, Want: Want{Backend: "GET /gw/devices/9"}}, ""},
		{"body", Case{Request: "PUT /gw/devices/7", Token: 1, Body: []policy.Keys{{CID: 99}}, Want: Want{Reason: "body-account"}}, ""},
		{"no token", Case{Request: "GET /gw/devices/7", Token: 3}, "has no token 3"},
	} {
		r := NewResult(w)
		if row.c.Token == 0 {
			row.c.Token = 17
		}
		r.Run(&Suite{Now: 1700000000, Cases: []Case{row.c}})
		got := r.Checks[0].Failure
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// The items of a suite decide where the gateway keeps accounts apart itself.
func TestRunInIDsMode(t *testing.T) {
	w := newWorld(t, policy.Entry{URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsAll, Line: 8})
	w.Engine.Mode = policy.ModeIDs
	r := NewResult(w)
	r.Run(&Suite{Now: 1700000000, Items: []Item{{"gw/devices", 9, 11, nil}, {"gw/devices", 7, 11, nil}, {"gw/devices", 20, 12, nil}},
		Cases: []Case{
			{Token: 17, Request: "GET /gw/devices/all", Want: Want{Backend: "GET /gw/devices/7,9"}},
			{Token: 17, Request: "GET /gw/devices/7,20,21", Want: Want{Denied: []int64{20, 21}}},
			{Token: 1, Request: "GET /gw/devices/20", Want: Want{Verdict: "allow"}},
		}})
	for _, c := range r.Checks {
		if c.Failure != "" {
			t.Errorf("%s: %s", c.Name, c.Failure)
		}
	}
}

// Grants of the policy are paths to items of other accounts, as far as they are in force at the time of
// the suite.
func TestRunWithGrants(t *testing.T) {
	w := newWorld(t, policy.Entry{URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsAll, Line: 8})
	w.Engine.Mode = policy.ModeIDs
	w.Grants = policy.NewGrants([]policy.Grant{{ID: 5, CID: 12, Enabled: true, Expire: 1700000001, Grantees: []int64{11},
		Access: []policy.GrantAccess{{URI: "gw/devices", IDs: policy.NewIDSet([]int64{20}), Levels: policy.LevelView}}}})
	items := []Item{{"gw/devices", 9, 11, nil}, {"gw/devices", 20, 12, nil}, {"gw/devices", 21, 12, nil}}
	r := NewResult(w)
	r.Run(&Suite{Now: 1700000000, Items: items, Cases: []Case{
		{Token: 17, Request: "GET /gw/devices/all", Want: Want{Backend: "GET /gw/devices/9,20"}},
		{Token: 17, Request: "GET /gw/devices/20,21", Want: Want{Denied: []int64{21}}},
		{Token: 17, Request: "GET /gw/devices/all", CID: 12, Want: Want{Backend: "GET /gw/devices/20"}},
	}})
	r.Run(&Suite{Now: 1700000001, Items: items, Cases: []Case{
		{Token: 17, Request: "GET /gw/devices/all", Want: Want{Backend: "GET /gw/devices/9"}},
		{Token: 17, Request: "GET /gw/devices/20", CID: 12, Want: Want{Reason: "foreign-account"}},
	}})
	for _, c := range r.Checks {
		if c.Failure != "" {
			t.Errorf("%s: %s", c.Name, c.Failure)
		}
	}
}

// Members of a group are let in by the entry for it.
func TestRunWithGroups(t *testing.T) {
	w := newWorld(t, reads(8, "gw/groups", 12))
	r := NewResult(w)
	r.Run(&Suite{Now: 1700000000, Items: []Item{{"gw/groups", 12, 11, nil}, {"gw/devices", 7, 11, []int64{12}}, {"gw/devices", 9, 11, nil}},
		Cases: []Case{{Token: 17, Request: "GET /gw/devices/7,9", Want: Want{Denied: []int64{9}}}}})
	if f := r.Checks[0].Failure; f != "" {
		t.Error(f)
	}
}

func TestMatrix(t *testing.T) {
	m := Matrix{
		Line: 30, IDs: []int64{7, 9, 20}, Requests: []string{"GET /gw/devices/{id}", "PUT /gw/devices/{id}"},
		Allow: []Allow{{As: "viewer", Token: 17, Requests: []string{"GET /gw/devices/{id}"}, IDs: []int64{7, 9}}, {As: "master", Token: 1, All: true}},
	}
	r := NewResult(newWorld(t, reads(8, "gw/devices", 7, 9)))
	r.Run(&Suite{Now: 1700000000, Matrices: []Matrix{m}})
	if len(r.Checks) != 12 || r.Failed() != 0 {
		t.Errorf("got %d checks, %d failed, want 12 and none: %+v", len(r.Checks), r.Failed(), r.Checks)
	}
	r = NewResult(newWorld(t, reads(8, "gw/devices", 7, 9, 20)))
	r.Run(&Suite{Now: 1700000000, Matrices: []Matrix{m}})
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Failure != "" })
	if r.Failed() != 1 || r.Checks[i].Line != 30 || !strings.Contains(r.Checks[i].Name, "GET /gw/devices/20 as viewer") ||
		!strings.Contains(r.Checks[i].Failure, "policy.yaml:8") {
		t.Errorf("a widened entry: got %+v", r.Checks)
	}
}

func TestCoverage(t *testing.T) {
	r := NewResult(newWorld(t, reads(8, "gw/devices", 7), reads(9, "gw/devices", 7, 9), reads(10, "storage"), reads(11, "gw/calcs")))
	r.Run(&Suite{Now: 1700000000, Cases: []Case{
		{Token: 17, Request: "GET /gw/devices/7"}, {Token: 17, Request: "GET /gw/calcs/3/devices/7"}, {Token: 1, Request: "GET /gw/devices/7"},
	}})
	want := []Finding{{10, "entry 3 (storage) of token 17 is exercised by no case"}}
	if got := r.Unused(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want = []Finding{{9, "entry 2 (gw/devices) of token 17 is never chosen: entry 1 (policy.yaml:8) comes first"}}
	if got := r.Shadowed(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOutcomes(t *testing.T) {
	narrow := Outcome{Verdict: "narrow", Reason: "narrowed", backend: "GET /gw/devices/7", denied: []int64{9}}
	for _, row := range []struct {
		name string
		with Outcome
		same bool
		want string
	}{
		{"itself", narrow, true, "narrow (narrowed) → narrow (narrowed) of other items"},
		{"other ids", Outcome{Verdict: "narrow", Reason: "narrowed", backend: "GET /gw/devices/8", denied: []int64{9}}, false,
			"narrow (narrowed) → narrow (narrowed) of other items"},
		{"other scope", Outcome{Verdict: "narrow", Reason: "narrowed", backend: "GET /gw/devices/7", scope: 3, denied: []int64{9}}, false,
			"narrow (narrowed) → narrow (narrowed) of other items"},
		{"denied", Outcome{Verdict: "deny", Reason: "no-entry"}, false, "narrow (narrowed) → deny (no-entry)"},
		{"open", Outcome{Verdict: "unresolved", Reason: "not-judged"}, false, "narrow (narrowed) → unresolved"},
	} {
		if same, text := narrow.Same(row.with), narrow.Change(row.with); same != row.same || text != row.want {
			t.Errorf("%s: got %v %q, want %v %q", row.name, same, text, row.same, row.want)
		}
	}
	a, b := Outcome{Verdict: "deny", Reason: "no-entry"}, Outcome{Verdict: "deny", Reason: "denied-items"}
	if a.Same(b) || !a.Same(Outcome{Verdict: "deny", Reason: "no-entry", Entry: "other"}) {
		t.Error("denials are told apart by their reasons alone")
	}
}
