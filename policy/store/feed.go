package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// Bounds of following.
const (
	maxAnswer  = 2 * time.Second // for one answer of the engine, unless a quarter of the bound is less
	maxPause   = 5 * time.Second // between two polls while they fail
	applyChunk = 16              // tokens that are changed in one go: misses of the cache wait for that
	maxResyncs = 3               // of one poll
	knownFor   = 3               // parts of the bound: how old a beat may be for a question to renew the lease
	pruneEvery = time.Hour
	maxTask    = time.Minute // for what is done beside
)

// ErrUnheard says that changes were made which this gateway could not read back yet.
var ErrUnheard = errors.New("the change was made, but this gateway could not read it back yet")

type unheard struct{ err error }

func (u *unheard) Error() string        { return ErrUnheard.Error() + ": " + u.err.Error() }
func (u *unheard) Unwrap() error        { return u.err }
func (u *unheard) Is(target error) bool { return target == ErrUnheard }

// Resync says why everything was read anew.
type Resync uint8

// The reasons.
const (
	ResyncStart  Resync = iota // nothing was known
	ResyncRewind               // the database went back to an older state
	ResyncPruned               // the history does not reach back far enough
	ResyncGap                  // a revision was missing
	ResyncMany                 // a change was too large to name its rows
	resyncCount
)

var resyncNames = [resyncCount]string{"start", "rewind", "pruned", "gap", "many"}

// String returns the word of metrics and logs.
func (r Resync) String() string { return resyncNames[r] }

// liveStats is what is counted. Anybody may read it.
type liveStats struct {
	up            atomic.Bool
	head, applied atomic.Int64
	poll, apply   atomic.Int64 // nanoseconds of the last ones
	resyncs       [resyncCount]atomic.Uint64
	bad, doubt    atomic.Int64
	made          madeTokens
}

// Stats is how the following goes.
type Stats struct {
	Up            bool // the last poll was answered and obeyed
	Head, Applied int64
	Lease         time.Duration // what is left of it; below 0: it has ended
	Poll, Apply   time.Duration // how long the last ones took
	Resyncs       map[string]uint64
	BadRows       int64
	InDoubt       int64
	Made          map[policy.Access]uint64 // see madeTokens
}

// Stats returns how the following goes.
func (l *Live) Stats() Stats {
	s := &l.stats
	all := Stats{
		Up: s.up.Load(), Head: s.head.Load(), Applied: s.applied.Load(), Lease: l.lease.left(l.o.Now()),
		Poll: time.Duration(s.poll.Load()), Apply: time.Duration(s.apply.Load()),
		Resyncs: map[string]uint64{}, BadRows: s.bad.Load(), InDoubt: s.doubt.Load(), Made: s.made.counts(),
	}
	for r := range resyncCount {
		all.Resyncs[r.String()] = s.resyncs[r].Load()
	}
	return all
}

// Run follows the engine until ctx ends. Beside that it keeps last uses and the history, which must
// not hold up a change.
func (l *Live) Run(ctx context.Context) {
	l.running.Store(true)
	var beside sync.WaitGroup
	beside.Go(func() { l.tend(ctx) })
	pause, failed := jitter(l.o.Poll), time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			beside.Wait()
			end, cancel := context.WithTimeout(context.Background(), maxAnswer)
			l.keepUses(end)
			_ = l.o.Engine.Leave(end, l.o.Replica) // else it is silent, and forgotten later
			cancel()
			return
		case <-time.After(pause):
		}
		begun := time.Now()
		if err := l.Follow(ctx); err != nil {
			failed = min(max(2*failed, time.Second), maxPause, l.o.MaxStaleness/8)
			pause = jitter(failed)
		} else {
			// From one question to the next, whatever the answer took: a change is seen as soon at a slow
			// database, which still has a rest.
			pause, failed = max(jitter(l.o.Poll)-time.Since(begun), l.o.Poll/4), 0
		}
	}
}

// tend does what has to be done from time to time, until ctx ends.
func (l *Live) tend(ctx context.Context) {
	var tasks = []task{
		{every: saveEvery, do: l.keepUses},
		{every: pruneEvery, do: l.prune},
		{every: l.o.MaxStaleness / 10, do: l.lookAround},
	}
	now := time.Now()
	for i := range tasks {
		tasks[i].due = now.Add(tasks[i].every)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		for i := range tasks {
			if now := time.Now(); !now.Before(tasks[i].due) {
				bounded, cancel := context.WithTimeout(ctx, maxTask)
				tasks[i].do(bounded)
				cancel()
				tasks[i].due = now.Add(tasks[i].every)
			}
		}
	}
}

type task struct {
	every time.Duration
	due   time.Time
	do    func(context.Context)
}

// jitter returns about d: replicas that were started at once must not poll at once for ever.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

func (l *Live) prune(ctx context.Context) {
	if _, err := l.o.Engine.Prune(ctx, time.Now().Add(-l.o.History)); err != nil && !errors.Is(err, ErrReadOnly) {
		l.o.Logger.Error("cannot prune the history of the store", "error", err)
	}
}

// Follow asks the engine for changes and obeys them. When it returns nil, all that was committed
// before the call is obeyed. Of those who come while one asks, the next one asks for all.
func (l *Live) Follow(ctx context.Context) error {
	came := l.asked.Load()
	l.following.Lock()
	defer l.following.Unlock()
	if l.heard > came {
		return nil // by a question that was asked after the call
	}
	asked, begun := l.asked.Add(1), time.Now()
	err := l.poll(ctx)
	if err == nil {
		l.heard = asked
	}
	l.stats.poll.Store(int64(time.Since(begun)))
	l.stats.up.Store(err == nil)
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil && !l.failing:
		l.failing = true
		l.o.Logger.Error("the store cannot be read: what was read last is obeyed as long as the lease lasts",
			"store", l.o.Engine.Name(), "lease", max(0, l.lease.left(l.o.Now()).Round(time.Millisecond)), "error", err)
		st := l.State()
		st.Stale = true
		l.tell(&st, What{})
	case err == nil && l.failing:
		l.failing = false
		l.o.Logger.Info("the store can be read again", "store", l.o.Engine.Name(), "revision", l.applied)
		l.publish(What{})
	}
	return err
}

// poll asks until nothing is left to obey. The lease lasts from before the question that was
// answered last: only an answer that was obeyed whole, and followed by a beat, renews it. So does
// only a question that was asked after a beat which is young enough for everybody who waits to
// count this gateway: after a start and after an outage it beats first, and asks again.
func (l *Live) poll(ctx context.Context) error {
	again := false // a beat is needed that renews the lease
	for resyncs := 0; ; {
		asked := l.o.Now()
		known := asked.Sub(l.beaten) <= l.o.MaxStaleness/knownFor
		if l.applied < 0 {
			if err := l.register(ctx); err != nil {
				return err
			}
			if err := l.resync(ctx, ResyncStart); err != nil {
				return err
			}
			again = true
			continue
		}
		b, err := l.since(ctx)
		if err != nil {
			return err
		}
		l.stats.head.Store(b.Head.Rev)
		if reason, needed := l.judge(b); needed {
			if resyncs++; resyncs > maxResyncs {
				return fmt.Errorf("%s: everything was read %d times, and each time did not fit what came next (%s)", l.o.Engine.Name(), maxResyncs, reason)
			}
			if err := l.resync(ctx, reason); err != nil {
				return err
			}
			again = true
			continue
		}
		if len(b.Changes) > 0 {
			l.apply(b)
		}
		if l.applied < b.Head.Rev {
			continue // there are more than one answer holds
		}
		if now := l.o.Now(); !again && now.Sub(l.beaten) < l.o.MaxStaleness/20 && l.lease.holds(now) {
			if l.told == l.applied {
				return nil
			}
			return l.beat(ctx, true)
		}
		if err := l.beat(ctx, false); err != nil {
			return err
		}
		if !known { // who waits for a change may not have counted this gateway when it asked
			again = true
			continue
		}
		l.lease.renew(asked, l.o.MaxStaleness)
		return nil
	}
}

// bounded returns a context for one answer of the engine.
func (l *Live) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(l.o.MaxStaleness/4, maxAnswer))
}

func (l *Live) since(ctx context.Context) (*Batch, error) { return l.sinceRev(ctx, l.applied) }

func (l *Live) sinceRev(ctx context.Context, rev int64) (*Batch, error) {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	return l.o.Engine.Since(ctx, rev)
}

// judge reports whether an answer does not follow what is obeyed, and why.
func (l *Live) judge(b *Batch) (Resync, bool) {
	switch {
	case b.Head.Rev < l.applied:
		return ResyncRewind, true
	case l.applied < b.Head.Floor:
		return ResyncPruned, true
	case b.At != l.mark:
		return ResyncRewind, true
	case len(b.Changes) == 0 && b.Head.Rev != l.applied:
		return ResyncGap, true
	}
	for i, c := range b.Changes {
		switch {
		case c.Rev != l.applied+1+int64(i):
			return ResyncGap, true
		case len(c.IDs) == 0:
			return ResyncMany, true
		}
	}
	return 0, false
}

// resync reads everything anew beside what is in force, and puts it in its place.
func (l *Live) resync(ctx context.Context, reason Resync) error {
	begun := time.Now()
	if err := l.uses.load(ctx); err != nil {
		return err
	}
	var doubtful *doubtful
	if reason == ResyncRewind {
		var err error
		if doubtful, err = l.doubts(ctx); err != nil {
			return err
		}
	}
	fresh, head, mark, err := l.readEverything(ctx)
	if err != nil {
		return err
	}
	if doubtful != nil { // first: what came back must not be served in between
		l.putInDoubt(doubtful, fresh.tokens)
	}
	before := l.replace(fresh)
	if l.applied != head.Rev || l.mark != mark {
		l.seen = append(l.seen, seen{rev: head.Rev, mark: mark, table: Tokens})
	}
	l.applied, l.mark = head.Rev, mark
	l.moveAll()
	l.counted(reason)
	l.loaded.Store(true)
	if reason == ResyncRewind {
		l.silences.distrust(time.Now().Add(l.o.waitFor()))
		l.o.Logger.Error("the database went back to an older state: what was changed in the lost revisions is in doubt, and answered 503, until it is written again or `aclgate store accept` says that the database is right",
			"revision", head.Rev, "in_doubt", l.stats.doubt.Load())
	} else if reason != ResyncStart {
		l.o.Logger.Warn("everything in the store was read anew", "reason", reason.String(), "revision", head.Rev)
	}
	l.o.Logger.Info("store loaded", "store", l.o.Engine.Name(), "revision", head.Rev, "tokens", fresh.tokens.policy.Len(),
		"accounts", len(l.tree.Load().Accounts()), "bad_rows", len(l.bad), "took", time.Since(begun).Round(time.Millisecond))
	if took := time.Since(begun); 3*took > l.o.MaxStaleness {
		l.o.Logger.Warn("store.max_staleness is below three times what a full load takes: one in a busy hour ends the lease; raise it", "took", took.Round(time.Millisecond), "max_staleness", l.o.MaxStaleness)
	}
	if l.o.Owned != nil {
		l.o.Owned(nil)
	}
	l.publish(What{Tree: true, Kinds: true, Tables: AllTables})
	if max(before.policy.Len(), fresh.tokens.policy.Len()) >= manyTokens {
		debug.FreeOSMemory()
	}
	return nil
}

// readEverything reads all rows beside what is in force.
func (l *Live) readEverything(ctx context.Context) (fresh *loaded, head Head, mark Mark, err error) {
	fresh = &loaded{l.newTokens(), map[int64]policy.Account{}, &documents{}, &ownerTable{}, map[rowKey]string{}}
	pace := l.pacer()
	reading, heard, end := listening(ctx)
	defer end()
	err = relayed(func(yield func(Row) error) (err error) {
		head, mark, err = l.o.Engine.All(reading, func(row Row) error {
			heard()
			return yield(row)
		})
		return err
	}, func(row Row) {
		l.readAll(fresh, row)
		pace.step()
	})
	if err != nil {
		err = cmp.Or(context.Cause(reading), err)
	}
	return fresh, head, mark, err
}

func (l *Live) counted(reason Resync) {
	l.stats.resyncs[reason].Add(1)
	l.stats.applied.Store(l.applied)
	l.stats.bad.Store(int64(len(l.bad)))
}

// pacer returns one for what is read beside requests. At the start nobody waits.
func (l *Live) pacer() *pacer {
	if !l.loaded.Load() {
		return nil
	}
	return newPacer()
}

// spoilt notes a row that does not read.
func (l *Live) spoilt(bad map[rowKey]string, key rowKey, why string) {
	bad[key] = why
	if len(bad) <= maxLogged {
		l.o.Logger.Error("a row of the store does not read, so that it counts as missing", "table", key.table.String(), "id", key.id, "fault", why)
	}
}

func (l *Live) buildTree(accounts map[int64]policy.Account, bad map[rowKey]string) *policy.Tree {
	return buildTree(accounts, l.o.MaxDepth, func(id int64, why string) { l.spoilt(bad, rowKey{Accounts, id}, why) })
}
