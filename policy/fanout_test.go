package policy_test

import (
	"slices"
	"testing"

	"aclgate/policy"
)

// longWorld has five devices in scope and one outside, and tokens that may touch all or some of
// them.
func longWorld(mode string) *world {
	w := newWorld()
	w.settings.mode = mode
	w.addAccount(11, 0)
	w.addAccount(12, 0)
	for id := range int64(5) {
		place(w.index, "gw/devices", id+1, 11)
	}
	place(w.index, "gw/devices", 6, 12)
	place(w.index, "gw/calcs", 1, 11)
	all := []string{"GET", "PUT", "DELETE"}
	w.tokens = map[string]*worldToken{
		"standard": {access: "standard", cid: 11},
		"every":    {access: "acl", cid: 11, entries: []worldEntry{{uri: "gw", methods: all, rule: "all"}}},
		"some":     {access: "acl", cid: 11, entries: []worldEntry{{uri: "gw/devices", methods: all, rule: "list", ids: []int64{1, 2, 3, 4, 5}}}},
	}
	return w
}

// "all" comes back only where the permitted ids are the whole scope because nothing else limits the
// caller, and where a header says which scope.
func TestWiden(t *testing.T) {
	for _, row := range []struct{ mode, token, method, target, want string }{
		{"both", "standard", "GET", "/gw/devices/all", "/gw/devices/all"},
		{"both", "every", "DELETE", "/gw/devices/all", "/gw/devices/all"},
		{"both", "standard", "GET", "/gw/calcs/1/devices/all", "/gw/calcs/1/devices/all"},
		{"both", "standard", "GET", "/gw/calcs/all/devices/2,1", "/gw/calcs/all/devices/2,1"},
		{"both", "standard", "GET", "/gw/devices/2,1", "/gw/devices/2,1"},
		{"both", "standard", "GET", "/gw/devices/2,6", "/gw/devices/2"},
		{"both", "some", "GET", "/gw/devices/all", "/gw/devices/1,2,3,4,5"},
		{"ids", "standard", "GET", "/gw/devices/all", "/gw/devices/1,2,3,4,5"},
		{"header", "some", "GET", "/gw/devices/all", "/gw/devices/1,2,3,4,5"},
	} {
		e := newEngine(t, longWorld(row.mode))
		e.ask(ask{token: row.token, method: row.method, target: row.target})
		e.d.UseAll(e.engine.Mode)
		if got := string(policy.AppendTarget(nil, &e.r, &e.d)); got != row.want {
			t.Errorf("%s, %s %s %s: got %s, want %s", row.mode, row.token, row.method, row.target, got, row.want)
		}
	}
}

// Only what is the sum of its parts is divided.
func TestDivisible(t *testing.T) {
	w := longWorld("both")
	w.settings.query = []string{"sort"}
	for _, row := range []struct {
		method, target string
		want           []int64
	}{
		{"GET", "/gw/devices/all", []int64{1, 2, 3, 4, 5}},
		{"GET", "/gw/devices/5,1,6,3", []int64{5, 1, 3}},
		{"GET", "/gw/devices/all?fields=id&limit=2&offset=1", []int64{1, 2, 3, 4, 5}},
		{"GET", "/gw/devices/all/telemetry", []int64{1, 2, 3, 4, 5}},
		{"GET", "/gw/devices/all/settings/all", []int64{1, 2, 3, 4, 5}},
		{"GET", "/gw/channel-protocols/3,4", []int64{3, 4}},
		{"GET", "/gw/devices/all?sort=name", nil},
		{"GET", `/gw/devices/all/telemetry/all?data={"a":1}`, nil},
		{"GET", "/gw/devices/all/messages", nil},
		{"GET", "/gw/devices/all/logs", nil},
		{"GET", "/gw/calcs/1/devices/all", nil},
		{"GET", "/gw/channel-protocols/all", nil},
		{"PUT", "/gw/devices/all", nil},
		{"DELETE", "/gw/devices/all", nil},
		{"DELETE", "/gw/devices/all/telemetry/all", nil},
	} {
		e := newEngine(t, w)
		e.ask(ask{token: "standard", method: row.method, target: row.target})
		if got := e.d.FanOutIDs(&e.r); !slices.Equal(got, row.want) {
			t.Errorf("%s %s: got %v, want %v", row.method, row.target, got, row.want)
		}
	}
	var r policy.Request
	var d policy.Decision
	if got := d.FanOutIDs(&r); got != nil {
		t.Errorf("got %v of nothing", got)
	}
}

// A page is a piece of the list, and the query knows nothing of it afterwards.
func TestPage(t *testing.T) {
	for _, row := range []struct{ query, want string }{
		{"?fields=id", "/gw/devices/1,2,3,4,5?fields=id"},
		{"?limit=2", "/gw/devices/1,2"},
		{"?limit=2&fields=id&offset=2", "/gw/devices/3,4?fields=id"},
		{"?offset=4", "/gw/devices/5"},
		{"?limit=9223372036854775807&offset=3", "/gw/devices/4,5"},
		{"?limit=0", "/gw/devices/"},
		{"?offset=5", "/gw/devices/"},
		{"?offset=9223372036854775807&limit=1", "/gw/devices/"},
		{"?offset=0&limit=5", "/gw/devices/1,2,3,4,5"},
	} {
		e := newEngine(t, longWorld("ids"))
		e.ask(ask{token: "standard", method: "GET", target: "/gw/devices/all" + row.query})
		e.d.SetIDs(e.r.Page(e.d.FanOutIDs(&e.r)))
		if got := string(policy.AppendTarget(nil, &e.r, &e.d)); got != row.want {
			t.Errorf("%s: got %s, want %s", row.query, got, row.want)
		}
	}
}
