package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy/cache"
	"aclgate/policy/store"
	"aclgate/policy/store/sqlite"
)

// errUnread says why an older policy is obeyed where no fault of a file does.
var errUnread = errors.New("the store cannot be read")

// errNoDatabase says that a command needs one.
var errNoDatabase = errors.New("store.kind is file: there is no database; edit the policy file itself")

// Database opens the database of the settings for commands that work on it beside a gateway.
func Database(s *config.Settings) (*sqlite.Engine, error) {
	if s.Store.Kind != config.StoreSQLite {
		return nil, errNoDatabase
	}
	return sqlite.Open(s.Store.Path.Path)
}

// Migrate brings the database of the settings to the schema of this program; one that is not there
// is made.
func Migrate(ctx context.Context, s *config.Settings) (sqlite.Migration, error) {
	if s.Store.Kind != config.StoreSQLite {
		return sqlite.Migration{}, errNoDatabase
	}
	return sqlite.Migrate(ctx, s.Store.Path.Path)
}

// NewDatabase makes a SQLite database that is not there yet, and opens it.
func NewDatabase(ctx context.Context, path string) (store.Engine, error) {
	if _, err := sqlite.Migrate(ctx, path); err != nil {
		return nil, err
	}
	return sqlite.Open(path)
}

// Upgrade brings a database that has a schema to that of this program, before it is served.
func Upgrade(ctx context.Context, s *config.Settings, log *slog.Logger) error {
	if s.Store.Kind != config.StoreSQLite {
		return nil
	}
	m, err := sqlite.Upgrade(ctx, s.Store.Path.Path)
	if err == nil && m.From != m.To {
		log.Info("the store has a newer schema", "from", m.From, "to", m.To, "backup", m.Backup)
	}
	return err
}

// LiveOptions returns what the settings say of following a database.
func LiveOptions(s *config.Settings, e store.Engine) store.LiveOptions {
	return store.LiveOptions{
		Engine: e, MaxDepth: s.Policy.MaxDepth, Foreign: s.Scope.Accounts == config.AccountsBackend,
		Poll: sqlite.Poll, MaxStaleness: s.Store.MaxStaleness, History: s.Store.History,
	}
}

// openStore opens what store.kind says.
func (a *App) openStore() (*policySource, error) {
	if a.settings.Store.Kind == config.StoreFile {
		return a.newSource(a.settings.Store.Path, a.log, a.policyChanged)
	}
	e, err := Database(a.settings)
	if err != nil {
		return nil, err
	}
	o := LiveOptions(a.settings, e)
	o.Version, o.Logger, o.Changed, o.Applied = a.options.Version, a.log, a.policyChanged, a.storeChanged
	live := store.NewLive(o)
	p := &policySource{source: live, live: live}
	if err := live.Follow(context.Background()); err != nil {
		return p, err // App.Close gives back what is open
	}
	p.cache, err = cache.New(live, a.engine.Catalogue, a.settings.Cache.MaxBytes)
	return p, err
}

// maxNamed is how many ids one line of the audit log names.
const maxNamed = 100

// storeChanged writes changes of records into the audit log: one line for those that follow each
// other in one table by one actor.
func (a *App) storeChanged(changes []store.Change) {
	var line record.StoreChange
	count := 0
	flush := func() {
		if count > len(line.IDs) {
			line.Count = count
		}
		if line.From == line.Revision {
			line.From = 0
		}
		a.audit.StoreChange(line)
	}
	for i, c := range changes {
		if i > 0 && (line.Actor != c.Actor || line.Table != c.Table.String()) {
			flush()
		}
		if i == 0 || line.Actor != c.Actor || line.Table != c.Table.String() {
			line, count = record.StoreChange{From: c.Rev, Actor: c.Actor, Table: c.Table.String(), IDs: []int64{}}, 0
		}
		line.Time, line.Revision = c.At, c.Rev
		count += len(c.IDs)
		line.IDs = append(line.IDs, c.IDs[:min(len(c.IDs), maxNamed-len(line.IDs))]...)
	}
	if len(changes) > 0 {
		flush()
	}
}

// storeStats is how the following of the database goes.
func (a *App) storeStats() metrics.StoreStats {
	s := a.policy.live.Stats()
	return metrics.StoreStats{
		Up: s.Up, Head: s.Head, Applied: s.Applied, Lease: s.Lease, Bound: a.settings.Store.MaxStaleness, Poll: s.Poll, Apply: s.Apply,
		Resyncs: s.Resyncs, Rewinds: s.Resyncs[store.ResyncRewind.String()], BadRows: s.BadRows, InDoubt: s.InDoubt,
	}
}

// errStoreStale is what /readyz says while every request with a token is a 503.
var errStoreStale = errors.New("the database was not heard of for longer than store.max_staleness")

func (a *App) storeReady() error {
	if !a.policy.Fresh(time.Now()) {
		return errStoreStale
	}
	return nil
}
