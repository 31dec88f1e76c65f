package limit

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func addrV6(prefix, host uint64) netip.Addr {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], prefix)
	binary.BigEndian.PutUint64(a[8:], host)
	return netip.AddrFrom16(a)
}

func TestSourceKey(t *testing.T) {
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"192.0.2.1", "2002:c000:201::7", true}, // the 6to4 prefix of that address
		{"0.0.0.1", "::1", false},
	} {
		if got := sourceKey(netip.MustParseAddr(row.a)) == sourceKey(netip.MustParseAddr(row.b)); got != row.same {
			t.Errorf("%s and %s: got one source %v, want %v", row.a, row.b, got, row.same)
		}
	}
}

// A /64 is one source: its 2^64 addresses have one bucket.
func TestSourceIsAPrefix(t *testing.T) {
	l := New(Options{Source: Limit{Rate: 1, Burst: 10}})
	passed := 0
	for host := range uint64(1000) {
		if l.Source(addrV6(0x20010db8_00000000, host), second) == 0 {
			passed++
		}
	}
	if got := l.Stats()[0]; passed != 10 || got.Entries != 1 || got.Admitted != 10 || got.Refused != 990 {
		t.Errorf("got %d passed, %+v", passed, got)
	}
}

// However many sources there are, memory stays bounded; who comes when there is no room shares a
// bucket and escapes nothing.
func TestFloodOfSources(t *testing.T) {
	const most = 4096
	l := New(Options{Source: Limit{Rate: 0.01, Burst: 2}, MaxSources: most})
	passed, before := 0, heap()
	for i := range uint64(300_000) {
		if l.Source(addrV6(i, i), second+int64(i)) == 0 {
			passed++
		}
	}
	grown := heap() - before
	if n := l.Stats()[0].Entries; n != most {
		t.Errorf("got %d entries, want %d", n, most)
	}
	if want := most + 2*shardCount; passed > want {
		t.Errorf("got %d passed, want at most %d", passed, want)
	}
	if grown > 4<<20 {
		t.Errorf("got %d KiB of growth", grown>>10)
	}
	if retry := l.Source(addrV6(0, 0), 2*second); retry != 0 {
		t.Errorf("an old source is refused by the flood: %d", retry)
	}
	runtime.KeepAlive(l)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// After a flood the room is given to newcomers as soon as its buckets say nothing any more.
func TestRoomIsUsedAgain(t *testing.T) {
	const most = 256
	l := New(Options{Source: Limit{Rate: 10, Burst: 1}, MaxSources: most})
	for i := range uint64(5000) {
		l.Source(addrV6(i, 0), second)
	}
	for round := int64(2); round < 6; round++ {
		for i := range uint64(shardCount * 4) {
			l.Source(addrV6(1<<32+uint64(round)<<20+i, 0), round*2*second)
		}
		if retry := l.Source(addrV6(1<<40+uint64(round), 0), round*2*second+second/2); retry != 0 {
			t.Errorf("round %d: a newcomer is refused for %d s", round, retry)
		}
		if n := l.Stats()[0].Entries; n > most {
			t.Errorf("round %d: got %d entries, want at most %d", round, n, most)
		}
	}
}

// Sweeping forgets nothing that still counts: neither use nor requests that are in.
func TestSweepKeepsWhatCounts(t *testing.T) {
	table := newTable(Limit{Rate: 1, Burst: 1, Concurrent: 1}, 0)
	full, _ := table.enter(1, second)
	full.charge(&table.rule, nil, second)
	full.leave()
	in, _ := table.enter(2, second)
	for i := range table.shards {
		table.shards[i].mu.Lock()
		table.shards[i].sweep(table, second+1)
		table.shards[i].mu.Unlock()
	}
	if b, entered := table.enter(1, second+1); b != full || !entered {
		t.Errorf("a bucket that is not full was forgotten")
	}
	if b, entered := table.enter(2, second+1); b != in || entered {
		t.Errorf("a bucket in use was forgotten")
	}
}

// The bound of requests at one time holds while buckets come and go.
func TestSweepAmongGoroutines(t *testing.T) {
	table := newTable(Limit{Concurrent: 1}, 0)
	var in [4]atomic.Int64
	var group sync.WaitGroup
	for g := range uint64(8) {
		group.Go(func() {
			for i := range uint64(3000) {
				if key := (g + i) % 4; pass(table, key, &in[key]) {
					t.Errorf("two requests of key %d at one time", key)
				}
				s := &table.shards[(g*7+i)%shardCount]
				s.mu.Lock()
				s.sweep(table, second)
				s.mu.Unlock()
			}
		})
	}
	group.Wait()
	for i := range table.shards {
		table.shards[i].sweep(table, second)
	}
	if n := table.size.Load(); n != 0 {
		t.Errorf("got %d buckets at the end, want 0", n)
	}
}

// pass enters and leaves, and reports whether anybody else was in.
func pass(table *table, key uint64, in *atomic.Int64) bool {
	b, entered := table.enter(key, second)
	if !entered {
		return false
	}
	twice := in.Add(1) > 1
	in.Add(-1)
	b.leave()
	return twice
}

// Of keys that come once and never again only so many are kept.
func TestBucketsThatSayNothingAreSwept(t *testing.T) {
	table := newTable(Limit{Rate: 1e6, Burst: 1}, 0)
	for key := range uint64(3 * shardCount * sweepAt) {
		b, _ := table.enter(key, second+int64(key)*1e3)
		b.charge(&table.rule, nil, second+int64(key)*1e3)
		b.leave()
	}
	if n := table.size.Load(); n > 2*shardCount*sweepAt {
		t.Errorf("got %d buckets, want at most %d", n, 2*shardCount*sweepAt)
	}
}

// Whoever looks for a bucket while others make theirs finds its own or none: two keys that want one
// slot at one moment must not end in one bucket.
func TestNewcomersAtOneTime(t *testing.T) {
	const keys, callers = 1000, 4
	for range 200 {
		table := newTable(Limit{Rate: 1, Burst: 1}, 0)
		var group sync.WaitGroup
		for first := range uint64(callers) {
			group.Go(func() {
				for key := first; key < keys*callers; key += callers {
					if b, _ := table.enter(key, second); b.key != key {
						t.Errorf("key %d is charged to %d", key, b.key)
					}
				}
			})
		}
		if group.Wait(); t.Failed() {
			return
		}
	}
}
