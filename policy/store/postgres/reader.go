package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"aclgate/policy/store"
)

// pageRows is how many rows Each reads at a time, so that who is called may ask for others.
const pageRows = 1000

// snapshot is a transaction that reads one state.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// reader reads in one transaction.
type reader struct {
	ctx   context.Context
	tx    pgx.Tx
	flush func() error // writes what is still to be written before something is read
}

// View implements store.Engine. It reads as the login that may read secrets, where there is one.
func (e *Engine) View(ctx context.Context, read func(store.Reader) error) error {
	pool := e.read
	if e.admin != nil {
		pool = e.admin
	}
	return e.transaction(ctx, pool, snapshot, func(tx pgx.Tx) error {
		return read(&reader{ctx, tx, func() error { return nil }})
	})
}

// transaction makes one transaction. Each of its statements is bounded by itself.
func (e *Engine) transaction(ctx context.Context, pool *pgxpool.Pool, o pgx.TxOptions, do func(pgx.Tx) error) error {
	return e.on(ctx, pool, func(c *pgx.Conn) error {
		begun, cancel := context.WithTimeout(ctx, silence)
		defer cancel()
		tx, err := c.BeginTx(begun, o)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = tx.Rollback(end) // a connection on which that fails is closed
			return err
		}
		end, cancel := context.WithTimeout(ctx, silence)
		defer cancel()
		return tx.Commit(end)
	})
}

// one asks for one row.
func (r *reader) one(query string, args []any, into ...any) error {
	if err := r.flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, silence)
	defer cancel()
	err := r.tx.QueryRow(ctx, query, args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNoRow
	}
	return err
}

// page asks for rows and returns all of them.
func page[T any](r *reader, read func(pgx.Rows) (T, error), query string, args ...any) (all []T, err error) {
	if err := r.flush(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, silence)
	defer cancel()
	rows, err := r.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Get implements store.Reader.
func (r *reader) Get(t store.Table, id int64) (store.Row, error) {
	row := store.Row{Table: t, ID: id}
	var err error
	if row.Doc, err = r.Doc(t, id); err != nil {
		return row, err
	}
	var mark [16]byte
	switch err := r.one(selectLast, []any{int64(t), id}, &mark); {
	case err == nil:
		row.Mark = mark
	case !errors.Is(err, store.ErrNoRow):
		return row, err
	}
	return row, nil
}

// Doc implements store.Reader.
func (r *reader) Doc(t store.Table, id int64) (doc []byte, err error) {
	err = r.one(tables[t].get, []any{id}, (*text)(&doc))
	return doc, err
}

// Each implements store.Reader.
func (r *reader) Each(t store.Table, yield func(store.Row) error) error {
	return eachPage(yield, func(after int64) ([]store.Row, error) {
		return page(r, rowOf(t), tables[t].each, after, pageRows)
	})
}

// EachOf implements store.Reader.
func (r *reader) EachOf(t store.Table, account int64, yield func(store.Row) error) error {
	if t == store.GrantLinks {
		return errNoDocs
	}
	return eachPage(yield, func(after int64) ([]store.Row, error) {
		return page(r, rowOf(t), tables[t].of, after, pageRows, account)
	})
}

func rowOf(t store.Table) func(pgx.Rows) (store.Row, error) {
	return func(rows pgx.Rows) (store.Row, error) {
		row := store.Row{Table: t}
		return row, rows.Scan(&row.ID, (*text)(&row.Doc))
	}
}

// eachPage yields the rows of every page. next returns those behind an id.
func eachPage(yield func(store.Row) error, next func(after int64) ([]store.Row, error)) error {
	for after := int64(0); ; {
		rows, err := next(after)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := yield(row); err != nil {
				return err
			}
			after = row.ID
		}
		if len(rows) < pageRows {
			return nil
		}
	}
}

// Holds implements store.Reader.
func (r *reader) Holds(t store.Table, account int64) (holds bool, err error) {
	return holds, r.one(tables[t].holds, []any{account}, &holds)
}

// Owner implements store.Reader.
func (r *reader) Owner(collection string, id int64) (store.Owner, error) {
	o := store.Owner{Collection: collection, ID: id}
	return o, r.one(selectOwner, []any{collection, id}, &o.CID)
}

// Sealed implements store.Reader.
func (r *reader) Sealed(token int64) (box []byte, err error) {
	return box, r.one(selectSealed, []any{token}, &box)
}

// Secret implements store.Reader.
func (r *reader) Secret(user int64) (verifier string, err error) {
	return verifier, r.one(selectSecret, []any{user}, &verifier)
}

// EachDeleted implements store.Reader.
func (r *reader) EachDeleted(t store.Table, yield func(store.Deleted) error) error {
	for after := int64(0); ; {
		all, err := page(r, func(rows pgx.Rows) (store.Deleted, error) {
			d := store.Deleted{Row: store.Row{Table: t}}
			return d, rows.Scan(&d.ID, (*text)(&d.Doc), &d.At)
		}, selectDeleted, int64(t), after, time.Now().Add(-store.KeepDeleted), pageRows)
		if err != nil {
			return err
		}
		for _, d := range all {
			if err := yield(d); err != nil {
				return err
			}
			after = d.ID
		}
		if len(all) < pageRows {
			return nil
		}
	}
}
