// Package storebench measures the store of a database beside its targets: what a
// gateway needs to hold its tokens, and how long changes take that it obeys.
package storebench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/store"
)

// Options say what is measured.
type Options struct {
	Engine    store.Engine // empty
	Catalogue *policy.Catalogue
	Tokens    int
	Replicas  int          // number of gateways that follow the changes; 0: propagation is not measured
	Row       func(Figure) // takes each figure as it is measured
}

// Figure is what was measured, in words with its unit, and what it should be for a million tokens;
// Target "": nothing was promised.
type Figure struct {
	What     string `json:"what"`
	Measured string `json:"measured"`
	Target   string `json:"target,omitempty"`
}

// Sizes of what is measured.
const (
	Accounts = 1000 // that the tokens belong to
	batch    = 10_000
	singles  = 300
	copies   = 3 // of all tokens, without what is dead
	hits     = 5_000_000
)

// bench is one measurement under way.
type bench struct {
	Options
	live  *store.Live
	empty int64 // bytes of the process before it wrote anything
}

// Run fills the engine and measures.
func Run(ctx context.Context, o Options) error {
	debug.FreeOSMemory()
	b := &bench{Options: o, empty: status("VmRSS:")}
	for _, step := range []func(context.Context) error{b.fill, b.load, b.single, b.many, b.compact, b.cache, b.spread} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// row hands on one figure with its target.
func (b *bench) row(what, measured, target string) { b.Row(Figure{what, measured, target}) }

func (b *bench) digest(id int64, version int) policy.Digest {
	return store.DigestOf(fmt.Appendf(nil, "bench/%d/%d", id, version))
}

// doc is the row of a token.
func (b *bench) doc(id int64, version int) []byte {
	rec := &store.Record{Token: policy.Token{
		ID: id, Digest: b.digest(id, 0), Info: "bench " + strconv.Itoa(version), CID: id%Accounts + 1, Enabled: true, Expire: 4102444800, Access: policy.ACLAccess,
	}}
	get := policy.Methods(policy.GET)
	rec.Entries = []policy.Entry{
		{URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{id, id + 1, id + 2})},
		{URI: "gw/channels", Methods: get, Rule: policy.IDsAll},
	}
	return store.AppendDoc(nil, rec, nil)
}

// put writes tokens in one transaction.
func (b *bench) put(ctx context.Context, ids []int64, version int) error {
	_, err := b.Engine.Write(ctx, "bench", func(w store.Writer) error {
		for _, id := range ids {
			if err := w.Put(store.Tokens, id, b.doc(id, version)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (b *bench) fill(ctx context.Context) error {
	began, cpu := time.Now(), processTime()
	_, err := b.Engine.Write(ctx, "bench", func(w store.Writer) error {
		for id := int64(1); id <= Accounts; id++ {
			if err := w.Put(store.Accounts, id, fmt.Appendf(nil, `{"id":%d}`, id)); err != nil {
				return err
			}
		}
		for id := int64(1); id <= int64(b.Tokens); id++ {
			if err := w.Put(store.Tokens, id, b.doc(id, 0)); err != nil {
				return err
			}
		}
		return nil
	})
	b.row("written in one transaction", seconds(time.Since(began)), "60 s")
	b.row("own processor time of it", seconds(processTime()-cpu), "")
	return err
}

func (b *bench) load(ctx context.Context) error {
	debug.FreeOSMemory()
	resetPeak()
	before, cpu, began := status("VmRSS:"), processTime(), time.Now()
	b.live = store.NewLive(store.LiveOptions{
		Engine: b.Engine, MaxDepth: 4, Poll: 20 * time.Millisecond, MaxStaleness: 2 * time.Minute, History: time.Hour, Replica: "bench",
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err := b.live.Follow(ctx); err != nil {
		return err
	}
	b.row("load", seconds(time.Since(began)), "8 s")
	b.row("own processor time of the load", seconds(processTime()-cpu), "")
	debug.FreeOSMemory()
	left := before - b.empty // by the driver, of one transaction of a million rows: a gateway has none of it
	b.row("memory that the writing left in the process", mebibytes(left), "")
	b.row("memory of the process after, without that", mebibytes(status("VmRSS:")-left), "150 MiB")
	b.row("at most while loading, without that", mebibytes(status("VmHWM:")-left), "300 MiB")
	return nil
}

// single changes one token at a time.
func (b *bench) single(ctx context.Context) error {
	var apply, whole []time.Duration
	for i := range singles {
		began := time.Now()
		if err := b.put(ctx, []int64{rand.Int64N(int64(b.Tokens)) + 1}, i+1); err != nil {
			return err
		}
		if err := b.live.Follow(ctx); err != nil {
			return err
		}
		whole, apply = append(whole, time.Since(began)), append(apply, b.live.Stats().Apply)
	}
	b.row("one change: applied once read, median", micros(percentile(apply, 50)), "20 µs")
	b.row("one change: applied once read, p99", micros(percentile(apply, 99)), "")
	b.row("one change: written, on the disk and obeyed, median", micros(percentile(whole, 50)), "")
	return nil
}

// many changes ten thousand tokens in one transaction.
func (b *bench) many(ctx context.Context) error {
	quiet, _, _ := b.stall(func() error { time.Sleep(time.Second); return nil })
	if err := b.put(ctx, b.some(batch), singles+1); err != nil {
		return err
	}
	began := time.Now()
	var took time.Duration
	stall, idle, err := b.stall(func() error { err := b.live.Follow(ctx); took = time.Since(began); return err })
	b.row("10,000 changes at once: read and applied", millis(took), "1 s")
	b.row("10,000 changes at once: the last part applied", millis(b.live.Stats().Apply), "")
	b.row("longest look-up in the store meanwhile", millis(stall), "5 ms")
	b.row("as much work that waits for nobody, meanwhile", millis(idle), "")
	b.row("longest look-up while nothing changes", millis(quiet), "")
	return err
}

// compact changes tokens until a quarter of the bytes is dead, and has been copied away, and that some
// times: the longest of many look-ups is what chance adds to one of them, so the median of the longest
// counts. Looked up is while the store follows, not while this process writes ten thousand tokens.
func (b *bench) compact(ctx context.Context) error {
	rounds := b.Tokens/batch*35/100 + 1
	var longest time.Duration
	var stalls, idles []time.Duration
	for copied := range copies {
		var stall, idle time.Duration
		for round := range rounds {
			if err := b.put(ctx, b.some(batch), singles+2+copied*rounds+round); err != nil {
				return err
			}
			looked, other, err := b.stall(func() error { return b.live.Follow(ctx) })
			if err != nil {
				return err
			}
			stall, idle, longest = max(stall, looked), max(idle, other), max(longest, b.live.Stats().Apply)
		}
		stalls, idles = append(stalls, stall), append(idles, idle)
	}
	b.row("compaction and a change, the longest", millis(longest), "")
	b.row("longest look-up meanwhile, median of "+strconv.Itoa(copies), millis(percentile(stalls, 50)), "5 ms")
	b.row("as much work that waits for nobody, the same", millis(percentile(idles, 50)), "")
	return nil
}

func (b *bench) cache(context.Context) error {
	c, err := cache.New(b.live, b.Catalogue, 64<<20)
	if err != nil {
		return err
	}
	defer c.Close()
	digests := make([]policy.Digest, 10_000)
	for i := range digests {
		digests[i] = b.digest(int64(i%b.Tokens)+1, 0)
		if _, err := c.Lookup(digests[i]); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		what string
		of   int
	}{{"hit in the cache with the lease, the same", 1}, {"hit in the cache with the lease, 10,000 in turn", len(digests)}} {
		least := time.Duration(1 << 62)
		for range 5 {
			now, began := time.Now(), time.Now()
			for i := range hits {
				if !b.live.Fresh(now) {
					return store.ErrStale
				}
				if _, err := c.Lookup(digests[i%x.of]); err != nil {
					return err
				}
			}
			least = min(least, time.Since(began))
		}
		b.row(x.what, fmt.Sprintf("%.1f ns", float64(least.Nanoseconds())/hits), "")
	}
	return nil
}

// some returns ids, none twice.
func (b *bench) some(n int) []int64 {
	n = min(n, b.Tokens)
	first := rand.Int64N(int64(b.Tokens-n) + 1)
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = first + int64(i) + 1
	}
	return ids
}

// usual is what a look-up takes at most, unless somebody keeps it.
const usual = 20 * time.Microsecond

// stall looks tokens up while something is done, and returns how long the longest took. idle is the
// longest of work that takes as long and waits for nobody, beyond that: what the system kept both waiting
// for a processor.
func (b *bench) stall(do func() error) (longest, idle time.Duration, err error) {
	var stop atomic.Bool
	var looking sync.WaitGroup
	looking.Go(func() {
		for !stop.Load() {
			d := b.digest(rand.Int64N(int64(b.Tokens))+1, 0)
			began := time.Now()
			_, err := b.live.Load(d)
			looked := time.Now()
			if err == nil {
				longest = max(longest, looked.Sub(began))
			}
			work := min(looked.Sub(began), usual)
			for time.Since(looked) < work {
				b.digest(1, 0)
			}
			idle = max(idle, time.Since(looked)-work)
			time.Sleep(50 * time.Microsecond)
		}
	})
	err = do()
	stop.Store(true)
	looking.Wait()
	return longest, idle, err
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[len(all)*p/100]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
func millis(d time.Duration) string  { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
func micros(d time.Duration) string  { return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1000) }
func mebibytes(n int64) string       { return fmt.Sprintf("%d MiB", n>>20) }

// status returns a figure of /proc/self/status in bytes; 0 where there is none.
func status(field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == field {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64) // of the kernel
			return n << 10
		}
	}
	return 0
}

// resetPeak makes VmHWM begin at what is in use; where that cannot be, it shows more.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
