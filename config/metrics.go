package config

import (
	"slices"

	"aclgate/config/strict"
)

// Metrics is what /metrics says beside what it always says.
type Metrics struct {
	Accounts []int64 // ids of accounts that have metrics of their own, each once
}

// maxNamedAccounts bounds metrics.accounts: each is some series.
const maxNamedAccounts = 100

// metricsRows are those of metrics.
func metricsRows(s *Settings) []Setting {
	return []Setting{
		{"metrics.accounts", "list of ids", "[]",
			"Accounts that get metrics of their own: calls, traffic, what they use of their bounds, and whether they are blocked. At most 100.",
			into(&s.Metrics.Accounts, strict.ListOf(strict.ID))},
	}
}

// checkMetrics refuses accounts of which nothing is counted here, and what is named too often.
func (s *Settings) checkMetrics(report *strict.Report) {
	ids := s.Metrics.Accounts
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	switch {
	case len(ids) == 0:
	case s.Scope.Accounts == AccountsBackend:
		s.fault(report, s.named("metrics.accounts", "scope.accounts"), "accounts and their limits are the backend's: nothing is counted here")
	case len(sorted) != len(ids):
		s.fault(report, "metrics.accounts", "an account is named twice")
	case len(ids) > maxNamedAccounts:
		s.fault(report, "metrics.accounts", "expected at most 100 accounts: each is some series")
	}
}
