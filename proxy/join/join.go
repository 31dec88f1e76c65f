package join

import (
	"errors"

	"aclgate/proxy/outline"
)

// Bounds of what a Joiner keeps.
const (
	MaxHeld   = 64 << 10  // bytes of a row that is held until its end is there
	MaxErrors = 256 << 10 // bytes of the errors of all parts
)

// What may be wrong with a part. None of them says anything of its content.
var (
	ErrNotObject = outline.ErrNotObject
	ErrNotArray  = errors.New("result or errors of the answer is not an array")
	ErrTwice     = errors.New("the answer has result or errors twice")
	ErrNothing   = errors.New("the answer has neither a result nor an error")
	ErrSecond    = outline.ErrSecond
	ErrMalformed = outline.ErrMalformed
	ErrTooDeep   = outline.ErrTooDeep
	ErrCut       = outline.ErrCut
)

// place says what the next byte of a part belongs to.
type place uint8

const (
	outer   place = iota // between the members of the object
	inOther              // inside a value that does not count
	inArray              // inside result or errors, between elements
	inRow                // inside an element of result
	inError              // inside an element of errors
)

// Joiner makes one answer. It is ready after Reset; then come, for each part,
// Begin, Feed as often as it takes, and End; then Close.
type Joiner struct {
	err     error
	at      place
	wanted  bool // the rows of this part count
	isError bool // the array is errors
	results bool // a key result was seen
	faults  bool // a key errors was seen
	last    byte // inArray: the last byte that is not white space, 0 for none
	obj     outline.Object
	val     outline.Value

	most   int    // MaxHeld, less in tests
	held   []byte // the row that is not complete yet
	torn   bool   // a part of it is sent already
	begun  bool   // the opening of the joined answer is sent
	sent   bool   // a row is sent, so the next one needs a comma
	rows   int    // of this part
	errors []byte // of all parts, joined by commas
	found  int    // errors of this part
	whole  int    // length of errors without the one that is not complete
	over   bool   // the error that is not complete is too much
	left   int    // errors that were too much
}

// Reset makes j ready for the next answer. It keeps its buffers.
func (j *Joiner) Reset() {
	*j = Joiner{most: MaxHeld, held: j.held[:0], errors: j.errors[:0]}
}

// Begin says that another part comes. What the last one left incomplete is
// dropped. The rows of a part that failed are not wanted, only its errors are.
func (j *Joiner) Begin(wanted bool) {
	j.drop()
	j.err, j.at, j.wanted = nil, outer, wanted
	j.obj = outline.Object{}
	j.results, j.faults = false, false
	j.rows, j.found = 0, 0
}

// drop forgets the row and the error that are not complete.
func (j *Joiner) drop() {
	j.held = j.held[:0]
	j.errors, j.over = j.errors[:j.whole], false
}

// Feed reads the next piece of the part and appends to dst what may be sent by
// now. An error ends the part: every later call returns the same one, and the
// rows before it are in dst.
func (j *Joiner) Feed(dst, src []byte) ([]byte, error) {
	for len(src) > 0 && j.err == nil {
		n := 0
		if j.at == inRow {
			dst, n = j.feedRow(dst, src)
		} else {
			n = j.step(src)
		}
		src = src[n:]
	}
	return dst, j.err
}

// End says that the part has ended. The error is that of Feed, or says that the
// part is not complete.
func (j *Joiner) End() error {
	if j.err == nil {
		j.err = j.obj.End()
	}
	if j.err == nil && j.wanted && !j.results && j.found == 0 {
		j.err = ErrNothing
	}
	return j.err
}

// Rows returns how many whole rows of this part are sent.
func (j *Joiner) Rows() int { return j.rows }

// Found returns how many errors this part has named.
func (j *Joiner) Found() int { return j.found }

// LeftOut returns how many errors of all parts were not kept.
func (j *Joiner) LeftOut() int { return j.left }

// Torn reports whether a row has been sent in part. If its part has failed, the
// answer cannot be brought to a good end.
func (j *Joiner) Torn() bool { return j.torn }

// AddErrors adds errors to those of the parts, and drops what the present part
// left incomplete. errs is one error or several, joined by commas, and is kept
// whatever its length.
func (j *Joiner) AddErrors(errs []byte) {
	j.drop()
	if len(j.errors) > 0 && len(errs) > 0 {
		j.errors = append(j.errors, ',')
	}
	j.errors = append(j.errors, errs...)
	j.whole = len(j.errors)
}

// Close appends what is left of the joined answer to dst. It must not be called
// for an answer that is torn.
func (j *Joiner) Close(dst []byte) []byte {
	j.drop()
	dst = append(j.open(dst), ']')
	if len(j.errors) > 0 {
		dst = append(dst, `,"errors":[`...)
		dst = append(dst, j.errors...)
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// open appends the opening of the joined answer, once.
func (j *Joiner) open(dst []byte) []byte {
	if j.begun {
		return dst
	}
	j.begun = true
	return append(dst, `{"result":[`...)
}

// feedRow reads more of a row.
func (j *Joiner) feedRow(dst, src []byte) ([]byte, int) {
	n, err := j.val.Scan(src)
	dst = j.pass(dst, src[:n])
	j.err = err
	if err == nil && j.val.Done() {
		j.at = inArray
	}
	return dst, n
}

// pass sends a piece of a row, or holds it while the row is short and not
// complete.
func (j *Joiner) pass(dst, piece []byte) []byte {
	switch {
	case j.torn:
		dst = append(dst, piece...)
	case j.val.Done() || len(j.held)+len(piece) > j.most:
		dst = j.open(dst)
		if j.sent {
			dst = append(dst, ',')
		}
		dst = append(append(dst, j.held...), piece...)
		j.held, j.sent, j.torn = j.held[:0], true, true
	default:
		j.held = append(j.held, piece...)
	}
	if j.val.Done() {
		j.torn = false
		j.rows++
	}
	return dst
}

// keep collects a piece of an error.
func (j *Joiner) keep(piece []byte) {
	if j.over = j.over || len(j.errors)+len(piece) > MaxErrors; j.over {
		j.errors = j.errors[:j.whole]
	} else {
		j.errors = append(j.errors, piece...)
	}
	if !j.val.Done() {
		return
	}
	j.found++
	if j.over {
		j.left++
	}
	j.whole, j.over = len(j.errors), false
}
