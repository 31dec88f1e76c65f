package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Accounts with metrics of their own are named once, are few, and are counted here.
func TestMetricsAccounts(t *testing.T) {
	s, faults := Parse("a.yaml", []byte("metrics: {accounts: [11, 12]}\n"))
	wantFaults(t, faults)
	if !slices.Equal(s.Metrics.Accounts, []int64{11, 12}) {
		t.Errorf("got %v", s.Metrics.Accounts)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint(i + 1)
	}
	for text, want := range map[string]string{
		"metrics: {accounts: [11, 11]}\n":                           "a.yaml:1:21: metrics.accounts: an account is named twice",
		"metrics: {accounts: [x]}\n":                                `a.yaml:1:22: metrics.accounts[0]: expected an id (digits without leading zero, at most 9223372036854775807), found "x"`,
		"metrics: {accounts: [" + strings.Join(many, ", ") + "]}\n": "a.yaml:1:21: metrics.accounts: expected at most 100 accounts: each is some series",
		"metrics: {accounts: [11]}\nscope: {accounts: backend}\n":   "a.yaml:1:21: metrics.accounts: accounts and their limits are the backend's: nothing is counted here",
	} {
		_, faults := Parse("a.yaml", []byte(text))
		wantFaults(t, faults, want)
	}
}
