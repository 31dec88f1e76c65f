package sqlite

import "errors"

const (
	savepoint  = `SAVEPOINT part`
	rollbackTo = `ROLLBACK TO part`
	release    = `RELEASE part`
)

// Part implements store.Writer. SQLite ends a transaction by itself after some errors, such as one of the
// disk; the savepoint is gone then, and the rest of the parts must not be written as if it were not.
func (w *writer) Part(actor string, change func() error) error {
	if w.lost != nil {
		return w.lost
	}
	if w.lost = errors.Join(w.exec(setActor, actor), w.exec(savepoint)); w.lost != nil {
		return w.lost
	}
	err := change()
	if err == nil {
		err = w.ends()
	}
	if err != nil {
		w.owners, w.bulk.most = owners{n: w.owners.n}, 0 // the triggers come back too
		w.lost = w.exec(rollbackTo)
	}
	if w.lost == nil {
		w.lost = w.exec(release)
	}
	if w.lost != nil {
		w.lost = errors.Join(w.lost, err)
	}
	return err
}

// ends writes what waits, and puts triggers back.
func (w *writer) ends() error { return errors.Join(w.endOwners(), w.endBulk()) }
