package main

import (
	"aclgate/config"
	"aclgate/metrics"
	"aclgate/proxy/limit"
)

// makeLimits returns what bounds single callers, nil where the settings bound
// nobody, and has its counters exported.
func (a *app) makeLimits() *limit.Limiter {
	s := a.settings.Limits
	l := limit.New(limit.Options{
		Token: limitOf(s.PerToken), Account: limitOf(s.PerAccount), Source: limitOf(s.Unauthenticated),
	})
	a.metrics.CollectLimits(func() []metrics.LimitStats {
		stats := l.Stats()
		all := make([]metrics.LimitStats, len(stats))
		for i, s := range stats {
			all[i] = metrics.LimitStats(s)
		}
		return all
	})
	return l
}

func limitOf(l config.Limit) limit.Limit {
	return limit.Limit{Rate: l.Rate.PerSecond(), Burst: l.Size(), Concurrent: l.Concurrent}
}
