package platform

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Reader reads records in one snapshot: see store.Reader.
type Reader interface {
	Get(t store.Table, id int64) (store.Row, error)
	Doc(t store.Table, id int64) ([]byte, error)
	Each(t store.Table, yield func(store.Row) error) error
	EachOf(t store.Table, account int64, yield func(store.Row) error) error
	Holds(t store.Table, account int64) (bool, error)
	Bearer(limit int64) (account int64, err error)
	CountTokens(accounts []int64) (n int64, err error)
	Sealed(token int64) ([]byte, error)
}

// Writer changes records in one transaction: see store.Tx.
type Writer interface {
	Reader
	NewID(t store.Table) (int64, error)
	PutDoc(t store.Table, id int64, doc []byte) error
	Delete(t store.Table, id int64) error
	Seal(token int64, box []byte) error
	DeleteOwner(collection string, id int64) error
	Link(grant, account int64) error
	Unlink(grant, account int64) error
	SetSecret(user int64, verifier string) error
}

// Store is where the records are.
type Store interface {
	View(ctx context.Context, read func(Reader) error) error
	// Write makes a change in the name of actor. When it returns nil, every request that is judged
	// later obeys it.
	Write(ctx context.Context, actor string, change func(Writer) error) (store.Head, error)
	// Changes calls yield with changes of the history by ascending revision.
	Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error
	// LastUse returns the unix second of the last use of a token, 0 if none is known.
	LastUse(token int64) int64
	// File returns the name of the policy file that has to be edited to change records; "": Write
	// does it.
	File() string
}

// Database is a Store over a database that is followed.
type Database struct{ Live *store.Live }

// View implements Store.
func (d Database) View(ctx context.Context, read func(Reader) error) error {
	return d.Live.View(ctx, func(tx *store.Tx) error { return read(tx) })
}

// Write implements Store.
func (d Database) Write(ctx context.Context, actor string, change func(Writer) error) (store.Head, error) {
	return d.Live.Write(ctx, actor, func(tx *store.Tx) error { return change(tx) })
}

// Changes implements Store.
func (d Database) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	return d.Live.Engine().Changes(ctx, q, yield)
}

// LastUse implements Store.
func (d Database) LastUse(token int64) int64 { return d.Live.LastUse(token) }

// File implements Store.
func (d Database) File() string { return "" }

// PolicyFile is a Store over a policy file, which nobody writes but its editor. It has no history.
type PolicyFile struct {
	Policy func() *store.Policy // the one in force
	Name   string
}

// View implements Store.
func (f PolicyFile) View(_ context.Context, read func(Reader) error) error {
	return read(fileReader{f.Policy()})
}

// Write implements Store.
func (f PolicyFile) Write(context.Context, string, func(Writer) error) (store.Head, error) {
	return store.Head{}, store.ErrReadOnly
}

// Changes implements Store.
func (f PolicyFile) Changes(context.Context, store.ChangeQuery, func(store.Change) error) error {
	return nil
}

// LastUse implements Store. The documents of a file have the last use in them: see fileReader.
func (f PolicyFile) LastUse(int64) int64 { return 0 }

// File implements Store.
func (f PolicyFile) File() string { return f.Name }

// fileReader reads one version of a policy file.
type fileReader struct{ policy *store.Policy }

func (r fileReader) docs(t store.Table) iter.Seq2[int64, []byte] {
	if t != store.Tokens {
		return r.policy.Docs(t)
	}
	return func(yield func(int64, []byte) bool) {
		for _, rec := range r.policy.Records() {
			doc := store.AppendDoc(nil, rec, nil)
			if used := rec.Token.LastUsed(); used > 0 {
				doc = fmt.Appendf(doc[:len(doc)-1], `,"accessed":%d}`, used)
			}
			if !yield(rec.Token.ID, doc) {
				return
			}
		}
	}
}

// Get implements Reader.
func (r fileReader) Get(t store.Table, id int64) (store.Row, error) {
	for at, doc := range r.docs(t) {
		if at == id {
			return store.Row{Table: t, ID: id, Doc: doc}, nil
		}
	}
	return store.Row{}, store.ErrNoRow
}

// Doc implements Reader.
func (r fileReader) Doc(t store.Table, id int64) ([]byte, error) {
	row, err := r.Get(t, id)
	return row.Doc, err
}

// Each implements Reader. Tokens come in the order of the file.
func (r fileReader) Each(t store.Table, yield func(store.Row) error) error {
	for id, doc := range r.docs(t) {
		if err := yield(store.Row{Table: t, ID: id, Doc: doc}); err != nil {
			return err
		}
	}
	return nil
}

// EachOf implements Reader.
func (r fileReader) EachOf(t store.Table, account int64, yield func(store.Row) error) error {
	return r.Each(t, func(row store.Row) error {
		if belongsTo(t, row.Doc) != account {
			return nil
		}
		return yield(row)
	})
}

// Holds implements Reader.
func (r fileReader) Holds(t store.Table, account int64) (bool, error) {
	for _, doc := range r.docs(t) {
		if belongsTo(t, doc) == account {
			return true, nil
		}
	}
	return false, nil
}

// Bearer implements Reader.
func (r fileReader) Bearer(limit int64) (int64, error) {
	for id, doc := range r.docs(store.Accounts) {
		if of, err := record.Parse(doc); err == nil && record.NumberOf(of, "limit_id") == limit {
			return id, nil
		}
	}
	return 0, store.ErrNoRow
}

// CountTokens implements Reader. Logins make no tokens in a file.
func (r fileReader) CountTokens(accounts []int64) (n int64, err error) {
	for _, rec := range r.policy.Records() {
		if slices.Contains(accounts, rec.Token.CID) {
			n++
		}
	}
	return n, nil
}

// Sealed implements Reader: a file has no sealed keys.
func (r fileReader) Sealed(int64) ([]byte, error) { return nil, store.ErrNoRow }
