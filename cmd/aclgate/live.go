package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/upstream/index"
)

// liveFor bounds what check --live asks.
const liveFor = 20 * time.Second

// checkIndex reads the item index once: the backend can be reached, takes the
// gateway's credential, and lists items with their accounts.
func (e *env) checkIndex(ctx context.Context, a *app) error {
	if a.engine.Mode == policy.ModeHeader {
		fmt.Fprintln(e.stdout, "live: nothing to ask the backend with these settings: scope.trust_header, or no upstream.token_file")
		return nil
	}
	if err := a.readIndex(ctx); err != nil {
		return failed(fmt.Errorf("live: %w", err))
	}
	fmt.Fprintln(e.stdout, "live: the backend lists its items with their accounts")
	return nil
}

// readIndex reads the item index once, without serving.
func (a *app) readIndex(ctx context.Context) error {
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
			return errors.New("the items of the backend could not be read; the warnings above say why")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// explainLive explains a request with what only the backend knows: the accounts of
// the items, and what a match names.
func (e *env) explainLive(ctx context.Context, s *config.Settings, ask explain.Ask) (*explain.Report, error) {
	s.Audit = config.Audit{} // nothing is served, so there is nothing to write
	a, err := newApp(s, newLogger(config.Log{Level: config.LogError, Format: config.LogText}, e.stderr))
	if err != nil {
		return nil, badSettings(err)
	}
	defer a.close()
	if err := a.readIndex(ctx); err != nil {
		return nil, failed(err)
	}
	ask.Tree, ask.Items = a.Tree(), a.index.View(a.Tree())
	ask.Resolve = func(d *policy.Decision, in *policy.Input) {
		in.Resolved = new(policy.Resolved)
		err = a.resolver.Resolve(&index.Question{Input: in, Decision: d, Resolved: in.Resolved})
	}
	report := explain.Explain(a.engine, ask)
	if err != nil {
		return nil, failed(fmt.Errorf("the backend did not say what the request names: %w", err))
	}
	return report, nil
}
