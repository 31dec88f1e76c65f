package listing

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"

	"aclgate/upstream"
)

// PageRows is how many rows are asked for at a time (SPEC 4.3): the vendor's largest limit.
const PageRows = 1000

// maxRefusal bounds the answer of a backend that refuses a question of ours.
const maxRefusal = 64 << 10

var (
	// ErrUnauthorized says that the backend refuses the gateway's own credential.
	ErrUnauthorized = errors.New("the gateway's own credential is refused")
	// ErrRedirect says that the backend sends the gateway elsewhere.
	ErrRedirect = errors.New("redirected")
	// ErrNoKey says that the backend wants a credential for a question of the gateway's own and
	// that there is none: upstream.token_file is empty.
	ErrNoKey = errors.New("the backend wants a credential and upstream.token_file is empty")
)

// AnswerError is a 4xx of the backend to a question that was asked for a client: it is the client's
// answer.
type AnswerError struct {
	Status      int
	ContentType string // as it came, without control bytes; may be empty
	Body        []byte // whole, at most 64 KiB
}

// Error names the status. The body is the client's and never gets into a log.
func (e *AnswerError) Error() string { return "the backend answered " + strconv.Itoa(e.Status) }

// Rows reads what a refusal names all the same; one that is no listing names nothing.
func (e *AnswerError) Rows(c Columns, each func(*Row)) {
	r := rowReaders.Get().(*Rows)
	defer r.release()
	r.Reset(bytes.NewReader(e.Body), c)
	var rows []Row
	for r.Next() {
		rows = append(rows, *r.Row())
	}
	if r.Err() != nil {
		return
	}
	for i := range rows {
		each(&rows[i])
	}
}

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
	Max        int     // rows of all pages; so many or more are too many; 0: no bound
	Whole      bool    // errors beside the rows are a failure
	Roots      []int64 // of AllScopes: the scopes to ask under in turn

	Confirm func() error // asked before each page is: see upstream.Request; nil: nobody is asked
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

// pageSum is what is remembered of a page: enough to see that it came again.
type pageSum struct {
	rows int
	sum  uint64
}

// All reads every page of a listing and hands each row to each. The rows count only if no error
// comes back. One that a client asked for is an *AnswerError. A backend that does not know paging
// sends other than 1000 rows at once, or the same 1000 again: rows may come twice.
func (k *Lister) All(a *upstream.Answer, q *Query, each func(*Row)) error {
	var before pageSum
	for total := 0; q.Max == 0 || total < q.Max; {
		now, err := k.page(a, q, PageRows, total, func(r *Row) bool { each(r); return true })
		switch {
		case err != nil:
			return err
		case now.rows != PageRows:
			return nil
		case total > 0 && now == before:
			return k.checkUnpaged(a, q, total)
		}
		before = now
		total += PageRows
	}
	return ErrRowCount
}

// checkUnpaged finds out what a repeated page means. A backend that ignores limit and offset has
// sent its whole list; one that ignores only offset has more, which cannot be read.
func (k *Lister) checkUnpaged(a *upstream.Answer, q *Query, total int) error {
	one, err := k.page(a, q, 1, 0, func(*Row) bool { return true })
	switch {
	case err != nil:
		return err
	case total != PageRows || one.rows != PageRows:
		return &upstream.Error{Kind: upstream.ErrBroken, Cause: errors.New("a page of a listing came twice")}
	}
	return nil
}

// Page reads the first rows of a listing: at most limit, or those that come without one for 0. When
// each returns false the rest is not read, and may not have been whole.
func (k *Lister) Page(a *upstream.Answer, q *Query, limit int, each func(*Row) bool) error {
	_, err := k.page(a, q, limit, 0, each)
	return err
}

// page reads one page and remembers what it was.
func (k *Lister) page(a *upstream.Answer, q *Query, limit, offset int, each func(*Row) bool) (pageSum, error) {
	if err := k.do(a, q, limit, offset); err != nil {
		return pageSum{}, err
	}
	defer a.Close()
	r := rowReaders.Get().(*Rows)
	defer r.release()
	c := q.Columns
	if q.Max > 0 {
		c.Limit = q.Max - offset
	}
	r.Reset(a, c)
	var p pageSum
	for r.Next() {
		row := r.Row()
		p.add(row)
		if !each(row) {
			return p, nil
		}
	}
	if r.Err() == nil && q.Whole && r.Failed() {
		return p, &upstream.Error{Kind: upstream.ErrBroken, Cause: errors.New("errors beside the rows of a listing")}
	}
	return p, r.Err()
}

// add takes a row into the sum (FNV-1a, by words).
func (p *pageSum) add(r *Row) {
	p.rows++
	for _, id := range r.ID {
		p.sum = (p.sum ^ uint64(id)) * 0x100000001b3
	}
}

var rowReaders = sync.Pool{New: func() any { return new(Rows) }}

// release gives r back, without what it was reading.
func (r *Rows) release() {
	r.Reset(nil, Columns{})
	rowReaders.Put(r)
}

// do sends the question and judges the status of the answer.
func (k *Lister) do(a *upstream.Answer, q *Query, limit, offset int) error {
	key := k.Key()
	target := q.Target
	if limit > 0 {
		target = append(target[:len(target):len(target)], "&limit="...)
		target = strconv.AppendInt(target, int64(limit), 10)
		target = strconv.AppendInt(append(target, "&offset="...), int64(offset), 10)
	}
	r := upstream.Request{Method: "GET", Target: target, Head: q.head(key), Repeatable: true, Confirm: q.Confirm}
	if err := k.Backend.Do(&r, a); err != nil {
		return err
	}
	if a.Status == 200 {
		return nil
	}
	defer a.Close()
	if a.Status == 401 && key == "" && len(q.CallersKey) == 0 {
		return ErrNoKey
	}
	return refused(a, key != "")
}

// head prints the header lines. Without any credential the backend is asked without: some need
// none.
func (q *Query) head(key string) []byte {
	lines := []byte("Accept: application/json\r\n")
	if key != "" || len(q.CallersKey) > 0 {
		lines = append(lines, "Authorization: FlespiToken "...)
		if key != "" {
			lines = append(lines, key...)
		} else {
			lines = append(lines, q.CallersKey...)
		}
		lines = append(lines, "\r\n"...)
	}
	if q.CID != 0 {
		lines = strconv.AppendInt(append(lines, "x-flespi-cid: "...), q.CID, 10)
		lines = append(lines, "\r\n"...)
	}
	return lines
}

// refused returns what an answer other than 200 means.
func refused(a *upstream.Answer, own bool) error {
	switch {
	case a.Status == 401 && own:
		return &upstream.Error{URL: a.URL(), Kind: ErrUnauthorized}
	case a.Status >= 400 && a.Status < 500:
		return refusal(a)
	}
	switch a.Status {
	case 301, 302, 303, 307, 308:
		return &upstream.Error{URL: a.URL(), Kind: ErrRedirect}
	}
	return &upstream.Error{URL: a.URL(), Kind: upstream.ErrBroken, Cause: errors.New("status " + strconv.Itoa(a.Status) + " for a listing")}
}

// refusal keeps a 4xx for the client. Half an answer is none.
func refusal(a *upstream.Answer) error {
	e := &AnswerError{Status: a.Status}
	for _, f := range a.Fields {
		if bytes.EqualFold(f.Name, []byte("Content-Type")) {
			e.ContentType = string(f.Value)
		}
	}
	body, err := io.ReadAll(io.LimitReader(a, maxRefusal+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxRefusal:
		return &upstream.Error{URL: a.URL(), Kind: upstream.ErrBroken, Cause: errors.New("a refusal that is too long")}
	}
	e.Body = body
	return e
}
