package store

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aclgate/policy"
)

// benchDoc is the row of a token with two entries.
func benchDoc(id, version int64) []byte {
	rec := &Record{Token: policy.Token{
		ID: id, Digest: DigestOf(fmt.Appendf(nil, "%d", id)), Info: fmt.Sprint("version ", version), CID: id%1000 + 1,
		Enabled: true, Expire: 4102444800, Access: policy.ACLAccess,
	}}
	get := policy.Methods(policy.GET)
	rec.Entries = []policy.Entry{
		{URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{id, id + 1, id + 2})},
		{URI: "gw/channels", Methods: get, Rule: policy.IDsAll},
	}
	return AppendDoc(nil, rec, nil)
}

// liveOf returns a store that obeys some tokens in 1000 accounts at revision 0.
func liveOf(tokens int64) *Live {
	l := NewLive(LiveOptions{MaxDepth: 4, MaxStaleness: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	fresh := &loaded{l.newTokens(), map[int64]policy.Account{}, &documents{}, &ownerTable{}, map[rowKey]string{}}
	for id := int64(1); id <= 1000; id++ {
		l.readAll(fresh, Row{Table: Accounts, ID: id, Doc: fmt.Appendf(nil, `{"id":%d}`, id)})
	}
	for id := int64(1); id <= tokens; id++ {
		l.readAll(fresh, Row{Table: Tokens, ID: id, Doc: benchDoc(id, 0)})
	}
	l.replace(fresh)
	l.applied = 0
	return l
}

func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkApplyOne obeys one change of one token among 100,000: 20 µs of processor time at most,
// the copying of what is dead included.
func BenchmarkApplyOne(b *testing.B) {
	const tokens = 100_000
	l := liveOf(tokens)
	rows := make([]Row, 4096)
	for i := range rows {
		id := rand.Int64N(tokens) + 1
		rows[i] = Row{Table: Tokens, ID: id, Doc: benchDoc(id, int64(i))}
	}
	b.ReportAllocs()
	n, cpu := int64(0), processTime()
	for b.Loop() {
		n++
		row := rows[n%int64(len(rows))]
		l.apply(&Batch{Changes: []Change{{Rev: n, Table: Tokens, IDs: []int64{row.ID}}}, Rows: []Row{row}})
	}
	b.ReportMetric(float64((processTime()-cpu).Nanoseconds())/float64(n), "cpu-ns/op")
}

// BenchmarkCompact copies 100,000 tokens.
func BenchmarkCompact(b *testing.B) {
	l := liveOf(100_000)
	n, cpu := int64(0), processTime()
	for b.Loop() {
		n++
		l.newTokens().copyOf(l.tokens, func() {})
	}
	b.ReportMetric(float64((processTime()-cpu).Microseconds())/float64(n), "cpu-µs/op")
}

// BenchmarkStall looks tokens up while ten thousand among 1,000,000 change again and again, and are
// copied away: the longest look-up, and the longest of as much work that waits for nobody.
func BenchmarkStall(b *testing.B) {
	const tokens, batch = 1_000_000, 1000
	l := liveOf(tokens)
	var stop atomic.Bool
	var looking sync.WaitGroup
	var longest, idle time.Duration
	looking.Go(func() {
		for !stop.Load() {
			d := DigestOf(fmt.Appendf(nil, "%d", rand.Int64N(tokens)+1))
			began := time.Now()
			_, _ = l.Load(d)
			looked := time.Now()
			DigestOf(fmt.Appendf(nil, "%d", 1))
			longest, idle = max(longest, looked.Sub(began)), max(idle, time.Since(looked))
			time.Sleep(50 * time.Microsecond)
		}
	})
	rev := int64(0)
	for b.Loop() {
		first := rand.Int64N(tokens-10*batch) + 1
		for part := range int64(10) {
			all := &Batch{}
			for id := first + part*batch; id < first+part*batch+batch; id++ {
				rev++
				all.Changes = append(all.Changes, Change{Rev: rev, Table: Tokens, IDs: []int64{id}})
				all.Rows = append(all.Rows, Row{Table: Tokens, ID: id, Doc: benchDoc(id, rev)})
			}
			l.apply(all)
		}
	}
	stop.Store(true)
	looking.Wait()
	b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
	b.ReportMetric(float64(idle.Microseconds()), "idle-µs")
}

// BenchmarkReadRow reads the rows of 100,000 tokens, as a load does.
func BenchmarkReadRow(b *testing.B) {
	l := NewLive(LiveOptions{MaxDepth: 4, MaxStaleness: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	rows := make([]Row, 100_000)
	for i := range rows {
		rows[i] = Row{Table: Tokens, ID: int64(i) + 1, Doc: benchDoc(int64(i)+1, 0)}
	}
	fresh := &loaded{l.newTokens(), map[int64]policy.Account{}, &documents{}, &ownerTable{}, map[rowKey]string{}}
	b.ReportAllocs()
	n, cpu := 0, processTime()
	for b.Loop() {
		if n%len(rows) == 0 {
			fresh.tokens = l.newTokens()
		}
		l.readAll(fresh, rows[n%len(rows)])
		n++
	}
	b.ReportMetric(float64((processTime()-cpu).Nanoseconds())/float64(n), "cpu-ns/op")
}
