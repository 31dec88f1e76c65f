package proxy

import (
	"strconv"
	"strings"
	"testing"

	"aclgate/policy"
)

const userKey = "key-of-a-session-of-a-user"

// consultant is a session of a user of account 500, whose account consults 777, by change.
func consultant(w *wired, change ...func(*policy.Token)) *policy.Token {
	get := func(rule policy.IDRule) *policy.ACL {
		return policy.NewACL([]policy.Entry{{URI: "gw", Methods: policy.Methods(policy.GET), Rule: rule}}, w.gateway.Engine.Catalogue)
	}
	tok := &policy.Token{ID: 70, CID: 500, Access: policy.ACLAccess, IsUser: true, Enabled: true, Expire: 4102444800, Digest: digestOf(userKey), Roles: []policy.UserRole{
		{Name: "member", Reach: policy.ReachOwn, ACL: get(policy.IDsAll)},
		{Name: "consultant", Reach: policy.ReachClients, Clients: []int64{777}, ACL: get(policy.IDsAbsent)},
	}}
	for _, apply := range change {
		apply(tok)
	}
	return tok
}

// Requests run while a role, a consultancy, a user and an account end and come back, and the item moves:
// what begins after a change was answered obeys it, in every mode (SPEC 14, 5).
func TestNobodyActsAfterARoleHasEnded(t *testing.T) {
	for _, mode := range []policy.Mode{policy.ModeIDs, policy.ModeBoth, policy.ModeHeader} {
		w, items := granting(t, mode)
		w.grants.Store(nil)
		whole := func(change ...func(*policy.Token)) { w.tokens[digestOf(userKey)] = consultant(w, change...) }
		w.reload(func() { whole() })
		ends := []func(){
			func() { w.reload(func() { whole(func(t *policy.Token) { t.Roles = t.Roles[:1] }) }) },
			func() { w.reload(func() { whole(func(t *policy.Token) { t.Roles[1].Clients = nil }) }) },
			func() { w.reload(func() { whole(func(t *policy.Token) { t.Enabled = false }) }) },
			func() { w.revoke(userKey) },
			func() {
				w.reload(func() { w.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}) })
			},
		}
		if items != nil {
			devices := w.gateway.Engine.Catalogue.Collection("gw/devices")
			ends = append(ends, func() { items.Moved(devices, []int64{999}, 600) })
		}
		var headers []string
		if mode == policy.ModeHeader {
			headers = append(headers, "x-flespi-cid: 777")
		}
		target := func(n int) string {
			return request(userKey, "GET", "/gw/devices/999?limit="+strconv.Itoa(n), "", headers...)
		}
		c := &changing{rounds: 8 * len(ends), request: target, ends: func(round int) { ends[round%len(ends)]() }}
		c.reached = func(got answer) bool { return got.status == 200 && strings.Contains(got.body, `"id":999`) }
		c.opens = func() {
			w.reload(func() {
				whole()
				w.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}, [2]int64{777, 0})
			})
			if items != nil {
				items.Moved(w.gateway.Engine.Catalogue.Collection("gw/devices"), []int64{999}, 777)
			}
		}
		leaks, served := c.run(w)
		for round, n := range leaks {
			t.Errorf("mode %v, end %d: %d answers to what no role reached any more", mode, round%int64(len(ends)), n)
		}
		if served == 0 {
			t.Errorf("mode %v: nothing was served", mode)
		}
	}
}

// What was granted to the account of a user is in their lists too, as far as a role that reaches the
// account permits it.
func TestGrantsOfUsers(t *testing.T) {
	w, _ := granting(t, policy.ModeIDs)
	w.grants.Store(policy.NewGrants([]policy.Grant{{ID: 5, CID: 600, Enabled: true, Grantees: []int64{500}, Access: []policy.GrantAccess{
		{URI: "gw/devices", IDs: policy.NewIDSet([]int64{601, 999}), Levels: policy.LevelView | policy.LevelCommand}}}}))
	w.reload(func() { w.tokens[digestOf(userKey)] = consultant(w) })
	got := w.raw(request(userKey, "GET", "/gw/devices/all", ""))
	for id, want := range map[string]bool{"101": true, "601": true, "999": true, "201": false} { // own, granted, a client's, below the own
		if strings.Contains(got.body, `"id":`+id) != want {
			t.Errorf("got %d %s, want %s in it: %v", got.status, got.body, id, want)
		}
	}
	if got := w.raw(request(userKey, "POST", "/gw/devices/601/commands", `{"a":1}`)); got.status != 403 {
		t.Errorf("no role permits commands: got %d %s", got.status, got.body)
	}
	w.reload(func() {
		w.tokens[digestOf(userKey)] = consultant(w, func(t *policy.Token) { t.Roles = t.Roles[1:] }) // which does not reach 500
	})
	if got := w.raw(request(userKey, "GET", "/gw/devices/601", "")); got.status != 403 {
		t.Errorf("no role reaches the grantee: got %d %s", got.status, got.body)
	}
}

// With upstream.identity a backend learns who asks, and by which roles; names that no header may hold are
// escaped (SPEC 2, Printed upstream).
func TestRolesAreToldToTheBackend(t *testing.T) {
	w, _ := granting(t, policy.ModeIDs)
	w.gateway.rewriter.identity = true
	w.reload(func() {
		w.tokens[digestOf(userKey)] = consultant(w, func(t *policy.Token) { t.UserID, t.Roles[1].Name = 5, "bérater, 2\r\nx: y" })
	})
	w.raw(request(userKey, "GET", "/gw/devices/101", "", "x-aclgate-roles: admin", "x-aclgate-user: 1"))
	sent := w.backend.take()
	if len(sent) != 1 {
		t.Fatalf("the backend got %d requests", len(sent))
	}
	for name, want := range map[string]string{
		"x-aclgate-token": "70", "x-aclgate-account": "500", "x-aclgate-user": "5", "x-aclgate-roles": "member,b%C3%A9rater%2C%202%0D%0Ax:%20y",
	} {
		if got := strings.Join(sent[0].all(name), "|"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
