package index

import (
	"context"
	"sync"
	"time"

	"aclgate/upstream/wake"
)

// retryRead is how soon a reading that failed is tried again.
const retryRead = 2 * time.Second

// refresher reads one thing again and again, never twice at one time. Those who have changed the
// thing wait with refresh for a reading that began after their change. Their requests are numbered:
// the generation of a reading is the last request that was there when it began.
type refresher struct {
	stop context.CancelFunc
	wake wake.Signal
	done chan struct{} // closed after the last reading

	failed func() // called when a reading has failed and outcome says so; nil: nobody is

	mu        sync.Mutex
	requested uint64        // the last request
	completed uint64        // the last request that has had its reading
	ended     chan struct{} // closed at the end of a reading
	ok        bool          // some reading has succeeded
	err       error         // of the last reading
}

func newRefresher() *refresher {
	return &refresher{wake: wake.New(), done: make(chan struct{}), ended: make(chan struct{})}
}

// run calls read until ctx ends. After each reading it calls report with the error of the reading
// before and the time that this one took, and waits for the pause that report returns, or less if
// it is woken.
func (r *refresher) run(ctx context.Context, read func(ctx context.Context, generation uint64) error,
	report func(err, before error, took time.Duration) (pause time.Duration)) {
	defer close(r.done)
	for ctx.Err() == nil {
		r.mu.Lock()
		generation, before := r.requested, r.err
		r.mu.Unlock()
		began := time.Now()
		err := read(ctx, generation)
		if ctx.Err() != nil {
			return
		}
		pause := report(err, before, time.Since(began))
		r.finish(generation, err)
		if err != nil && r.failed != nil {
			r.failed()
		}
		r.wake.Sleep(ctx, pause)
	}
}

// finish records the end of a reading and lets those go on who waited for it.
func (r *refresher) finish(generation uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.completed, r.err = generation, err
	r.ok = r.ok || err == nil
	close(r.ended)
	r.ended = make(chan struct{})
}

// refresh waits for a reading that begins after the call, and returns its generation and how it
// ended. Where it does not come or fails, readings of that generation or a later one show what is
// true now.
func (r *refresher) refresh(ctx context.Context) (generation uint64, err error) {
	r.mu.Lock()
	r.requested++
	generation = r.requested
	r.mu.Unlock()
	r.wake.Wake()
	return generation, r.await(ctx, generation)
}

func (r *refresher) await(ctx context.Context, generation uint64) error {
	for {
		r.mu.Lock()
		completed, err, ended := r.completed, r.err, r.ended
		r.mu.Unlock()
		if completed >= generation {
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

// outcome returns whether any reading has succeeded, and how the last one has failed.
func (r *refresher) outcome() (ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok, r.err
}
