package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"aclgate/config/tlsfiles"
	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/policy/store"
	"aclgate/proxy/login/jwt"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/listing"
	"aclgate/upstream/probe"
	"aclgate/upstream/survey"
)

// liveFor bounds what is asked of the backend without serving.
const liveFor = 20 * time.Second

// ProbeScope asks the backend once, without serving, whether it obeys x-flespi-cid. The result is
// nil where the settings do not depend on that, or where the gateway has no credential to ask with.
func (a *App) ProbeScope(ctx context.Context) (*probe.Result, error) {
	if a.probe == nil {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, liveFor)
	defer stop()
	if err := a.readAccounts(ctx); err != nil {
		return nil, err
	}
	found, err := a.probe.Check(ctx)
	return &found, a.unanswered(ctx, err)
}

// unanswered says in words that a backend did not answer in the time there is, or takes no key of
// the gateway's.
func (a *App) unanswered(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, listing.ErrUnauthorized):
		return errors.New("the backend rejected the key in upstream.token_file (401)")
	case errors.Is(err, listing.ErrRedirect):
		return fmt.Errorf("the backend at %s redirects: name in upstream.urls where it leads", a.settings.Upstream.URLs[0])
	}
	if err := a.otherScheme(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, upstream.ErrTimeout) {
		return fmt.Errorf("the backend at %s takes the connection and does not answer", a.settings.Upstream.URLs[0])
	}
	return err
}

// otherScheme returns an error if the settings name an http URL for a backend that speaks TLS, or an
// https one for a backend that does not.
func (a *App) otherScheme(ctx context.Context) error {
	if survey.WantsTLS(ctx, a.settings.Upstream.URLs[0].String()) {
		return fmt.Errorf("%w in upstream.urls", survey.ErrTLS)
	}
	if survey.WantsPlain(ctx, a.settings.Upstream.URLs[0].String()) {
		return fmt.Errorf("%w in upstream.urls", survey.ErrPlain)
	}
	return nil
}

// AskBackend asks the backend for one item, without serving: it can be reached, and takes the
// gateway's credential. That it refuses to show items, or knows no such collection, is an answer too.
func (a *App) AskBackend(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, liveFor)
	defer stop()
	var answer upstream.Answer
	defer context.AfterFunc(ctx, answer.Cancel)()
	defer answer.Close()
	devices := a.engine.Catalogue.WithRole(policy.RoleDevices)
	if devices == nil {
		return nil
	}
	lister := listing.Lister{Backend: a.transport, Key: a.ownKey, Log: a.log}
	q := listing.Query{
		Target:  []byte("/" + devices.URI + "/all?fields=id"),
		Columns: listing.Columns{Names: []string{"id"}}, Deadline: time.Now().Add(liveFor),
	}
	err := lister.Page(&answer, &q, 1, func(*listing.Row) bool { return false })
	var refused *listing.AnswerError
	if errors.As(err, &refused) && refused.Status != 401 && refused.Status != 429 {
		return a.otherScheme(ctx) // some that speak TLS answer 400 in the clear
	}
	return a.unanswered(ctx, err)
}

// Survey asks the backend what it lists.
func (a *App) Survey(ctx context.Context) (*survey.Result, error) {
	ctx, stop := context.WithTimeout(ctx, liveFor)
	defer stop()
	u := a.settings.Upstream
	files, err := tlsfiles.Client(tlsfiles.Files{CA: u.TLS.CA.Path, Cert: u.TLS.Cert.Path, Key: u.TLS.Key.Path})
	if err != nil {
		return nil, err
	}
	return survey.Run(ctx, u.URLs[0].String(), a.ownKey(), a.engine.Catalogue, files.Config())
}

// ReadIndex reads the item index once, without serving: the backend can be reached, takes the
// gateway's credential, and lists items with their accounts.
func (a *App) ReadIndex(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, liveFor)
	if err := a.readAccounts(ctx); err != nil {
		stop()
		return err
	}
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
			return errors.New("cannot read the items of the backend; the warnings above say why")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// CheckBroker connects to the broker of MQTT once, without serving. It reports whether there was
// something to ask: MQTT is served, and the gateway has a credential of its own.
func (a *App) CheckBroker(ctx context.Context) (asked bool, err error) {
	if a.mqtt == nil || !a.settings.MQTT.Upstream.Token.IsSet() {
		return false, nil
	}
	return true, a.mqtt.broker.Check(ctx, "aclgate-check", "")
}

// LosesChanges asks the database by which of its settings a change that was answered can be lost;
// nothing where none is, or where there is no database.
func (a *App) LosesChanges(ctx context.Context) ([]string, error) {
	d, found := a.database.(interface {
		Durability(context.Context) ([]string, error)
	})
	if !found {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, liveFor)
	defer stop()
	return d.Durability(ctx)
}

// readAccounts reads the account tree once, where it is the backend's.
func (a *App) readAccounts(ctx context.Context) error {
	if a.accounts == nil {
		return nil
	}
	if err := a.accounts.Read(ctx); err != nil {
		return fmt.Errorf("cannot read the accounts of the backend: %w", err)
	}
	return nil
}

// Explain explains a request with what only the backend knows: the accounts of items, and what a
// match names.
func (a *App) Explain(ctx context.Context, ask explain.Ask) (*explain.Report, error) {
	if err := a.ReadIndex(ctx); err != nil {
		return nil, err
	}
	return a.explain(ctx, ask)
}

// ExplainTopic explains an action on a topic with what only the backend knows, the accounts of items.
func (a *App) ExplainTopic(ctx context.Context, ask explain.TopicAsk) (*explain.TopicReport, error) {
	if err := a.ReadIndex(ctx); err != nil {
		return nil, err
	}
	return a.explainTopic(ask), nil
}

// explainTopic judges by what is known here.
func (a *App) explainTopic(ask explain.TopicAsk) *explain.TopicReport {
	ask.Tree, ask.Grants, ask.Blocks = a.policy.Tree(), a.policy.Grants(), blocks{a}
	ask.Items = a.index.Fresh(ask.Tree)
	return explain.Topic(TopicOptions(a.settings, a.engine), ask)
}

// explain judges by what is known here, and asks the backend for the rest where the gateway has a
// credential of its own.
func (a *App) explain(ctx context.Context, ask explain.Ask) (*explain.Report, error) {
	var err error
	ask.Tree, ask.Grants, ask.Blocks = a.policy.Tree(), a.policy.Grants(), blocks{a}
	ask.Items = a.index.View(ask.Tree)
	ask.Resolve = func(d *policy.Decision, in *policy.Input) {
		if a.ownKey() == "" {
			return // the callers' keys are not here
		}
		var answer upstream.Answer
		defer context.AfterFunc(ctx, answer.Cancel)()
		in.Resolved = new(policy.Resolved)
		err = a.resolver.Resolve(&index.Question{Input: in, Decision: d, Resolved: in.Resolved, Answer: &answer})
	}
	ask.Accounts = func(c *policy.Collection, ids []int64) map[int64]int64 { return a.accountsOf(ctx, ask.Tree, c, ids) }
	report := explain.Explain(a.engine, ask)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the backend what the request names: %w", err)
	}
	return report, nil
}

// maxAskedAccounts is of how many items explain asks the accounts; of more it asks none.
const maxAskedAccounts = 100

// accountsOf asks the backend, under each root, for the accounts of items. It returns nil if it cannot
// be asked, and 0 for an item that has none.
func (a *App) accountsOf(ctx context.Context, tree *policy.Tree, c *policy.Collection, ids []int64) map[int64]int64 {
	if a.ownKey() == "" || !listing.HasAccounts(c) || len(ids) > maxAskedAccounts {
		return nil
	}
	lister := listing.Lister{Backend: a.transport, Key: a.ownKey, Log: a.log}
	target := append([]byte{'/'}, c.URI...)
	for i, id := range ids {
		target = strconv.AppendInt(append(target, "/,"[min(i, 1)]), id, 10)
	}
	target = append(target, "?fields=id%2Ccid"...)
	found := map[int64]int64{}
	each := func(r *listing.Row) { found[r.ID[0]] = r.ID[1] }
	for _, root := range listing.Roots(policy.ModeHeader, tree) {
		var answer upstream.Answer
		stop := context.AfterFunc(ctx, answer.Cancel)
		q := listing.Query{Target: target, CID: root, Columns: listing.ItemColumns, Deadline: time.Now().Add(liveFor)}
		err := lister.Page(&answer, &q, 0, func(r *listing.Row) bool { each(r); return true })
		answer.Close()
		stop()
		var refused *listing.AnswerError
		switch {
		case errors.As(err, &refused) && refused.Status != 401 && refused.Status != 429:
			refused.Rows(q.Columns, each) // it names those that it has
		case err != nil:
			return nil
		}
	}
	return found
}

// explainNow explains a request as this gateway judges it at this moment (SPEC 7, explain --live).
func (a *App) explainNow(ctx context.Context, q *explain.Question) (any, error) {
	ask := q.Ask
	tok, err := a.caller(ctx, q)
	if err != nil {
		return nil, err
	}
	ask.Token = tok
	if q.Action != "" {
		topic := explain.TopicAsk{Action: q.Action, Topic: ask.Target, Input: ask.Input, File: ask.File}
		if topic.At == 0 {
			topic.At, topic.Blocked = time.Now().Unix(), a.blockedNow
		}
		return a.explainTopic(topic), nil
	}
	ask.State = explain.State{Request: a.gateway.RefusesRequest}
	if ask.At == 0 {
		ask.At, ask.State.Caller = time.Now().Unix(), a.gateway.RefusesCaller
	}
	return a.explain(ctx, ask)
}

// blockedNow returns why an account is blocked at this moment. Of limits on requests topics know nothing.
func (a *App) blockedNow(tok *policy.Token) (policy.Reason, string) {
	if reason, why := a.gateway.RefusesCaller(tok); reason == policy.AccountBlocked {
		return reason, why
	}
	return policy.NotJudged, ""
}

// caller returns the token that a question is about, or what a session of its user could do now.
func (a *App) caller(ctx context.Context, q *explain.Question) (*policy.Token, error) {
	if q.Bearer != "" {
		return a.bearer(ctx, []byte(q.Bearer))
	}
	if d, known := a.logins.Session(q.User, q.Session); known {
		return a.policy.Lookup(d, time.Now())
	}
	if q.User != 0 {
		claims, err := ReadClaims(q.Claims)
		if err != nil {
			return nil, err
		}
		rec := nameSession(a.logins.SessionOf(q.User, time.Now().Add(a.settings.Realms.MaxAge).Unix(), claims))
		if rec == nil {
			return nil, fmt.Errorf("the running gateway knows no user %d: it has not read the policy yet, or could not", q.User)
		}
		return compiled(rec, a.engine.Catalogue), nil
	}
	tok, err := a.policy.Lookup(q.Token, time.Now())
	if errors.Is(err, policy.TokenUnknown) {
		err = errors.New("the running gateway does not know this token: it is no session that lasts, or the policy was not read yet")
	}
	return tok, err
}

// bearer returns the token of somebody who comes with one from elsewhere, or why that would be refused.
func (a *App) bearer(ctx context.Context, token []byte) (*policy.Token, error) {
	now := time.Now()
	if d, known := a.logins.Found(token); known {
		if tok, err := a.policy.Lookup(d, now); err == nil {
			return tok, nil
		}
	}
	rec, err := a.logins.Verified(ctx, token, now)
	if err != nil {
		return nil, fmt.Errorf("the running gateway does not accept this token: %w", err)
	}
	return compiled(nameSession(rec, true), a.engine.Catalogue), nil
}

// IsBearer reports whether a key is a token from elsewhere, by its form.
func IsBearer(key string) bool { return jwt.Looks([]byte(key)) }

// compiled returns the token of a record as requests are judged by it.
func compiled(rec *store.Record, cat *policy.Catalogue) *policy.Token {
	tok := rec.Token
	if !tok.IsUser {
		tok.ACL = policy.NewACL(rec.Entries, cat)
	}
	tok.Roles = rec.UserRoles(cat)
	return &tok
}
