package main

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"aclgate/metrics"
)

// bodiesAtOnce is how many of the longest bodies may be held at the same time.
const bodiesAtOnce = 32

// maxBodies returns how many bytes of large request bodies may be held at once:
// as many as bodiesAtOnce of the longest, but no more than an eighth of
// GOMEMLIMIT, because judging a hostile one takes four times its length. One
// body always fits.
func maxBodies(maxBody int64) int64 {
	return max(maxBody+1, min(bodiesAtOnce*maxBody, debug.SetMemoryLimit(-1)/8))
}

// faultTick is how often what may fail in silence is looked at.
const faultTick = 30 * time.Second

// quiet is something that may fail without failing a request: what it was
// before stays in use, and is wrong some day.
type quiet struct {
	what      int          // of metrics.SilentFault
	fault     func() error // nil while all is well
	bad, good string       // what the log says
}

// guard runs what looks after the process until ctx ends.
func (a *app) guard(ctx context.Context, group *sync.WaitGroup) {
	group.Go(func() { a.gateway.WatchMemory(ctx) })
	group.Go(func() { a.watchFaults(ctx, faultTick, a.quiet()) })
}

// quiet returns what is to be looked at once the addresses are taken.
func (a *app) quiet() []quiet {
	all := []quiet{
		{metrics.FaultUpstreamTLS, a.transport.TLSFault, "the TLS files for the backend changed and cannot be used: the old ones stay",
			"the TLS files for the backend can be used again"},
		{metrics.FaultUpstreamNames, a.transport.LookupFault, "the name of a backend cannot be looked up: its last known addresses stay in use",
			"the names of the backends can be looked up again"},
	}
	if a.tlsFault != nil {
		all = append(all, quiet{metrics.FaultListenTLS, a.tlsFault,
			"the TLS files of the listener changed and cannot be used: the old ones stay",
			"the TLS files of the listener can be used again"})
	}
	return all
}

// watchFaults says once of each that it has begun to fail, and once that it
// works again. The metric says it for as long as it lasts.
func (a *app) watchFaults(ctx context.Context, every time.Duration, all []quiet) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	said := make([]bool, len(all))
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for i, q := range all {
			switch err := q.fault(); {
			case err != nil && !said[i]:
				a.metrics.Add(metrics.SilentFault, 1, q.what)
				a.log.Error(q.bad, "error", err)
				said[i] = true
			case err == nil && said[i]:
				a.metrics.Add(metrics.SilentFault, -1, q.what)
				a.log.Info(q.good)
				said[i] = false
			}
		}
	}
}
