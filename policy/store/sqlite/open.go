package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// door is how a database is entered: it is looked at when it is first needed, until it was found
// sound.
type door struct {
	sound    atomic.Bool
	upgraded func(Migration) // told of an older schema that was brought to date; nil: none is

	mu   sync.Mutex
	look *look // the one under way; nil: none
}

// look is one look at a file. err is set when done is closed.
type look struct {
	done chan struct{}
	err  error
}

// Open opens a database that has the schema of this program. Its errors say what to do.
func Open(path string) (*Engine, error) {
	e := OpenLater(path, nil)
	if err := e.Check(context.Background()); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// OpenLater returns a database that is looked at when it is first asked something, and again after
// each time in vain. An older schema is brought to that of this program, after a copy beside it, and
// upgraded is told; nil: it is an error.
func OpenLater(path string, upgraded func(Migration)) *Engine {
	e := &Engine{path: path, named: tokensNamed}
	e.door.upgraded = upgraded
	// These open no file yet, and have no error.
	e.read, _ = sql.Open("sqlite", dsn(path, "deferred", "query_only(1)"))
	// What a statement with triggers has to take back if it fails is kept in memory: in a file it was half of
	// all work.
	e.write, _ = sql.Open("sqlite", dsn(path, "immediate", "synchronous(full)", "temp_store(memory)"))
	e.write.SetMaxOpenConns(1)
	e.asks, e.makes = keep(e.read), keep(e.write)
	return e
}

// errSilent says that a look took longer than somebody could wait.
var errSilent = errors.New("the file does not answer in time: another process holds it locked, or the disk is away")

// Check looks at the database, unless it was found sound before. A disk that is away may keep a call
// to the system for ever: whoever waits for it ends with ctx, and the next one waits for the same look.
func (e *Engine) Check(ctx context.Context) error {
	if e.door.sound.Load() {
		return nil
	}
	e.door.mu.Lock()
	l := e.door.look
	if l == nil {
		l = &look{done: make(chan struct{})}
		e.door.look = l
		go e.lookOnce(l)
	}
	e.door.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w (%w)", e.path, errSilent, ctx.Err())
	}
}

func (e *Engine) lookOnce(l *look) {
	l.err = e.lookAt()
	e.door.sound.Store(l.err == nil)
	e.door.mu.Lock()
	e.door.look = nil
	e.door.mu.Unlock()
	close(l.done)
}

// lookAt opens the file and looks whether it is a database of this program.
func (e *Engine) lookAt() error {
	if err := e.openFile(); err != nil {
		return err
	}
	if e.door.upgraded == nil {
		return e.checkSchema()
	}
	version, err := e.version(context.Background())
	if err != nil || version == 0 || version >= len(steps) {
		return errors.Join(err, e.checkSchema())
	}
	m, err := e.migrate(context.Background())
	if err == nil {
		e.door.upgraded(m)
	}
	return err
}

// openFile opens a file that is there, whatever it holds.
func (e *Engine) openFile() error {
	info, err := os.Stat(e.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no database %s: `aclgate store migrate` makes an empty one, `aclgate store import policy.yaml` fills it; if there was one, put its newest backup there", e.path)
	case err != nil:
		return fmt.Errorf("cannot open the database: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: store.path names the database itself", e.path)
	}
	// The writer is first: it makes the database one with a WAL, which readers do not wait for.
	if _, err := e.write.Exec(`PRAGMA user_version`); err != nil {
		return e.explain(err)
	}
	e.mu.Lock()
	e.file = info
	e.mu.Unlock()
	return nil
}

// Passes reports whether an error may end without anybody's work on the database: it is locked, or the
// disk is full, fails or does not answer.
func Passes(err error) bool {
	switch code(err) & 0xff {
	case codeBusy, codeLocked, codeIO, codeFull, codeProtocol:
		return true
	case 0:
	default:
		return false
	}
	var at *os.PathError
	return errors.Is(err, errSilent) ||
		errors.As(err, &at) && !errors.Is(err, os.ErrPermission) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.ELOOP)
}
