package index

import (
	"context"
	"slices"
	"sync"
	"time"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// retryRead is how soon a reading that failed is tried again.
const retryRead = 2 * time.Second

// subject is what a reader reads.
type subject struct {
	collection *policy.Collection
	members    bool // the members of groups in it, not the items
}

// reader reads one thing over and over, never twice at one time.
type refresher struct {
	name subject
	stop context.CancelFunc
	kick chan struct{} // somebody wants a reading now
	done chan struct{} // closed behind the last reading

	mu     sync.Mutex
	wanted uint64 // counts those who want a reading that begins from now on
	served uint64 // of these, how many have got it
	floor  uint64 // readings that were begun for fewer do not count
	ended  chan struct{}
	ok     bool  // the first reading has succeeded
	err    error // of the last reading
}

// PolicyLoaded makes Run ask anew what is needed, and read what was not. It never blocks.
func (x *ItemIndex) PolicyLoaded() {
	select {
	case x.loaded <- struct{}{}:
	default:
	}
}

// Run reads what is needed until ctx ends, and returns when all readings have ended.
func (x *ItemIndex) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	var roots []int64
	for ctx.Err() == nil {
		now := x.roots()
		x.arrange(ctx, &work, !slices.Equal(now, roots))
		roots = now
		select {
		case <-ctx.Done():
		case <-x.loaded:
		}
	}
}

// arrange starts refreshers for what is needed and has none, and stops the others. With again
// those that go on read at once.
func (x *ItemIndex) arrange(ctx context.Context, work *sync.WaitGroup, again bool) {
	names := x.names()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seq = max(x.seq, 1)
	for name, r := range x.refreshers {
		switch {
		case !slices.Contains(names, name):
			r.stop()
			delete(x.refreshers, name)
			x.drop(name)
		case again:
			r.wake()
		}
	}
	for _, name := range names {
		if x.refreshers[name] != nil {
			continue
		}
		x.prepare(name)
		r := newRefresher(name)
		var own context.Context
		own, r.stop = context.WithCancel(ctx)
		x.refreshers[name] = r
		work.Go(func() { x.keepReading(own, r) })
	}
}

// names returns what has to be read. Whoever needs members needs the groups as well.
func (x *ItemIndex) names() []subject {
	need := x.opt.Demand()
	collections := slices.Clone(need.Collections)
	if len(need.Members) > 0 && x.groups != nil {
		collections = append(collections, x.groups)
	}
	var names []subject
	add := func(name subject) {
		if listing.HasAccounts(name.collection) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range collections {
		add(subject{c, false})
	}
	for _, c := range need.Members {
		add(subject{c, true})
	}
	return names
}

// prepare makes room for what a reader will find, so that changes count even before. The
// caller holds mu.
func (x *ItemIndex) prepare(name subject) {
	if name.members {
		x.putMembers(name.collection, new(groupMembers))
		return
	}
	x.put(name.collection, &overlay{base: new(snapshot)})
}

// drop forgets what nobody needs. The caller holds mu.
func (x *ItemIndex) drop(name subject) {
	if name.members {
		x.putMembers(name.collection, nil)
		return
	}
	x.put(name.collection, nil)
}

func newRefresher(name subject) *refresher {
	return &refresher{name: name, kick: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
}

// keepReading reads until ctx ends, each time a pause after the last reading has ended.
func (x *ItemIndex) keepReading(ctx context.Context, r *refresher) {
	defer close(r.done)
	for ctx.Err() == nil {
		turn, began := r.begin(), time.Now()
		err := x.readOnce(ctx, r, turn)
		if ctx.Err() != nil {
			return
		}
		x.count(err)
		x.report(r, err, time.Since(began))
		r.finish(turn, err)
		pause := x.opt.Refresh
		if err != nil && !hidden(err) {
			pause = min(pause, retryRead)
		}
		r.rest(ctx, pause)
	}
}

func (x *ItemIndex) readOnce(ctx context.Context, r *refresher, turn uint64) error {
	if !r.name.members {
		return x.read(ctx, r.name.collection)
	}
	l, err := x.readMembers(ctx, r.name.collection)
	if err == nil && r.counts(turn) {
		x.publishMembers(ctx, r.name.collection, l)
	}
	return err
}

// report logs when readings begin to fail, when they work again, and when they take so long
// that they are old when they end.
func (x *ItemIndex) report(r *refresher, err error, took time.Duration) {
	log := x.opt.Log.With("collection", r.name.collection.URI, "members", r.name.members)
	_, before := r.outcome()
	switch {
	case err != nil && before == nil:
		log.Warn("cannot read the item index", "error", err)
	case err == nil && before != nil:
		log.Info("the item index can be read again")
	case err == nil && took+x.opt.Refresh > x.opt.MaxStaleness:
		log.Warn("reading the item index takes too long for scope.max_staleness", "took", took)
	}
}

// begin returns the number of those who will be served by a reading that begins now.
func (r *refresher) begin() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanted
}

// finish notes the end of a reading and wakes those who wait for it.
func (r *refresher) finish(turn uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.served, r.err = turn, err
	r.ok = r.ok || err == nil
	close(r.ended)
	r.ended = make(chan struct{})
}

// rest waits for the next reading to be due or wanted.
func (r *refresher) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.kick:
	case <-timer.C:
	}
}

func (r *refresher) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// again waits for a reading that begins after the call, and returns how it ended. If it does
// not come or fails, no reading counts any more that began before the call.
func (r *refresher) again(ctx context.Context) error {
	r.mu.Lock()
	r.wanted++
	turn := r.wanted
	r.mu.Unlock()
	r.wake()
	err := r.await(ctx, turn)
	if err != nil {
		r.mu.Lock()
		r.floor = max(r.floor, turn)
		r.mu.Unlock()
	}
	return err
}

func (r *refresher) await(ctx context.Context, turn uint64) error {
	for {
		r.mu.Lock()
		served, err, ended := r.served, r.err, r.ended
		r.mu.Unlock()
		if served >= turn {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.done:
			return context.Canceled
		case <-ended:
		}
	}
}

// counts reports whether a reading that began for so many may be used.
func (r *refresher) counts(turn uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return turn >= r.floor
}

// outcome returns whether any reading has worked, and how the last one has failed.
func (r *refresher) outcome() (ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok, r.err
}
