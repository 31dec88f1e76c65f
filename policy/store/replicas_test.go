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

// Who follows and never runs, as a check does, leaves when it gives the engine back: a revocation would
// wait for it until its lease has run out.
func TestWhoOnlyLooksLeavesToo(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	if all, err := e.Replicas(context.Background()); err != nil || len(all) != 1 {
		t.Fatalf("while it looks the engine knows %+v, %v, want one", all, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
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

// The history names a user by their id, and what is behind it is how.
func TestWhoMadeAChange(t *testing.T) {
	for text, want := range map[string][2]string{
		"operator cid=11 from=::1": {"operator", "cid=11 from=::1"}, "17": {"17", ""}, "17 of=11": {"17", "of=11"},
		"user 5": {"user 5", ""}, "user 5 of=11": {"user 5", "of=11"}, "db:jane": {"db:jane", ""},
	} {
		c := store.Change{Actor: text}
		if actor, how := c.Who(); [2]string{actor, how} != want {
			t.Errorf("%q: got %q, %q, want %q", text, actor, how, want)
		}
	}
}
