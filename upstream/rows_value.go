package upstream

import "aclgate/policy"

// id takes a value and reports whether it is an id; 1.0, 1e3 and "1" are none.
func (s *rowScanner) id() (int64, bool) {
	c := s.peekSpace()
	if c < '1' || c > '9' {
		s.skipValue()
		return 0, false
	}
	var n uint64
	digits := 0
	for ; isDigit(c); c = s.peek() {
		// 19 digits stay below 2^64; a longer number is no id, whatever n is then.
		n = n*10 + uint64(c-'0')
		digits++
		s.r++
	}
	if c == '.' || c == 'e' || c == 'E' {
		s.fraction()
		return 0, false
	}
	return int64(n), digits <= 19 && n <= policy.MaxID
}

// skipValue takes a value of any kind.
func (s *rowScanner) skipValue() {
	switch c := s.skipSpace(); {
	case c == '{' || c == '[':
		s.skipNested(c)
	default:
		s.skipScalar(c)
	}
}

// skipScalar takes the rest of a value without brackets that begins with c.
func (s *rowScanner) skipScalar(c byte) {
	switch {
	case c == '"':
		s.skipString()
	case c == '-' || isDigit(c):
		s.number(c)
	case c == 't':
		s.word("rue")
	case c == 'f':
		s.word("alse")
	case c == 'n':
		s.word("ull")
	default:
		s.fail("a value is none")
	}
}

func (s *rowScanner) word(rest string) {
	for i := range len(rest) {
		if s.next() != rest[i] {
			s.fail("a value is none")
			return
		}
	}
}

// number takes the rest of a number that begins with c.
func (s *rowScanner) number(c byte) {
	if c == '-' {
		c = s.next()
	}
	switch {
	case c == '0':
	case isDigit(c):
		s.digits()
	default:
		s.fail("a number is none")
		return
	}
	s.fraction()
}

// digits takes digits and reports whether there were any.
func (s *rowScanner) digits() bool {
	any := false
	for isDigit(s.peek()) {
		s.r++
		any = true
	}
	return any
}

// fraction takes what may follow the whole part of a number.
func (s *rowScanner) fraction() {
	if s.peek() == '.' {
		s.r++
		if !s.digits() {
			s.fail("a number is none")
			return
		}
	}
	if c := s.peek(); c != 'e' && c != 'E' {
		return
	}
	s.r++
	if c := s.peek(); c == '+' || c == '-' {
		s.r++
	}
	if !s.digits() {
		s.fail("a number is none")
	}
}

// openEmpty takes the bracket of an array, and the one that closes it if that comes next,
// which it reports.
func (s *rowScanner) openEmpty() bool {
	s.next()
	if s.peekSpace() != ']' {
		return false
	}
	s.next()
	return true
}

// skipArray takes the rest of an array that is not empty.
func (s *rowScanner) skipArray() {
	var open [maxNesting]byte
	open[0] = '['
	s.skipLevels(&open, 1)
}

// skipNested takes the rest of an object or an array. The open brackets stand in an array
// of their own: a backend must not choose how deep our stack gets.
func (s *rowScanner) skipNested(bracket byte) {
	var open [maxNesting]byte
	if depth := s.open(&open, 0, bracket); depth > 0 {
		s.skipLevels(&open, depth)
	}
}

// skipLevels takes values and what separates them until no bracket is open. It begins
// before a value, whose name is still to come in an object.
func (s *rowScanner) skipLevels(open *[maxNesting]byte, depth int) {
	for depth > 0 && s.err == nil {
		if open[depth-1] == '{' {
			s.key()
		}
		c := s.skipSpace()
		if c == '{' || c == '[' {
			was := depth
			if depth = s.open(open, depth, c); depth > was {
				continue
			}
		} else {
			s.skipScalar(c)
		}
		depth = s.close(open, depth)
	}
}

// open notes a bracket and returns the new depth, which stays as it was when the bracket
// is closed at once.
func (s *rowScanner) open(open *[maxNesting]byte, depth int, bracket byte) int {
	if s.peekSpace() == bracket+2 { // the closing one, in ASCII
		s.next()
		return depth
	}
	if depth == maxNesting {
		s.fail("the answer is nested too deeply")
		return depth
	}
	open[depth] = bracket
	return depth + 1
}

// close takes closing brackets behind a value, up to the comma before the next value, and
// returns how many brackets are still open.
func (s *rowScanner) close(open *[maxNesting]byte, depth int) int {
	for depth > 0 {
		switch c := s.skipSpace(); c {
		case ',':
			return depth
		case open[depth-1] + 2:
			depth--
		default:
			s.fail("a value does not end")
			return 0
		}
	}
	return 0
}
