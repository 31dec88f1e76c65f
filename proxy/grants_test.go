package proxy

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/upstream/index"
)

// aGrant is one of account 500 to account 600 in the world of the raw cases.
func aGrant(change ...func(*policy.Grant)) *policy.Grants {
	g := policy.Grant{ID: 5, CID: 500, Enabled: true, Grantees: []int64{600}, Access: []policy.GrantAccess{
		{URI: "gw/devices", IDs: policy.NewIDSet([]int64{101, 201, 999}), Levels: policy.LevelView | policy.LevelCommand},
		{URI: "gw/calcs", All: true, Levels: policy.LevelView},
	}}
	for _, apply := range change {
		apply(&g)
	}
	return policy.NewGrants([]policy.Grant{g})
}

// granting starts a gateway in a mode where account 500 grants something to account 600, whose token is
// allKey.
func granting(t *testing.T, mode policy.Mode) (w *wired, items *index.ItemIndex) {
	t.Helper()
	accounts := [][2]int64{{400, 0}, {500, 400}, {501, 500}, {600, 400}, {777, 0}}
	b := startWorld(t)
	var f *fixture
	if mode.Index() {
		f, items = withIndex(t, b, mode, accounts...)
	} else {
		f = newFixture(t, b.url, withResolver, inMode(mode))
		f.accounts(accounts...)
	}
	f.token(allKey, "standard", 600, "")
	f.token(readerKey, "acl", 600, `[{"uri":"gw/devices","methods":["GET"],"ids":[601,101]}]`)
	f.grants.Store(aGrant())
	return &wired{fixture: f, backend: b}, items
}

func TestGrantsOnTheWire(t *testing.T) {
	rows := []struct {
		mode                policy.Mode
		key, method, target string
		cid                 string // of x-flespi-cid; "": none
		status              int
		sent, under         string // at the backend, after what had to be resolved
		body                string // a part of the answer
	}{
		{policy.ModeIDs, allKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/101,201,601", "", `"id":601`},
		{policy.ModeIDs, readerKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/101,601", "", ""},
		{policy.ModeIDs, allKey, "GET", "/gw/devices/102,101", "", 200, "/gw/devices/101", "", `{"code":6,"id":102,"reason":"access denied to '\/devices\/102'"}`},
		{policy.ModeIDs, allKey, "GET", "/gw/devices/999", "", 403, "", "", `"code":6`},
		{policy.ModeIDs, allKey, "POST", "/gw/devices/101/commands", "", 200, "/gw/devices/101/commands", "", ""},
		{policy.ModeIDs, allKey, "PUT", "/gw/devices/101", "", 403, "", "", `"code":6`},
		{policy.ModeIDs, allKey, "GET", "/gw/devices/name=t*", "", 200, "/gw/devices/101,201,601", "", ""},
		{policy.ModeIDs, allKey, "GET", "/gw/devices/all", "500", 200, "/gw/devices/101,201", "", ""},
		{policy.ModeIDs, allKey, "POST", "/gw/devices", "500", 403, "", "", `"code":8`},
		{policy.ModeIDs, allKey, "GET", "/gw/devices/all", "777", 403, "", "", `"id":777`},
		{policy.ModeBoth, allKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/101,201,601", "400", `"id":601`},
		{policy.ModeBoth, allKey, "GET", "/gw/devices/601", "", 200, "/gw/devices/601", "600", ""},
		{policy.ModeBoth, allKey, "GET", "/gw/devices/101,201", "", 200, "/gw/devices/101,201", "500", ""},
		{policy.ModeBoth, allKey, "GET", "/gw/devices/name=t*", "", 200, "/gw/devices/101,201,601", "400", ""},
		{policy.ModeBoth, allKey, "POST", "/gw/devices/201/commands", "", 200, "/gw/devices/201/commands", "501", ""},
		{policy.ModeBoth, allKey, "POST", "/gw/devices/101,201/commands", "", 400, "", "", "several accounts"},
		{policy.ModeBoth, allKey, "GET", "/gw/devices/all", "500", 200, "/gw/devices/101,201", "500", ""},
		{policy.ModeHeader, allKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/all", "600", ""},
		{policy.ModeHeader, allKey, "GET", "/gw/devices/all", "500", 200, "/gw/devices/101,201,999", "500", ""},
		{policy.ModeHeader, readerKey, "GET", "/gw/devices/all", "500", 200, "/gw/devices/101", "500", ""},
		{policy.ModeHeader, allKey, "GET", "/gw/devices/name=t*", "500", 200, "/gw/devices/101,201", "500", ""},
		{policy.ModeHeader, allKey, "GET", "/gw/calcs/all", "500", 200, "/gw/calcs/all", "500", ""},
		{policy.ModeHeader, allKey, "GET", "/gw/channels/all", "500", 200, "", "", `{"result":[]}`},
		{policy.ModeHeader, allKey, "GET", "/gw/devices/102", "500", 403, "", "", `"code":6`},
		{policy.ModeHeader, allKey, "GET", "/gw/devices/all", "777", 403, "", "", `"id":777`},
	}
	var w *wired
	mode := policy.ModeNone
	for _, row := range rows {
		if row.mode != mode {
			mode = row.mode
			w, _ = granting(t, mode)
		}
		var headers []string
		if row.cid != "" {
			headers = []string{"x-flespi-cid: " + row.cid}
		}
		body := ""
		if row.method != "GET" {
			body = `{"a":1}`
		}
		got := w.raw(request(row.key, row.method, row.target, body, headers...))
		sent, target, under := w.backend.take(), "", ""
		if len(sent) > 0 && row.sent != "" {
			last := sent[len(sent)-1]
			target, under = last.target(), strings.Join(last.all("x-flespi-cid"), "+")
		}
		if got.status != row.status || !strings.Contains(got.body, row.body) || target != row.sent || under != row.under {
			t.Errorf("%v %s %s under %q: got %d %s, the backend %s under %q, want %d %s, %s under %q", row.mode, row.method, row.target, row.cid,
				got.status, got.body, target, under, row.status, row.body, row.sent, row.under)
		}
	}
}

// In both mode a GET of items that no account is above goes out in parts, each under an account of its
// own, whether they fit one target or not, and the answers are joined. A write does not.
func TestGrantsInParts(t *testing.T) {
	w, items := granting(t, policy.ModeBoth)
	two := aGrant().All()
	two = append(two, policy.Grant{ID: 6, CID: 777, Enabled: true, Grantees: []int64{600}, Access: []policy.GrantAccess{
		{URI: "gw/devices", All: true, Levels: policy.LevelView | policy.LevelCommand},
	}})
	w.grants.Store(policy.NewGrants(two))
	const foreign = `{"code":6,"id":103,"reason":"access denied to '\/devices\/103'"}`
	for _, row := range []struct {
		method, target string
		status         int
		sent           []string // account and target
		body           string
	}{
		{"GET", "/gw/devices/all", 200, []string{"400 /gw/devices/101,201,601", "777 /gw/devices/999"}, ""},
		{"GET", "/gw/devices/all?fields=id&limit=2&offset=2", 200, []string{"600 /gw/devices/601?fields=id", "777 /gw/devices/999?fields=id"}, ""},
		{"GET", "/gw/devices/999,103,201", 200, []string{"501 /gw/devices/201", "777 /gw/devices/999"}, foreign},
		{"GET", "/gw/devices/name=t*", 200, []string{"400 /gw/devices/101,201,601", "777 /gw/devices/999"}, ""},
		{"GET", "/gw/devices/999", 200, []string{"777 /gw/devices/999"}, ""},
		{"GET", "/gw/devices/all/messages", 400, nil, "several accounts"},
		{"POST", "/gw/devices/101,999/commands", 400, nil, "several accounts"},
	} {
		body := ""
		if row.method != "GET" {
			body = `{"a":1}`
		}
		got := w.raw(request(allKey, row.method, row.target, body))
		var sent []string
		for _, r := range w.backend.take() {
			if strings.Contains(r.target(), "name=") || strings.Contains(r.target(), "cid") {
				continue // what had to be resolved
			}
			sent = append(sent, strings.Join(r.all("x-flespi-cid"), "+")+" "+r.target())
		}
		slices.Sort(sent)
		if got.status != row.status || !strings.Contains(got.body, row.body) || !slices.Equal(sent, row.sent) {
			t.Errorf("%s %s: got %d %s, the backend %q, want %d %s, %q", row.method, row.target, got.status, got.body, sent, row.status, row.body, row.sent)
		}
		for _, part := range row.sent {
			for id := range strings.SplitSeq(part[strings.LastIndexAny(part, "/")+1:], ",") {
				id, _, _ = strings.Cut(id, "?")
				if strings.Count(got.body, `"id":`+id) != 1 {
					t.Errorf("%s: got %s, want %s once", row.target, got.body, id)
				}
			}
		}
	}
	// An item that has left a grantor's branch is in no part.
	items.Moved(w.gateway.Engine.Catalogue.Collection("gw/devices"), []int64{201}, 777)
	w.grants.Store(aGrant())
	if got := w.raw(request(allKey, "GET", "/gw/devices/all", "")); strings.Contains(got.body, `"id":201`) || got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Requests that grants have a say about are counted by their path.
func TestGrantsAreCounted(t *testing.T) {
	w, _ := granting(t, policy.ModeIDs)
	w.raw(request(allKey, "GET", "/gw/devices/all", ""))
	w.raw(request(allKey, "GET", "/gw/devices/102", "", "x-flespi-cid: 500"))
	w.grants.Store(nil)
	w.raw(request(allKey, "GET", "/gw/devices/601", ""))
	if got := w.counter("aclgate_path_decisions_total"); got != 2 {
		t.Errorf("got %v requests, want 2", got)
	}
}

// What is granted is judged when the request is complete: a grant that ended meanwhile, by whatever, lets
// nothing through.
func TestGrantsEndWhileABodyArrives(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *wired, items *index.ItemIndex){
		"deleted": func(w *wired, _ *index.ItemIndex) { w.grants.Store(nil) },
		"disabled": func(w *wired, _ *index.ItemIndex) {
			w.grants.Store(aGrant(func(g *policy.Grant) { g.Enabled = false }))
		},
		"expired": func(w *wired, _ *index.ItemIndex) {
			w.grants.Store(aGrant(func(g *policy.Grant) { g.Expire = time.Now().Unix() }))
		},
		"unlinked": func(w *wired, _ *index.ItemIndex) {
			w.grants.Store(aGrant(func(g *policy.Grant) { g.Grantees = []int64{777} }))
		},
		"less": func(w *wired, _ *index.ItemIndex) {
			w.grants.Store(aGrant(func(g *policy.Grant) { g.Access[0].Levels = policy.LevelView }))
		},
		"blocked": func(w *wired, _ *index.ItemIndex) { w.blocked.Store(int64(500), true) },
		"moved": func(w *wired, items *index.ItemIndex) {
			items.Moved(w.gateway.Engine.Catalogue.Collection("gw/devices"), []int64{999}, 777)
		},
	} {
		for _, mode := range []policy.Mode{policy.ModeIDs, policy.ModeBoth, policy.ModeHeader} {
			w, items := granting(t, mode)
			if items == nil && name == "moved" {
				continue // the backend's to know
			}
			headers, target := []string{}, "/gw/devices/999/commands"
			if items != nil { // as the backend's look-up does not have it
				items.Moved(w.gateway.Engine.Catalogue.Collection("gw/devices"), []int64{999}, 501)
			} else {
				headers = append(headers, "x-flespi-cid: 500")
			}
			finish := park(w.fixture, request(allKey, "POST", target, `{"a":1}`, headers...))
			end(w, items)
			got := finish()
			for _, r := range w.backend.take() {
				if strings.HasPrefix(r.raw, "POST") {
					t.Errorf("%s, %v: the backend got %s", name, mode, r.target())
				}
			}
			if got.status != 403 {
				t.Errorf("%s, %v: got %d %s", name, mode, got.status, got.body)
			}
		}
	}
}

// Requests run while a grant comes and goes, and an item leaves and comes back: what begins after a
// change was answered obeys it.
func TestNobodyActsAfterAGrantHasEnded(t *testing.T) {
	for _, mode := range []policy.Mode{policy.ModeIDs, policy.ModeBoth, policy.ModeHeader} {
		w, items := granting(t, mode)
		devices := w.gateway.Engine.Catalogue.Collection("gw/devices")
		headers := []string{}
		if mode == policy.ModeHeader {
			headers = append(headers, "x-flespi-cid: 500")
		} else {
			items.Moved(devices, []int64{999}, 777) // where the backend's look-up leaves it
		}
		target := func(n int) string {
			return request(allKey, "GET", "/gw/devices/999?limit="+strconv.Itoa(n), "", headers...)
		}
		c := &changing{rounds: 60, request: target, reached: func(got answer) bool { return got.status == 200 }}
		c.opens = func() {
			w.grants.Store(aGrant())
			w.blocked.Delete(int64(500))
			if items != nil {
				items.Moved(devices, []int64{999}, 500)
			}
		}
		c.ends = func(round int) {
			switch {
			case round%3 == 0:
				w.grants.Store(nil)
			case round%3 == 1 || items == nil:
				w.blocked.Store(int64(500), true)
			default:
				items.Moved(devices, []int64{999}, 777)
			}
		}
		leaks, served := c.run(w)
		for round, n := range leaks {
			t.Errorf("%v, round %d: %d answers to what was not granted", mode, round, n)
		}
		if served == 0 {
			t.Errorf("%v: nothing that was granted was answered", mode)
		}
	}
}
