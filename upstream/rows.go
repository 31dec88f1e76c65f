package upstream

import (
	"errors"
	"fmt"
	"io"
)

// ErrRows says that an answer is no listing: an object with the array "result" of objects
// that have the integer ids asked for. Nothing of such an answer may be used: what was cut
// or can be read in two ways would name other items than the backend means.
var ErrRows = errors.New("the answer is no list of items")

// ErrRowCount says that a listing has more rows than the reader takes.
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
	Limit    int      // of rows, 0: no bound
}

// Rows reads the rows of one listing, {"result":[{…},…],…}, off a stream. It holds one
// buffer, however long the listing and its rows are. What it hands out may be used only
// after Next has ended and Err is nil: only then it is known that the listing was whole.
//
// The zero value is ready for Reset. A Rows can be used again and again.
type Rows struct {
	scan    rowScanner
	columns Columns
	row     Row
	seen    [maxColumns]bool
	count   int
	place   rowPlace
	listed  bool // "result" was read or is being read
	errors  errorsSeen
}

// rowPlace is where in the listing the next byte stands.
type rowPlace uint8

const (
	beforeObject rowPlace = iota
	inObject              // behind a brace or a member
	inResult              // behind a bracket or a row
	afterAll
)

// errorsSeen is what was seen of the member "errors".
type errorsSeen uint8

const (
	noErrors errorsSeen = iota
	emptyErrors
	someErrors
)

// Reset makes r read the listing that src holds. Of src nothing is read behind the end of
// the listing but the end itself.
func (r *Rows) Reset(src io.Reader, c Columns) {
	r.scan.reset(src)
	*r = Rows{scan: r.scan, columns: c}
}

// Next reads the next row and reports whether there is one. Behind the last row it reads
// the rest of the answer.
func (r *Rows) Next() bool {
	for r.scan.err == nil {
		switch r.place {
		case beforeObject:
			r.begin()
		case inObject:
			r.member()
		case inResult:
			if r.next() {
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

// Failed reports whether the answer told of errors beside its rows.
func (r *Rows) Failed() bool { return r.errors == someErrors }

// Err returns nil for a whole listing, ErrRows, ErrRowCount, or what the stream failed
// with.
func (r *Rows) Err() error { return r.scan.err }

func (r *Rows) begin() {
	r.scan.mark()
	if r.scan.skipSpace() != '{' {
		r.scan.fail("it is no object")
		return
	}
	r.place = inObject
	if r.scan.peekSpace() == '}' {
		r.end()
	}
}

// end reads the brace that closes the listing, and what must not stand behind it.
func (r *Rows) end() {
	r.scan.next()
	switch {
	case !r.listed:
		r.scan.fail("there is no result")
	case !r.scan.atEnd():
		r.scan.fail("something stands behind the object")
	default:
		r.place = afterAll
	}
}

// member reads one member of the listing, or the beginning of "result".
func (r *Rows) member() {
	r.scan.mark()
	key := r.scan.key()
	switch {
	case r.scan.err != nil:
	case string(key) == "result":
		r.beginResult()
	case string(key) == "errors":
		r.readErrors()
	default:
		r.scan.skipValue()
		r.endMember()
	}
}

// endMember reads what separates two members.
func (r *Rows) endMember() {
	switch r.scan.peekSpace() {
	case ',':
		r.scan.next()
	case '}':
		r.end()
	default:
		r.scan.fail("a member does not end")
	}
}

func (r *Rows) beginResult() {
	if r.listed {
		r.scan.fail("there are two results")
		return
	}
	r.listed = true
	if r.scan.skipSpace() != '[' {
		r.scan.fail("the result is no array")
		return
	}
	if r.scan.peekSpace() == ']' {
		r.scan.next()
		r.endMember()
		return
	}
	r.place = inResult
}

// readErrors reads the member "errors": an array, or null for none.
func (r *Rows) readErrors() {
	if r.errors != noErrors {
		r.scan.fail("errors stands twice")
		return
	}
	r.errors = emptyErrors
	switch r.scan.peekSpace() {
	case 'n':
	case '[':
		if r.scan.openEmpty() {
			r.endMember()
			return
		}
		r.errors = someErrors
		r.scan.skipArray()
		r.endMember()
		return
	default:
		r.scan.fail("errors is no array")
		return
	}
	r.scan.skipValue()
	r.endMember()
}

// next reads a row and what follows it.
func (r *Rows) next() bool {
	r.scan.mark()
	if r.columns.Limit > 0 && r.count == r.columns.Limit {
		r.scan.refuse(ErrRowCount)
		return false
	}
	r.readRow()
	switch r.scan.skipSpace() {
	case ',':
	case ']':
		r.place = inObject
		r.endMember()
	default:
		r.scan.fail("a row does not end")
	}
	if r.scan.err != nil {
		return false
	}
	r.count++
	return true
}

// readRow reads one row: an object in which no field that counts stands twice.
func (r *Rows) readRow() {
	r.row, r.seen = Row{}, [maxColumns]bool{}
	if r.scan.skipSpace() != '{' {
		r.scan.fail("a row is no object")
		return
	}
	if r.scan.peekSpace() == '}' {
		r.scan.next()
		r.checkRow()
		return
	}
	for r.scan.err == nil {
		r.field()
		switch r.scan.skipSpace() {
		case ',':
		case '}':
			r.checkRow()
			return
		default:
			r.scan.fail("a field does not end")
		}
	}
}

func (r *Rows) field() {
	key := r.scan.key()
	for i, name := range r.columns.Names {
		if string(key) != name {
			continue
		}
		if r.seen[i] {
			// Two readers would take two different ones.
			r.scan.fail("a field stands twice in a row")
			return
		}
		r.seen[i] = true
		r.row.ID[i], r.row.Is[i] = r.scan.id()
		return
	}
	r.scan.skipValue()
}

func (r *Rows) checkRow() {
	for i := range r.columns.Required {
		if !r.row.Is[i] {
			r.scan.fail("a row has no integer id")
			return
		}
	}
}

// fail notes why an answer is no listing, unless the stream itself has failed. The texts
// are constants: no byte of an answer gets into a log.
func (s *rowScanner) fail(why string) { s.refuse(fmt.Errorf("%w: %w", ErrRows, fault(why))) }

func (s *rowScanner) refuse(err error) {
	if s.err == nil {
		s.err = err
	}
}
