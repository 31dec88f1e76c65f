package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"aclgate/policy/store"
)

// wire is the connection of one transaction. What nobody waits for is sent together with the next
// statement, so that it costs no round trip.
type wire struct {
	c     *pgx.Conn
	keeps bool // statements are prepared once for the connection
	ahead []statement
	wrote bool // something ahead may fail
}

// statement is one with its parameters, and what reads its rows; nil: they are only counted.
type statement struct {
	query string
	args  []any
	read  func(pgx.Rows) error
}

// precede has a statement sent ahead of the next one, which ends with its error. read may be nil.
func (s *wire) precede(query string, read func(pgx.Rows) error, args ...any) {
	s.ahead = append(s.ahead, statement{query, args, read})
}

// ask sends a statement behind those that were put ahead of it, and with it the end of the transaction
// unless end is "". read is called with the rows; nil: they are only counted.
func (s *wire) ask(ctx context.Context, end, query string, args []any, read func(pgx.Rows) error) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	b := &pgx.Batch{}
	all := append(s.ahead, statement{query, args, read})
	s.ahead, s.wrote = s.ahead[:0], false
	for _, st := range all {
		if err := s.prepare(ctx, st); err != nil {
			return 0, err
		}
		b.Queue(st.query, st.args...)
	}
	if end != "" {
		b.Queue(end)
	}
	results := s.c.SendBatch(ctx, b)
	defer func() { err = cmp.Or(err, results.Close()) }()
	for _, st := range all {
		if n, err = st.answered(results); err != nil {
			return 0, err
		}
	}
	if end == "" {
		return n, nil
	}
	tag, err := results.Exec()
	if err == nil && tag.String() != end {
		err = pgx.ErrTxCommitRollback // the server makes that of a commit after an error
	}
	return n, err
}

// answered reads the answer to a statement.
func (st *statement) answered(results pgx.BatchResults) (n int64, err error) {
	rows, err := results.Query()
	if err == nil && st.read != nil {
		err = st.read(rows)
	}
	rows.Close()
	if err = cmp.Or(rows.Err(), err); code(err) == codeUnique {
		err = store.ErrTaken
	}
	return rows.CommandTag().RowsAffected(), err
}

// prepare has the server keep a statement with parameters, parsed and perhaps planned: that is most of
// the work that a small one is.
func (s *wire) prepare(ctx context.Context, st statement) error {
	if !s.keeps || len(st.args) == 0 {
		return nil
	}
	_, err := s.c.Prepare(ctx, st.query, st.query)
	return err
}

// transaction makes one transaction, which do commits or which changes nothing. Each of its statements is
// bounded by itself.
func (e *Engine) transaction(ctx context.Context, pool *pgxpool.Pool, query string, do func(*wire) error) error {
	return e.on(ctx, pool, func(c *pgx.Conn) error {
		s := &wire{c: c, keeps: e.keeps(c)}
		s.precede(query, nil)
		err := do(s)
		if c.PgConn().TxStatus() == 'I' || c.IsClosed() {
			return err // it was never begun, or is committed
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = c.Exec(end, rollback) // a connection on which that fails is closed
		return err
	})
}

// direct is what a connection that leads to a server, not to a pooler, says of itself.
const direct = "direct"

// tellDirect finds out whether a connection leads to one process of a server: a pooler, which may give the
// next transaction to another one, has numbers of its own.
func tellDirect(ctx context.Context, c *pgx.Conn) error {
	var pid uint32
	err := c.QueryRow(ctx, selectProcess).Scan(&pid)
	c.PgConn().CustomData()[direct] = pid == c.PgConn().PID()
	return err
}

// keeps reports whether statements can be kept on a connection.
func (e *Engine) keeps(c *pgx.Conn) bool {
	is, _ := c.PgConn().CustomData()[direct].(bool)
	return is && !e.mixed.Load()
}

// isMixed reports whether an answer shows that statements which were kept on a connection are not there:
// something gives its transactions to other processes.
func isMixed(err error) bool {
	c := code(err)
	return c == codeNoStatement || c == codeSameStatement
}

// unmet is an error of a commit which nothing was made by.
func unmet(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && len(server.Code) == 5 && server.Code[:2] == "23" {
		return errors.Join(store.ErrUnmet, err)
	}
	return err
}
