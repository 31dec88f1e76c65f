package upstream

import (
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
)

// pageRows is how many rows are asked for at a time (SPEC 4.3): the vendor's largest limit.
const pageRows = 1000

// maxRefusal bounds the answer of a backend that refuses a question of ours.
const maxRefusal = 64 << 10

var (
	// ErrUnauthorized says that the backend refuses the gateway's own credential.
	ErrUnauthorized = errors.New("the gateway's own credential is refused")
	// ErrRedirect says that the backend sends the gateway elsewhere.
	ErrRedirect = errors.New("redirected")
	// ErrNoKey says that the backend wants a credential for a question of the gateway's own
	// and that there is none: upstream.token_file is empty.
	ErrNoKey = errors.New("the backend wants a credential and upstream.token_file is empty")
)

// AnswerError is a 4xx of the backend to a question that was asked for a client: it is the
// client's answer.
type AnswerError struct {
	Status      int
	ContentType string // as it came, without control bytes; may be empty
	Body        []byte // whole, at most 64 KiB
}

// Error names the status. The body is the client's and never gets into a log.
func (e *AnswerError) Error() string { return "the backend answered " + strconv.Itoa(e.Status) }

// Doer sends one request and reads the head of its answer; a Transport is one.
type Doer interface {
	Do(*Request, *Answer) error
}

// lister asks the backend what the gateway itself wants to know.
type lister struct {
	send Doer
	key  func() string // the gateway's own credential; "": there is none
	log  *slog.Logger
}

// listing is one list that the backend is asked for, in pages.
type listing struct {
	target  []byte // path and query, without limit and offset
	cid     int64  // the scope to ask under, 0: no x-flespi-cid is sent
	caller  []byte // whose key serves where the gateway has none of its own
	columns Columns
	max     int     // rows of all pages; so many or more are too many; 0: no bound
	whole   bool    // errors beside the rows are a failure
	roots   []int64 // of allScopes: the scopes to ask under in turn
}

// page is what is remembered of a page: enough to see that it came again.
type page struct {
	rows int
	sum  uint64
}

// all reads every page of a listing and hands each row to each. The rows count only if no
// error comes back. One that a client asked for is an *AnswerError. A backend that does not
// know paging sends other than 1000 rows at once, or the same 1000 again.
func (k *lister) all(a *Answer, q *listing, each func(*Row)) error {
	var before page
	for total := 0; q.max == 0 || total < q.max; {
		now, err := k.page(a, q, pageRows, total, func(r *Row) bool { each(r); return true })
		switch {
		case err != nil:
			return err
		case now.rows != pageRows:
			return nil
		case total > 0 && now == before:
			return k.checkUnpaged(a, q, total)
		}
		before = now
		total += pageRows
	}
	return ErrRowCount
}

// checkUnpaged finds out what a repeated page means. A backend that ignores limit and offset
// has sent its whole list; one that ignores only offset has more, which nobody can read.
func (k *lister) checkUnpaged(a *Answer, q *listing, total int) error {
	one, err := k.page(a, q, 1, 0, func(*Row) bool { return true })
	switch {
	case err != nil:
		return err
	case total != pageRows || one.rows != pageRows:
		return &Error{Kind: ErrBroken, Cause: fault("a page of a listing came twice")}
	}
	return nil
}

// page reads one page, or what comes without a limit for 0. When each returns false the rest
// is not read, and nobody knows
// whether it would have been whole.
func (k *lister) page(a *Answer, q *listing, limit, offset int, each func(*Row) bool) (page, error) {
	if err := k.do(a, q, limit, offset); err != nil {
		return page{}, err
	}
	defer a.Close()
	r := rowReaders.Get().(*Rows)
	defer r.release()
	c := q.columns
	if q.max > 0 {
		c.Limit = q.max - offset
	}
	r.Reset(a, c)
	var p page
	for r.Next() {
		row := r.Row()
		p.add(row)
		if !each(row) {
			return p, nil
		}
	}
	if r.Err() == nil && q.whole && r.Failed() {
		return p, &Error{Kind: ErrBroken, Cause: fault("errors beside the rows of a listing")}
	}
	return p, r.Err()
}

// add takes a row into the sum (FNV-1a, by words).
func (p *page) add(r *Row) {
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
func (k *lister) do(a *Answer, q *listing, limit, offset int) error {
	key := k.key()
	target := q.target
	if limit > 0 {
		target = append(target[:len(target):len(target)], "&limit="...)
		target = strconv.AppendInt(target, int64(limit), 10)
		target = strconv.AppendInt(append(target, "&offset="...), int64(offset), 10)
	}
	if err := k.send.Do(&Request{Method: "GET", Target: target, Head: q.head(key), Repeatable: true}, a); err != nil {
		return err
	}
	if a.Status == 200 {
		return nil
	}
	defer a.Close()
	if a.Status == 401 && key == "" && len(q.caller) == 0 {
		return ErrNoKey
	}
	return refused(a, key != "")
}

// head prints the header lines. Without any credential the backend is asked without: some
// need none.
func (q *listing) head(key string) []byte {
	lines := []byte("Accept: application/json\r\n")
	if key != "" || len(q.caller) > 0 {
		lines = append(lines, "Authorization: FlespiToken "...)
		if key != "" {
			lines = append(lines, key...)
		} else {
			lines = append(lines, q.caller...)
		}
		lines = append(lines, "\r\n"...)
	}
	if q.cid != 0 {
		lines = strconv.AppendInt(append(lines, "x-flespi-cid: "...), q.cid, 10)
		lines = append(lines, "\r\n"...)
	}
	return lines
}

// refused returns what an answer other than 200 means.
func refused(a *Answer, own bool) error {
	switch {
	case a.Status == 401 && own:
		return &Error{URL: a.url, Kind: ErrUnauthorized}
	case a.Status >= 400 && a.Status < 500:
		return refusal(a)
	}
	switch a.Status {
	case 301, 302, 303, 307, 308:
		return &Error{URL: a.url, Kind: ErrRedirect}
	}
	return &Error{URL: a.url, Kind: ErrBroken, Cause: fault("status " + strconv.Itoa(a.Status) + " for a listing")}
}

// refusal keeps a 4xx for the client. Half an answer is none.
func refusal(a *Answer) error {
	e := &AnswerError{Status: a.Status}
	for _, f := range a.Fields {
		if isFold(f.Name, "content-type") && isText(f.Value) {
			e.ContentType = string(f.Value)
		}
	}
	body, err := io.ReadAll(io.LimitReader(a, maxRefusal+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxRefusal:
		return &Error{URL: a.url, Kind: ErrBroken, Cause: fault("a refusal that is too long")}
	}
	e.Body = body
	return e
}
