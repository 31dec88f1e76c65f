package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Tx is one transaction. What it writes is judged as an element of a policy file is, and as a whole
// when the change has been made: accounts form a tree, and every token has its account.
type Tx struct {
	w        Writer
	o        *LiveOptions
	rows     rowReader
	needed   map[int64]Table // accounts that what was written refers to
	deleted  map[int64]bool  // accounts that were taken away
	accounts bool            // some were written or taken away
}

// InUse says that a record cannot be taken away, and why.
type InUse struct{ What string }

func (e *InUse) Error() string { return e.What }

// checked makes a change and judges what it has made.
func checked(w Writer, o *LiveOptions, change func(*Tx) error) error {
	tx := &Tx{w: w, o: o, rows: rowReader{maxDepth: o.MaxDepth}, needed: map[int64]Table{}, deleted: map[int64]bool{}}
	if err := change(tx); err != nil {
		return err
	}
	if err := tx.checkTree(); err != nil {
		return err
	}
	return tx.checkTokens()
}

// checkTree judges the accounts as they are together.
func (tx *Tx) checkTree() error {
	if !tx.accounts {
		return nil
	}
	var all []policy.Account
	err := tx.w.Each(Accounts, func(row Row) error {
		a, err := tx.rows.account(row.ID, row.Doc)
		all = append(all, a)
		return err
	})
	if err != nil {
		return err
	}
	_, faults := policy.NewTree(all, tx.o.MaxDepth)
	var found strict.Faults
	for _, f := range faults {
		found = append(found, strict.Fault{File: fmt.Sprintf("accounts/%d", all[f.Index].ID), Message: f.Message})
	}
	return found.Err()
}

// checkTokens judges whether tokens and accounts belong together.
func (tx *Tx) checkTokens() error {
	if tx.o.Foreign {
		return nil
	}
	for id, by := range tx.needed {
		if _, err := tx.w.Doc(Accounts, id); errors.Is(err, ErrNoRow) {
			return strict.Faults{{File: by.String(), Message: fmt.Sprintf("cid: no account has the id %d", id)}}
		} else if err != nil {
			return err
		}
	}
	for id := range tx.deleted {
		_, err := tx.w.Doc(Accounts, id)
		held, err2 := tx.w.Holds(Tokens, id)
		switch {
		case err2 != nil:
			return err2
		case errors.Is(err, ErrNoRow) && held:
			return &InUse{fmt.Sprintf("account %d has tokens: delete them first", id)}
		}
	}
	return nil
}

// Get returns a row as it is now.
func (tx *Tx) Get(t Table, id int64) (Row, error) { return tx.w.Get(t, id) }

// Doc returns the document of a row, or ErrNoRow.
func (tx *Tx) Doc(t Table, id int64) ([]byte, error) { return tx.w.Doc(t, id) }

// Each calls yield with every row of a table by ascending id. Doc is valid during the call.
func (tx *Tx) Each(t Table, yield func(Row) error) error { return tx.w.Each(t, yield) }

// NewID returns an id that was never given before.
func (tx *Tx) NewID(t Table) (int64, error) { return tx.w.NewID(t) }

// PutToken adds a token or replaces it.
func (tx *Tx) PutToken(rec *Record, metadata []byte) error {
	doc := AppendDoc(nil, rec, metadata)
	if _, _, _, err := tx.rows.token(rec.Token.ID, doc); err != nil {
		return err
	}
	tx.needed[rec.Token.CID] = Tokens
	return tx.w.Put(Tokens, rec.Token.ID, doc)
}

// PutAccount adds an account or replaces it.
func (tx *Tx) PutAccount(a policy.Account) error {
	tx.accounts = true
	return tx.w.Put(Accounts, a.ID, AppendAccountDoc(nil, a))
}

// Delete takes a row away.
func (tx *Tx) Delete(t Table, id int64) error {
	if t == Accounts {
		tx.accounts, tx.deleted[id] = true, true
	}
	return tx.w.Delete(t, id)
}

// fixed are the fields of a token that no change names: its id and when it was made never change,
// and who wants another key makes another token.
var fixed = []string{"id", "key", "key_sha256", "created"}

// Merge returns a token with the fields changed that a JSON object names; null takes one away.
func Merge(rec *Record, patch []byte) (*Record, error) {
	var rows rowReader
	changed, _, err := rows.merge(rec.Token.ID, AppendDoc(nil, rec, nil), patch)
	return changed, err
}

func (r *rowReader) merge(id int64, doc, patch []byte) (rec *Record, metadata []byte, err error) {
	var was, fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &was); err != nil {
		return nil, nil, fmt.Errorf("tokens/%d does not read: delete it and make another: %w", id, err)
	}
	if err := json.Unmarshal(patch, &fields); err != nil || fields == nil {
		return nil, nil, strict.Faults{{File: "body", Message: "expected one JSON object with the fields to change"}}
	}
	for name, value := range fields {
		switch {
		case slices.Contains(fixed, name):
			return nil, nil, strict.Faults{{File: "body", Message: name + ": never changes"}}
		case string(value) == "null":
			delete(was, name)
		default:
			was[name] = value
		}
	}
	if doc, err = json.Marshal(was); err != nil {
		return nil, nil, err
	}
	rec, metadata, _, err = r.token(id, doc)
	return rec, metadata, err
}

// Read reads a row of tokens, with the metadata that stand in it.
func (tx *Tx) Read(row Row) (rec *Record, metadata []byte, err error) {
	rec, metadata, _, err = tx.rows.token(row.ID, row.Doc)
	return rec, metadata, err
}

// IsFault reports whether an error is about what was to be written, which another text would mend.
func IsFault(err error) bool {
	var faults strict.Faults
	return errors.As(err, &faults) || errors.Is(err, errOtherID)
}

// errReadOnly says that a View was asked to write.
var errReadOnly = errors.New("this transaction only reads")

// readOnly is a Writer that writes nothing.
type readOnly struct{ Reader }

func (readOnly) Put(Table, int64, []byte) error  { return errReadOnly }
func (readOnly) Delete(Table, int64) error       { return errReadOnly }
func (readOnly) NewID(Table) (int64, error)      { return 0, errReadOnly }
func (readOnly) PutOwner(Owner) error            { return errReadOnly }
func (readOnly) DeleteOwner(string, int64) error { return errReadOnly }
func (readOnly) Link(int64, int64) error         { return errReadOnly }
func (readOnly) Unlink(int64, int64) error       { return errReadOnly }
func (readOnly) Seal(int64, []byte) error        { return errReadOnly }
func (readOnly) SetSecret(int64, string) error   { return errReadOnly }
func (readOnly) Part(string, func() error) error { return errReadOnly }

// View reads in one snapshot of an engine that nobody here follows.
func View(ctx context.Context, o LiveOptions, read func(*Tx) error) error {
	return o.Engine.View(ctx, func(r Reader) error {
		return read(&Tx{w: readOnly{r}, o: &o, rows: rowReader{maxDepth: o.MaxDepth}})
	})
}

// Write makes changes in an engine that nobody here follows, judged as Live.Write does.
func Write(ctx context.Context, o LiveOptions, actor string, change func(*Tx) error) (Head, error) {
	return o.Engine.Write(ctx, actor, func(w Writer) error { return checked(w, &o, change) })
}
