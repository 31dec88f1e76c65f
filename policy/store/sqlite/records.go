package sqlite

import (
	"database/sql"
	"errors"
	"strconv"
	"time"

	"aclgate/policy/store"
)

// errNoDocs says that a row was to be written as a document that is none.
var errNoDocs = errors.New("the rows of this table are no documents")

// found turns what a query without a row ends with into ErrNoRow.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNoRow
	}
	return err
}

// Bearer implements store.Reader.
func (r *reader) Bearer(limit int64) (account int64, err error) {
	err = r.row(selectBearer, limit).Scan(&account)
	return account, found(err)
}

// CountTokens implements store.Reader.
func (r *reader) CountTokens(accounts []int64) (n int64, err error) {
	list := []byte{'['}
	for i, id := range accounts {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	return n, r.row(countTokens, string(append(list, ']'))).Scan(&n)
}

// Owner implements store.Reader.
func (r *reader) Owner(collection string, id int64) (store.Owner, error) {
	o := store.Owner{Collection: collection, ID: id}
	err := r.row(selectOwner, collection, id).Scan(&o.CID)
	return o, found(err)
}

// Sealed implements store.Reader.
func (r *reader) Sealed(token int64) (box []byte, err error) {
	err = r.row(selectSealed, token).Scan(&box)
	return box, found(err)
}

// Secret implements store.Reader.
func (r *reader) Secret(user int64) (verifier string, err error) {
	err = r.row(selectSecret, user).Scan(&verifier)
	return verifier, found(err)
}

// EachDeleted implements store.Reader.
func (r *reader) EachDeleted(t store.Table, yield func(store.Deleted) error) error {
	rows, err := r.query(selectGone, int64(t), time.Now().Add(-store.KeepDeleted).Unix())
	if err != nil {
		return err
	}
	defer rows.Close()
	var doc sql.RawBytes
	for rows.Next() {
		d, at := store.Deleted{Row: store.Row{Table: t}}, int64(0)
		if err := rows.Scan(&d.ID, &doc, &at); err != nil {
			return err
		}
		d.Doc, d.At = doc, time.Unix(at, 0)
		if err := yield(d); err != nil {
			return err
		}
	}
	return rows.Err()
}

// refer makes a change that names another row, or ends with ErrNoRow where that is not there.
func (w *writer) refer(query string, args ...any) error {
	err := w.exec(query, args...)
	if code(err) == constraintForeign {
		return store.ErrNoRow
	}
	return err
}

// DeleteOwner implements store.Writer.
func (w *writer) DeleteOwner(collection string, id int64) error {
	return w.remove(dropOwner, collection, id)
}

// Link implements store.Writer.
func (w *writer) Link(grant, account int64) error { return w.refer(link, grant, account) }

// Unlink implements store.Writer.
func (w *writer) Unlink(grant, account int64) error { return w.remove(unlink, grant, account) }

// Seal implements store.Writer.
func (w *writer) Seal(token int64, box []byte) error {
	if box == nil {
		return w.exec(unseal, token)
	}
	return w.refer(seal, token, box)
}

// SetSecret implements store.Writer.
func (w *writer) SetSecret(user int64, verifier string) error {
	if verifier == "" {
		return w.exec(noSecret, user)
	}
	return w.refer(setSecret, user, verifier)
}
