package upstream

import "aclgate/upstream/share"

// URLStats is the state of one url and what happened on it since the start.
type URLStats struct {
	URL     string
	Open    int  // connections, those being dialed included
	Idle    int  // of these, unused
	Waiting int  // requests that wait for a connection
	Ejected bool // left out because of its failures

	Dials      uint64 // connections tried
	DialErrors uint64 // of these, failed
	Reuses     uint64 // requests that found or were given a used connection
	Waits      uint64 // requests that had to wait for a connection
	Repeats    uint64 // requests sent a second time
	Failures   uint64 // failed dials, exchanges and probes

	// How often requests met the bounds of their shares, of the connections and of the queue.
	Conns, Queue share.Met
}

// InUse returns the connections that are neither idle nor free.
func (s *URLStats) InUse() int { return s.Open - s.Idle }

// Stats returns the state of every url, in the order of the options.
func (t *Transport) Stats() []URLStats {
	stats := make([]URLStats, len(t.endpoints))
	for i, b := range t.endpoints {
		s := &stats[i]
		s.URL = b.url
		s.Ejected = b.ejected(t.clock.Now())
		s.Dials, s.DialErrors = b.counts.dials.Load(), b.counts.dialErrors.Load()
		s.Repeats, s.Failures = b.counts.repeats.Load(), b.counts.failures.Load()
		b.mu.Lock()
		s.Open, s.Idle, s.Waiting = b.pool.open, len(b.idle), b.shares.Waiting()
		s.Reuses, s.Waits = b.reuses, b.waits
		s.Conns, s.Queue = b.shares.Met()
		b.mu.Unlock()
	}
	return stats
}
