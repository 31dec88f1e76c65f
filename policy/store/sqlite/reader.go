package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"aclgate/policy/store"
)

// reader reads in one transaction.
type reader struct {
	ctx        context.Context
	tx         *sql.Tx
	kept       *kept
	statements map[string]*sql.Stmt // that were prepared; they end with the transaction
	flush      func() error         // writes what waits to be written; nil: there is nothing
}

func newReader(ctx context.Context, tx *sql.Tx, k *kept) *reader {
	return &reader{ctx: ctx, tx: tx, kept: k, statements: map[string]*sql.Stmt{}}
}

func (r *reader) prepared(query string) (*sql.Stmt, error) {
	if s := r.statements[query]; s != nil {
		return s, nil
	}
	s, err := r.kept.in(r.ctx, r.tx, query)
	if err == nil {
		r.statements[query] = s
	}
	return s, err
}

func (r *reader) query(query string, args ...any) (*sql.Rows, error) {
	if err := r.flushed(); err != nil {
		return nil, err
	}
	s, err := r.prepared(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(r.ctx, args...)
}

// flushed writes what waits, so that it is read.
func (r *reader) flushed() error {
	if r.flush == nil {
		return nil
	}
	return r.flush()
}

// scanner is a row, or why there is none.
type scanner interface{ Scan(...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

func (r *reader) row(query string, args ...any) scanner {
	if err := r.flushed(); err != nil {
		return failed{err}
	}
	s, err := r.prepared(query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(r.ctx, args...)
}

func (r *reader) head() (h store.Head, err error) {
	return h, r.row(selectHead).Scan(&h.Rev, &h.Floor, &h.Version)
}

// mark returns the mark that a query finds; zero without one.
func (r *reader) mark(query string, args ...any) (store.Mark, error) {
	var n int64
	switch err := r.row(query, args...).Scan(&n); {
	case errors.Is(err, sql.ErrNoRows):
		return store.Mark{}, nil
	case err != nil:
		return store.Mark{}, err
	}
	return markOf(n), nil
}

// Doc implements store.Reader.
func (r *reader) Doc(t store.Table, id int64) ([]byte, error) {
	var doc string
	if err := r.row(tables[t].get, id).Scan(&doc); err != nil {
		return nil, found(err)
	}
	return []byte(doc), nil
}

// Get implements store.Reader.
func (r *reader) Get(t store.Table, id int64) (store.Row, error) {
	row := store.Row{Table: t, ID: id}
	var err error
	if row.Doc, err = r.Doc(t, id); err != nil {
		return row, err
	}
	row.Mark, err = r.mark(selectLast, int64(t), id)
	return row, err
}

// Each implements store.Reader.
func (r *reader) Each(t store.Table, yield func(store.Row) error) error {
	rows, err := r.query(tables[t].each)
	if err != nil {
		return err
	}
	return yieldRows(t, rows, yield)
}

// EachOf implements store.Reader.
func (r *reader) EachOf(t store.Table, account int64, yield func(store.Row) error) error {
	if t == store.GrantLinks {
		return errNoDocs
	}
	rows, err := r.query(tables[t].of, account)
	if err != nil {
		return err
	}
	return yieldRows(t, rows, yield)
}

func yieldRows(t store.Table, rows *sql.Rows, yield func(store.Row) error) error {
	defer rows.Close()
	var doc sql.RawBytes
	for rows.Next() {
		row := store.Row{Table: t}
		if err := rows.Scan(&row.ID, &doc); err != nil {
			return err
		}
		row.Doc = doc
		if err := yield(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Holds implements store.Reader.
func (r *reader) Holds(t store.Table, account int64) (holds bool, err error) {
	return holds, r.row(tables[t].holds, account).Scan(&holds)
}

// since reads the changes after a revision, and the rows that they name.
func (r *reader) since(after int64) (*store.Batch, error) {
	b := &store.Batch{}
	var err error
	if b.Head, err = r.head(); err != nil {
		return nil, err
	}
	if b.At, err = r.mark(selectMark, after); err != nil {
		return nil, err
	}
	rows, err := r.query(selectSince, after, maxChanges)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanChange(rows)
		if err != nil {
			return nil, err
		}
		b.Changes = append(b.Changes, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return b, r.named(b)
}

// named reads the rows that the changes of a batch name, each once.
func (r *reader) named(b *store.Batch) error {
	type key struct {
		table store.Table
		id    int64
	}
	tokens, err := r.namedTokens(b)
	if err != nil {
		return err
	}
	seen := make(map[key]bool, len(b.Changes))
	for _, c := range b.Changes {
		if len(c.IDs) == 0 {
			continue
		}
		k := key{c.Table, c.IDs[0]}
		if seen[k] || c.Table.String() == "" {
			continue
		}
		seen[k] = true
		row := store.Row{Table: k.table, ID: k.id}
		if k.table == store.Tokens {
			row.Doc = tokens[k.id]
			b.Rows = append(b.Rows, row)
			continue
		}
		var doc string
		switch err := r.row(tables[k.table].get, k.id).Scan(&doc); {
		case err == nil:
			row.Doc = []byte(doc)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		b.Rows = append(b.Rows, row)
	}
	return nil
}

// namedTokens reads the tokens that a batch names by one statement: they may be thousands.
func (r *reader) namedTokens(b *store.Batch) (docs map[int64][]byte, err error) {
	var list []byte
	for _, c := range b.Changes {
		if c.Table == store.Tokens && len(c.IDs) > 0 {
			list = strconv.AppendInt(append(list, ','), c.IDs[0], 10)
		}
	}
	if list == nil {
		return nil, nil
	}
	list[0] = '['
	rows, err := r.query(selectNamed, string(append(list, ']')))
	if err != nil {
		return nil, err
	}
	docs = make(map[int64][]byte, len(b.Changes))
	return docs, yieldRows(store.Tokens, rows, func(row store.Row) error {
		docs[row.ID] = bytes.Clone(row.Doc)
		return nil
	})
}

// scanChange reads a change, and what else the row has.
func scanChange(rows *sql.Rows, more ...any) (c store.Change, err error) {
	var mark, id, at int64
	err = rows.Scan(append([]any{&c.Rev, &mark, &c.Table, &id, &at, &c.Actor}, more...)...)
	c.Mark, c.At = markOf(mark), time.Unix(at, 0)
	if id != 0 { // 0: too many to name
		c.IDs = []int64{id}
	}
	return c, err
}

// writer changes rows in one transaction.
type writer struct {
	*reader
	owners owners
	bulk   bulk
	lost   error // the transaction is gone or cannot be continued: nothing more is written, and it ends with this
}

func newWriter(ctx context.Context, tx *sql.Tx, k *kept) *writer {
	w := &writer{reader: newReader(ctx, tx, k)}
	w.flush = func() error {
		if err := w.flushOwners(); err != nil {
			return err
		}
		return w.flushBulk()
	}
	return w
}

func (w *writer) exec(query string, args ...any) error {
	s, err := w.prepared(query)
	if err == nil {
		_, err = s.ExecContext(w.ctx, args...)
	}
	return err
}

// once executes what is not kept: what changes the schema or a setting.
func (w *writer) once(query string) error {
	_, err := w.tx.ExecContext(w.ctx, query)
	return err
}

// Put implements store.Writer.
func (w *writer) Put(t store.Table, id int64, doc []byte) error {
	if !t.HasDocs() {
		return errNoDocs
	}
	if t == store.Tokens {
		if err := w.countToken(id); err != nil {
			return err
		}
	}
	err := w.exec(tables[t].put, id, string(doc))
	if code(err) == constraintUnique {
		return store.ErrTaken
	}
	return err
}

// Delete implements store.Writer.
func (w *writer) Delete(t store.Table, id int64) error {
	if !t.HasDocs() {
		return errNoDocs
	}
	return w.remove(tables[t].remove, id)
}

// remove takes away what a statement names, or ends with ErrNoRow.
func (w *writer) remove(query string, args ...any) error {
	if err := w.flushed(); err != nil {
		return err
	}
	s, err := w.prepared(query)
	if err != nil {
		return err
	}
	result, err := s.ExecContext(w.ctx, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return store.ErrNoRow
}

// NewID implements store.Writer.
func (w *writer) NewID(t store.Table) (id int64, err error) {
	return id, w.row(newID, int64(t)).Scan(&id)
}
