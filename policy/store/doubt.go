package store

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"aclgate/policy"
)

// A database that went back to an older state, by a failover or a restored backup, may hold again
// what was taken away. Its revisions do not say so: it goes on counting. Whatever this gateway saw
// changed in the revisions that are lost is in doubt, and decides nothing, until it is written again
// or somebody says that the database is right (SPEC 15.5).

// maxSeen is of how many changes it is remembered what they named.
const maxSeen = 1 << 16

// seen is one change that was obeyed.
type seen struct {
	rev   int64
	mark  Mark
	table Table
	ids   []int64
}

// remember notes changes that were obeyed.
func (l *Live) remember(changes []Change) {
	for _, c := range changes {
		l.seen = append(l.seen, seen{c.Rev, c.Mark, c.Table, c.IDs})
	}
	if extra := len(l.seen) - maxSeen; extra > maxSeen/4 {
		l.seen = slices.Delete(l.seen, 0, extra)
	}
}

// lost returns what this gateway saw changed and the database does not know: all that came after
// the last change that has the same mark there. whole is false where that one was not remembered.
func (l *Live) lost(ctx context.Context) (changes []seen, common int64, whole bool, err error) {
	first := sort.Search(len(l.seen), func(i int) bool {
		if err != nil {
			return true
		}
		var b *Batch
		if b, err = l.sinceRev(ctx, l.seen[i].rev); err != nil {
			return true
		}
		return b.At != l.seen[i].mark
	})
	if err != nil {
		return nil, 0, false, err
	}
	if first > 0 {
		return l.seen[first:], l.seen[first-1].rev, true, nil
	}
	return l.seen, 0, false, nil
}

// doubtful is what a rewind leaves in doubt.
type doubtful struct {
	rows map[rowKey]bool
	all  bool // of every token that is another one now
}

// doubts returns what a rewind leaves in doubt, before everything is read anew.
func (l *Live) doubts(ctx context.Context) (*doubtful, error) {
	lost, common, whole, err := l.lost(ctx)
	if err != nil {
		return nil, err
	}
	d := &doubtful{rows: map[rowKey]bool{}, all: !whole}
	for _, c := range lost {
		d.all = d.all || len(c.ids) == 0
		for _, id := range c.ids {
			d.rows[rowKey{c.table, id}] = true
		}
	}
	l.seen = l.seen[:len(l.seen)-len(lost)]
	if !whole {
		return d, nil
	}
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	err = l.o.Engine.Changes(ctx, ChangeQuery{After: common, Limit: maxSeen}, func(c Change) error {
		for _, id := range c.IDs {
			delete(d.rows, rowKey{c.Table, id}) // it was written again
		}
		return nil
	})
	return d, err
}

// putInDoubt puts in doubt what a rewind left so. after are the tokens that will be in force.
func (l *Live) putInDoubt(d *doubtful, after *writable) {
	var others []int64
	if d.all {
		others = differing(l.tokens, after)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	add := func(id int64) {
		l.doubtRows[rowKey{Tokens, id}] = true
		for _, w := range []*writable{l.tokens, after} {
			if digest, found := w.digestOf(id); found {
				l.doubt[digest] = id
			}
		}
	}
	for row := range d.rows {
		if row.table == Tokens {
			add(row.id)
			continue
		}
		l.doubtRows[row] = true
	}
	for _, id := range others {
		add(id)
	}
	l.stats.doubt.Store(int64(len(l.doubtRows)))
}

// differing returns the ids of the tokens that are not the same in both.
func differing(a, b *writable) (ids []int64) {
	var left, right []byte
	a.each(func(rec *Record) {
		left = AppendDoc(left[:0], rec, nil)
		other := b.ids.withID(rec.Token.ID)
		if other == nil {
			ids = append(ids, rec.Token.ID)
			return
		}
		u := unpacker(other)
		if right = AppendDoc(right[:0], b.policy.unpack(&u), nil); !bytes.Equal(left, right) {
			ids = append(ids, rec.Token.ID)
		}
	})
	b.each(func(rec *Record) {
		if a.ids.withID(rec.Token.ID) == nil {
			ids = append(ids, rec.Token.ID)
		}
	})
	return ids
}

// written takes a row out of doubt. The caller holds mu.
func (l *Live) written(key rowKey) {
	if !l.doubtRows[key] {
		return
	}
	delete(l.doubtRows, key)
	if key.table == Tokens {
		for d, id := range l.doubt {
			if id == key.id {
				delete(l.doubt, d)
				l.move(&d)
			}
		}
	}
	l.stats.doubt.Store(int64(len(l.doubtRows)))
}

// InDoubt reports whether a row is in doubt. Tokens in doubt, and those of an account that is, or
// that lies below one that is, are answered by Load.
func (l *Live) InDoubt(t Table, id int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.doubtRows[rowKey{t, id}]
}

// accountInDoubt reports whether an account, or one above it, is in doubt. The caller holds mu.
func (l *Live) accountInDoubt(tree *policy.Tree, cid int64) (doubt bool) {
	if len(l.doubtRows) == 0 {
		return false
	}
	tree.Ancestors(cid, func(id int64) { doubt = doubt || l.doubtRows[rowKey{Accounts, id}] })
	return doubt || l.doubtRows[rowKey{Accounts, cid}]
}

// Accept says that the database is right: nothing is in doubt any more. It returns how many rows
// were.
func (l *Live) Accept() int {
	l.following.Lock()
	defer l.following.Unlock()
	l.mu.Lock()
	n := len(l.doubtRows)
	l.doubtRows, l.doubt = map[rowKey]bool{}, map[policy.Digest]int64{}
	l.stats.doubt.Store(0)
	l.mu.Unlock()
	if n > 0 {
		l.moveAll()
		l.o.Logger.Warn("the database was said to be right: nothing is in doubt any more", "rows", n)
	}
	return n
}
