package memory

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"aclgate/policy/store"
)

// item returns the number of the row of an item; 0: there is none.
func (s *state) item(collection string, id int64) (n int64, o store.Owner) {
	for n, doc := range s.rows[store.Items] {
		if json.Unmarshal(doc, &o) == nil && o.Collection == collection && o.ID == id {
			return n, o
		}
	}
	return 0, store.Owner{}
}

// Owner implements store.Reader.
func (s *state) Owner(collection string, id int64) (store.Owner, error) {
	if n, o := s.item(collection, id); n != 0 {
		return o, nil
	}
	return store.Owner{}, store.ErrNoRow
}

// Sealed implements store.Reader.
func (s *state) Sealed(token int64) ([]byte, error) {
	if box := s.sealed[token]; box != nil {
		return box, nil
	}
	return nil, store.ErrNoRow
}

// Secret implements store.Reader.
func (s *state) Secret(user int64) (string, error) {
	if v := s.secrets[user]; v != "" {
		return v, nil
	}
	return "", store.ErrNoRow
}

// EachDeleted implements store.Reader.
func (s *state) EachDeleted(t store.Table, yield func(store.Deleted) error) error {
	for _, id := range slices.Sorted(maps.Keys(s.deleted[t])) {
		if d := s.deleted[t][id]; time.Since(d.At) < store.KeepDeleted {
			if err := yield(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// PutOwner implements store.Writer.
func (w *writer) PutOwner(o store.Owner) error {
	n, was := w.item(o.Collection, o.ID)
	switch {
	case n != 0 && was == o:
		return nil
	case n == 0:
		w.next[store.Items] = max(w.next[store.Items], 1) + 1
		n = w.next[store.Items] - 1
	}
	doc, err := json.Marshal(o)
	if err == nil {
		w.set(store.Items, n, doc)
	}
	return err
}

// DeleteOwner implements store.Writer.
func (w *writer) DeleteOwner(collection string, id int64) error {
	n, _ := w.item(collection, id)
	if n == 0 {
		return store.ErrNoRow
	}
	w.set(store.Items, n, nil)
	return nil
}

// linksOf returns the accounts of a row of grant links.
func linksOf(doc []byte) (cids []int64) {
	if json.Unmarshal(doc, &cids) != nil {
		return nil
	}
	return cids
}

// relink makes the accounts of a grant what they are from now on.
func (w *writer) relink(grant int64, cids []int64) error {
	if len(cids) == 0 {
		w.set(store.GrantLinks, grant, nil)
		return nil
	}
	doc, err := json.Marshal(cids)
	if err == nil {
		w.set(store.GrantLinks, grant, doc)
	}
	return err
}

// Link implements store.Writer.
func (w *writer) Link(grant, account int64) error {
	if _, err := w.Get(store.Grants, grant); err != nil {
		return err
	}
	cids := linksOf(w.rows[store.GrantLinks][grant])
	at, found := slices.BinarySearch(cids, account)
	if found {
		return nil
	}
	return w.relink(grant, slices.Insert(cids, at, account))
}

// Unlink implements store.Writer.
func (w *writer) Unlink(grant, account int64) error {
	cids := linksOf(w.rows[store.GrantLinks][grant])
	at, found := slices.BinarySearch(cids, account)
	if !found {
		return store.ErrNoRow
	}
	return w.relink(grant, slices.Delete(cids, at, at+1))
}

// Seal implements store.Writer.
func (w *writer) Seal(token int64, box []byte) error {
	if _, err := w.Get(store.Tokens, token); err != nil {
		return err
	}
	if box == nil {
		delete(w.sealed, token)
		return nil
	}
	w.sealed[token] = bytes.Clone(box)
	return nil
}

// SetSecret implements store.Writer.
func (w *writer) SetSecret(user int64, verifier string) error {
	if _, err := w.Get(store.Users, user); err != nil {
		return err
	}
	if verifier == "" {
		delete(w.secrets, user)
		return nil
	}
	w.secrets[user] = verifier
	return nil
}
