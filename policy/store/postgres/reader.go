package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"aclgate/policy/store"
)

// pageRows is how many rows Each reads at a time, so that who is called may ask for others.
const pageRows = 1000

// reader reads in one transaction.
type reader struct {
	ctx   context.Context
	wire  *wire
	flush func() error // writes what is still to be written before something is read
}

// View implements store.Engine. It reads as the login that may read secrets, where there is one.
func (e *Engine) View(ctx context.Context, read func(store.Reader) error) error {
	pool := e.read
	if e.admin != nil {
		pool = e.admin
	}
	return e.transaction(ctx, pool, snapshot, func(s *wire) error {
		return read(&reader{ctx, s, func() error { return nil }})
	})
}

// one asks for one row.
func (r *reader) one(query string, args []any, into ...any) error {
	if err := r.flush(); err != nil {
		return err
	}
	_, err := r.wire.ask(r.ctx, "", query, args, first(into))
	return err
}

// first reads one row.
func first(into []any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		if !rows.Next() {
			return cmp.Or(rows.Err(), store.ErrNoRow)
		}
		return rows.Scan(into...)
	}
}

// page asks for rows and returns all of them.
func page[T any](r *reader, read func(pgx.Rows) (T, error), query string, args ...any) (all []T, err error) {
	if err := r.flush(); err != nil {
		return nil, err
	}
	_, err = r.wire.ask(r.ctx, "", query, args, func(rows pgx.Rows) error {
		for rows.Next() {
			v, err := read(rows)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

// Get implements store.Reader. Both questions are asked at once.
func (r *reader) Get(t store.Table, id int64) (store.Row, error) {
	row := store.Row{Table: t, ID: id}
	if err := r.flush(); err != nil {
		return row, err
	}
	r.wire.precede(tables[t].get, first([]any{(*text)(&row.Doc)}), id)
	var mark [16]byte
	switch err := r.one(selectLast, []any{int64(t), id}, &mark); {
	case row.Doc == nil || err != nil && !errors.Is(err, store.ErrNoRow):
		return row, err
	case err == nil:
		row.Mark = mark
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

// Bearer implements store.Reader.
func (r *reader) Bearer(limit int64) (account int64, err error) {
	return account, r.one(selectBearer, []any{limit}, &account)
}

// CountTokens implements store.Reader.
func (r *reader) CountTokens(accounts []int64) (n int64, err error) {
	return n, r.one(countTokens, []any{accounts}, &n)
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
