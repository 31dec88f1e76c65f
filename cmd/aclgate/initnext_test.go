package main

import (
	"strings"
	"testing"

	"aclgate/policy"
)

// The token that init proposes sees one customer, not everything.
func TestFirstTokenIsOfOneAccount(t *testing.T) {
	for _, row := range []struct {
		accounts []policy.Account
		want     string
	}{
		{nil, "policy.yaml --access"},
		{[]policy.Account{{ID: 1}}, "policy.yaml --access"},
		{[]policy.Account{{ID: 7}}, "--cid 7 --access"},
		{[]policy.Account{{ID: 1}, {ID: 2}}, "--cid 1 --access"},
		{[]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, "--cid 11 --access"},
	} {
		if got := firstToken("policy.yaml", nil, row.accounts); !strings.Contains(got, row.want) {
			t.Errorf("%v: got %s, want %s", row.accounts, got, row.want)
		}
	}
}
