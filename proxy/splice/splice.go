package splice

import (
	"bytes"
	"errors"

	"aclgate/proxy/outline"
)

// What may be wrong with an answer. None of them says anything of its content.
var (
	ErrNotObject = outline.ErrNotObject
	ErrBOM       = errors.New("the answer begins with a byte order mark")
	ErrNotArray  = errors.New("errors of the answer is not an array")
	ErrTwice     = errors.New("the answer has errors twice")
	ErrSecond    = outline.ErrSecond
	ErrMalformed = outline.ErrMalformed
	ErrTooDeep   = outline.ErrTooDeep
	ErrCut       = outline.ErrCut
)

// place says what the next byte belongs to.
type place uint8

const (
	outer     place = iota // between the members of the object
	inMember               // inside a member's value
	inErrors               // inside the array errors itself
	inElement              // inside one of its elements
)

// Splicer adds errors to one answer. The zero value adds none and only looks
// for faults; Reset makes it ready for an answer. It is about 1 KiB long and
// allocates nothing.
type Splicer struct {
	errs []byte
	err  error
	at   place
	has  bool // a key errors was seen
	last byte // inErrors: the last byte that is not white space, 0 for none
	bom  int  // bytes of a byte order mark that were seen
	obj  outline.Object
	val  outline.Value
}

// Reset makes s ready for the next answer. errs are the error objects to add,
// as JSON, joined by commas; s keeps the slice until the next Reset. Without
// any, the answer passes as it is.
func (s *Splicer) Reset(errs []byte) {
	s.errs, s.err, s.at = errs, nil, outer
	s.has, s.last, s.bom = false, 0, 0
	s.obj = outline.Object{}
}

// Feed reads the next part of the answer and appends to dst what may be sent
// of it: all of it, with the errors where they belong.
//
// A fault ends the answer: dst then has the bytes before the fault, and every
// later call returns the same error. Feed sends nothing itself, so a caller
// who wants to know of faults before the first byte goes out feeds the first
// part of the answer, as much as may be held (64 KiB), and looks at the error
// first: on a fault the answer may still be passed untouched from the caller's
// own copy. A fault behind that part means that the connection must end without
// the final chunk.
func (s *Splicer) Feed(dst, src []byte) ([]byte, error) {
	sent, i := 0, 0
	for i < len(src) && s.err == nil {
		if s.due(src[i]) {
			dst = s.insert(append(dst, src[sent:i]...))
			sent = i
		}
		i += s.step(src[i:])
	}
	return append(dst, src[sent:i]...), s.err
}

// Finish says that the answer has ended, and returns an error if the object
// is not complete. There is nothing left to send: the errors went out before
// the closing brace.
func (s *Splicer) Finish() error {
	if s.err == nil {
		s.err = s.obj.End()
	}
	return s.err
}

// Whole appends the answer text with errs added: at the end of its array
// errors, or as the first member, as the vendor writes it. On a fault dst
// comes back as it was.
func Whole(dst, text, errs []byte) ([]byte, error) {
	var s Splicer
	s.Reset(errs)
	start := len(dst)
	dst, err := s.Feed(dst, text)
	if err == nil {
		err = s.Finish()
	}
	if err != nil {
		return dst[:start], err
	}
	if s.has || len(errs) == 0 {
		return dst, nil
	}
	open := bytes.IndexByte(text, '{') + 1
	dst = append(dst[:start], text[:open]...)
	dst = s.appendMember(dst)
	if rest := bytes.TrimLeft(text[open:], " \t\r\n"); rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, text[open:]...), nil
}

// due reports whether the errors belong before b, the next byte.
func (s *Splicer) due(b byte) bool {
	switch {
	case len(s.errs) == 0:
		return false
	case b == ']':
		return s.at == inErrors && s.last != ','
	case b == '}':
		return !s.has && s.at == outer && (s.obj.At == outline.First || s.obj.At == outline.After)
	}
	return false
}

// insert appends the errors to the open array, or a member of their own.
func (s *Splicer) insert(dst []byte) []byte {
	if s.at == inErrors {
		if s.last != 0 {
			dst = append(dst, ',')
		}
		return append(dst, s.errs...)
	}
	if s.obj.At != outline.First {
		dst = append(dst, ',')
	}
	return s.appendMember(dst)
}

func (s *Splicer) appendMember(dst []byte) []byte {
	dst = append(dst, `"errors":[`...)
	dst = append(dst, s.errs...)
	return append(dst, ']')
}
