package metrics

import (
	"strconv"

	"aclgate/policy"
)

// AdministrationStats is what became of tokens and accounts that are administered here.
type AdministrationStats struct {
	Made       map[policy.Access]uint64 // tokens; nil: there is no database
	Masterless int                      // root accounts without a master; -1: not known

	ByLimit, ByHand int // accounts that are blocked
	Accounts        []AccountStats
}

// AccountStats is what an account uses that has metrics of its own.
type AccountStats struct {
	ID             int64
	Calls, Traffic uint64           // since the start
	Used, Limits   map[string]int64 // by the names of bounds; what is not in Limits is unbounded
	Blocked        int
}

// CollectAdministration exports what stats returns at every scrape.
func (m *Metrics) CollectAdministration(stats func() AdministrationStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		for access, n := range s.Made {
			emit(TokensMade, float64(n), access.String())
		}
		if s.Masterless >= 0 {
			emit(RootsWithoutMaster, float64(s.Masterless))
		}
		emit(AccountsBlocked, float64(s.ByLimit), "limit")
		emit(AccountsBlocked, float64(s.ByHand), "hand")
		for i := range s.Accounts {
			s.Accounts[i].emit(emit)
		}
	})
}

func (a *AccountStats) emit(emit Emit) {
	account := strconv.FormatInt(a.ID, 10)
	emit(AccountCalls, float64(a.Calls), account)
	emit(AccountTraffic, float64(a.Traffic), account)
	emit(AccountBlocked, float64(a.Blocked), account)
	for name, n := range a.Used {
		emit(AccountUsed, float64(n), account, name)
	}
	for name, n := range a.Limits {
		emit(AccountLimit, float64(n), account, name)
	}
}
