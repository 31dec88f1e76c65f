package main

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
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

// tlsTick is how often the TLS files for the backend are looked at.
const tlsTick = 30 * time.Second

// guard runs what looks after the process until ctx ends.
func (a *app) guard(ctx context.Context, group *sync.WaitGroup) {
	group.Go(func() { a.gateway.WatchMemory(ctx) })
	if a.settings.Upstream.TLS.CA.IsSet() || a.settings.Upstream.TLS.Cert.IsSet() {
		group.Go(func() { a.watchTLS(ctx, tlsTick) })
	}
}

// watchTLS says so once when the TLS files for the backend have changed and
// cannot be used: the old ones stay, and expire some day.
func (a *app) watchTLS(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		text := ""
		if err := a.transport.TLSFault(); err != nil {
			text = err.Error()
		}
		if text != said && text != "" {
			a.log.Error("the TLS files for the backend changed and cannot be used: the old ones stay", "error", text)
		}
		said = text
	}
}
