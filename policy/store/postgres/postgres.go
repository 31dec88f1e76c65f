package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"aclgate/policy/store"
)

// Bounds.
const (
	maxConns  = 4                // of each of the two pools
	silence   = 20 * time.Second // of the server, in the middle of an answer without another bound
	maxTries  = 3                // of a transaction that another one was in the way of
	useChunk  = 10000            // last uses of one statement
	maxPerKey = 64 << 10         // bytes of a DSN file
)

// Options name a database.
type Options struct {
	URLFile      string // holds the DSN of a login that reads and beats
	AdminURLFile string // that of a login that writes; "": this engine only reads
}

// Engine is a database. It implements store.Engine.
type Engine struct {
	name  string
	read  *pgxpool.Pool
	admin *pgxpool.Pool // nil: there is none
	// late is the revision after which an answer came too late, so that it is asked for fewer rows.
	late  atomic.Int64
	mixed atomic.Bool // something gives the transactions of one connection to several processes
}

var _ store.Engine = (*Engine)(nil)

// Open makes an engine. It connects to nothing yet, so that a gateway can start before its
// database; its errors are those of the settings. Check looks whether the database can be used.
func Open(o Options) (*Engine, error) {
	e := &Engine{}
	e.late.Store(-1)
	c, err := load(o.URLFile)
	if err != nil {
		return nil, fmt.Errorf("store.url_file: %w", err)
	}
	e.name = name(c)
	if e.read, err = pgxpool.NewWithConfig(context.Background(), c); err != nil {
		return nil, fmt.Errorf("store.url_file: %w", errDSN)
	}
	if o.AdminURLFile == "" {
		return e, nil
	}
	if c, err = load(o.AdminURLFile); err == nil {
		e.admin, err = pgxpool.NewWithConfig(context.Background(), c)
	}
	if err != nil {
		e.read.Close()
		return nil, fmt.Errorf("store.admin_url_file: %w", err)
	}
	return e, nil
}

// load reads a DSN from a file. Its errors hold nothing of it.
func load(path string) (*pgxpool.Config, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxPerKey {
		return nil, errDSN
	}
	text, err := os.ReadFile(path)
	if err != nil {
		var cause *os.PathError
		errors.As(err, &cause)
		return nil, fmt.Errorf("cannot read the file with the DSN: %w", cause.Err)
	}
	c, err := parse(string(text))
	if err != nil {
		return nil, err
	}
	c.MaxConns, c.MinConns = maxConns, 0
	c.AfterConnect = tellDirect
	c.MaxConnIdleTime = 5 * time.Minute
	return c, nil
}

// Name implements store.Engine.
func (e *Engine) Name() string { return e.name }

// Close implements store.Engine.
func (e *Engine) Close() error {
	e.read.Close()
	if e.admin != nil {
		e.admin.Close()
	}
	return nil
}

// Writes implements store.Engine.
func (e *Engine) Writes() bool { return e.admin != nil }

// on runs what uses one connection. One that turned out to lead to a standby is closed: behind its
// address there may be another server by now.
func (e *Engine) on(ctx context.Context, pool *pgxpool.Pool, do func(*pgx.Conn) error) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return e.explain(bounded(ctx, err))
	}
	defer c.Release()
	if err = do(c.Conn()); isStandby(err) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = c.Conn().Close(end) // it is useless, however it ends
		cancel()
	}
	if isMixed(err) && e.mixed.CompareAndSwap(false, true) {
		pool.Reset()
	}
	return e.explain(bounded(ctx, err))
}

// bounded says of an error whether it came of the watch over a silent server.
func bounded(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// watch bounds each step of a longer answer. step has to be called in between.
func watch(ctx context.Context) (_ context.Context, step func(), stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(silence, func() { cancel(errSilent) })
	n := 0
	step = func() {
		if n++; n%64 == 0 {
			timer.Reset(silence)
		}
	}
	return ctx, step, func() { timer.Stop(); cancel(nil) }
}

// exec sends one statement to a pool.
func (e *Engine) exec(ctx context.Context, pool *pgxpool.Pool, query string, args ...any) error {
	ctx, _, stop := watch(ctx)
	defer stop()
	return e.on(ctx, pool, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, query, args...)
		return err
	})
}

// Beat implements store.Engine.
func (e *Engine) Beat(ctx context.Context, b store.Beat) error {
	return e.exec(ctx, e.read, beat, b.Replica, b.Version, b.Applied, b.Mark.String(), b.Lazy)
}

// Leave implements store.Engine.
func (e *Engine) Leave(ctx context.Context, replica string) error {
	return e.exec(ctx, e.read, leave, replica)
}

// Forget implements store.Engine.
func (e *Engine) Forget(ctx context.Context, replica string, beats int64) error {
	return e.exec(ctx, e.read, forget, replica, beats)
}

// Replicas implements store.Engine.
func (e *Engine) Replicas(ctx context.Context) (all []store.Replica, err error) {
	err = e.rows(ctx, selectReplicas, nil, func(rows pgx.Rows) error {
		var r store.Replica
		var age float64
		if err := rows.Scan(&r.Replica, &r.Version, &r.Applied, &r.Beats, &age); err != nil {
			return err
		}
		r.Age = time.Duration(age * float64(time.Second))
		all = append(all, r)
		return nil
	})
	return all, err
}

// rows asks the login that reads, and calls yield with every row.
func (e *Engine) rows(ctx context.Context, query string, args []any, yield func(pgx.Rows) error) error {
	ctx, step, stop := watch(ctx)
	defer stop()
	return e.on(ctx, e.read, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			step()
			if err := yield(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// Uses implements store.Engine.
func (e *Engine) Uses(ctx context.Context, yield func(store.Use) error) error {
	return e.rows(ctx, selectUses, nil, func(rows pgx.Rows) error {
		var u store.Use
		if err := rows.Scan(&u.Token, &u.At); err != nil {
			return err
		}
		return yield(u)
	})
}

// SaveUses implements store.Engine.
func (e *Engine) SaveUses(ctx context.Context, uses []store.Use) error {
	for len(uses) > 0 {
		n := min(len(uses), useChunk)
		ids, ats := make([]int64, n), make([]int64, n)
		for i, u := range uses[:n] {
			ids[i], ats[i] = u.Token, u.At
		}
		if err := e.exec(ctx, e.read, saveUses, ids, ats); err != nil {
			return err
		}
		uses = uses[n:]
	}
	return nil
}

// Changes implements store.Engine.
func (e *Engine) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	return e.rows(ctx, selectChanges, []any{q.After, int64(q.Table), q.ID, q.Limit}, func(rows pgx.Rows) error {
		var c store.Change
		var kind int16
		if err := rows.Scan(&c.Rev, (*[16]byte)(&c.Mark), &kind, &c.IDs, &c.At, &c.Actor, (*text)(&c.Before), (*text)(&c.After)); err != nil {
			return err
		}
		c.Table = store.Table(kind)
		return yield(c)
	})
}

// Prune implements store.Engine. The change of the floor itself stays, so that whoever obeys it can
// tell that the database did not go back.
func (e *Engine) Prune(ctx context.Context, before time.Time) (pruned int64, err error) {
	if e.admin == nil {
		return 0, store.ErrReadOnly
	}
	err = e.on(ctx, e.admin, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, prune, before, time.Now().Add(-store.KeepDeleted)).Scan(&pruned)
	})
	return pruned, err
}

// text is a column as the server sent it; nil: null.
type text []byte

// ScanText implements pgtype.TextScanner; it is also what the driver uses of json.
func (t *text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = nil
	case string:
		*t = []byte(v)
	case []byte:
		*t = append([]byte(nil), v...)
	default:
		return fmt.Errorf("a document of the type %T", src)
	}
	return nil
}
