package policy_test

import (
	"testing"

	"aclgate/policy"
)

// bodyWorld has tokens that may and may not move items.
func bodyWorld() *world {
	w := newWorld()
	for id, parent := range map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11} {
		w.addAccount(id, parent)
	}
	all := []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	put := []worldSub{{"cid", []string{"PUT"}}}
	acl := func(entries ...worldEntry) *worldToken { return &worldToken{access: "acl", cid: 11, entries: entries} }
	w.tokens = map[string]*worldToken{
		"standard": {access: "standard", cid: 11},
		"narrow":   acl(worldEntry{uri: "gw/devices", methods: all, rule: "list", ids: []int64{1, 2}}),
		"maker":    acl(worldEntry{uri: "gw/devices", methods: all}),
		"mover":    acl(worldEntry{uri: "gw/devices", methods: all, named: true, subs: put}),
		"half": acl(worldEntry{uri: "gw/devices", methods: all, rule: "list", ids: []int64{1, 2, 3}},
			worldEntry{uri: "gw/devices", rule: "list", ids: []int64{1, 2}, named: true, subs: put}),
		"openhalf": acl(worldEntry{uri: "gw/devices", methods: all},
			worldEntry{uri: "gw", rule: "list", ids: []int64{1, 2}, named: true, subs: put}),
	}
	return w
}

// bodyRows are SPEC 2, Body, and the moves of SPEC 4.4.
var bodyRows = []struct {
	token, method, target string
	keys                  policy.Keys
	want                  string
}{
	{"standard", "POST", "/gw/devices", policy.Keys{}, "not-judged"},
	{"standard", "POST", "/gw/devices", policy.Keys{ID: 5}, "bad-body"},
	{"standard", "POST", "/gw/devices", policy.Keys{CID: 11}, "not-judged"},
	{"standard", "POST", "/gw/devices", policy.Keys{CID: 111}, "not-judged"},
	{"standard", "POST", "/gw/devices", policy.Keys{CID: 12}, "body-account"},
	{"standard", "POST", "/gw/devices", policy.Keys{CID: 1}, "body-account"},
	{"standard", "POST", "/gw/devices", policy.Keys{CID: 999}, "body-account"},
	{"standard", "POST", "/gw/devices?cid=111", policy.Keys{CID: 11}, "body-account"},
	{"maker", "POST", "/gw/devices", policy.Keys{CID: 111}, "not-judged"},
	// id is one of the addressed, permitted ids
	{"standard", "PUT", "/gw/devices/1", policy.Keys{ID: 1}, "not-judged"},
	{"standard", "PUT", "/gw/devices/1", policy.Keys{ID: 2}, "body-item"},
	{"standard", "PUT", "/gw/devices/3,1,2", policy.Keys{ID: 2}, "not-judged"},
	{"standard", "PUT", "/gw/devices/3,1,2", policy.Keys{ID: 4}, "body-item"},
	{"standard", "PATCH", "/gw/devices/1", policy.Keys{ID: 2}, "body-item"},
	{"standard", "DELETE", "/gw/devices/1", policy.Keys{ID: 2}, "body-item"},
	{"standard", "PUT", "/gw/devices/all", policy.Keys{ID: 7}, "not-judged"},
	{"standard", "PUT", "/gw/devices/name=van", policy.Keys{ID: 7}, "body-item"},
	{"narrow", "PUT", "/gw/devices/1,9", policy.Keys{ID: 1}, "not-judged"},
	{"narrow", "PUT", "/gw/devices/1,9", policy.Keys{ID: 9}, "body-item"},
	{"narrow", "PUT", "/gw/devices/1", policy.Keys{ID: 2}, "body-item"},
	{"narrow", "PUT", "/gw/devices/all", policy.Keys{ID: 2}, "not-judged"},
	{"narrow", "PUT", "/gw/devices/all", policy.Keys{ID: 3}, "body-item"},
	{"narrow", "PUT", "/gw/devices/1", policy.Keys{ID: 3, CID: 12}, "body-item"},
	// a cid in the body of an item's PUT or PATCH is a move
	{"standard", "PUT", "/gw/devices/1", policy.Keys{CID: 111}, "not-judged"},
	{"standard", "PUT", "/gw/devices/1", policy.Keys{CID: 12}, "body-account"},
	{"narrow", "PUT", "/gw/devices/1", policy.Keys{CID: 111}, "move-no-entry"},
	{"narrow", "PATCH", "/gw/devices/1", policy.Keys{CID: 111}, "move-no-entry"},
	{"narrow", "PUT", "/gw/devices/1", policy.Keys{CID: 12}, "body-account"},
	{"narrow", "DELETE", "/gw/devices/1", policy.Keys{CID: 111}, "not-judged"},
	{"narrow", "DELETE", "/gw/devices/1", policy.Keys{CID: 12}, "body-account"},
	{"maker", "PUT", "/gw/devices/1", policy.Keys{CID: 111}, "move-no-entry"},
	{"mover", "PUT", "/gw/devices/all", policy.Keys{CID: 111}, "not-judged"},
	{"mover", "PATCH", "/gw/devices/1", policy.Keys{CID: 11}, "not-judged"},
	{"half", "PUT", "/gw/devices/2,1", policy.Keys{CID: 111}, "not-judged"},
	{"half", "PUT", "/gw/devices/1,3", policy.Keys{CID: 111}, "move-no-entry"},
	{"half", "PUT", "/gw/devices/all", policy.Keys{CID: 111}, "move-no-entry"},
	{"openhalf", "PUT", "/gw/devices/1", policy.Keys{CID: 111}, "not-judged"},
	{"openhalf", "PUT", "/gw/devices/3", policy.Keys{CID: 111}, "move-no-entry"},
	{"openhalf", "PUT", "/gw/devices/all", policy.Keys{CID: 111}, "move-no-entry"},
	{"openhalf", "PUT", "/gw/devices/name=van", policy.Keys{CID: 111}, "move-no-entry"},
	{"mover", "PUT", "/gw/devices/1/cid", policy.Keys{CID: 111}, "not-judged"},
	{"mover", "PUT", "/gw/devices/1/cid", policy.Keys{CID: 12}, "body-account"},
	// on submodules cid alone; on POST of messages neither
	{"standard", "PUT", "/gw/devices/1/settings/a", policy.Keys{ID: 99}, "not-judged"},
	{"standard", "PUT", "/gw/devices/1/settings/a", policy.Keys{CID: 12}, "body-account"},
	{"standard", "POST", "/gw/groups/1/devices/5", policy.Keys{CID: 12}, "body-account"},
	{"standard", "POST", "/gw/devices/1/messages", policy.Keys{ID: 99, CID: 12}, "not-judged"},
	{"standard", "DELETE", "/gw/devices/1/messages", policy.Keys{ID: 99}, "not-judged"},
	{"standard", "DELETE", "/gw/devices/1/messages", policy.Keys{CID: 12}, "body-account"},
	{"standard", "POST", "/gw/devices/1/media", policy.Keys{CID: 12}, "body-account"},
}

func TestJudgeElement(t *testing.T) {
	e := newEngine(t, bodyWorld())
	for _, row := range bodyRows {
		if got := e.ask(ask{token: row.token, method: row.method, target: row.target}); got.target == "" {
			t.Fatalf("%v %v %v: got %v, want it forwarded", row.token, row.method, row.target, got.reason)
		}
		if got := e.engine.JudgeElement(&e.d, &e.c, row.keys).String(); got != row.want {
			t.Errorf("%v %v %v %+v: got %v, want %v", row.token, row.method, row.target, row.keys, got, row.want)
		}
	}
}

// TestUnenforcedMoves: entries are not asked, the scope is.
func TestUnenforcedMoves(t *testing.T) {
	w := bodyWorld()
	w.settings.unenforced = true
	e := newEngine(t, w)
	e.ask(ask{token: "narrow", method: "PUT", target: "/gw/devices/5"})
	for cid, want := range map[int64]policy.Reason{111: policy.NotJudged, 12: policy.BodyAccount} {
		if got := e.engine.JudgeElement(&e.d, &e.c, policy.Keys{CID: cid}); got != want {
			t.Errorf("cid %v: got %v, want %v", cid, got, want)
		}
	}
}

func TestMoves(t *testing.T) {
	e := newEngine(t, bodyWorld())
	for target, want := range map[string]bool{"/gw/devices/1/cid": true, "/gw/devices/1": false, "/gw/devices/1/settings/cid": false} {
		e.ask(ask{token: "standard", method: "PUT", target: target})
		if got := e.r.Route.Moves(); got != want {
			t.Errorf("%v: got %v, want %v", target, got, want)
		}
	}
}
