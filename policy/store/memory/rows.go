package memory

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aclgate/policy/store"
)

// Get implements store.Reader.
func (s *state) Get(t store.Table, id int64) (store.Row, error) {
	doc, found := s.rows[t][id]
	if !found {
		return store.Row{}, store.ErrNoRow
	}
	row := store.Row{Table: t, ID: id, Doc: doc}
	for _, c := range s.changes {
		if c.Table == t && slices.Contains(c.IDs, id) {
			row.Mark = c.Mark
		}
	}
	return row, nil
}

// Doc implements store.Reader.
func (s *state) Doc(t store.Table, id int64) ([]byte, error) {
	doc, found := s.rows[t][id]
	if !found {
		return nil, store.ErrNoRow
	}
	return doc, nil
}

// Each implements store.Reader.
func (s *state) Each(t store.Table, yield func(store.Row) error) error {
	for _, id := range slices.Sorted(maps.Keys(s.rows[t])) {
		if err := yield(store.Row{Table: t, ID: id, Doc: s.rows[t][id]}); err != nil {
			return err
		}
	}
	return nil
}

// EachOf implements store.Reader.
func (s *state) EachOf(t store.Table, account int64, yield func(store.Row) error) error {
	if t == store.GrantLinks {
		return errNoDocs
	}
	return s.Each(t, func(row store.Row) error {
		if !belongs(t, row.Doc, account) {
			return nil
		}
		return yield(row)
	})
}

// Holds implements store.Reader.
func (s *state) Holds(t store.Table, account int64) (bool, error) {
	for _, doc := range s.rows[t] {
		if belongs(t, doc, account) {
			return true, nil
		}
	}
	return false, nil
}

// Bearer implements store.Reader.
func (s *state) Bearer(limit int64) (int64, error) {
	for _, id := range slices.Sorted(maps.Keys(s.rows[store.Accounts])) {
		if valuesOf(s.rows[store.Accounts][id]).Limit == limit {
			return id, nil
		}
	}
	return 0, store.ErrNoRow
}

// CountTokens implements store.Reader.
func (s *state) CountTokens(accounts []int64) (n int64, err error) {
	for _, doc := range s.rows[store.Tokens] {
		if v := valuesOf(doc); slices.Contains(accounts, v.CID) && (v.User == 0 || v.Maker != 0) {
			n++
		}
	}
	return n, nil
}

// belongs reports whether a row of a table belongs to an account: see store.Reader.
func belongs(t store.Table, doc []byte, account int64) bool {
	switch t {
	case store.GrantLinks:
		return slices.Contains(linksOf(doc), account)
	case store.Accounts:
		return valuesOf(doc).Parent == account
	case store.Roles:
		return valuesOf(doc).Realm == account
	}
	return valuesOf(doc).CID == account
}

// values are what the columns of a database would be.
type values struct {
	ID     int64  `json:"id"`
	CID    int64  `json:"cid"`
	Parent int64  `json:"parent"`
	Realm  int64  `json:"realm_id"`
	Limit  int64  `json:"limit_id"`
	User   int64  `json:"user_id"`
	Maker  int64  `json:"created_by"`
	Key    string `json:"key_sha256"`
	Public string `json:"public_id"`
	Name   string `json:"name"`
}

func valuesOf(doc []byte) (v values) {
	if json.Unmarshal(doc, &v) != nil {
		return values{}
	}
	return v
}

// writer is a transaction. Its state takes the place of the engine's when it ends well.
type writer struct {
	state
	actor string
}

// Part implements store.Writer.
func (w *writer) Part(actor string, change func() error) error {
	before, whose := w.state.clone(), w.actor
	w.actor = actor
	err := change()
	w.actor = whose
	if err != nil {
		w.state = before
	}
	return err
}

// errNoDocs says that a row was to be written as a document that is none.
var errNoDocs = errors.New("the rows of this table are no documents")

// Put implements store.Writer.
func (w *writer) Put(t store.Table, id int64, doc []byte) error {
	if !t.HasDocs() {
		return errNoDocs
	}
	if key := unique(t, doc); key != "" {
		for other, d := range w.rows[t] {
			if other != id && unique(t, d) == key {
				return store.ErrTaken
			}
		}
	}
	w.next[t] = max(w.next[t], id+1)
	delete(w.deleted[t], id)
	w.set(t, id, bytes.Clone(doc))
	return nil
}

// unique returns what only one row of a table may have; "": nothing.
func unique(t store.Table, doc []byte) string {
	switch v := valuesOf(doc); t {
	case store.Tokens:
		return v.Key
	case store.Realms:
		return v.Public
	case store.Users:
		return fmt.Sprintf("%d/%s", v.Realm, strings.ToLower(v.Name))
	}
	return ""
}

// set makes a row what it is from now on; nil: gone.
func (w *writer) set(t store.Table, id int64, doc []byte) {
	before := w.rows[t][id]
	switch {
	case doc == nil:
		delete(w.rows[t], id)
	case w.rows[t] == nil:
		w.rows[t] = map[int64][]byte{id: doc}
	default:
		w.rows[t][id] = doc
	}
	w.note(t, id, before, doc)
}

// Delete implements store.Writer.
func (w *writer) Delete(t store.Table, id int64) error {
	before, found := w.rows[t][id]
	switch {
	case !t.HasDocs():
		return errNoDocs
	case !found:
		return store.ErrNoRow
	}
	w.set(t, id, nil)
	switch t {
	case store.Tokens:
		delete(w.sealed, id)
		return nil
	case store.Users:
		delete(w.secrets, id)
	case store.Grants:
		if w.rows[store.GrantLinks][id] != nil {
			w.set(store.GrantLinks, id, nil)
		}
	}
	if w.deleted[t] == nil {
		w.deleted[t] = map[int64]store.Deleted{}
	}
	w.deleted[t][id] = store.Deleted{Row: store.Row{Table: t, ID: id, Doc: before}, At: time.Now()}
	return nil
}

// NewID implements store.Writer.
func (w *writer) NewID(t store.Table) (int64, error) {
	w.next[t] = max(w.next[t], 1) + 1
	return w.next[t] - 1, nil
}

func (w *writer) note(t store.Table, id int64, before, after []byte) {
	w.head.Rev++
	c := store.Change{Rev: w.head.Rev, Table: t, IDs: []int64{id}, At: time.Now(), Actor: w.actor, Before: before, After: after}
	rand.Read(c.Mark[:])
	w.changes = append(w.changes, c)
}
