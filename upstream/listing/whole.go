package listing

import (
	"errors"
	"slices"

	"aclgate/upstream"
)

const (
	// maxRestarts is how often a reading begins again because the list has changed on the way (SPEC
	// 4.6). After that it goes back only as far as it must.
	maxRestarts = 3
	// freeSteps is how many pages a reading may go back in all, beside one for each page that
	// brought something new. A list that changes faster cannot be read.
	freeSteps = 100
)

// errChanging says that the pages of a list never fit each other.
var errChanging = errors.New("a listing changes faster than it can be read")

// All reads every page of a listing and hands each row to each, in the order of the backend. The
// rows count only if no error comes back. A refusal of what a client asked for is an *AnswerError.
//
// Backends page by position: when an item before a page is deleted, the next page begins too late,
// and a row is missing that was there all the time. So a page is asked for with the last row of the
// page before. If some row of the page before is in it, nothing between them can be missing, as
// long as the backend keeps its order; if none is, the list has changed too much and the reading
// starts again. After three times it goes on with pages that overlap by half, and from one that does
// not fit goes back page by page until one has a row in common, at worst to the beginning; rows may
// come twice then.
//
// The end is a page without new rows, or as many rows as "pagination" counts where it repeats our
// own limit and offset: a short page alone may be the work of a backend with a smaller limit.
func (k *Lister) All(a *upstream.Answer, q *Query, each func(*Row)) error {
	_, err := k.all(a, q, each)
	return err
}

// all is All, and reports whether the backend has shown any page.
func (k *Lister) all(a *upstream.Answer, q *Query, each func(*Row)) (shown bool, err error) {
	w := whole{Lister: k, answer: a, query: q, each: each}
	err = q.inTime(a, w.read)
	return w.shown, err
}

// rowKey tells rows apart: the columns that every row must have.
type rowKey [maxColumns]int64

// whole reads one listing to its end.
type whole struct {
	*Lister
	answer *upstream.Answer
	query  *Query
	each   func(*Row)

	pages  int      // read since the list was last asked for from its beginning
	first  rowKey   // first row of the first page
	rows   int      // of the first page
	window []rowKey // last rows of the last page, at most PageRows
	keys   []rowKey // for those of the page that is being read
	handed int      // rows handed on since the last start
	shown  bool

	restarts, steps, progress int // starts again, pages gone back, pages with new rows
}

// piece is one page while it is read.
type piece struct {
	offset  int
	rows    int      // rows read, those of the pages before included
	fresh   int      // rows that were not in the window
	linked  bool     // it follows on the window without a gap
	checked bool     // the last row of the window was met: what follows is new
	again   bool     // it begins as the first page did
	keys    []rowKey // its last rows, at most 2*PageRows
	pending []Row    // new rows before it was linked
	err     error    // ErrRowCount
}

// read reads pages until the list ends.
func (w *whole) read() error {
	for offset := 0; ; {
		p := piece{offset: offset, linked: offset == 0 || w.single(), keys: w.keys[:0]}
		paging, err := w.page(w.answer, w.query, PageRows, offset, func(r *Row) bool { return w.row(&p, r) })
		w.keys = p.keys
		switch {
		case past(err) && offset > 0 && w.single():
			return nil // this page was asked for without a row that must be there
		case err == nil:
			err = p.err
		}
		if err != nil {
			return err
		}
		w.shown = true
		switch {
		case p.again:
			all, err := w.unpaged()
			if all || err != nil {
				return err
			}
			fallthrough
		case !p.linked:
			if offset, err = w.back(offset); err != nil {
				return err
			}
		case w.ends(&p) || p.rows < PageRows && paging.counts(offset, p.rows):
			w.checkCount(&paging, &p)
			return nil
		default:
			offset = w.next(&p)
		}
	}
}

// ends reports whether a page has nothing but the row that it was asked for with, or nothing. One
// that has more old rows was moved by an insertion.
func (w *whole) ends(p *piece) bool {
	return p.rows == 0 || p.rows == 1 && p.checked && !w.single()
}

// single reports whether the last page had one row alone. Then the next is asked for without it, or
// a backend with pages of one row would show it for ever.
func (w *whole) single() bool { return len(w.window) == 1 }

// past reports whether a backend says that there is nothing at an offset.
func past(err error) bool {
	var refused *AnswerError
	return errors.As(err, &refused) && (refused.Status == 404 || refused.Status == 416)
}

// repeats reports whether p is about the page that was asked for, so that its count is that of the
// whole list. Otherwise it may be that of the page.
func (p *Pagination) repeats(limit, offset int) bool {
	return p.Known && p.Limit == int64(limit) && p.Offset == int64(offset)
}

// counts reports whether the list ends with a page of so many rows.
func (p *Pagination) counts(offset, rows int) bool {
	return p.repeats(PageRows, offset) && p.Count == int64(offset+rows)
}

// checkCount says so where a backend counts more rows than it shows.
func (w *whole) checkCount(paging *Pagination, p *piece) {
	if shows := int64(p.offset + p.rows); w.Log != nil && paging.repeats(PageRows, p.offset) && paging.Count > shows {
		w.Log.Warn("the backend counts more rows than it shows", "account", w.query.CID, "counts", paging.Count, "shows", shows)
	}
}

// next makes a page the last one and returns where the next begins.
func (w *whole) next(p *piece) int {
	if p.offset == 0 {
		w.pages, w.rows = 0, p.rows
	}
	w.pages++
	if p.fresh > 0 && p.offset > 0 {
		w.progress++
	}
	w.window = append(w.window[:0], p.keys[max(0, len(p.keys)-PageRows):]...)
	overlap := 1
	switch {
	case p.rows == 1:
		overlap = 0
	case w.restarts == maxRestarts:
		overlap = max(1, min(p.rows, PageRows)/2)
	}
	return p.offset + p.rows - overlap
}

// back returns where to go on after a page that does not fit the one before: at the beginning, with
// nothing in hand, or from the fourth time on a page earlier.
func (w *whole) back(offset int) (int, error) {
	if w.restarts < maxRestarts {
		w.restarts++
		if w.query.Again != nil {
			w.query.Again(w.handed)
		}
		w.pages, w.handed, w.window = 0, 0, w.window[:0]
		return 0, nil
	}
	if w.steps++; w.steps > freeSteps+w.progress {
		return 0, &upstream.Error{URL: w.answer.URL(), Kind: upstream.ErrBroken, Cause: errChanging}
	}
	return max(0, offset-max(1, len(w.window))), nil
}

// unpaged finds out what it means that the second page begins as the first one did, and reports
// whether the first was all: it was if a page far behind it begins so too. Else the backend does
// page, and rows were inserted. One that obeys limit alone has more than it can show.
func (w *whole) unpaged() (all bool, err error) {
	rows, same, beyond := 0, false, w.rows+PageRows
	paging, err := w.page(w.answer, w.query, 1, beyond, func(r *Row) bool {
		same = rows == 0 && w.key(r) == w.first || rows > 0 && same
		rows++
		return rows == 1
	})
	switch {
	case past(err):
		return false, nil
	case err != nil || !same:
		return false, err
	case rows == 1 && w.rows >= PageRows, paging.repeats(1, beyond) && paging.Count > int64(w.rows):
		return false, &upstream.Error{URL: w.answer.URL(), Kind: upstream.ErrBroken, Cause: errors.New("a page of a listing came twice")}
	}
	return true, nil
}

// key returns what tells a row from the others.
func (w *whole) key(r *Row) (key rowKey) {
	copy(key[:], r.ID[:max(1, w.query.Columns.Required)])
	return key
}

// row takes one row of a page and reports whether the rest is wanted.
func (w *whole) row(p *piece, r *Row) bool {
	key := w.key(r)
	switch {
	case p.rows > 0:
	case p.offset == 0:
		w.first = key
	case w.pages == 1 && key == w.first:
		p.again = true
		return false
	}
	p.rows++
	if p.keys = append(p.keys, key); len(p.keys) == 2*PageRows {
		p.keys = slices.Delete(p.keys, 0, PageRows)
	}
	if w.overlaps(p, key) {
		for i := range p.pending {
			w.hand(p, &p.pending[i])
		}
		p.pending = nil
		return p.err == nil
	}
	p.fresh++
	if p.linked {
		return w.hand(p, r)
	}
	p.pending = append(p.pending, *r)
	return len(p.pending) <= PageRows
}

// overlaps reports whether a row was on the page before, which links the two. The backend keeps its
// order: what follows the last row of that page is new.
func (w *whole) overlaps(p *piece, key rowKey) bool {
	if p.checked || p.rows > 2*PageRows {
		return false
	}
	i := len(w.window) - 1
	for i >= 0 && w.window[i] != key {
		i--
	}
	if i < 0 {
		return false
	}
	p.checked = i == len(w.window)-1
	p.linked = true
	return true
}

// hand hands a row on and reports whether more may follow.
func (w *whole) hand(p *piece, r *Row) bool {
	switch {
	case p.err != nil:
		return false
	case w.query.Keep != nil && !w.query.Keep(r):
		return true
	}
	if w.handed++; w.query.Max > 0 && w.handed > w.query.Max {
		p.err = ErrRowCount
		return false
	}
	w.each(r)
	return true
}
