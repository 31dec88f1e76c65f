package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"aclgate/policy/store"
)

// The texts of the steps.
var (
	//go:embed schema.sql
	schema string
	//go:embed schema2.sql
	schema2 string
	//go:embed schema3.sql
	schema3 string
)

// steps lead from each version of the schema to the next: the first makes version 1 of nothing. A
// step that was released never changes.
var steps = []string{schema, schema2, schema3}

// errForeign says that a database is somebody else's.
var errForeign = errors.New("this is a SQLite database, but none of aclgate: store.path names another file")

// version returns the version of the schema; 0: there is none.
func (e *Engine) version(ctx context.Context) (version int, err error) {
	var all, head, changes int
	if err := e.write.QueryRowContext(ctx, objects).Scan(&all, &head, &changes); err != nil {
		return 0, e.explain(err)
	}
	switch {
	case all == 0:
		return 0, nil
	case head == 0 || changes == 0:
		return 0, fmt.Errorf("%s: %w", e.path, errForeign)
	}
	var rev, floor int64
	err = e.write.QueryRowContext(ctx, selectHead).Scan(&rev, &floor, &version)
	switch {
	case code(err) != 0:
		return 0, e.explain(err)
	case err != nil:
		return 0, fmt.Errorf("%s: the table head says nothing: the database is damaged, put the newest backup in its place (%w)", e.path, err)
	}
	return version, nil
}

// checkSchema ends with an error unless the schema is the one that this program knows.
func (e *Engine) checkSchema() error {
	version, err := e.version(context.Background())
	switch {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("%s has no schema: run `aclgate store migrate`, then `aclgate store import policy.yaml`", e.path)
	case version > len(steps):
		return e.newer(version)
	case version < len(steps):
		return fmt.Errorf("%s has version %d of the schema, and this aclgate needs %d: run `aclgate store migrate`", e.path, version, len(steps))
	}
	return nil
}

func (e *Engine) newer(version int) error {
	return fmt.Errorf("%s has version %d of the schema, and this aclgate knows %d at most: upgrade aclgate first, or put the backup from before the migration in its place",
		e.path, version, len(steps))
}

// Migration says what Migrate has done.
type Migration struct {
	From, To int    // versions of the schema; From 0: there was none
	Backup   string // the file that holds the database as it was; "": there was nothing to keep
}

// Migrate brings a database to the schema of this program, in one transaction, after a backup
// beside it. A file that is not there is made, for its owner alone.
func Migrate(ctx context.Context, path string) (m Migration, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return m, fmt.Errorf("cannot make the database: %w", err)
	}
	file.Close()
	e := OpenLater(path, nil)
	defer e.Close()
	if err := e.openFile(); err != nil {
		return m, err
	}
	return e.migrate(ctx)
}

func (e *Engine) migrate(ctx context.Context) (m Migration, err error) {
	m.To = len(steps)
	if m.From, err = e.version(ctx); err != nil || m.From == m.To {
		return m, err
	}
	if m.From > m.To {
		return m, e.newer(m.From)
	}
	if m.From > 0 {
		m.Backup = fmt.Sprintf("%s.v%d-%s", e.path, m.From, time.Now().UTC().Format("20060102T150405Z"))
		if err := e.Backup(ctx, m.Backup); err != nil {
			return m, fmt.Errorf("cannot keep the database as it was, so it stays as it is: %w", err)
		}
	}
	err = e.commit(ctx, func(w *writer) error {
		for _, step := range steps[m.From:] {
			if _, err := w.tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && m.Backup != "" { // the database is as it was
		err = errors.Join(err, os.Remove(m.Backup))
	}
	return m, err
}

// Backup writes a copy of the database as it is at one moment to a file that is not there yet. Only the
// ids that are given next are others, store.BackupGap further on: those that are given after the copy was
// made are given to nobody else where it is put back. Items, logs and grants elsewhere may still name them.
// Until it is whole the file is empty, and the copy grows in another one, whose name ends in ".part".
func (e *Engine) Backup(ctx context.Context, path string) error {
	if err := reserve(path); err != nil {
		return fmt.Errorf("cannot make the backup: %w", err)
	}
	part := path + ".part"
	if err := e.backup(ctx, part); err != nil {
		return errors.Join(e.explain(err), removeIfThere(part), os.Remove(path))
	}
	if err := os.Rename(part, path); err != nil {
		return errors.Join(fmt.Errorf("cannot make the backup: %w", err), os.Remove(part), os.Remove(path))
	}
	return nil
}

// backup writes a copy in the place of what a backup that was killed may have left.
func (e *Engine) backup(ctx context.Context, path string) error {
	if err := errors.Join(removeIfThere(path), reserve(path)); err != nil {
		return err
	}
	if _, err := e.write.ExecContext(ctx, vacuumTo, path); err != nil {
		return err
	}
	return skipIDs(ctx, path)
}

// reserve makes an empty file: VACUUM would make one that everybody reads.
func reserve(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// skipIDs has a copy give ids that are far from those of its original.
func skipIDs(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "immediate", "journal_mode(delete)", "synchronous(full)"))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, skipNext, store.BackupGap)
	return err
}

// Verify returns what SQLite finds wrong with the file; nothing if it is sound.
func (e *Engine) Verify(ctx context.Context) (faults []string, err error) {
	rows, err := e.read.QueryContext(ctx, integrity)
	if err != nil {
		return nil, e.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, e.explain(err)
		}
		if line != "ok" {
			faults = append(faults, line)
		}
	}
	return faults, e.explain(rows.Err())
}
