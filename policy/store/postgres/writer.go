package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"aclgate/policy/store"
)

// Bounds of putting rows. The first of a transaction are a change each in the history; those of an import
// go together.
const (
	putAtOnce = 32
	putRows   = 10000
	putBytes  = 8 << 20
)

// errNoDocs says that the rows of a table are no documents.
var errNoDocs = errors.New("the rows of this table are no documents")

// writer changes rows in one transaction.
type writer struct {
	*reader
	puts  int // how many there were
	table store.Table
	ids   []int64
	docs  []string
	at    map[int64]int // where ids stand
	size  int

	owners owners
	lost   error // the transaction cannot be continued: it ends with this
}

// Write implements store.Engine. A transaction that another one was in the way of is made again.
func (e *Engine) Write(ctx context.Context, actor string, change func(store.Writer) error) (store.Head, error) {
	if e.admin == nil {
		return store.Head{}, store.ErrReadOnly
	}
	for try := 1; ; try++ {
		head, err := e.write(ctx, actor, change)
		if try == maxTries || again(err) == nil {
			return head, e.explain(err)
		}
	}
}

func (e *Engine) write(ctx context.Context, actor string, change func(store.Writer) error) (at store.Head, err error) {
	err = e.transaction(ctx, e.admin, begin, func(s *wire) error {
		w := &writer{reader: &reader{ctx: ctx, wire: s}, at: map[int64]int{}}
		w.flush = func() error { return errors.Join(w.put(), w.putOwners()) }
		s.precede(beginChange, nil, actor)
		if err := change(w); err != nil {
			return err
		}
		if err := cmp.Or(w.lost, w.flush()); err != nil {
			return err
		}
		var standby bool
		var mark *[16]byte
		_, err := s.ask(ctx, commit, selectHead, []any{0}, first([]any{&at.Rev, &at.Floor, &at.Version, &standby, &mark}))
		return unmet(err)
	})
	return at, err
}

// Part implements store.Writer. What begins and ends it goes with other statements.
func (w *writer) Part(actor string, change func() error) error {
	if w.lost != nil {
		return w.lost
	}
	w.wire.precede(setActor, nil, actor)
	stands := false // without it, what is taken back would be the part before
	w.wire.precede(savepoint, func(pgx.Rows) error { stands = true; return nil })
	err := change()
	if err == nil {
		err = w.flush()
	}
	if err == nil && w.wire.wrote { // whether it stands has to be known now
		_, err = w.wire.ask(w.ctx, "", nothing, nil, nil)
	}
	if err != nil {
		w.forget()
		if again(err) != nil || !stands && len(w.wire.ahead) == 0 {
			w.lost = err
		} else {
			_, w.lost = w.wire.ask(w.ctx, "", rollbackTo, nil, nil)
		}
	}
	w.wire.precede(release, nil)
	return err
}

// again returns an error after which the whole transaction is made again; nil: it is not one.
func again(err error) error {
	if c := code(err); c == codeDeadlock || c == codeSerialize || isMixed(err) {
		return err
	}
	return nil
}

// exec sends one statement.
func (w *writer) exec(query string, args ...any) error {
	_, err := w.affect(query, args...)
	return err
}

// affect sends one statement and returns how many rows it changed.
func (w *writer) affect(query string, args ...any) (int64, error) {
	return w.wire.ask(w.ctx, "", query, args, nil)
}

// needed sends a statement that has to find its row, after what is still to be written.
func (w *writer) needed(query string, args ...any) error {
	if err := w.flush(); err != nil {
		return err
	}
	n, err := w.affect(query, args...)
	if err == nil && n == 0 {
		return store.ErrNoRow
	}
	return err
}

// later sends a statement after what is still to be written.
func (w *writer) later(query string, args ...any) error {
	return errors.Join(w.flush(), w.exec(query, args...))
}

// Put implements store.Writer. That a value is taken shows with a later call, or at the end.
func (w *writer) Put(t store.Table, id int64, doc []byte) error {
	if !t.HasDocs() {
		return errNoDocs
	}
	if w.table != t || len(w.ids) == putRows || w.size > putBytes {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.table = t
	w.size += len(doc)
	if i, again := w.at[id]; again {
		w.docs[i] = string(doc)
	} else {
		w.at[id] = len(w.ids)
		w.ids, w.docs = append(w.ids, id), append(w.docs, string(doc))
	}
	if w.puts++; w.puts > putAtOnce {
		return nil
	}
	return w.flush()
}

// put writes the rows that wait.
func (w *writer) put() error {
	if len(w.ids) == 0 {
		return nil
	}
	ids, docs := w.ids, w.docs
	w.ids, w.docs, w.size = nil, nil, 0
	clear(w.at)
	if len(ids) == 1 { // few, which are asked for or counted soon
		w.wire.precede(tables[w.table].put, nil, ids, docs)
		w.wire.wrote = true
		return nil
	}
	return w.exec(tables[w.table].put, ids, docs)
}

// forget drops the rows and owners that wait to be written.
func (w *writer) forget() {
	w.ids, w.docs, w.size = nil, nil, 0
	clear(w.at)
	w.owners.ids, w.owners.cids = nil, nil
	clear(w.owners.at)
}

// Delete implements store.Writer.
func (w *writer) Delete(t store.Table, id int64) error {
	if !t.HasDocs() {
		return errNoDocs
	}
	return w.needed(tables[t].remove, id)
}

// NewID implements store.Writer.
func (w *writer) NewID(t store.Table) (id int64, err error) {
	return id, w.one(newID, []any{int64(t)}, &id)
}

// DeleteOwner implements store.Writer.
func (w *writer) DeleteOwner(collection string, id int64) error {
	return w.needed(deleteOwner, collection, id)
}

// Link implements store.Writer.
func (w *writer) Link(grant, account int64) error { return w.needed(link, grant, account) }

// Unlink implements store.Writer.
func (w *writer) Unlink(grant, account int64) error { return w.needed(unlink, grant, account) }

// Seal implements store.Writer.
func (w *writer) Seal(token int64, box []byte) error {
	if box == nil {
		return w.later(unseal, token)
	}
	return w.needed(seal, token, box)
}

// SetSecret implements store.Writer.
func (w *writer) SetSecret(user int64, verifier string) error {
	if verifier == "" {
		return w.later(dropSecret, user)
	}
	return w.needed(setSecret, user, verifier)
}
