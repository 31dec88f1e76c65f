package admin_test

import (
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
)

// TestMayCall: only masters and the operator administer, and a guest reads accounts and limits alone.
func TestMayCall(t *testing.T) {
	guestReads := map[string]bool{"platform/subaccounts": true, "platform/limits": true, "platform/customer": true}
	for _, r := range admin.Routes() {
		for m := policy.GET; m <= policy.DELETE; m++ {
			for access := policy.NoAccess; access <= policy.NoAPI; access++ {
				for _, guest := range []bool{false, true} {
					l := admin.Law{Caller: admin.Caller{Token: admin.Token{Access: access}, Scope: 1, Guest: guest}}
					want := access == policy.Master && (!guest || guestReads[r.Path] && m == policy.GET)
					if got := l.MayCall(&r, m, false) == nil; got != want {
						t.Errorf("%s %s by %s, guest %v: %v, want %v", m, r.Path, access, guest, got, want)
					}
				}
			}
		}
	}
	if l := (admin.Law{}); l.MayCall(&admin.Routes()[0], policy.GET, false) == nil {
		t.Error("the zero caller may call")
	}
}
