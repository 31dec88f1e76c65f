package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// maxTogether is how many changes one transaction makes at most: who comes first waits for all of them.
const maxTogether = 64

// group makes the changes of a gateway, one transaction at a time. Those that come while one is under way
// share the next one, and so its wait for the disk. Each is a part of its own: it is taken back alone
// where it fails. Nobody is answered before the commit, not even who failed: what was found may rest on
// what others changed in the same transaction.
type group struct {
	engine Engine

	mu      sync.Mutex
	busy    bool // a transaction is under way
	waiting []*joined
}

// joined is a change that waits for a transaction.
type joined struct {
	ctx    context.Context
	actor  string
	change func(Writer) error
	alone  bool // it shares its transaction with nobody

	done  chan struct{} // closed when the rest is set
	head  Head
	err   error
	fault any // what change panicked with
}

// errNothing says that no part of a transaction has changed anything.
var errNothing = errors.New("no change of the transaction was made")

// write makes a change. One whose context ends before its turn is not made.
func (g *group) write(ctx context.Context, actor string, alone bool, change func(Writer) error) (Head, error) {
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		defer g.next()
		return g.engine.Write(ctx, actor, func(w Writer) error { return change(remember(w)) })
	}
	j := &joined{ctx: ctx, actor: actor, change: change, alone: alone, done: make(chan struct{})}
	g.waiting = append(g.waiting, j)
	g.mu.Unlock()
	select {
	case <-j.done:
	case <-ctx.Done():
		if g.withdraw(j) {
			return Head{}, ctx.Err()
		}
		<-j.done
	}
	if j.fault != nil {
		panic(j.fault)
	}
	return j.head, j.err
}

// withdraw takes back a change whose turn has not come.
func (g *group) withdraw(j *joined) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == j {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// next is called after the transaction of one who did not wait.
func (g *group) next() {
	if all := g.take(); all != nil {
		go func() {
			for ; all != nil; all = g.take() {
				g.make(all)
			}
		}()
	}
}

// take returns the changes of the next transaction; nil: nobody waits.
func (g *group) take() []*joined {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.waiting) && n < maxTogether && (n == 0 || !g.waiting[n].alone && !g.waiting[0].alone) {
		n++
	}
	if n == 0 {
		g.busy, g.waiting = false, nil
		return nil
	}
	all := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return all
}

// make makes changes in one transaction.
func (g *group) make(all []*joined) {
	ctx, stop := whileAny(all)
	defer stop()
	head, err := g.engine.Write(ctx, "", func(w Writer) error { return parts(remember(w), all) })
	if errors.Is(err, ErrUnmet) && len(all) > 1 {
		for _, j := range all { // one of them is to blame, and only alone it shows which
			g.make([]*joined{j})
		}
		return
	}
	for _, j := range all {
		switch {
		case j.ctx.Err() != nil && errors.Is(err, context.Canceled):
			j.err = j.ctx.Err()
		case err != nil && !errors.Is(err, errNothing):
			j.err = err
		}
		j.head = head
		close(j.done)
	}
}

// parts makes each change a part of a transaction, which may be tried again.
func parts(w Writer, all []*joined) error {
	made := 0
	for _, j := range all {
		j.fault = nil
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if j.err = w.Part(j.actor, func() error { return j.run(w) }); j.err == nil {
			made++
		}
	}
	if made == 0 {
		return errNothing
	}
	return nil
}

// run makes the change. What it panics with is kept for who asked for it.
func (j *joined) run(w Writer) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			j.fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
			err = errNothing
		}
	}()
	return j.change(w)
}

// whileAny returns a context that ends when nobody of all wants the change any more.
func whileAny(all []*joined) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var left atomic.Int64
	left.Store(int64(len(all)))
	stops := make([]func() bool, len(all))
	for i, j := range all {
		stops[i] = context.AfterFunc(j.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
