package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/explain"
)

// errNotAsked says why no running gateway was asked.
type errNotAsked struct{ why string }

func (e *errNotAsked) Error() string { return e.why }

// live is how something is explained where a gateway runs, or could.
type live[R any] struct {
	question explain.Question
	now      bool // at this moment: what is true of limits and blocks counts
	// away is why nothing but a running gateway can explain it; nil: backend can.
	away error
	// backend explains it by what the backend says, where no gateway can be asked.
	backend func(context.Context, *app.App) (*R, error)
}

// explainLive explains as the running gateway judges. Where none can be asked, it asks the backend
// itself, and says that it did.
func explainLive[R any](ctx context.Context, e *env, s *config.Settings, l live[R]) (*R, error) {
	question := l.question
	if l.now {
		question.Ask.At = 0
	}
	report, err := askExplain[R](ctx, e, s, question)
	var away *errNotAsked
	if !errors.As(err, &away) {
		return report, failed(err)
	}
	if l.away != nil {
		return nil, failed(fmt.Errorf("%w: %s", l.away, away.why))
	}
	fmt.Fprintf(e.stderr, "%s: the backend is asked instead\n", away.why)
	quiet := *s
	quiet.Audit = config.Audit{} // nothing is served, so there is nothing to write
	a, err := app.New(&quiet, newLogger(config.Log{Level: config.LogError, Format: config.LogText}, e.stderr, false), app.Options{})
	if err != nil {
		return nil, badSettings(err)
	}
	defer a.Close()
	defer e.during("asking the backend").end()
	report, err = l.backend(ctx, a)
	return report, failed(err)
}

// askExplain has the running gateway explain something. The error is an *errNotAsked where there is
// none that could.
func askExplain[R any](ctx context.Context, e *env, s *config.Settings, q explain.Question) (*R, error) {
	if !s.Admin.Token.IsSet() {
		return nil, &errNotAsked{"the running gateway was not asked, which needs admin.token_file"}
	}
	tok := q.Ask.Token
	q.Token = tok.Digest
	if q.Bearer == "" && q.Token == (policy.Digest{}) { // nobody's key: a session that --user made up
		q.User = tok.UserID
	}
	body, err := json.Marshal(&q)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, adminTimeout)
	defer stop()
	status, text, err := e.askAdmin(ctx, s, http.MethodPost, "/explain", body)
	switch {
	case err != nil:
		return nil, &errNotAsked{err.Error()}
	case status != http.StatusOK:
		return nil, fmt.Errorf("the admin listener answered %d: %s", status, reasons(text))
	}
	var answer struct{ Result []*R }
	if json.Unmarshal([]byte(text), &answer) != nil || len(answer.Result) != 1 {
		return nil, &errNotAsked{"the running gateway is of another version"}
	}
	return answer.Result[0], nil
}
