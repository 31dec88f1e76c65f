package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"aclgate/policy/store"
)

//go:embed schema.sql
var schema string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

//go:embed roles.sql
var roles string

// Roles returns the SQL that makes the roles and the schema, for a superuser to run once. Migrate runs it
// itself where its login may.
func Roles() string { return roles }

// steps lead from each version of the schema to the next: the first makes version 1 of nothing. A
// step that was released never changes.
var steps = []string{schema, schema2, schema3}

// oldest is the oldest server that the schema works with.
const oldest = 130000

// What a database cannot be used for.
var (
	errEncoding = errors.New("the encoding of the database is not UTF8: make one with createdb --encoding UTF8 --template template0")
	errOld      = errors.New("the server is older than PostgreSQL 13: upgrade it")
	errNoRoles  = errors.New("the roles aclgate_owner, aclgate_admin and aclgate_replica are not there, and this login may not make them: run what `aclgate store roles` prints as a superuser: aclgate store roles | psql -d DATABASE")
)

// Unusable is why a database that answers cannot be used as it is.
type Unusable struct{ err error }

func (u *Unusable) Error() string { return u.err.Error() }
func (u *Unusable) Unwrap() error { return u.err }

// standing are codes that last until somebody mends something.
var standing = map[string]bool{
	codeNoPrivilege: true, codeNoTable: true, codeNoFunction: true, codeNoSchema: true, codeNoDatabase: true, codeBadPassword: true, codeNotAllowed: true,
}

// Check looks whether the database has a schema that this program knows and its login may read. It
// ends with Unusable where it answers and cannot be used, and with another error where it does not
// answer, or is a standby, which may pass.
func (e *Engine) Check(ctx context.Context) error {
	var b *store.Batch
	err := e.on(ctx, e.read, func(c *pgx.Conn) (err error) {
		b, err = head(ctx, c, 0)
		return err
	})
	switch {
	case standing[code(err)] || errors.Is(err, errNoHead):
		return &Unusable{err}
	case err != nil:
		return err
	}
	if why := known(b.Head.Version); why != nil {
		return &Unusable{fmt.Errorf("%s: %w", e.name, why)}
	}
	return nil
}

// known ends with an error unless this program knows a version of the schema: its own, and the one
// before, so that gateways can be upgraded before the schema.
func known(version int) error {
	switch now := len(steps); {
	case version > now:
		return fmt.Errorf("it has version %d of the schema, and this aclgate knows %d at most: upgrade aclgate first", version, now)
	case version < now-1 || version < 1:
		return fmt.Errorf("it has version %d of the schema, and this aclgate needs %d: run `aclgate store migrate`", version, now)
	}
	return nil
}

// Migration says what Migrate has done.
type Migration struct{ From, To int } // versions of the schema; From 0: there was none

// Migrate brings the schema of a database to that of this program, as aclgate_owner, in one
// transaction. The file holds the DSN of a login in that role. Others who migrate wait.
func Migrate(ctx context.Context, urlFile string) (m Migration, err error) {
	m.To = len(steps)
	e, err := Open(Options{URLFile: urlFile})
	if err != nil {
		return m, err
	}
	defer e.Close()
	err = e.on(ctx, e.read, func(c *pgx.Conn) error {
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return m.make(ctx, tx) })
	})
	return m, err
}

func (m *Migration) make(ctx context.Context, tx pgx.Tx) (err error) {
	if _, err := tx.Exec(ctx, lockSchema); err != nil {
		return err
	}
	if m.From, err = prepare(ctx, tx); err != nil || m.From == m.To {
		return err
	}
	if m.From > m.To {
		return known(m.From)
	}
	if _, err := tx.Exec(ctx, asOwner); err != nil {
		return err
	}
	for _, step := range steps[m.From:] {
		if _, err := tx.Conn().PgConn().Exec(ctx, step).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// Empty reports whether a database has no store. The file holds the DSN of any login.
func Empty(ctx context.Context, urlFile string) (empty bool, err error) {
	return empty, asLogin(ctx, urlFile, func(c *pgx.Conn) error { return c.QueryRow(ctx, hasNoStore).Scan(&empty) })
}

// Drop takes the store away, with every record and its history. The file holds the DSN of a login in
// aclgate_owner. It is for stores that were made for a while.
func Drop(ctx context.Context, urlFile string) error {
	return asLogin(ctx, urlFile, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, dropStore)
		return err
	})
}

// asLogin does something with one connection.
func asLogin(ctx context.Context, urlFile string, do func(*pgx.Conn) error) error {
	e, err := Open(Options{URLFile: urlFile})
	if err != nil {
		return err
	}
	defer e.Close()
	return e.on(ctx, e.read, do)
}

// prepare makes what has to be there before the schema, and returns the version of that.
func prepare(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var namespace, head, all, utf8, standby bool
	var server int
	if err := tx.QueryRow(ctx, hasSchema).Scan(&namespace, &head, &all, &utf8, &server, &standby); err != nil {
		return 0, err
	}
	switch {
	case standby:
		return 0, errStandby
	case server < oldest:
		return 0, errOld
	case !utf8:
		return 0, errEncoding
	case head:
		return version, tx.QueryRow(ctx, selectVersion).Scan(&version)
	case all && namespace:
		return 0, nil
	}
	_, err = tx.Conn().PgConn().Exec(ctx, roles).ReadAll()
	if code(err) == codeNoPrivilege {
		return 0, errNoRoles
	}
	return 0, err
}

// Verify returns the tables that changes can pass without a revision, because somebody took their
// triggers away; nothing if all is sound.
func (e *Engine) Verify(ctx context.Context) (faults []string, err error) {
	err = e.rows(ctx, brokenTables, nil, func(rows pgx.Rows) error {
		var table string
		err := rows.Scan(&table)
		faults = append(faults, "the triggers of aclgate."+table+" are not all there and enabled: what is changed there revokes nothing; run ALTER TABLE … ENABLE ALWAYS TRIGGER, or restore the schema")
		return err
	})
	return faults, err
}
