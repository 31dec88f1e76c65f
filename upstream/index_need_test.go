package upstream

import (
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

func TestNeedOf(t *testing.T) {
	cat := catalogue(t)
	acl := func(entries ...policy.Entry) *policy.Token {
		for i := range entries {
			entries[i].Methods = policy.Methods(policy.GET)
		}
		return &policy.Token{Access: policy.ACLAccess, ACL: policy.NewACL(entries, cat)}
	}
	gateway := "assets calcs channels devices geofences groups modems plugins streams"
	rows := []struct {
		name          string
		token         *policy.Token
		items, groups string
	}{
		{"nobody", &policy.Token{Access: policy.NoAPI}, "", ""},
		{"no entries", acl(), "", ""},
		{"one collection", acl(policy.Entry{URI: "gw/channels"}), "channels", ""},
		{"what it links to", acl(policy.Entry{URI: "gw/calcs"}), "assets calcs devices geofences groups", ""},
		{"a module", acl(policy.Entry{URI: "gw"}), gateway, ""},
		{"what lies above", acl(policy.Entry{URI: "platform"}), "", ""},
		{"groups", acl(policy.Entry{URI: "gw/groups"}), "assets devices geofences groups", "assets devices geofences"},
		{"groups, and devices apart", acl(policy.Entry{URI: "gw/groups"}, policy.Entry{URI: "gw/devices"}),
			"assets devices geofences groups", "assets geofences"},
		{"devices in groups", acl(policy.Entry{URI: "gw/groups"}, policy.Entry{URI: "gw/devices", Rule: policy.IDsInGroups}),
			"assets devices geofences groups", "assets devices geofences"},
	}
	for _, row := range rows {
		n := NeedOf(&policy.Law{Catalogue: cat}, []*policy.Token{row.token, row.token})
		if uris(n.Collections) != row.items || uris(n.Members) != row.groups {
			t.Errorf("%s: got %q, members %q", row.name, uris(n.Collections), uris(n.Members))
		}
	}
}

func TestNeedOfAccess(t *testing.T) {
	cat := catalogue(t)
	standard := uris(NeedOf(&policy.Law{Catalogue: cat}, []*policy.Token{{Access: policy.Standard}}).Collections)
	if !strings.Contains(standard, "storage/cdns") || strings.Contains(standard, "platform") {
		t.Errorf("a standard token: got %q", standard)
	}
	for _, c := range NeedOf(&policy.Law{Catalogue: cat}, []*policy.Token{{Access: policy.Master}}).Collections {
		if strings.Contains(c.URI, "tokens") {
			t.Errorf("keys are listed: %s", c.URI)
		}
	}
	master := uris(NeedOf(&policy.Law{Catalogue: cat}, []*policy.Token{{Access: policy.Master}}).Collections)
	if !strings.Contains(master, "platform/subaccounts") || !strings.Contains(master, "storage/cdns") {
		t.Errorf("a master token: got %q", master)
	}
	law := &policy.Law{Catalogue: cat, Unenforced: true}
	if got := uris(NeedOf(law, []*policy.Token{{Access: policy.ACLAccess}}).Collections); got != standard {
		t.Errorf("entries that are not enforced: got %q", got)
	}
}
