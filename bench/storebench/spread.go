package storebench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"aclgate/policy/store"
)

// Changes that are followed to the last gateway: so many, of few tokens fewer, with so long between two.
const (
	spreads = 200
	between = 50 * time.Millisecond
	patient = 10 * time.Second
)

// follower is a gateway as far as it follows the store.
type follower struct {
	*store.Live
	applied chan int64 // revisions, in their order
}

// spread measures how long a change takes from its commit to the last of several gateways.
func (b *bench) spread(ctx context.Context) error {
	if b.Replicas == 0 {
		return nil
	}
	following, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	var all []*follower
	for i := range b.Replicas {
		f := &follower{applied: make(chan int64, 2*spreads)}
		f.Live = store.NewLive(store.LiveOptions{
			Engine: b.Engine, MaxDepth: 4, Poll: 100 * time.Millisecond, MaxStaleness: 2 * time.Minute, History: time.Hour, Replica: fmt.Sprint("bench-", i),
			Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
			Applied: func(changes []store.Change) { f.applied <- changes[len(changes)-1].Rev },
		})
		if err := f.Follow(ctx); err != nil {
			return err
		}
		group.Go(func() { f.Run(following) })
		all = append(all, f)
	}
	took := make([]time.Duration, 0, spreads)
	for i := range min(spreads, b.Tokens/10+1) {
		time.Sleep(between)
		head, err := b.Engine.Write(ctx, "bench", func(w store.Writer) error {
			id := int64(i%b.Tokens) + 1
			return w.Put(store.Tokens, id, b.doc(id, -i-1))
		})
		if err != nil {
			return err
		}
		committed := time.Now()
		if err := await(ctx, all, head.Rev); err != nil {
			return err
		}
		took = append(took, time.Since(committed))
	}
	b.row(fmt.Sprintf("obeyed by the last of %d gateways, median", b.Replicas), millis(percentile(took, 50)), "")
	b.row(fmt.Sprintf("obeyed by the last of %d gateways, p99", b.Replicas), millis(percentile(took, 99)), "250 ms")
	return nil
}

// await waits until every follower has applied a revision.
func await(ctx context.Context, all []*follower, rev int64) error {
	late := time.After(patient)
	for i, f := range all {
		for applied := int64(0); applied < rev; {
			select {
			case applied = <-f.applied:
			case <-late:
				return fmt.Errorf("gateway %d did not obey revision %d within %v", i, rev, patient)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}
