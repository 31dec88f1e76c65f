package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/store"
	"aclgate/policy/store/postgres"
	"aclgate/policy/store/sqlite"
)

// errUnread says why an older policy is obeyed where no fault of a file does.
var errUnread = errors.New("the store cannot be read")

// errNoDatabase says that a command needs one.
var errNoDatabase = errors.New("store.kind is file: there is no database; edit the policy file itself")

// Database is a database that commands work on beside a gateway.
type Database interface {
	store.Engine
	// Check looks whether the database can be reached and used.
	Check(context.Context) error
	// Verify returns what the database itself finds wrong; nothing if it is sound.
	Verify(context.Context) ([]string, error)
}

// OpenDatabase opens the database of the settings for commands, and looks whether it can be used.
// It ends with BadStore where the settings or the database have to be mended.
func OpenDatabase(ctx context.Context, s *config.Settings) (Database, error) {
	e, err := openEngine(s, nil)
	if err != nil {
		return nil, &BadStore{err}
	}
	if err := e.Check(ctx); err != nil {
		_ = e.Close() // nothing was written
		return nil, standing(e, err)
	}
	return e, nil
}

// StoreRoles returns the SQL that makes the roles of a PostgreSQL store.
func StoreRoles() string { return postgres.Roles() }

// errOccupied says that a demo would be put beside somebody's records.
var errOccupied = errors.New("there is a store in this database already: name one without")

// NewStore makes a store for a while in a PostgreSQL database that has none. Its login may do all.
func NewStore(ctx context.Context, s *config.Settings) error {
	empty, err := postgres.Empty(ctx, s.Store.URL.Path)
	switch {
	case err != nil:
		return err
	case !empty:
		return errOccupied
	}
	_, err = postgres.Migrate(ctx, s.Store.URL.Path)
	return err
}

// DropStore takes the store that NewStore has made away, with all that is in it.
func DropStore(ctx context.Context, s *config.Settings) error {
	return postgres.Drop(ctx, s.Store.URL.Path)
}

// BadStore says that a store cannot be used until somebody mends it or the settings.
type BadStore struct{ err error }

func (b *BadStore) Error() string { return b.err.Error() }
func (b *BadStore) Unwrap() error { return b.err }

// standing makes a BadStore of what does not pass by itself.
func standing(e Database, err error) error {
	if _, file := e.(*sqlite.Engine); file {
		if err == nil || sqlite.Passes(err) {
			return err
		}
		return &BadStore{err}
	}
	var unusable *postgres.Unusable
	if errors.As(err, &unusable) {
		return &BadStore{err}
	}
	return err
}

// openEngine opens the engine of the settings, which was not asked anything yet. upgraded is told
// that SQLite's had an older schema, which it then brings to date; nil: that is an error.
func openEngine(s *config.Settings, upgraded func(sqlite.Migration)) (Database, error) {
	switch s.Store.Kind {
	case config.StoreSQLite:
		return sqlite.OpenLater(s.Store.Path.Path, upgraded), nil
	case config.StorePostgres:
		return postgres.Open(postgres.Options{URLFile: s.Store.URL.Path, AdminURLFile: s.Store.AdminURL.Path})
	}
	return nil, errNoDatabase
}

// Migration says what Migrate has done.
type Migration struct {
	From, To int    // versions of the schema; From 0: there was none
	Backup   string // the file that holds the database as it was; "": there is none
}

// Migrate brings the database of the settings to the schema of this program; a file that is not
// there is made. owner is the file with the DSN of a login that may, for PostgreSQL; "" is that of
// store.admin_url_file, or of store.url_file.
func Migrate(ctx context.Context, s *config.Settings, owner string) (Migration, error) {
	switch s.Store.Kind {
	case config.StoreSQLite:
		m, err := sqlite.Migrate(ctx, s.Store.Path.Path)
		if err != nil && !sqlite.Passes(err) {
			err = &BadStore{err}
		}
		return Migration(m), err
	case config.StorePostgres:
		m, err := postgres.Migrate(ctx, cmp.Or(owner, s.Store.AdminURL.Path, s.Store.URL.Path))
		if err != nil {
			err = &BadStore{err}
		}
		return Migration{From: m.From, To: m.To}, err
	}
	return Migration{}, &BadStore{errNoDatabase}
}

// StoreName returns what the store of the settings is called in messages.
func StoreName(s *config.Settings) string {
	if s.Store.Kind == config.StorePostgres {
		return "the PostgreSQL database"
	}
	return s.Store.Path.Text
}

// LiveOptions returns what the settings say of following a database.
func LiveOptions(s *config.Settings, e store.Engine) store.LiveOptions {
	o := store.LiveOptions{
		Engine: e, MaxDepth: s.Policy.MaxDepth, Foreign: s.Scope.Accounts == config.AccountsBackend,
		Poll: sqlite.Poll, MaxStaleness: s.Store.MaxStaleness, History: s.Store.History,
	}
	if s.Store.Kind == config.StorePostgres {
		o.Poll = s.Store.Poll
	}
	return o
}

// replicaName returns what a gateway is called in the database. Two must never be the same: whoever
// waits for both would hear of one.
func replicaName(s *config.Settings) string {
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	var random [4]byte
	rand.Read(random[:])
	return fmt.Sprintf("%s-%x", cmp.Or(s.Store.Replica, host), random)
}

// openStore opens what store.kind says. A database may be away at the start: until it was read,
// requests are a 503.
func (a *App) openStore() (*policySource, error) {
	if a.settings.Store.Kind == config.StoreFile {
		return a.newSource(a.settings.Store.Path, a.log, a.policyChanged)
	}
	var upgraded func(sqlite.Migration)
	if a.options.Upgrade {
		upgraded = func(m sqlite.Migration) {
			a.log.Info("the store has a newer schema", "from", m.From, "to", m.To, "backup", m.Backup)
		}
	}
	e, err := openEngine(a.settings, upgraded)
	if err != nil {
		return nil, err
	}
	o := LiveOptions(a.settings, e)
	o.Version, o.Replica, o.Logger = a.options.Version, replicaName(a.settings), a.log
	o.Changed, o.Applied = a.policyChanged, a.storeChanged
	o.Owned = a.owned
	a.database = e
	live := store.NewLive(o)
	none, _ := policy.NewTree(nil, o.MaxDepth) // of nothing there are no faults
	p := &policySource{source: live, live: live, none: none}
	p.sessions = a.withSessions(p, live, live, live)
	if err := a.firstLoad(live, e); err != nil {
		return p, err // App.Close gives back what is open
	}
	p.cache, err = cache.New(p.sessions, a.engine.Catalogue, a.settings.Cache.MaxBytes)
	return p, err
}

// firstLoad reads everything for the first time. What somebody has to mend ends the start; what may
// pass does not.
func (a *App) firstLoad(live *store.Live, e Database) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkFor)
	defer cancel()
	err := e.Check(ctx)
	if err == nil {
		err = live.Follow(context.Background())
	}
	if bad := (*BadStore)(nil); errors.As(standing(e, err), &bad) {
		return err
	}
	if err != nil {
		a.log.Error("the store cannot be read yet: every request with a token is a 503 until it can, and this gateway is not ready", "store", e.Name(), "error", err)
	}
	return nil
}

// checkFor bounds how long a start waits for a database that does not answer.
const checkFor = 10 * time.Second

// maxNamed is how many ids one line of the audit log names.
const maxNamed = 100

// storeChanged writes changes of records into the audit log: one line for those that follow each
// other in one table by one actor.
func (a *App) storeChanged(changes []store.Change) {
	var line record.StoreChange
	count, last := 0, ""
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
		if i > 0 && (last != c.Actor || line.Table != c.Table.String()) {
			flush()
		}
		if i == 0 || last != c.Actor || line.Table != c.Table.String() {
			actor, how := c.Who()
			line, count = record.StoreChange{From: c.Rev, Actor: actor, How: how, Table: c.Table.String(), IDs: []int64{}, Gone: []int64{}}, 0
		}
		last = c.Actor
		line.Time, line.Revision = c.At, c.Rev
		count += len(c.IDs)
		line.IDs = append(line.IDs, c.IDs[:min(len(c.IDs), maxNamed-len(line.IDs))]...)
		line.Gone = append(line.Gone, c.Gone[:min(len(c.Gone), maxNamed-len(line.Gone))]...)
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
