package splice

import "bytes"

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

func isSpace(b byte) bool {
	return b == ' ' || b == '\t' || b == '\n' || b == '\r'
}

// step reads from src, which is not empty, up to the end of what it is in, and
// returns how many bytes that took. Only values of more than one level take
// more than a byte or two, so they alone are worth skipping through.
func (s *Splicer) step(src []byte) int {
	b := src[0]
	switch s.at {
	case mark:
		return s.stepMark(b)
	case inKey:
		return s.stepKey(b)
	case scalar:
		return s.stepScalar(src)
	case deep:
		return s.stepDeep(src)
	}
	if isSpace(b) {
		return 1
	}
	switch s.at {
	case begin:
		return s.stepBegin(b)
	case colon:
		if b == ':' {
			return s.goTo(value)
		}
		return s.fail(ErrMalformed)
	case value:
		return s.stepValue(b)
	case inErrors:
		return s.stepErrors(b)
	case done:
		return s.fail(ErrSecond)
	}
	return s.stepObject(b)
}

// stepBegin reads the first byte that is not white space.
func (s *Splicer) stepBegin(b byte) int {
	switch b {
	case '{':
		s.depth, s.floor = 1, 1
		return s.goTo(first)
	case byteOrderMark[0]:
		s.at = mark
		return 0
	}
	return s.fail(ErrNotObject)
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

// stepObject reads a byte between the members of the object.
func (s *Splicer) stepObject(b byte) int {
	switch {
	case b == '"' && s.at != after:
		s.key = keyReader{}
		return s.goTo(inKey)
	case b == ',' && s.at == after:
		return s.goTo(next)
	case b == '}' && s.at != next:
		s.depth = 0
		return s.goTo(done)
	}
	return s.fail(ErrMalformed)
}

func (s *Splicer) stepKey(b byte) int {
	if !s.key.ends(b) {
		if !s.key.read(b) {
			return s.fail(ErrMalformed)
		}
		return 1
	}
	if s.key.isErrors() {
		if s.has {
			return s.fail(ErrTwice)
		}
		s.has = true
	}
	return s.goTo(colon)
}

// stepValue reads the first byte of a member's value.
func (s *Splicer) stepValue(b byte) int {
	if s.key.isErrors() {
		if b != '[' {
			return s.fail(ErrNotArray)
		}
		s.push(b)
		s.floor, s.last = 2, 0
		return s.goTo(inErrors)
	}
	if b == '"' || b == '{' || b == '[' {
		return s.enter(b)
	}
	if !isScalar[b] {
		return s.fail(ErrMalformed)
	}
	return s.goTo(scalar)
}

// isScalar marks the bytes that numbers and literals are made of.
var isScalar = [256]bool{
	'-': true, '+': true, '.': true, 'E': true,
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	// The letters of true, false, null and of the exponent.
	'a': true, 'e': true, 'f': true, 'l': true, 'n': true, 'r': true, 's': true, 't': true, 'u': true,
}

// stepScalar reads a number or literal to its end, which is up to stepObject.
func (s *Splicer) stepScalar(src []byte) int {
	for i, b := range src {
		if !isScalar[b] {
			s.at = after
			return i
		}
	}
	return len(src)
}

// stepErrors reads a byte of the array errors, outside its elements. Commas
// are watched, because ours must not come after another.
func (s *Splicer) stepErrors(b byte) int {
	separated := s.last != 0 && s.last != ','
	switch b {
	case ']':
		if s.last == ',' {
			return s.fail(ErrMalformed)
		}
		s.depth, s.floor = 1, 1
		return s.goTo(after)
	case ',':
		if !separated {
			return s.fail(ErrMalformed)
		}
	case '"', '{', '[':
		if separated {
			return s.fail(ErrMalformed)
		}
		s.last = b
		return s.enter(b)
	default:
		if !isScalar[b] {
			return s.fail(ErrMalformed)
		}
	}
	s.last = b
	return 1
}

// enter consumes the first byte of a string, object or array.
func (s *Splicer) enter(b byte) int {
	s.inStr, s.esc = b == '"', false
	if !s.inStr {
		s.push(b)
	}
	return s.goTo(deep)
}

// push notes an open bracket.
func (s *Splicer) push(b byte) {
	if s.depth == MaxDepth {
		s.err = ErrTooDeep
		return
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	s.kinds[word] &^= bit
	if b == '{' {
		s.kinds[word] |= bit
	}
	s.depth++
}

// pop takes a closing bracket, and fails on one of the other kind.
func (s *Splicer) pop(b byte) {
	d := s.depth - 1
	if object := s.kinds[d/64]>>(d%64)&1 == 1; object != (b == '}') {
		s.err = ErrMalformed
		return
	}
	s.depth = d
}

// stepDeep reads to the end of a value that is a string, object or array.
func (s *Splicer) stepDeep(src []byte) int {
	for i := 0; i < len(src); {
		if s.inStr {
			i += s.stepString(src[i:])
		} else {
			i += skipPlain(src[i:])
			if i == len(src) {
				break
			}
			if s.bracket(src[i]); s.err != nil {
				return i
			}
			i++
		}
		if s.depth == s.floor && !s.inStr {
			s.at = after
			if s.floor == 2 {
				s.at = inErrors
			}
			return i
		}
	}
	return len(src)
}

// bracket reads a byte that begins or ends something.
func (s *Splicer) bracket(b byte) {
	switch b {
	case '"':
		s.inStr = true
	case '{', '[':
		s.push(b)
	default:
		s.pop(b)
	}
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

// stepString reads to the end of a string, its quote included, or of src. The
// quote is looked for once and then again only behind an escape that hid it:
// looking again after every escape would be quadratic.
func (s *Splicer) stepString(src []byte) int {
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
