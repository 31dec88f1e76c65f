package join

import "bytes"

// scanner finds the end of one value, which may come in pieces. Of strings it
// follows quotes and escapes, of objects and arrays which bracket closes which.
type scanner struct {
	done   bool
	scalar bool // a number or literal: it ends before a byte that is none of it
	inStr  bool
	esc    bool // after a backslash in a string
	depth  int
	kinds  [MaxDepth / 64]uint64 // one bit for each open bracket: set for an object
}

// start makes s ready for a value that begins with b, and reports false if none
// does.
func (s *scanner) start(b byte) bool {
	s.done, s.inStr, s.esc, s.depth = false, false, false, 0
	s.scalar = isScalar[b]
	return s.scalar || b == '"' || b == '{' || b == '['
}

// scan reads up to the end of the value or of src, and returns how many bytes of
// src belong to the value. With an error these are the bytes before the fault.
func (s *scanner) scan(src []byte) (int, error) {
	if s.scalar {
		return s.scanScalar(src), nil
	}
	for i := 0; i < len(src); {
		if s.inStr {
			i += s.scanString(src[i:])
		} else {
			i += skipPlain(src[i:])
			if i == len(src) {
				break
			}
			if err := s.bracket(src[i]); err != nil {
				return i, err
			}
			i++
		}
		if s.depth == 0 && !s.inStr {
			s.done = true
			return i, nil
		}
	}
	return len(src), nil
}

// isScalar marks the bytes that numbers and literals are made of.
var isScalar = [256]bool{
	'-': true, '+': true, '.': true, 'E': true,
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	// The letters of true, false, null and of the exponent.
	'a': true, 'e': true, 'f': true, 'l': true, 'n': true, 'r': true, 's': true, 't': true, 'u': true,
}

// scanScalar ends before the first byte that is none of a scalar: a border is
// not known before it is seen.
func (s *scanner) scanScalar(src []byte) int {
	for i, b := range src {
		if !isScalar[b] {
			s.done = true
			return i
		}
	}
	return len(src)
}

// bracket reads a byte that begins or ends something.
func (s *scanner) bracket(b byte) error {
	switch b {
	case '"':
		s.inStr = true
	case '{', '[':
		return s.push(b)
	default:
		return s.pop(b)
	}
	return nil
}

func (s *scanner) push(b byte) error {
	if s.depth == MaxDepth {
		return ErrTooDeep
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	s.kinds[word] &^= bit
	if b == '{' {
		s.kinds[word] |= bit
	}
	s.depth++
	return nil
}

// pop takes a closing bracket, and fails on one of the other kind.
func (s *scanner) pop(b byte) error {
	d := s.depth - 1
	if object := s.kinds[d/64]>>(d%64)&1 == 1; object != (b == '}') {
		return ErrMalformed
	}
	s.depth = d
	return nil
}

// isMark marks the bytes that matter outside strings.
var isMark = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true}

// skipPlain returns how many bytes of src are none of isMark.
func skipPlain(src []byte) int {
	for i, b := range src {
		if isMark[b] {
			return i
		}
	}
	return len(src)
}

// scanString reads to the end of a string, its quote included, or of src. The
// quote is looked for once and then again only behind an escape that hid it:
// looking again after every escape would be quadratic.
func (s *scanner) scanString(src []byte) int {
	i, quote := 0, -1
	if s.esc {
		i, s.esc = 1, false
	}
	for {
		if quote < i {
			if quote = bytes.IndexByte(src[i:], '"'); quote < 0 {
				quote = len(src)
			} else {
				quote += i
			}
		}
		slash := bytes.IndexByte(src[i:quote], '\\')
		switch {
		case slash >= 0 && i+slash+1 == len(src):
			s.esc = true
			return len(src)
		case slash >= 0:
			i += slash + 2
		case quote == len(src):
			return len(src)
		default:
			s.inStr = false
			return quote + 1
		}
	}
}
