package explain_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"aclgate/policy"
	"aclgate/policy/explain"
)

var update = flag.Bool("update", false, "write the golden texts anew")

type situation struct {
	name, token, method, target string
	change                      func(w *world, ask *explain.Ask)
}

func withIndex(mode policy.Mode) func(*world, *explain.Ask) {
	return func(w *world, ask *explain.Ask) {
		w.engine.Mode = mode
		ask.Items = &index{w.tree, map[int64]int64{3: 11, 7: 11, 9: 12, 10: 111}, []int64{7, 9}}
	}
}

// withGrants is withIndex where Rival Cars grants something to ACME Fleet.
func withGrants(mode policy.Mode, cid int64) func(*world, *explain.Ask) {
	return func(w *world, ask *explain.Ask) {
		withIndex(mode)(w, ask)
		ask.AskedCID, ask.Resolved = cid, &policy.Resolved{LookedUp: true}
		ask.Grants = policy.NewGrants([]policy.Grant{
			{ID: 5, CID: 12, Name: "vans", Enabled: true, Grantees: []int64{11}, Access: []policy.GrantAccess{
				{URI: "gw/devices", IDs: listOf(7, 9), Levels: policy.LevelView | policy.LevelCommand}}},
			{ID: 6, CID: 12, Name: "last year", Enabled: true, Expire: now - 86400, Grantees: []int64{11}, Access: []policy.GrantAccess{
				{URI: policy.AccountURI, Levels: policy.LevelView, Creates: []string{"devices"}}}},
		})
	}
}

// situations are what people ask about; each has its text in testdata.
var situations = []situation{
	{"allowed", "viewer", "GET", "/gw/devices/7/messages", nil},
	{"not-in-ids", "viewer", "GET", "/gw/devices/8", nil},
	{"some-denied", "viewer", "PUT", "/gw/devices/7,8,1", nil},
	{"narrowed-all", "viewer", "GET", "/gw/devices/all?fields=id,name", nil},
	{"submodule-not-named", "viewer", "GET", "/gw/devices/7/telemetry/all", func(w *world, _ *explain.Ask) {
		w.add("viewer", policy.ACLAccess, 11, viewer[1], viewer[7])
	}},
	{"submodule-without-method", "viewer", "PUT", "/gw/devices/7/messages", nil},
	{"submodule-lacks-delete", "viewer", "DELETE", "/gw/devices/7/messages", nil},
	{"no-entry", "viewer", "GET", "/storage/containers/1/messages", func(w *world, _ *explain.Ask) {
		w.add("viewer", policy.ACLAccess, 11, viewer[:7]...)
	}},
	{"empty-acl", "empty", "GET", "/gw/devices/all", nil},
	{"create-limited", "viewer", "POST", "/gw/devices", nil},
	{"no-groups", "viewer", "GET", "/gw/calcs/all", nil},
	{"match-resolved-first", "viewer", "GET", "/gw/devices/name=van", nil},
	{"conditions", "viewer", "GET", "/gw/devices/7,77,name=van", nil},
	{"match-unreadable", "viewer", "GET", "/gw/devices/{name==\"van\"}", nil},
	{"field-hidden", "viewer", "GET", "/gw/devices/7?fields=id,telemetry.position", func(w *world, _ *explain.Ask) {
		w.add("viewer", policy.ACLAccess, 11, viewer[1], viewer[7])
	}},
	{"field-denied", "viewer", "GET", "/gw/devices/7,9?fields=telemetry", func(w *world, _ *explain.Ask) {
		w.add("viewer", policy.ACLAccess, 11, viewer[1], policy.Entry{
			URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: listOf(9),
			HasSubmodules: true, Submodules: []policy.Submodule{sub("telemetry", policy.GET)},
		})
	}},
	{"field-list", "viewer", "GET", "/gw/devices/7?fields=tele*", nil},
	{"public", "nobody", "GET", "/const/values", nil},
	{"linked-denied", "linker", "PUT", "/gw/streams/3/devices/5,7", nil},
	{"linked-group", "linker", "POST", "/gw/streams/3/groups/4", nil},
	{"linked-no-entry", "viewer", "GET", "/gw/calcs/5/assets/all", func(w *world, _ *explain.Ask) {
		w.engine.StrictLinks = true
		w.add("viewer", policy.ACLAccess, 11, policy.Entry{URI: "gw/calcs", Methods: get})
	}},
	{"linked-lenient", "viewer", "GET", "/gw/calcs/5/devices/7", func(w *world, _ *explain.Ask) {
		w.add("viewer", policy.ACLAccess, 11, policy.Entry{URI: "gw/calcs", Methods: get})
	}},
	{"group-members", "grouped", "GET", "/gw/devices/7,8", withIndex(policy.ModeHeader)},
	{"group-members-unknown", "grouped", "GET", "/gw/devices/7,8", nil},
	{"group-chooser", "grouped", "GET", "/gw/assets/7", nil},
	{"group-submodule", "grouped", "GET", "/gw/devices/7/messages", nil},
	{"foreign-account", "standard", "GET", "/gw/devices/all", func(_ *world, ask *explain.Ask) { ask.AskedCID = 12 }},
	{"narrower-account", "standard", "GET", "/gw/devices/all?cid=111", nil},
	{"standard-list", "standard", "GET", "/gw/devices/7,8", nil},
	{"expired", "old", "GET", "/gw/devices/7", nil},
	{"unknown-token", "nobody", "GET", "/gw/devices/7", nil},
	{"noapi", "noapi", "GET", "/gw/devices/7", nil},
	{"wrong-address", "viewer", "GET", "/gw/devices/7", func(w *world, ask *explain.Ask) {
		w.tokens["viewer"].Sources = &policy.Sources{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		ask.Source = netip.MustParseAddr("192.0.2.7")
	}},
	{"address-not-given", "viewer", "GET", "/gw/devices/7", func(w *world, _ *explain.Ask) {
		w.tokens["viewer"].Sources = &policy.Sources{Masks: []string{"10.*"}}
	}},
	{"index", "viewer", "GET", "/gw/devices/7,9,8", func(w *world, ask *explain.Ask) {
		withIndex(policy.ModeIDs)(w, ask)
		ask.Resolved = &policy.Resolved{LookedUp: true}
	}},
	{"index-looks-up", "standard", "GET", "/gw/devices/7,8", withIndex(policy.ModeBoth)},
	{"index-all", "standard", "GET", "/gw/devices/all", withIndex(policy.ModeIDs)},
	{"index-absent", "viewer", "GET", "/gw/devices/7,8", func(w *world, _ *explain.Ask) { w.engine.Mode = policy.ModeIDs }},
	{"index-absent-all", "standard", "GET", "/gw/devices/all", func(w *world, _ *explain.Ask) { w.engine.Mode = policy.ModeBoth }},
	{"index-absent-store", "viewer", "GET", "/gw/devices/all", func(w *world, _ *explain.Ask) { w.engine.Mode, w.engine.Owners = policy.ModeIDs, policy.OwnersStore }},
	{"roles-offline", "standard", "GET", "/gw/devices/7,9,8", func(w *world, _ *explain.Ask) {
		w.engine.Mode, w.engine.Owners = policy.ModeIDs, policy.OwnersStore
		w.withRoles()
	}},
	{"grant", "standard", "GET", "/gw/devices/7,9,8", withGrants(policy.ModeBoth, 0)},
	{"grant-level", "standard", "PUT", "/gw/devices/9", withGrants(policy.ModeIDs, 0)},
	{"grant-entry", "viewer", "GET", "/gw/devices/all", withGrants(policy.ModeIDs, 0)},
	{"grant-cross", "standard", "GET", "/gw/devices/all", withGrants(policy.ModeBoth, 12)},
	{"grant-parts", "standard", "GET", "/gw/devices/all", func(w *world, ask *explain.Ask) {
		withGrants(policy.ModeBoth, 0)(w, ask)
		w.tree, _ = policy.NewTree([]policy.Account{{ID: 11, Name: "ACME Fleet"}, {ID: 111, Parent: 11}, {ID: 12, Name: "Rival Cars"}}, 4)
		ask.Tree, ask.Items = w.tree, &index{w.tree, map[int64]int64{3: 11, 7: 11, 9: 12, 10: 111}, []int64{7, 9}}
	}},
	{"roles", "standard", "GET", "/gw/devices/7,9,8", func(w *world, ask *explain.Ask) {
		withIndex(policy.ModeIDs)(w, ask)
		w.withRoles()
		ask.Resolved = &policy.Resolved{LookedUp: true}
	}},
	{"grant-create", "standard", "POST", "/gw/devices", withGrants(policy.ModeIDs, 12)},
	{"closed-keys", "root", "GET", "/platform/tokens/all", nil},
	{"closed-platform", "standard", "GET", "/platform/customer", nil},
	{"dictionary", "viewer", "GET", "/gw/channel-protocols/all", nil},
	{"own-answer", "viewer", "GET", "/auth/info", nil},
	{"unknown-path", "viewer", "GET", "/gw/devises/all", nil},
	{"unknown-method", "root", "PATCH", "/gw/devices/7/messages", nil},
	{"bad-selector", "root", "GET", "/gw/devices/name=van,7", nil},
	{"bad-query", "root", "GET", "/gw/devices/7?token=SECRETSECRET", nil},
	{"data-not-read", "root", "GET", "/gw/devices/7/messages?data={\"cid\":1}", nil},
	{"bad-byte", "root", "GET", "/gw/devices/all\x1b[2J?data=\x07", nil},
	{"body-moves", "viewer", "PUT", "/gw/devices/7", func(_ *world, ask *explain.Ask) { ask.Body = []policy.Keys{{ID: 7, CID: 111}} }},
	{"body-foreign-id", "viewer", "PUT", "/gw/devices/7", func(_ *world, ask *explain.Ask) { ask.Body = []policy.Keys{{ID: 8}} }},
	{"body-foreign-account", "root", "PUT", "/gw/devices/7/cid", func(_ *world, ask *explain.Ask) { ask.Body = []policy.Keys{{CID: 99}} }},
	{"body-moves-another", "viewer", "PUT", "/gw/devices/7", func(w *world, ask *explain.Ask) {
		ask.Body = []policy.Keys{{CID: 111}}
		w.add("viewer", policy.ACLAccess, 11, viewer[2], policy.Entry{URI: "gw/devices", Rule: policy.IDsList, IDs: listOf(9),
			HasSubmodules: true, Submodules: []policy.Submodule{sub("cid", policy.PUT)}})
	}},
	{"not-enforced", "viewer", "DELETE", "/gw/devices/8", func(w *world, _ *explain.Ask) { w.engine.Unenforced = true }},
	{"long-list", "viewer", "GET", "/gw/devices/all", func(w *world, _ *explain.Ask) {
		var ids []int64
		for id := int64(1000); id < 1400; id++ {
			ids = append(ids, id)
		}
		w.add("viewer", policy.ACLAccess, 11, policy.Entry{URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: listOf(ids...)})
	}},
}

func (s situation) report(t *testing.T) *explain.Report {
	t.Helper()
	w := newWorld(t)
	ask := explain.Ask{Method: s.method, Target: s.target}
	if s.change != nil {
		s.change(w, &ask)
	}
	return w.ask(s.token, ask)
}

func TestGolden(t *testing.T) {
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			got := s.report(t).Text()
			file := filepath.Join("testdata", s.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// A text fits a terminal and holds nothing that could steer one.
func TestTextIsReadable(t *testing.T) {
	for _, s := range situations {
		for line := range strings.SplitSeq(s.report(t).Text(), "\n") {
			if n := utf8.RuneCountInString(line); n > 100 && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "bytes)") {
				t.Errorf("%s: a line has %d characters: %q", s.name, n, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%s: a line holds a control character: %q", s.name, line)
			}
		}
	}
}
