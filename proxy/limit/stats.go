package limit

import "slices"

// Stats is what the buckets of one scope have decided since the start. A request asks one bucket of
// its token and one of each of its accounts.
type Stats struct {
	Scope             string // token, account or source
	Admitted, Refused uint64
	Entries           int64 // buckets that are kept
}

// Stats returns the scopes that are bounded. It looks at every bucket, so it is for scrapes.
func (l *Limiter) Stats() []Stats {
	if l == nil {
		return nil
	}
	var all []Stats
	for _, s := range l.scopes() {
		all = append(all, s.table.stats(s.name))
	}
	return all
}

// scope is one that is bounded.
type scope struct {
	name  string
	table *table
}

// scopes returns those that are bounded.
func (l *Limiter) scopes() []scope {
	all := []scope{{"token", l.tokens}, {"account", l.accounts}, {"source", l.sources}}
	return slices.DeleteFunc(all, func(s scope) bool { return s.table == nil })
}

func (t *table) stats(name string) Stats {
	var sum counts
	for i := range t.shards {
		t.shards[i].tally(&sum)
	}
	return Stats{Scope: name, Admitted: sum.admitted.Load(), Refused: sum.refused.Load(), Entries: t.size.Load()}
}

// tally adds all decisions of a shard. The lock keeps a bucket that is being swept from counting
// twice, or not at all: a counter must not go back.
func (s *shard) tally(sum *counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum.add(&s.past)
	sum.add(&s.shared.counts)
	all := *s.slots.Load()
	for i := range all {
		if b := all[i].Load(); b != nil {
			sum.add(&b.counts)
		}
	}
}
