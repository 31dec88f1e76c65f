package splice

import "aclgate/proxy/outline"

// fail notes a fault and consumes nothing.
func (s *Splicer) fail(err error) int {
	s.err = err
	return 0
}

// goTo consumes one byte.
func (s *Splicer) goTo(at place) int {
	s.at = at
	return 1
}

// step reads something of src, which is not empty, and returns how many bytes
// that took.
func (s *Splicer) step(src []byte) int {
	b := src[0]
	switch {
	case s.at == inMember || s.at == inElement:
		return s.stepInside(src)
	case s.at == inErrors:
		return s.stepErrors(src)
	case s.obj.At == outline.InKey:
		return s.stepKey(src)
	case s.obj.Opens(b):
		return s.stepValue(src)
	case s.obj.At == outline.Begin && (b == byteOrderMark[0] || s.bom > 0):
		return s.stepMark(b)
	}
	n, err := s.obj.Step(src)
	s.err = err
	return n
}

// byteOrderMark may reach us in three pieces.
const byteOrderMark = "\xef\xbb\xbf"

func (s *Splicer) stepMark(b byte) int {
	if b != byteOrderMark[s.bom] {
		return s.fail(ErrNotObject)
	}
	s.bom++
	if s.bom == len(byteOrderMark) {
		return s.fail(ErrBOM)
	}
	return 1
}

// name is the key that the errors belong to.
const name = "errors"

// stepKey reads more of a key. One that comes twice is not passed whole.
func (s *Splicer) stepKey(src []byte) int {
	n, err := s.obj.Step(src)
	s.err = err
	if s.obj.At != outline.Colon || !s.obj.Key.Is(name) {
		return n
	}
	if s.has {
		s.err = ErrTwice
		return n - 1
	}
	s.has = true
	return n
}

// stepValue begins to read a member's value.
func (s *Splicer) stepValue(src []byte) int {
	s.obj.At = outline.After
	if !s.obj.Key.Is(name) {
		return s.enter(src, inMember)
	}
	if src[0] != '[' {
		return s.fail(ErrNotArray)
	}
	s.last = 0
	return s.goTo(inErrors)
}

// stepErrors reads a byte of the array errors, or begins to read an element.
// Commas are watched, because ours must not come after another; numbers and
// literals may lack theirs.
func (s *Splicer) stepErrors(src []byte) int {
	b, separated := src[0], s.last == 0 || s.last == ','
	switch {
	case outline.IsSpace(b):
		return 1
	case b == ']' && s.last != ',':
		return s.goTo(outer)
	case b == ',' && !separated:
		s.last = b
		return 1
	case !separated && (b == '"' || b == '{' || b == '['):
		return s.fail(ErrMalformed)
	}
	s.last = b
	return s.enter(src, inElement)
}

// enter begins to read a value.
func (s *Splicer) enter(src []byte, at place) int {
	open := 1
	if at == inElement {
		open = 2
	}
	if !s.val.Start(src[0], open) {
		return s.fail(ErrMalformed)
	}
	s.at = at
	return s.stepInside(src)
}

// stepInside reads more of a value, only to find its end.
func (s *Splicer) stepInside(src []byte) int {
	n, err := s.val.Scan(src)
	s.err = err
	switch {
	case !s.val.Done():
	case s.at == inElement:
		s.at = inErrors
	default:
		s.at = outer
	}
	return n
}
