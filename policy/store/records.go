package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	"aclgate/config/strict"
	"aclgate/policy"
)

// documents holds rows as they are, for those who judge by them.
type documents struct {
	mu   sync.RWMutex
	rows [tableEnd]map[int64][]byte
}

func (d *documents) put(t Table, id int64, doc []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case doc == nil:
		delete(d.rows[t], id)
	case d.rows[t] == nil:
		d.rows[t] = map[int64][]byte{id: doc}
	default:
		d.rows[t][id] = doc
	}
}

// Doc returns the row of a table as it is obeyed, or nil. It must not be changed. Tokens are kept
// packed, and owners are found by Owner: there are no documents of them.
func (l *Live) Doc(t Table, id int64) []byte {
	d := l.docs.Load()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.rows[t][id]
}

// Docs yields the rows of a table as they were when it was called, by ascending id. They must not be
// changed.
func (l *Live) Docs(t Table) iter.Seq2[int64, []byte] {
	type row struct {
		id  int64
		doc []byte
	}
	d := l.docs.Load()
	d.mu.RLock()
	all := make([]row, 0, len(d.rows[t]))
	for id, doc := range d.rows[t] {
		all = append(all, row{id, doc})
	}
	d.mu.RUnlock()
	slices.SortFunc(all, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	return func(yield func(int64, []byte) bool) {
		for _, r := range all {
			if !yield(r.id, r.doc) {
				return
			}
		}
	}
}

// counts returns how many rows there are of the kinds that a policy file has not.
func (l *Live) counts() map[Table]int {
	n := map[Table]int{}
	d, o := l.docs.Load(), l.owners.Load()
	d.mu.RLock()
	for t := Roles; t < tableEnd; t++ {
		n[t] = len(d.rows[t])
	}
	d.mu.RUnlock()
	o.mu.RLock()
	n[Items] = len(o.rows)
	o.mu.RUnlock()
	return n
}

// Links returns the accounts that a grant is for, by ascending id.
func (l *Live) Links(grant int64) []int64 {
	cids, _ := readLinks(l.Doc(GrantLinks, grant)) // what does not read is not kept
	return cids
}

// readLinks reads a row of grant links.
func readLinks(doc []byte) (cids []int64, err error) {
	if len(doc) == 0 {
		return nil, nil
	}
	err = json.Unmarshal(doc, &cids)
	return cids, err
}

// soundDoc returns why a row cannot be one of its table. What stands in it is for others to judge.
func soundDoc(row Row) error {
	if row.Table == GrantLinks {
		_, err := readLinks(row.Doc)
		return err
	}
	if row.Table == Grants {
		if err := soundGrant(row.Doc); err != nil {
			return err
		}
	}
	root, report := strict.ParseDocument(fmt.Sprintf("%s/%d", row.Table, row.ID), row.Doc)
	if err := report.Faults().Err(); err != nil {
		return err
	}
	var head struct {
		ID int64 `json:"id"`
	}
	if root.Kind() != strict.Mapping || json.Unmarshal(row.Doc, &head) != nil || head.ID != row.ID {
		return fmt.Errorf("%s/%d: %w", row.Table, row.ID, errOtherID)
	}
	return nil
}

// loaded is what a reading of everything makes, beside what is in force.
type loaded struct {
	tokens   *writable
	accounts map[int64]policy.Account
	docs     *documents
	owners   *ownerTable
	bad      map[rowKey]string
}

// replace puts what was read in force, and returns the tokens that were.
func (l *Live) replace(fresh *loaded) (before *writable) {
	tree := l.buildTree(fresh.accounts, fresh.bad)
	l.docs.Store(fresh.docs)
	l.owners.Store(fresh.owners)
	l.mu.Lock()
	before, l.tokens = l.tokens, fresh.tokens
	l.mu.Unlock()
	l.compileGrants()
	l.accounts, l.bad = fresh.accounts, fresh.bad
	l.tree.Store(tree)
	return before
}

// readAll reads a row of a reading of everything.
func (l *Live) readAll(f *loaded, row Row) {
	switch row.Table {
	case Tokens:
		l.read(row, f.bad, nil, func(rec *Record) { f.tokens.put(rec) })
	case Accounts:
		l.read(row, f.bad, func(a policy.Account) { f.accounts[a.ID] = a }, nil)
		l.keepDoc(f.docs, row, f.bad)
	case Items:
		l.keepOwner(f.owners, row, f.bad)
	default:
		l.keepDoc(f.docs, row, f.bad)
	}
}

// read reads a row of accounts or tokens. One that does not read costs itself alone.
func (l *Live) read(row Row, bad map[rowKey]string, account func(policy.Account), token func(*Record)) {
	var err error
	switch row.Table {
	case Accounts:
		var a policy.Account
		if a, err = l.rows.account(row.ID, row.Doc); err == nil {
			account(a)
		}
	case Tokens:
		var rec *Record
		if rec, err = l.rows.record(row.ID, row.Doc); err == nil {
			token(rec)
		}
	}
	if err != nil {
		l.spoilt(bad, rowKey{row.Table, row.ID}, err.Error())
	}
}

// keepDoc keeps a row as it is; one without a document, or that does not read, is gone.
func (l *Live) keepDoc(d *documents, row Row, bad map[rowKey]string) {
	doc := bytes.Clone(row.Doc)
	if _, known := bad[rowKey{row.Table, row.ID}]; known {
		doc = nil
	}
	if doc != nil && row.Table != Accounts { // those were read
		if err := soundDoc(row); err != nil {
			l.spoilt(bad, rowKey{row.Table, row.ID}, err.Error())
			doc = nil
		}
	}
	d.put(row.Table, row.ID, doc)
}

// keepOwner keeps a row of items, and returns what it said before and says now.
func (l *Live) keepOwner(t *ownerTable, row Row, bad map[rowKey]string) (was, is Owner) {
	var err error
	if row.Doc != nil {
		if is, err = readOwner(row.ID, row.Doc); err != nil {
			is = Owner{}
			l.spoilt(bad, rowKey{row.Table, row.ID}, err.Error())
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was, _ = t.remove(row.ID)
	if is.CID != 0 {
		t.put(row.ID, is)
	}
	return was, is
}
