package app

import (
	"context"
	"slices"
	"time"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/policy/record"
)

// masterless is how far ahead a root account has to have a master, and mastersTick how often it is
// looked whether it has.
const (
	mastersUntil = 7 * 24 * time.Hour
	mastersTick  = time.Minute
)

// countMasters keeps count of the root accounts without a master, where the records are in a database.
func (a *App) countMasters(ctx context.Context) {
	live := a.policy.live
	if live == nil || a.settings.Scope.Accounts == config.AccountsBackend {
		return
	}
	tick := time.NewTicker(mastersTick)
	defer tick.Stop()
	for {
		if n, err := live.Masterless(ctx, time.Now().Add(mastersUntil)); err == nil {
			a.masterless.Store(int64(n) + 1)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// administrationStats is what became of tokens and accounts.
func (a *App) administrationStats() metrics.AdministrationStats {
	s := metrics.AdministrationStats{Masterless: int(a.masterless.Load()) - 1}
	if a.policy.live != nil {
		s.Made = a.policy.live.Stats().Made
	}
	s.ByLimit, s.ByHand = a.quota.Blocked(time.Now())
	for _, cid := range a.settings.Metrics.Accounts {
		s.Accounts = append(s.Accounts, a.accountStats(cid))
	}
	return s
}

// accountStats is what an account uses that has metrics of its own.
func (a *App) accountStats(cid int64) metrics.AccountStats {
	used, _ := a.usage(cid)
	s := metrics.AccountStats{ID: cid, Used: used, Limits: map[string]int64{}, Blocked: a.quota.StateOf(cid, time.Now()).Blocked}
	s.Calls, s.Traffic = a.quota.Totals(cid)
	tightest := a.quota.Tightest(cid)
	for _, b := range record.Bounds() {
		n, bounded := tightest.Items[b.Of]
		switch {
		case b.Name == "api_calls":
			n, bounded = tightest.Calls, tightest.Calls >= 0
		case b.Name == "api_traffic":
			n, bounded = tightest.Traffic, tightest.Traffic >= 0
		case b.Counted != record.Items:
			bounded = false
		}
		if bounded {
			s.Limits[b.Name] = n
		}
	}
	return s
}

// named reports whether an account has metrics of its own.
func (a *App) named(cid int64) bool { return slices.Contains(a.settings.Metrics.Accounts, cid) }
