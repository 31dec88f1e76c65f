package sqlite

import (
	"context"
	"errors"
)

// Bounds of writing tokens. From the first on the writer has more memory for pages that it has changed:
// with less, those of a large transaction are written and read back again and again. tokensNamed bounds how many tokens of one transaction are a change each, which names its token and
// says what was before and after. Of more the rest is one change, which says that everything has to
// be read anew: PostgreSQL names as many in one change.
const (
	tokensLarge = 5000
	tokensNamed = 100_000
)

// bulk is what a transaction has written of tokens.
type bulk struct {
	n     int   // how many were written
	named int   // tokensNamed, but for tests
	most  int64 // the highest id since the triggers are gone; 0: they are there
}

// countToken counts a token. Each token is counted right before it is written.
func (w *writer) countToken(id int64) error {
	b := &w.bulk
	b.n++
	if b.n == tokensLarge {
		if err := w.once(largeCache); err != nil {
			return err
		}
	}
	if b.n <= b.named {
		return nil
	}
	if b.most == 0 {
		if err := errors.Join(w.once(dropTokenInserted), w.once(dropTokenUpdated)); err != nil {
			return err
		}
	}
	b.most = max(b.most, id, 1)
	return nil
}

// flushBulk notes that the ids are taken.
func (w *writer) flushBulk() error {
	if w.bulk.most == 0 {
		return nil
	}
	return w.exec(takenUpTo, w.bulk.most)
}

// endBulk puts the triggers back, and notes what they did not.
func (w *writer) endBulk() error {
	if w.bulk.most == 0 {
		return nil
	}
	if err := w.flushBulk(); err != nil {
		return err
	}
	w.bulk.most = 0
	return errors.Join(w.once(makeTokenInserted), w.once(makeTokenUpdated), w.exec(nextRev), w.exec(noteTokens))
}

// giveBack takes the memory of a large transaction from the writer, after its end.
func (e *Engine) giveBack(b *bulk) {
	if b.n >= tokensLarge {
		_, _ = e.write.ExecContext(context.Background(), smallCache) // one that keeps it writes as well
	}
}

// The triggers of tokens are dropped and made again in one transaction: nobody else writes meanwhile.
// Their texts are those of schema.sql (TestTriggersComeBack).
const (
	largeCache        = `PRAGMA cache_size(-65536)` // KiB
	smallCache        = `PRAGMA cache_size(-2000)`  // as everywhere
	dropTokenInserted = `DROP TRIGGER tokens_i`
	dropTokenUpdated  = `DROP TRIGGER tokens_u`
	takenUpTo         = `INSERT INTO ids VALUES (2, min(?1, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next)`
	noteTokens        = `INSERT INTO changes (rev, kind, id, actor) SELECT rev, 2, 0, coalesce(nullif(actor, ''), 'db') FROM head`
	makeTokenInserted = `CREATE TRIGGER tokens_i AFTER INSERT ON tokens BEGIN
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, after) SELECT rev, 2, NEW.id, coalesce(nullif(actor, ''), 'db'), NEW.doc FROM head;
  INSERT INTO ids VALUES (2, min(NEW.id, 9223372036854775806) + 1) ON CONFLICT (kind) DO UPDATE SET next = max(next, excluded.next); END`
	makeTokenUpdated = `CREATE TRIGGER tokens_u AFTER UPDATE ON tokens BEGIN
  SELECT RAISE(ABORT, 'an id never changes') WHERE OLD.id <> NEW.id;
  UPDATE head SET rev = rev + 1;
  INSERT INTO changes (rev, kind, id, actor, before, after) SELECT rev, 2, NEW.id, coalesce(nullif(actor, ''), 'db'), OLD.doc, NEW.doc FROM head; END`
)
