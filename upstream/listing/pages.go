package listing

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"aclgate/upstream"
	"aclgate/upstream/share"
)

// PageRows is how many rows are asked for at a time (SPEC 4.6): the vendor's largest limit.
const PageRows = 1000

// PagingBytes is how much longer limit and offset make a target, at most.
const PagingBytes = len("&limit=1000&offset=9999999999")

// Doer sends one request and reads the head of its answer; a Transport is one.
type Doer interface {
	Do(*upstream.Request, *upstream.Answer) error
}

// Lister asks the backend what the gateway itself wants to know.
type Lister struct {
	Backend Doer
	Key     func() string // the gateway's own credential; "": there is none
	Log     *slog.Logger
}

// Query is one list that the backend is asked for, in pages.
type Query struct {
	Target     []byte // path and query, without limit and offset
	CID        int64  // the scope to ask under, 0: no x-flespi-cid is sent
	CallersKey []byte // serves where the gateway has no credential of its own
	Columns    Columns
	Whole      bool    // errors beside the rows are a failure
	Roots      []int64 // of AllScopes: the scopes to ask under in turn

	// Keep says which rows are handed on; the others are read and forgotten. Nil: all.
	Keep func(*Row) bool
	// Max is how many rows may be handed on, of all pages together; one more is ErrRowCount. 0: no
	// bound.
	Max int
	// Again is called when a reading starts again: of the rows that were handed on the last n do
	// not count. Nil: they are handed on as well as those of the new start.
	Again func(n int)
	// Deadline ends the reading with upstream.ErrTimeout. The Answer is canceled then: it is of no
	// use until its Reset. Zero: a backend may take its time, or never end.
	Deadline time.Time
	// Confirm is asked before each page is: see upstream.Request; nil: nobody is asked.
	Confirm func() error
	// Holder is who the connections are for. The zero Holder is the gateway itself.
	Holder share.Holder
}

// MaxItems bounds one collection: the index counts in 32 bits, and memory has an end.
const MaxItems = 100_000_000

// ItemColumns are the columns that say which account an item belongs to.
var ItemColumns = Columns{Names: []string{"id", "cid"}, Required: 1}

// Items asks for all items of a collection and their accounts.
func Items(uri string, roots []int64) Query {
	return Query{
		Target: []byte("/" + uri + "/all?fields=id%2Ccid"), Columns: ItemColumns,
		Max: MaxItems, Whole: true, Roots: roots,
	}
}

// IDs asks for all items of a collection, of a backend that knows no accounts.
func IDs(uri string, roots []int64) Query {
	return Query{
		Target: []byte("/" + uri + "/all?fields=id"), Columns: IDColumns,
		Max: MaxItems, Whole: true, Roots: roots,
	}
}

// IDColumns are the columns of items whose accounts the backend does not know.
var IDColumns = Columns{Names: []string{"id"}, Required: 1}

// Page reads the first rows of a listing: at most limit, or those that come without one for 0. When
// each returns false the rest is not read, and may not have been whole. Keep, Max and Again are not
// used.
func (k *Lister) Page(a *upstream.Answer, q *Query, limit int, each func(*Row) bool) error {
	return q.inTime(a, func() error {
		_, err := k.page(a, q, limit, 0, each)
		return err
	})
}

// inTime calls read and ends it at the deadline. Whoever is late has failed, whatever came: the
// answer is canceled then.
func (q *Query) inTime(a *upstream.Answer, read func() error) error {
	if q.Deadline.IsZero() {
		return read()
	}
	timer := time.AfterFunc(time.Until(q.Deadline), a.Cancel)
	err := read()
	if timer.Stop() {
		return err
	}
	return &upstream.Error{URL: a.URL(), Kind: upstream.ErrTimeout, Cause: errors.New("a listing takes too long")}
}

// page reads one page and returns what it says of its place in the list.
func (k *Lister) page(a *upstream.Answer, q *Query, limit, offset int, each func(*Row) bool) (Pagination, error) {
	if err := k.do(a, q, limit, offset); err != nil {
		return Pagination{}, err
	}
	defer a.Close()
	r := rowReaders.Get().(*Rows)
	defer r.release()
	r.Reset(a, q.Columns)
	for r.Next() {
		if !each(r.Row()) {
			return Pagination{}, nil
		}
	}
	if r.Err() == nil && q.Whole && r.Failed() {
		return Pagination{}, &upstream.Error{URL: a.URL(), Kind: upstream.ErrBroken, Cause: errors.New("errors beside the rows of a listing")}
	}
	return r.Pagination(), r.Err()
}

var rowReaders = sync.Pool{New: func() any { return new(Rows) }}

// release gives r back, without what it was reading.
func (r *Rows) release() {
	r.Reset(nil, Columns{})
	rowReaders.Put(r)
}
