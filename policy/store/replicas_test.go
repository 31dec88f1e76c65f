package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// loading is an engine that says who is known while everything is read.
type loading struct {
	*memory.Engine
	known []store.Replica
}

func (e *loading) All(ctx context.Context, yield func(store.Row) error) (store.Head, store.Mark, error) {
	e.known, _ = e.Replicas(ctx)
	return e.Engine.All(ctx, yield)
}

// A gateway is known before it reads anything, so that no wait ends without it, and leaves when it
// ends.
func TestGatewayRegistersAndLeaves(t *testing.T) {
	e := &loading{Engine: memory.New()}
	l := newLive(t, e, nil)
	if len(e.known) != 1 || e.known[0].Replica != "a" || e.known[0].Applied != 0 {
		t.Errorf("while it loads the engine knows %+v, want a, which has applied nothing", e.known)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { l.Run(ctx); close(done) }()
	cancel()
	<-done
	if all, err := e.Replicas(context.Background()); err != nil || len(all) > 0 {
		t.Errorf("after its end the engine knows %+v, %v", all, err)
	}
}

// An engine that takes no word of a gateway is not read either.
func TestUnregisteredReadsNothing(t *testing.T) {
	e := &loading{Engine: memory.New()}
	e.Break(errors.New("read-only"))
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Logger: quiet})
	if err := l.Follow(context.Background()); err == nil || l.Fresh(time.Now()) || len(l.Tree().Accounts()) > 0 {
		t.Errorf("got %v, fresh %t", err, l.Fresh(time.Now()))
	}
}
