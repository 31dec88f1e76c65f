package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aclgate/policy"
)

// liveFor bounds what check --live asks.
const liveFor = 20 * time.Second

// checkIndex reads the item index once: the backend can be reached, takes the
// gateway's credential, and lists items with their accounts.
func (e *env) checkIndex(ctx context.Context, a *app) error {
	if a.law.Mode == policy.ModeHeader {
		fmt.Fprintln(e.stdout, "live: nothing to ask the backend with these settings: scope.trust_header, or no upstream.token_file")
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, liveFor)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.index.Run(ctx)
	}()
	defer func() {
		stop()
		<-done
	}()
	for a.index.Ready() != nil {
		select {
		case <-ctx.Done():
			return failed(errors.New("live: the items of the backend could not be read; the warnings above say why"))
		case <-time.After(50 * time.Millisecond):
		}
	}
	fmt.Fprintln(e.stdout, "live: the backend lists its items and whose they are")
	return nil
}
