package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"aclgate/policy/store"
)

// Bounds of one answer, and of waiting for another process.
const (
	maxChanges = 1000 // each is a row to read: an answer has to come within two seconds on a busy machine
	busyFor    = 5 * time.Second
)

// Poll is how often a gateway should ask for changes. What is asked then takes microseconds.
const Poll = 20 * time.Millisecond

// Engine is an open database. It implements store.Engine.
type Engine struct {
	path  string
	read  *sql.DB // cannot change anything
	write *sql.DB // one connection
	door  door
	asks  *kept // of read
	makes *kept // of write
	named int   // tokens of one transaction that are a change each

	file os.FileInfo // what was opened; set before Check passes

	mu       sync.Mutex   // of what follows
	feed     *sql.Conn    // always the same one: data_version counts for a connection
	last     *store.Batch // of the last Since, without changes
	lastSeen int64        // data_version from before it was read; 0: none
	after    int64        // what it was asked for
}

var _ store.Engine = (*Engine)(nil)

// dsn names a file to the driver.
func dsn(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", busyFor.Milliseconds()), "journal_mode(wal)", "foreign_keys(1)", "trusted_schema(0)",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Name implements store.Engine.
func (e *Engine) Name() string { return e.path }

// Close implements store.Engine. A look that is under way is waited for as long as a lock lasts: one at
// a disk that is away may never end.
func (e *Engine) Close() error {
	e.door.mu.Lock()
	l := e.door.look
	e.door.mu.Unlock()
	if l != nil {
		select {
		case <-l.done:
		case <-time.After(busyFor):
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.feed != nil {
		err = e.feed.Close()
	}
	return errors.Join(err, e.read.Close(), e.write.Close())
}

// errReplaced says that the file under its name is another one than was opened.
var errReplaced = errors.New("the file was moved away, or another one was put in its place, while it was in use: put it back, or restart the gateway, which then reads what is there")

// Since implements store.Engine. Where nothing was committed since the last call it reads no table.
func (e *Engine) Since(ctx context.Context, after int64) (*store.Batch, error) {
	if err := e.Check(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.inPlace(); err != nil {
		return nil, err
	}
	b, err := e.since(ctx, after)
	if err != nil {
		e.lastSeen = 0
		if e.feed != nil {
			_ = e.feed.Close() // the next call takes another one
			e.feed = nil
		}
		return nil, e.explain(err)
	}
	return b, nil
}

// inPlace ends with an error where the name of the file does not lead to what is open any more: what is
// read would be old, and what is written lost with the next start. Check has passed.
func (e *Engine) inPlace() error {
	if info, err := os.Stat(e.path); err != nil || !os.SameFile(info, e.file) {
		return fmt.Errorf("%s: %w", e.path, errReplaced)
	}
	return nil
}

func (e *Engine) since(ctx context.Context, after int64) (b *store.Batch, err error) {
	if e.feed == nil {
		if e.feed, err = e.read.Conn(ctx); err != nil {
			return nil, err
		}
	}
	var seen int64
	if err := e.feed.QueryRowContext(ctx, dataVersion).Scan(&seen); err != nil {
		return nil, err
	}
	if seen == e.lastSeen && after == e.after && e.last.Head.Rev == after {
		return e.last, nil
	}
	e.asks.prepare(ctx)
	tx, err := e.feed.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	r := newReader(ctx, tx, e.asks)
	if b, err = r.since(after); err != nil {
		return nil, err
	}
	e.last, e.lastSeen, e.after = &store.Batch{Head: b.Head, At: b.At}, seen, after
	return b, nil
}

// All implements store.Engine.
func (e *Engine) All(ctx context.Context, yield func(store.Row) error) (head store.Head, mark store.Mark, err error) {
	err = e.view(ctx, func(r *reader) error {
		if head, err = r.head(); err != nil {
			return err
		}
		if mark, err = r.mark(selectMark, head.Rev); err != nil {
			return err
		}
		for _, t := range store.Tables() {
			if err := r.Each(t, yield); err != nil {
				return err
			}
		}
		return nil
	})
	return head, mark, err
}

// Beat implements store.Engine. There is one process, which needs to tell nobody.
func (e *Engine) Beat(context.Context, store.Beat) error { return nil }

// Replicas implements store.Engine: there are none.
func (e *Engine) Replicas(context.Context) ([]store.Replica, error) { return nil, nil }

// Leave implements store.Engine: nobody was noted.
func (e *Engine) Leave(context.Context, string) error { return nil }

// Forget implements store.Engine: nobody was noted.
func (e *Engine) Forget(context.Context, string, int64) error { return nil }

// View implements store.Engine.
func (e *Engine) View(ctx context.Context, read func(store.Reader) error) error {
	return e.view(ctx, func(r *reader) error { return read(r) })
}

func (e *Engine) view(ctx context.Context, read func(*reader) error) error {
	if err := e.Check(ctx); err != nil {
		return err
	}
	e.asks.prepare(ctx)
	tx, err := e.read.BeginTx(ctx, nil)
	if err != nil {
		return e.explain(err)
	}
	defer tx.Rollback()
	return e.explain(read(newReader(ctx, tx, e.asks)))
}

// Write implements store.Engine.
func (e *Engine) Write(ctx context.Context, actor string, change func(store.Writer) error) (store.Head, error) {
	var head store.Head
	err := e.transaction(ctx, func(w *writer) error {
		if err := w.exec(setActor, actor); err != nil {
			return err
		}
		if err := change(w); err != nil {
			return err
		}
		if err := cmp.Or(w.lost, w.ends()); err != nil {
			return err
		}
		if err := w.exec(setActor, ""); err != nil {
			return err
		}
		var err error
		head, err = w.head()
		return err
	})
	return head, err
}

// transaction makes one transaction of the only writer.
func (e *Engine) transaction(ctx context.Context, change func(*writer) error) error {
	if err := e.Check(ctx); err != nil {
		return err
	}
	if err := e.inPlace(); err != nil {
		return err
	}
	return e.commit(ctx, change)
}

// commit is transaction in a file that may have no schema yet.
func (e *Engine) commit(ctx context.Context, change func(*writer) error) error {
	e.makes.prepare(ctx)
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return e.explain(err)
	}
	w := newWriter(ctx, tx, e.makes)
	w.bulk.named = e.named
	defer e.giveBack(&w.bulk)
	defer tx.Rollback()
	if err := change(w); err != nil {
		return e.explain(err)
	}
	err = tx.Commit()
	if code(err) == constraintForeign {
		err = errors.Join(store.ErrUnmet, err)
	}
	return e.explain(err)
}

// Changes implements store.Engine.
func (e *Engine) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	return e.view(ctx, func(r *reader) error {
		rows, err := r.query(selectChange, q.After, int64(q.Table), q.ID, q.Limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var before, after sql.NullString
			c, err := scanChange(rows, &before, &after)
			if err != nil {
				return err
			}
			c.Before, c.After = document(before), document(after)
			if err := yield(c); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func document(s sql.NullString) []byte {
	if !s.Valid {
		return nil
	}
	return []byte(s.String)
}

// Uses implements store.Engine.
func (e *Engine) Uses(ctx context.Context, yield func(store.Use) error) error {
	return e.view(ctx, func(r *reader) error {
		rows, err := r.query(selectUses)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u store.Use
			if err := rows.Scan(&u.Token, &u.At); err != nil {
				return err
			}
			if err := yield(u); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// SaveUses implements store.Engine.
func (e *Engine) SaveUses(ctx context.Context, uses []store.Use) error {
	return e.transaction(ctx, func(w *writer) error {
		for _, u := range uses {
			if err := w.exec(raiseUse, u.Token, u.At); err != nil {
				return err
			}
		}
		return nil
	})
}

// Prune implements store.Engine. The change of the floor itself stays, so that whoever obeys it can
// tell that the database did not go back.
func (e *Engine) Prune(ctx context.Context, before time.Time) (pruned int64, err error) {
	err = e.transaction(ctx, func(w *writer) error {
		var floor int64
		if err := w.row(selectKept, before.Unix()).Scan(&floor); err != nil {
			return err
		}
		if err := w.exec(setFloor, floor); err != nil {
			return err
		}
		if err := w.exec(forget, time.Now().Add(-store.KeepDeleted).Unix()); err != nil {
			return err
		}
		stmt, err := w.prepared(pruneTo)
		if err != nil {
			return err
		}
		result, err := stmt.ExecContext(w.ctx, floor)
		if err == nil {
			pruned, err = result.RowsAffected()
		}
		return err
	})
	return pruned, err
}

// markOf makes a mark of the number that the database has.
func markOf(n int64) (m store.Mark) {
	binary.BigEndian.PutUint64(m[8:], uint64(n))
	return m
}
