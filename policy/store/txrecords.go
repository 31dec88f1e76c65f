package store

import (
	"errors"
	"fmt"
)

// errOtherWay says that a row is not written as a document.
var errOtherWay = errors.New("rows of this table are written by a method of their own")

// PutDoc adds a row of a table, or replaces it: not of Items and GrantLinks. It has to be JSON with
// the id of the row. Tokens and accounts are judged as elements of a policy file are; the documents
// of other tables others judge.
func (tx *Tx) PutDoc(t Table, id int64, doc []byte) error {
	switch {
	case t == Tokens:
		rec, metadata, _, err := tx.rows.token(id, doc)
		if err != nil {
			return err
		}
		return tx.PutToken(rec, metadata)
	case t == Accounts:
		if _, err := tx.rows.account(id, doc); err != nil {
			return err
		}
		tx.accounts = true
	case !t.HasDocs():
		return fmt.Errorf("%s: %w", t, errOtherWay)
	default:
		if err := soundDoc(Row{Table: t, ID: id, Doc: doc}); err != nil {
			return err
		}
	}
	return tx.w.Put(t, id, doc)
}

// EachOf calls yield with every row of a table that belongs to an account, by ascending id: see
// Reader.
func (tx *Tx) EachOf(t Table, account int64, yield func(Row) error) error {
	return tx.w.EachOf(t, account, yield)
}

// Undelete puts a row back that was taken away, unless it was longer than KeepDeleted ago. Accounts
// are judged as they are together. What belonged to the row alone does not come back: links, and
// the secret of a user.
func (tx *Tx) Undelete(t Table, id int64) error {
	var doc []byte
	err := tx.w.EachDeleted(t, func(d Deleted) error {
		if d.ID == id {
			doc = append(doc, d.Doc...)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case doc == nil:
		return ErrNoRow
	}
	return tx.PutDoc(t, id, doc)
}

// EachDeleted calls yield with what was taken away from a table and can be put back.
func (tx *Tx) EachDeleted(t Table, yield func(Deleted) error) error {
	return tx.w.EachDeleted(t, yield)
}

// Owner returns the account of an item, or ErrNoRow.
func (tx *Tx) Owner(collection string, id int64) (Owner, error) { return tx.w.Owner(collection, id) }

// PutOwner sets the account of an item, which has to be there unless accounts are the backend's.
func (tx *Tx) PutOwner(o Owner) error {
	if o.Collection == "" || o.ID <= 0 || o.CID <= 0 {
		return errNoOwner
	}
	tx.needed[o.CID] = Items
	return tx.w.PutOwner(o)
}

// DeleteOwner forgets the account of an item.
func (tx *Tx) DeleteOwner(collection string, id int64) error {
	return tx.w.DeleteOwner(collection, id)
}

// Link makes a grant one for an account. Both have to be there.
func (tx *Tx) Link(grant, account int64) error {
	if _, err := tx.w.Doc(Grants, grant); err != nil {
		return err
	}
	tx.needed[account] = GrantLinks
	return tx.w.Link(grant, account)
}

// Unlink ends that.
func (tx *Tx) Unlink(grant, account int64) error { return tx.w.Unlink(grant, account) }

// Holds reports whether rows of a table belong to an account: see Reader.
func (tx *Tx) Holds(t Table, account int64) (bool, error) { return tx.w.Holds(t, account) }

// Bearer returns an account that a limit bounds, or ErrNoRow: see Reader.
func (tx *Tx) Bearer(limit int64) (int64, error) { return tx.w.Bearer(limit) }

// CountTokens returns how many tokens accounts have: see Reader.
func (tx *Tx) CountTokens(accounts []int64) (int64, error) { return tx.w.CountTokens(accounts) }

// Sealed returns the sealed key of a token, or ErrNoRow.
func (tx *Tx) Sealed(token int64) ([]byte, error) { return tx.w.Sealed(token) }

// Seal keeps the sealed key of a token; nil takes it away.
func (tx *Tx) Seal(token int64, box []byte) error { return tx.w.Seal(token, box) }

// Secret returns the verifier of a user's password, or ErrNoRow.
func (tx *Tx) Secret(user int64) (string, error) { return tx.w.Secret(user) }

// SetSecret keeps the verifier of a user's password; "" takes it away.
func (tx *Tx) SetSecret(user int64, verifier string) error { return tx.w.SetSecret(user, verifier) }
