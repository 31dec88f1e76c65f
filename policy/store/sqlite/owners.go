package sqlite

import (
	"strconv"

	"aclgate/policy/store"
)

// Bounds of writing whose items are. The first of a transaction are a change each, which names its
// item. Of more than that the rest is one change, which says that everything has to be read anew: a
// million rows are written in seconds then.
const (
	ownersNamed = 10_000
	ownersChunk = 50_000 // of one statement
)

// owners is what a transaction has said of items.
type owners struct {
	n          int    // how many calls there were
	many       bool   // the triggers are gone until the end of the transaction
	collection string // of those that wait
	waiting    []byte // pairs of id and account, in JSON; empty: none wait
	pairs      int
	changed    int64 // rows without a change of their own
}

// PutOwner implements store.Writer.
func (w *writer) PutOwner(o store.Owner) error {
	of := &w.owners
	if of.n++; of.n <= ownersNamed {
		return w.exec(putOwner, o.Collection, o.ID, o.CID)
	}
	if !of.many {
		if err := w.once(dropInserted); err != nil {
			return err
		}
		if err := w.once(dropUpdated); err != nil {
			return err
		}
		of.many = true
	}
	if of.collection != o.Collection || of.pairs == ownersChunk {
		if err := w.flushOwners(); err != nil {
			return err
		}
		of.collection = o.Collection
	}
	sep := byte(',')
	if of.pairs++; of.pairs == 1 {
		sep = '['
	}
	of.waiting = strconv.AppendInt(append(of.waiting, sep, '['), o.ID, 10)
	of.waiting = append(strconv.AppendInt(append(of.waiting, ','), o.CID, 10), ']')
	return nil
}

// flushOwners writes the owners that wait.
func (w *writer) flushOwners() error {
	of := &w.owners
	if of.pairs == 0 {
		return nil
	}
	text := string(append(of.waiting, ']'))
	of.waiting, of.pairs = of.waiting[:0], 0
	s, err := w.prepared(putOwners)
	if err != nil {
		return err
	}
	result, err := s.ExecContext(w.ctx, of.collection, text)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	of.changed += n
	return err
}

// endOwners writes what waits, puts the triggers back, and notes what they did not.
func (w *writer) endOwners() error {
	if !w.owners.many {
		return nil
	}
	if err := w.flushOwners(); err != nil {
		return err
	}
	if err := w.once(makeInserted); err != nil {
		return err
	}
	changed := w.owners.changed
	w.owners = owners{n: w.owners.n}
	if err := w.once(makeUpdated); err != nil || changed == 0 {
		return err
	}
	if err := w.exec(nextRev); err != nil {
		return err
	}
	return w.exec(noteItems)
}

// The triggers of items are dropped and made again in one transaction: nobody else writes meanwhile.
// Their texts are those of schema2.sql (TestTriggersComeBack).
const (
	putOwners = `INSERT INTO items (collection, id, cid) SELECT ?1, value->>0, value->>1 FROM json_each(?2) WHERE true
  ON CONFLICT (collection, id) DO UPDATE SET cid = excluded.cid WHERE cid <> excluded.cid`
	dropInserted = `DROP TRIGGER items_i`
	dropUpdated  = `DROP TRIGGER items_u`
	nextRev      = `UPDATE head SET rev = rev + 1`
	noteItems    = `INSERT INTO changes (rev, kind, id, actor) SELECT rev, 8, 0, coalesce(nullif(actor, ''), 'db') FROM head`
	makeInserted = `CREATE TRIGGER items_i AFTER INSERT ON items BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 8, NEW.n, coalesce(nullif(actor, ''), 'db'),
    json_object('collection', NEW.collection, 'id', NEW.id, 'cid', NEW.cid) FROM head; END`
	makeUpdated = `CREATE TRIGGER items_u AFTER UPDATE ON items BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.n <> NEW.n;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 8, NEW.n, coalesce(nullif(actor, ''), 'db'),
    json_object('collection', OLD.collection, 'id', OLD.id, 'cid', OLD.cid), json_object('collection', NEW.collection, 'id', NEW.id, 'cid', NEW.cid) FROM head; END`
)
