package listing

import (
	"errors"
	"io"
	"slices"
)

// ErrRows says that an answer is no listing: an object with the array "result" of objects that have
// the integer ids asked for. Nothing of such an answer may be used: what was cut or can be read in
// two ways would name other items than the backend means.
var ErrRows = errors.New("the answer is no list of items")

// ErrRowCount says that a listing has more rows than the reader takes: more than Query.Max.
var ErrRowCount = errors.New("the list of items is too long")

// maxColumns is how many fields of a row can be asked for.
const maxColumns = 3

// Row is what a listing says of one item.
type Row struct {
	ID [maxColumns]int64 // the values of the fields asked for, by their order
	Is [maxColumns]bool  // the field is there and is an id: [1-9][0-9]* up to 2^63-1
}

// Columns say which top-level fields of a row are read.
type Columns struct {
	Names    []string // at most three
	Required int      // so many of the first ones have to be ids in every row
}

// Pagination is what an answer says of its place in the whole list: the member "pagination". It is
// the zero value where the answer has none, or one that can be read in two ways.
type Pagination struct {
	Known                bool // there is one, with all three numbers
	Limit, Offset, Count int64
}

// Rows reads the rows of one listing, {"result":[{…},…],…}, off a stream. It holds one buffer,
// however long the listing and its rows are. What it hands out may be used only after Next has
// ended and Err is nil: only then it is known that the listing was whole.
//
// The zero value is ready for Reset. A Rows can be used again and again.
type Rows struct {
	scan    rowScanner
	columns Columns
	row     Row
	count   int
	state   rowState
	members int  // of the listing, until now
	listed  bool // "result" was read or is being read
	errors  errorsSeen
	paging  Pagination
	paged   bool // "pagination" was read
}

// rowState says what the next byte of the listing belongs to.
type rowState uint8

const (
	beforeObject rowState = iota
	inObject
	inResult
	afterAll
)

// errorsSeen is what was seen of the member "errors".
type errorsSeen uint8

const (
	noErrors errorsSeen = iota
	emptyErrors
	someErrors
)

// Reset makes r read the listing that src holds. Of src nothing is read after the end of the
// listing but the end itself.
func (r *Rows) Reset(src io.Reader, c Columns) {
	r.scan.reset(src)
	*r = Rows{scan: r.scan, columns: c}
}

// Next reads the next row and reports whether there is one. After the last row it reads the rest of
// the answer.
func (r *Rows) Next() bool {
	for r.scan.err == nil {
		switch r.state {
		case beforeObject:
			r.scan.open('{', "it is no object")
			r.state = inObject
		case inObject:
			r.member()
		case inResult:
			if !r.scan.more(r.count, ']') {
				r.state = inObject
				continue
			}
			if r.readRow(); r.scan.err == nil {
				r.count++
				return true
			}
		case afterAll:
			return false
		}
	}
	return false
}

// Row returns the row that Next has read. It is valid until the next Next.
func (r *Rows) Row() *Row { return &r.row }

// Count returns how many rows were read.
func (r *Rows) Count() int { return r.count }

// Pagination returns what the answer says of its place in the whole list. It is known after the
// last row.
func (r *Rows) Pagination() Pagination { return r.paging }

// Failed reports whether the answer has errors beside its rows.
func (r *Rows) Failed() bool { return r.errors == someErrors }

// Err returns nil for a whole listing, ErrRows, or what the stream failed with.
func (r *Rows) Err() error { return r.scan.err }

// member reads one member of the listing, the opening of "result", or the end, and what must not
// follow that.
func (r *Rows) member() {
	s := &r.scan
	if !s.more(r.members, '}') {
		switch {
		case !r.listed:
			s.fail("there is no result")
		case !s.atEnd():
			s.fail("something follows the object")
		}
		r.state = afterAll
		return
	}
	r.members++
	switch name := s.readName(); {
	case string(name) == "result" && r.listed:
		s.fail("there are two results")
	case string(name) == "result":
		s.open('[', "the result is no array")
		r.state, r.listed = inResult, true
	case string(name) == "errors":
		r.readErrors()
	case string(name) == "pagination":
		r.readPagination()
	default:
		s.skip(1)
	}
}

// readErrors reads the value of "errors": an array, or null for none.
func (r *Rows) readErrors() {
	s := &r.scan
	if r.errors != noErrors {
		s.fail("errors comes twice")
		return
	}
	r.errors = emptyErrors
	if s.peekSpace() == 'n' {
		s.skip(1)
		return
	}
	s.open('[', "errors is no array")
	for n := 0; s.more(n, ']'); n++ {
		r.errors = someErrors
		s.skip(2)
	}
}

// readPagination reads the value of "pagination". What is no object of plain numbers, or comes
// twice, says nothing: it is no fault of the rows.
func (r *Rows) readPagination() {
	s := &r.scan
	var p Pagination
	fields := [...]struct {
		name  string
		value *int64
		seen  int
	}{{"limit", &p.Limit, 0}, {"offset", &p.Offset, 0}, {"count", &p.Count, 0}}
	p.Known = !r.paged
	r.paged = true
	if s.peekSpace() != '{' {
		s.skip(1)
		return
	}
	s.open('{', "")
	for n := 0; s.more(n, '}'); n++ {
		name := s.readName()
		i := 0
		for i < len(fields) && string(name) != fields[i].name {
			i++
		}
		if i == len(fields) {
			s.skip(2)
			continue
		}
		value, is := s.natural()
		*fields[i].value = value
		fields[i].seen++
		p.Known = p.Known && is
	}
	for _, f := range fields {
		p.Known = p.Known && f.seen == 1
	}
	if r.paging = p; !p.Known {
		r.paging = Pagination{}
	}
}

// readRow reads one row: an object in which no field that counts comes twice.
func (r *Rows) readRow() {
	s := &r.scan
	r.row = Row{}
	var seen [maxColumns]bool
	s.open('{', "a row is no object")
	for n := 0; s.more(n, '}'); n++ {
		name := s.readName()
		i := slices.IndexFunc(r.columns.Names, func(asked string) bool { return string(name) == asked })
		switch {
		case i < 0:
			s.skip(3)
			continue
		case seen[i]:
			s.fail("a field comes twice in a row") // two readers would take two different ones
		}
		seen[i] = true
		r.row.ID[i], r.row.Is[i] = s.id()
	}
	for i := range r.columns.Required {
		if !r.row.Is[i] {
			s.fail("a row has no integer id")
		}
	}
}
