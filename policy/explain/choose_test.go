package explain

import (
	"math/rand/v2"
	"testing"

	"aclgate/policy"
	"aclgate/policy/routes"
)

// The choice in words is the compiled one, for every collection, slot and method.
func TestWinnerIsTheChosenEntry(t *testing.T) {
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	uris := []string{"gw", "gw/devices", "gw/device", "storage", "storage/containers", "platform", "gw/calcs", ""}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var entries []policy.Entry
		for range r.IntN(8) {
			e := policy.Entry{URI: uris[r.IntN(len(uris))], Methods: policy.MethodSet(r.IntN(32) << 1), Rule: policy.IDRule(r.IntN(4))}
			for range r.IntN(3) {
				name := []string{"cid", "messages", "settings"}[r.IntN(3)]
				e.Submodules = append(e.Submodules, policy.Submodule{Name: name, Methods: policy.MethodSet(r.IntN(32) << 1)})
			}
			e.HasSubmodules = len(e.Submodules) > 0 || r.IntN(4) == 0
			entries = append(entries, e)
		}
		compareChoices(t, cat, policy.NewACL(entries, cat))
	}
}

func compareChoices(t *testing.T, cat *policy.Catalogue, acl *policy.ACL) {
	t.Helper()
	for _, c := range cat.Collections {
		for slot := range c.Submodules {
			for m := policy.GET; m <= policy.DELETE; m++ {
				q := question{collection: c, slot: slot, method: m}
				covering, _ := q.ranked(acl.Entries())
				if got, want := q.winner(covering), acl.Choose(c, slot, m); got != want {
					t.Fatalf("%s: got %v, want %v of %v", q, got, want, acl.Entries())
				}
			}
		}
	}
}
