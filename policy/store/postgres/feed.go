package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"aclgate/policy/store"
)

// Bounds of one answer.
const (
	maxChanges = 10000
	maxNamed   = 10000  // rows, unless one change alone names more
	maxOne     = 100000 // rows that one change may name: above, everything is read anew
	maxLate    = 1000   // the same after an answer that came too late
)

// Since implements store.Engine. Where nothing was committed since, it asks for one row.
func (e *Engine) Since(ctx context.Context, after int64) (b *store.Batch, err error) {
	err = e.on(ctx, e.read, func(c *pgx.Conn) error {
		if e.keeps(c) {
			for _, query := range []string{selectHead, selectSince} {
				if _, err := c.Prepare(ctx, query, query); err != nil {
					return err
				}
			}
		}
		b, err = head(ctx, c, after)
		if err == nil && b.Head.Rev > after {
			b, err = e.news(ctx, c, after)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// head asks where the database is.
func head(ctx context.Context, c *pgx.Conn, after int64) (*store.Batch, error) {
	b, standby := &store.Batch{}, false
	var mark *[16]byte
	err := c.QueryRow(ctx, selectHead, after).Scan(&b.Head.Rev, &b.Head.Floor, &b.Head.Version, &standby, &mark)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errNoHead
	case err != nil:
		return nil, err
	case standby:
		return nil, errStandby
	}
	if mark != nil {
		b.At = *mark
	}
	return b, nil
}

// errNoHead says that the numbering is gone.
var errNoHead = errors.New("the table head says nothing: the database is damaged; restore the newest backup")

// news asks for what has changed, and for the rows that it names.
func (e *Engine) news(ctx context.Context, c *pgx.Conn, after int64) (*store.Batch, error) {
	one := maxOne
	if e.late.Load() == after {
		one = maxLate
	}
	b, err := readNews(ctx, c, after, one)
	if err != nil && ctx.Err() != nil {
		e.late.Store(after)
	}
	return b, err
}

func readNews(ctx context.Context, c *pgx.Conn, after int64, one int) (*store.Batch, error) {
	rows, err := c.Query(ctx, selectSince, after, maxChanges, maxNamed, one)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b, found := &store.Batch{}, false
	for rows.Next() {
		var what int
		var x, y, z int64
		var ids []int64
		var mark *[16]byte
		var at *time.Time
		var doc text
		if err := rows.Scan(&what, &x, &y, &z, &ids, &mark, &at, &doc); err != nil {
			return nil, err
		}
		switch what {
		case 0:
			found, b.Head = true, store.Head{Rev: x, Floor: y, Version: int(z)}
			if mark != nil {
				b.At = *mark
			}
			if string(doc) != "false" {
				return nil, errStandby
			}
		case 1:
			b.Changes = append(b.Changes, store.Change{Rev: x, Mark: *mark, Table: store.Table(y), IDs: ids, At: *at, Actor: string(doc)})
		default:
			b.Rows = append(b.Rows, store.Row{Table: store.Table(x), ID: y, Doc: doc})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoHead
	}
	slices.SortFunc(b.Changes, func(p, q store.Change) int { return cmp.Compare(p.Rev, q.Rev) })
	slices.SortFunc(b.Rows, func(p, q store.Row) int { return cmp.Or(cmp.Compare(p.Table, q.Table), cmp.Compare(p.ID, q.ID)) })
	return b, nil
}

// All implements store.Engine.
func (e *Engine) All(ctx context.Context, yield func(store.Row) error) (at store.Head, mark store.Mark, err error) {
	ctx, step, stop := watch(ctx)
	defer stop()
	err = e.on(ctx, e.read, func(c *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			b, err := head(ctx, c, 0)
			if err == nil {
				b, err = head(ctx, c, b.Head.Rev)
			}
			if err != nil {
				return err
			}
			at, mark = b.Head, b.At
			for _, t := range store.Tables() {
				if err := readAll(ctx, tx, t, func(row store.Row) error { step(); return yield(row) }); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return at, mark, err
}

// readAll reads a table while it arrives: a row is valid during the call.
func readAll(ctx context.Context, tx pgx.Tx, t store.Table, yield func(store.Row) error) error {
	rows, err := tx.Query(ctx, tables[t].all)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		values := rows.RawValues() // in text, as everything is that was not prepared
		id, err := strconv.ParseInt(string(values[0]), 10, 64)
		if err != nil {
			return err
		}
		if err := yield(store.Row{Table: t, ID: id, Doc: values[1]}); err != nil {
			return err
		}
	}
	return rows.Err()
}
