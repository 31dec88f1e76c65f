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

// explainLive explains a request as the running gateway judges it; at this moment, if now says so.
// Where none can be asked, it asks the backend itself, and says that it did.
func (e *env) explainLive(ctx context.Context, s *config.Settings, ask explain.Ask, now bool) (*explain.Report, error) {
	moment := ask
	if now {
		moment.At = 0
	}
	report, err := e.askExplain(ctx, s, moment)
	var away *errNotAsked
	if !errors.As(err, &away) {
		return report, failed(err)
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
	report, err = a.Explain(ctx, ask)
	return report, failed(err)
}

// askExplain has the running gateway explain a request. The error is an *errNotAsked where there is
// none that could.
func (e *env) askExplain(ctx context.Context, s *config.Settings, ask explain.Ask) (*explain.Report, error) {
	if !s.Admin.Token.IsSet() {
		return nil, &errNotAsked{"the running gateway was not asked, which needs admin.token_file"}
	}
	q := explain.Question{Ask: ask, Token: ask.Token.Digest}
	if q.Token == (policy.Digest{}) { // nobody's key: a session that --user made up
		q.User = ask.Token.UserID
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
	var answer struct{ Result []*explain.Report }
	if json.Unmarshal([]byte(text), &answer) != nil || len(answer.Result) != 1 {
		return nil, &errNotAsked{"the running gateway is of another version"}
	}
	return answer.Result[0], nil
}
