package join

import (
	"errors"

	"aclgate/proxy/jsonscan"
)

// Bounds of what a Joiner keeps.
const (
	MaxHeld   = 64 << 10  // bytes of a row that is held until its end is there
	MaxErrors = 256 << 10 // bytes of the errors of all shards
)

// ErrNothing is a fault beside those of package jsonscan. None of them says anything of the
// content.
var ErrNothing = errors.New("the answer has neither a result nor an error")

// arrays are the members that count. Those who want no rows do not enter the second one.
var arrays = []string{"errors", "result"}

// The indices in arrays.
const (
	inErrors = iota
	inResult
)

// Joiner makes one answer of several shards. It is ready after Reset; then come, for each shard,
// Begin, Feed as often as it takes, and End; then Close.
type Joiner struct {
	err    error
	wanted bool // the rows of this shard count
	obj    jsonscan.Object

	most    int    // MaxHeld, less in tests
	held    []byte // the row that is not complete yet
	partial bool   // the beginning of it is sent already
	begun   bool   // the opening of the joined answer is sent
	sent    bool   // a row is sent, so the next one needs a comma
	rows    int    // of this shard
	errors  []byte // of all shards, joined by commas
	found   int    // errors of this shard
	whole   int    // length of errors without the one that is not complete
	over    bool   // the error that is not complete is too much
	left    int    // errors that were too much
}

// Reset makes j ready for the next answer. It keeps its buffers.
func (j *Joiner) Reset() {
	*j = Joiner{most: MaxHeld, held: j.held[:0], errors: j.errors[:0]}
}

// Begin says that another shard comes. What the last one left incomplete is dropped. The rows of a
// shard that failed are not wanted, only its errors are.
func (j *Joiner) Begin(wanted bool) {
	j.drop()
	j.err, j.wanted = nil, wanted
	j.rows, j.found = 0, 0
	if wanted {
		j.obj.Reset(arrays)
	} else {
		j.obj.Reset(arrays[:inResult])
	}
}

// drop forgets the row and the error that are not complete.
func (j *Joiner) drop() {
	j.held = j.held[:0]
	j.errors, j.over = j.errors[:j.whole], false
}

// Feed reads the next piece of the shard and appends to dst what may be sent by now. An error ends
// the shard: every later call returns the same one, and the rows before it are in dst.
func (j *Joiner) Feed(dst, src []byte) ([]byte, error) {
	for len(src) > 0 && j.err == nil {
		at, n := j.obj.At, 0
		n, j.err = j.obj.Step(src)
		if at == jsonscan.InElement {
			done := j.obj.At != at
			if j.obj.Array == inResult {
				dst = j.pass(dst, src[:n], done)
			} else {
				j.keep(src[:n], done)
			}
		}
		src = src[n:]
	}
	return dst, j.err
}

// End says that the shard has ended. The error is that of Feed, or says that the shard is not
// complete.
func (j *Joiner) End() error {
	if j.err == nil {
		j.err = j.obj.End()
	}
	if j.err == nil && j.wanted && !j.obj.Seen(inResult) && j.found == 0 {
		j.err = ErrNothing
	}
	return j.err
}

// Rows returns how many whole rows of this shard are sent.
func (j *Joiner) Rows() int { return j.rows }

// Found returns how many errors this shard has named.
func (j *Joiner) Found() int { return j.found }

// LeftOut returns how many errors of all shards were not kept.
func (j *Joiner) LeftOut() int { return j.left }

// PartialRow reports whether a row is sent without its end. If its shard has failed, the answer
// cannot be brought to a good end.
func (j *Joiner) PartialRow() bool { return j.partial }

// AddErrors adds errors to those of the shards, and drops what the present one left incomplete.
// errs is one error or several, joined by commas, and is kept whatever its length.
func (j *Joiner) AddErrors(errs []byte) {
	j.drop()
	if len(j.errors) > 0 && len(errs) > 0 {
		j.errors = append(j.errors, ',')
	}
	j.errors = append(j.errors, errs...)
	j.whole = len(j.errors)
}

// Close appends what is left of the joined answer to dst. It must not be called after a partial
// row.
func (j *Joiner) Close(dst []byte) []byte {
	j.drop()
	dst = append(j.appendOpening(dst), ']')
	if len(j.errors) > 0 {
		dst = append(dst, `,"errors":[`...)
		dst = append(dst, j.errors...)
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendOpening appends the opening of the joined answer, once.
func (j *Joiner) appendOpening(dst []byte) []byte {
	if j.begun {
		return dst
	}
	j.begun = true
	return append(dst, `{"result":[`...)
}

// pass sends a piece of a row, or holds it while the row is short and not done.
func (j *Joiner) pass(dst, piece []byte, done bool) []byte {
	switch {
	case j.partial:
		dst = append(dst, piece...)
	case done || len(j.held)+len(piece) > j.most:
		dst = j.appendOpening(dst)
		if j.sent {
			dst = append(dst, ',')
		}
		dst = append(append(dst, j.held...), piece...)
		j.held, j.sent = j.held[:0], true
		j.partial = true
	default:
		j.held = append(j.held, piece...)
	}
	if done {
		j.partial = false
		j.rows++
	}
	return dst
}

// keep collects a piece of an error.
func (j *Joiner) keep(piece []byte, done bool) {
	if len(j.errors) == j.whole && j.whole > 0 {
		j.errors = append(j.errors, ',')
	}
	if j.over = j.over || len(j.errors)+len(piece) > MaxErrors; j.over {
		j.errors = j.errors[:j.whole]
	} else {
		j.errors = append(j.errors, piece...)
	}
	if !done {
		return
	}
	j.found++
	if j.over {
		j.left++
	}
	j.whole, j.over = len(j.errors), false
}
