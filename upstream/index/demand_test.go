package index

import (
	"aclgate/upstream/upstreamtest"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

func uris(list []*policy.Collection) string {
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimPrefix(c.URI, "gw/"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func demandOf(engine *policy.Engine, holders ...TokenShape) Demand {
	return DemandOf(engine, slices.Values(holders))
}

// In header mode only what groups confer has to be known, and whose the groups are.
func TestDemandOfHeaderMode(t *testing.T) {
	engine := &policy.Engine{Catalogue: upstreamtest.Catalogue(t)}
	groups := TokenShape{policy.ACLAccess, []policy.Entry{{URI: "gw/groups"}, {URI: "gw/devices"}}}
	if n := demandOf(engine, TokenShape{Access: policy.Master}); len(n.Collections)+len(n.Members) > 0 {
		t.Errorf("a master token: got %+v", n)
	}
	if n := demandOf(engine, groups); uris(n.Collections) != "groups" || uris(n.Members) != "assets geofences" {
		t.Errorf("groups: got %q, members %q", uris(n.Collections), uris(n.Members))
	}
}

func TestDemandOf(t *testing.T) {
	cat := upstreamtest.Catalogue(t)
	acl := func(entries ...policy.Entry) TokenShape { return TokenShape{policy.ACLAccess, entries} }
	gateway := "assets calcs channels devices geofences groups modems plugins streams"
	rows := []struct {
		name          string
		holder        TokenShape
		items, groups string
	}{
		{"nobody", TokenShape{Access: policy.NoAPI}, "", ""},
		{"no entries", acl(), "", ""},
		{"one collection", acl(policy.Entry{URI: "gw/channels"}), "channels", ""},
		{"what it groupMembers to", acl(policy.Entry{URI: "gw/calcs"}), "assets calcs devices geofences groups", ""},
		{"a module", acl(policy.Entry{URI: "gw"}), gateway, ""},
		{"what lies above", acl(policy.Entry{URI: "platform"}), "", ""},
		{"groups", acl(policy.Entry{URI: "gw/groups"}), "assets devices geofences groups", "assets devices geofences"},
		{"groups, and devices apart", acl(policy.Entry{URI: "gw/groups"}, policy.Entry{URI: "gw/devices"}),
			"assets devices geofences groups", "assets geofences"},
		{"devices in groups", acl(policy.Entry{URI: "gw/groups"}, policy.Entry{URI: "gw/devices", Rule: policy.IDsInGroups}),
			"assets devices geofences groups", "assets devices geofences"},
	}
	for _, row := range rows {
		n := demandOf(&policy.Engine{Catalogue: cat, Mode: policy.ModeIDs}, row.holder, row.holder)
		if uris(n.Collections) != row.items || uris(n.Members) != row.groups {
			t.Errorf("%s: got %q, members %q", row.name, uris(n.Collections), uris(n.Members))
		}
	}
}

func TestDemandOfAccess(t *testing.T) {
	cat := upstreamtest.Catalogue(t)
	standard := uris(demandOf(&policy.Engine{Catalogue: cat, Mode: policy.ModeIDs}, TokenShape{Access: policy.Standard}).Collections)
	if !strings.Contains(standard, "storage/cdns") || strings.Contains(standard, "platform") {
		t.Errorf("a standard token: got %q", standard)
	}
	for _, c := range demandOf(&policy.Engine{Catalogue: cat, Mode: policy.ModeIDs}, TokenShape{Access: policy.Master}).Collections {
		if strings.Contains(c.URI, "tokens") {
			t.Errorf("keys are listed: %s", c.URI)
		}
	}
	master := uris(demandOf(&policy.Engine{Catalogue: cat, Mode: policy.ModeIDs}, TokenShape{Access: policy.Master}).Collections)
	if !strings.Contains(master, "platform/subaccounts") || !strings.Contains(master, "storage/cdns") {
		t.Errorf("a master token: got %q", master)
	}
	ours := map[*policy.Route]bool{} // what the gateway keeps itself is not the backend's to list
	for _, r := range cat.Collection("platform/limits").Routes {
		ours[r] = true
	}
	master = uris(demandOf(&policy.Engine{Catalogue: cat, Mode: policy.ModeIDs, Managed: ours}, TokenShape{Access: policy.Master}).Collections)
	if strings.Contains(master, "platform/limits") || !strings.Contains(master, "platform/subaccounts") {
		t.Errorf("a master token, limits kept here: got %q", master)
	}
	engine := &policy.Engine{Catalogue: cat, Unenforced: true, Mode: policy.ModeIDs}
	if got := uris(demandOf(engine, TokenShape{Access: policy.ACLAccess}).Collections); got != standard {
		t.Errorf("entries that are not enforced: got %q", got)
	}
}
