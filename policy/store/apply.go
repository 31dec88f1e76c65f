package store

import (
	"time"

	"aclgate/policy"
)

// tokenChange is what becomes of one token.
type tokenChange struct {
	id  int64
	rec *Record // nil: it is gone
}

// apply obeys a batch. The tree comes first: a token of an account that is not there yet is
// unknown, and so is one of an account that is not there any more.
func (l *Live) apply(b *Batch) {
	begun := time.Now()
	what, tokens, owned := l.applyRows(b)
	for len(tokens) > 0 {
		n := min(len(tokens), applyChunk)
		what.Kinds = l.change(tokens[:n]) || what.Kinds
		tokens = tokens[n:]
	}
	last := b.Changes[len(b.Changes)-1]
	l.applied, l.mark = last.Rev, last.Mark
	l.stats.applied.Store(l.applied)
	l.stats.bad.Store(int64(len(l.bad)))
	if l.tokens.worn() {
		l.compact()
	}
	l.stats.apply.Store(int64(time.Since(begun)))
	l.remember(b.Changes)
	if l.o.Applied != nil {
		b.markGone()
		l.o.Applied(b.Changes)
	}
	if len(owned) > 0 && l.o.Owned != nil {
		l.o.Owned(owned)
	}
	l.publish(what)
}

// markGone notes at each change which of its records are not there any more.
func (b *Batch) markGone() {
	gone := map[rowKey]bool{}
	for _, row := range b.Rows {
		if row.Doc == nil {
			gone[rowKey{row.Table, row.ID}] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		for _, id := range c.IDs {
			if gone[rowKey{c.Table, id}] {
				c.Gone = append(c.Gone, id)
			}
		}
	}
}

// applyRows reads the rows of a batch, and puts all but tokens in force.
func (l *Live) applyRows(b *Batch) (what What, tokens []tokenChange, owned []Owner) {
	docs, owners := l.docs.Load(), l.owners.Load()
	for _, row := range b.Rows {
		what.Tables = what.Tables.With(row.Table)
		delete(l.bad, rowKey{row.Table, row.ID})
		switch row.Table {
		case Tokens:
			change := tokenChange{id: row.ID}
			if row.Doc != nil {
				l.read(row, l.bad, nil, func(rec *Record) { change.rec = rec })
			}
			tokens = append(tokens, change)
		case Accounts:
			what.Tree = true
			delete(l.accounts, row.ID)
			if row.Doc != nil {
				l.read(row, l.bad, func(a policy.Account) { l.accounts[a.ID] = a }, nil)
			}
			l.keepDoc(docs, row, l.bad)
		case Items:
			was, is := l.keepOwner(owners, row, l.bad)
			if was.CID != 0 && (was.Collection != is.Collection || was.ID != is.ID) {
				was.CID = 0
				owned = append(owned, was)
			}
			if is.CID != 0 {
				owned = append(owned, is)
			}
		default:
			if row.Table == Users {
				what.Users = append(what.Users, row.ID)
			}
			l.keepDoc(docs, row, l.bad)
		}
	}
	if what.Tables.Has(Grants) || what.Tables.Has(GrantLinks) {
		l.compileGrants()
	}
	if what.Tree {
		l.replaceTree()
	}
	l.settle(b.Rows)
	return what, tokens, owned
}

// settle takes rows out of doubt that were written again; tokens are when they are in force.
func (l *Live) settle(rows []Row) {
	if l.stats.doubt.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	accounts := false
	for _, row := range rows {
		if row.Table != Tokens {
			accounts = accounts || row.Table == Accounts && l.doubtRows[rowKey{Accounts, row.ID}]
			l.written(rowKey{row.Table, row.ID})
		}
	}
	if accounts {
		l.moveAll()
	}
}

// replaceTree puts the accounts in force. Where one is gone, whoever remembers its tokens has to
// look them up again.
func (l *Live) replaceTree() {
	before := l.tree.Load()
	tree := l.buildTree(l.accounts, l.bad)
	l.tree.Store(tree)
	for _, a := range before.Accounts() {
		if _, found := tree.Account(a.ID); !found {
			l.moveAll()
			return
		}
	}
}

// change puts changes of tokens in force, and moves the revisions of the digests that they have or
// had. It reports whether the kinds of tokens changed.
func (l *Live) change(tokens []tokenChange) (kinds bool) {
	digests := make([]policy.Digest, 0, 2*len(tokens))
	install := l.tokens.room(len(tokens), l.pacer().step)
	l.mu.Lock()
	install()
	for _, c := range tokens {
		l.written(rowKey{Tokens, c.id})
		if d, found := l.tokens.digestOf(c.id); found {
			digests = append(digests, d)
		}
		if c.rec == nil {
			kinds = l.tokens.remove(c.id) || kinds
			l.uses.forget(c.id)
			continue
		}
		was, known := l.tokens.accessOf(c.id)
		l.stats.made.count(was, known, c.rec)
		digests = append(digests, c.rec.Token.Digest)
		kinds = l.tokens.put(c.rec) || kinds
	}
	l.mu.Unlock()
	for i := range digests {
		l.move(&digests[i])
	}
	return kinds
}

// newTokens returns an empty writable whose tokens share the counters of last uses.
func (l *Live) newTokens() *writable {
	w := newWritable()
	w.counter = l.uses.counter
	return w
}

// compact copies the tokens without what is dead. Nothing but this goroutine changes them, so that
// requests need not wait for the copy.
func (l *Live) compact() {
	fresh, pace := l.newTokens(), newPacer()
	fresh.copyOf(l.tokens, pace.step)
	l.mu.Lock()
	l.tokens = fresh
	l.mu.Unlock()
}
