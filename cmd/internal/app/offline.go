package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/proxy/admin"
	"aclgate/proxy/login"
	"aclgate/proxy/platform"
)

// errNoAdministration says that there is nothing to ask.
var errNoAdministration = errors.New("platform.serve is off: nothing is administered here")

// Offline is the administration API for the operator over the database itself, without a gateway. One
// that runs beside it obeys what it changes as it obeys a change of another gateway.
type Offline struct {
	api    *platform.API
	engine *policy.Engine
}

// NewOffline returns the API over an open database, which the caller closes.
func NewOffline(s *config.Settings, db Database) (*Offline, error) {
	if s.Platform.Serve != config.On {
		return nil, errNoAdministration
	}
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	if err != nil {
		return nil, err
	}
	engine := Engine(s, cat)
	o, err := platformOptions(s, engine)
	if err != nil {
		return nil, err
	}
	o.Store = unfollowed{LiveOptions(s, db)}
	o.Hash = func(password string) (string, error) { return login.Hash(password, s.Realms.BcryptCost) }
	return &Offline{platform.New(o), engine}, nil
}

// Ask asks as the admin listener would be asked, and returns the status and the answer.
func (o *Offline) Ask(ctx context.Context, method, target string, body []byte) (status int, text []byte, err error) {
	var req policy.Request
	reason := req.Parse(o.engine, policy.ParseMethod([]byte(method)), []byte(target))
	switch {
	case reason != policy.NotJudged:
		return 0, nil, errors.New(req.Detail)
	case req.Route == nil || !o.engine.Managed[req.Route]:
		return 0, nil, fmt.Errorf("%s %s: no such resource", method, target)
	}
	a := o.api.Serve(ctx, &platform.Call{
		Request: &req, Body: body, Operator: true, Scope: req.CID, Now: time.Now(), Decision: record.NewID().String(), Source: "offline",
	})
	return a.Status, a.Body, a.Err
}

// History returns changes of a database as the admin listener answers them.
func History(ctx context.Context, db Database, q store.ChangeQuery) (all []json.RawMessage, err error) {
	err = db.Changes(ctx, q, func(c store.Change) error {
		text, err := json.Marshal(admin.ShowChange(c))
		all = append(all, text)
		return err
	})
	return all, err
}

// unfollowed is a platform.Store over a database that nobody here follows.
type unfollowed struct{ o store.LiveOptions }

// View implements platform.Store.
func (u unfollowed) View(ctx context.Context, read func(platform.Reader) error) error {
	return store.View(ctx, u.o, func(tx *store.Tx) error { return read(tx) })
}

// Write implements platform.Store.
func (u unfollowed) Write(ctx context.Context, actor string, change func(platform.Writer) error) (store.Head, error) {
	return store.Write(ctx, u.o, actor, func(tx *store.Tx) error { return change(tx) })
}

// Changes implements platform.Store.
func (u unfollowed) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	return u.o.Engine.Changes(ctx, q, yield)
}

// LastUse implements platform.Store: 0, since a gateway that runs knows uses that are not in the
// database yet.
func (u unfollowed) LastUse(int64) int64 { return 0 }

// File implements platform.Store.
func (u unfollowed) File() string { return "" }
