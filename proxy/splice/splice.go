package splice

import (
	"bytes"

	"aclgate/proxy/jsonscan"
)

// arrays is the member that the errors belong to.
var arrays = []string{"errors"}

// Splicer adds errors to one answer. Reset makes it ready for one. It is about 1 KiB long and
// allocates nothing.
type Splicer struct {
	errs []byte
	err  error
	obj  jsonscan.Object
}

// Reset makes s ready for the next answer. errs are the error objects to add, as JSON, joined by
// commas; s keeps the slice until the next Reset. Without any, the answer passes as it is.
func (s *Splicer) Reset(errs []byte) {
	s.errs, s.err = errs, nil
	s.obj.Reset(arrays)
}

// Feed reads the next part of the answer and appends to dst what may be sent of it: all of it, with
// the errors where they belong.
//
// A fault ends the answer: dst then has the bytes before the fault, and every later call returns
// the same error. Feed sends nothing itself, so a caller who wants to know of faults before the
// first byte goes out feeds the first part of the answer, as much as may be held (64 KiB), and
// looks at the error first: on a fault the answer may still be passed untouched from the caller's
// own copy. A fault after that part means that the connection must end without the final chunk.
func (s *Splicer) Feed(dst, src []byte) ([]byte, error) {
	sent, i := 0, 0
	for i < len(src) && s.err == nil {
		if s.due(src[i]) {
			dst = s.insert(append(dst, src[sent:i]...))
			sent = i
		}
		n, err := s.obj.Step(src[i:])
		i, s.err = i+n, err
	}
	return append(dst, src[sent:i]...), s.err
}

// Finish says that the answer has ended, and returns an error if the object is not complete. There
// is nothing left to send: the errors went out before the closing brace.
func (s *Splicer) Finish() error {
	if s.err == nil {
		s.err = s.obj.End()
	}
	return s.err
}

// Whole appends the answer text with errs added: at the end of its array errors, or as the first
// member, as the vendor writes it. On a fault dst comes back as it was.
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
	if s.obj.Seen(0) || len(errs) == 0 {
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
	return len(s.errs) > 0 && s.obj.Closes(b) && (s.obj.At == jsonscan.InArray || !s.obj.Seen(0))
}

// insert appends the errors to the open array, or a member of their own.
func (s *Splicer) insert(dst []byte) []byte {
	if !s.obj.Empty() {
		dst = append(dst, ',')
	}
	if s.obj.At == jsonscan.InArray {
		return append(dst, s.errs...)
	}
	return s.appendMember(dst)
}

func (s *Splicer) appendMember(dst []byte) []byte {
	dst = append(dst, `"errors":[`...)
	dst = append(dst, s.errs...)
	return append(dst, ']')
}
