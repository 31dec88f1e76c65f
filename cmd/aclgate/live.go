package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/upstream"
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
	fmt.Fprintln(e.stdout, "live: the backend lists its items and whose they are")
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

// askBackend completes what is to be explained with what only the backend
// knows: whose the items are, and what a match names.
func (e *env) askBackend(ctx context.Context, s *config.Settings, tok *policy.Token, ask *explain.Ask) error {
	s.Audit = config.Audit{} // nothing is served, so there is nothing to write
	a, err := newApp(s, newLogger(config.Log{Level: config.LogError, Format: config.LogText}, e.stderr))
	if err != nil {
		return badSettings(err)
	}
	defer a.close()
	if err := a.readIndex(ctx); err != nil {
		return failed(err)
	}
	var req policy.Request
	if req.Parse(a.engine, policy.ParseMethod([]byte(ask.Method)), []byte(ask.Target)) != policy.NotJudged {
		return nil // explain says what is wrong with it
	}
	scope, reason := a.engine.Scope(a.Tree(), tok, max(ask.CID, req.CID))
	if reason != policy.NotJudged {
		return nil
	}
	scope.Items = a.index.View(a.Tree())
	judged := policy.Input{Request: &req, Token: tok, Scope: scope}
	var decision policy.Decision
	a.engine.Decide(&decision, &judged)
	if decision.Verdict == policy.Unresolved {
		ask.Resolved = new(policy.Resolved)
		if err := a.resolver.Resolve(&upstream.Ask{Input: &judged, Decision: &decision, Resolved: ask.Resolved}); err != nil {
			return failed(fmt.Errorf("the backend did not say what the request names: %w", err))
		}
	}
	ask.Items = judged.Scope.Items
	return nil
}
