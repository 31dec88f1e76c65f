package listing

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"aclgate/policy"
)

// Bounds of what a rowScanner reads.
const (
	rowBuffer = 32 << 10
	// maxName is more than any name that is asked for.
	maxName = 32
	// maxNesting bounds what is skipped.
	maxNesting = 128
)

// rowScanner reads JSON (RFC 8259) off a stream, piece by piece: unlike jsontext it does not hold a
// string whole. At the end of the stream and after a failure every byte is 0, which no rule of JSON
// permits, so callers need not ask twice.
type rowScanner struct {
	src   io.Reader
	buf   []byte
	r, w  int
	err   error // the first failure
	ended bool
	name  [maxName]byte // the last key, decoded
}

func (s *rowScanner) reset(src io.Reader) {
	buf := s.buf
	if buf == nil {
		buf = make([]byte, rowBuffer)
	}
	*s = rowScanner{src: src, buf: buf}
}

// next takes the next byte.
func (s *rowScanner) next() byte {
	if s.r == s.w && !s.fill() {
		return 0
	}
	s.r++
	return s.buf[s.r-1]
}

// peek returns the next byte without taking it.
func (s *rowScanner) peek() byte {
	if s.r == s.w && !s.fill() {
		return 0
	}
	return s.buf[s.r]
}

// maxEmptyReads ends a stream that never fails and never gives a byte.
const maxEmptyReads = 100

// fill reads more and reports whether there is more.
func (s *rowScanner) fill() bool {
	if s.err != nil || s.ended {
		return false
	}
	s.r, s.w = 0, 0
	for range maxEmptyReads {
		n, err := s.src.Read(s.buf)
		s.w = n
		s.stop(err)
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	s.refuse(io.ErrNoProgress)
	return false
}

// stop notes the end of the stream. A failure counts at once, even after bytes: an answer that was
// cut is not used in part.
func (s *rowScanner) stop(err error) {
	if err == io.EOF {
		s.ended = true
	} else if err != nil {
		s.refuse(err)
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// skipSpace takes the next byte that is no white space.
func (s *rowScanner) skipSpace() byte {
	c := s.next()
	for isSpace(c) {
		c = s.next()
	}
	return c
}

// peekSpace skips white space and returns the byte after it without taking it.
func (s *rowScanner) peekSpace() byte {
	for isSpace(s.peek()) {
		s.r++
	}
	return s.peek()
}

// atEnd reports whether nothing but white space is left.
func (s *rowScanner) atEnd() bool { return s.peekSpace() == 0 && s.ended && s.r == s.w }

// take takes the next byte if it is c, and reports that.
func (s *rowScanner) take(c byte) bool {
	if s.peek() != c || c == 0 {
		return false
	}
	s.r++
	return true
}

// open takes the bracket of an object or array.
func (s *rowScanner) open(bracket byte, why string) {
	if s.skipSpace() != bracket {
		s.fail(why)
	}
}

// more reports whether another member or element comes, after n of them, and takes the comma before
// it or the closing bracket.
func (s *rowScanner) more(n int, end byte) bool {
	switch c := s.peekSpace(); {
	case c == end:
		s.r++
		return false
	case n == 0:
		return s.err == nil
	case c == ',':
		s.r++
		return true
	}
	s.fail("a comma or the end of an object or array is missing")
	return false
}

// readName takes a name and the colon after it. It is valid until the next one is read. Of one that
// is too long to be asked for nil comes back, which is no name either.
func (s *rowScanner) readName() []byte {
	s.open('"', "a name is no string")
	for n := 0; ; n++ {
		piece := s.plain()
		copy(s.name[min(n, maxName):], piece)
		n += len(piece)
		c := s.next()
		switch {
		case c == '"':
			s.open(':', "a name has no value")
			if n > maxName {
				return nil
			}
			return s.name[:n]
		case c < ' ':
			s.fail("a control character in a name, or no end")
			return nil
		case c == '\\':
			c = s.escape()
		}
		if n < maxName {
			s.name[n] = c
		}
	}
}

// plain takes what is in the buffer of a string up to its quote, an escape or a control character.
func (s *rowScanner) plain() []byte {
	start := s.r
	for s.r < s.w && s.buf[s.r] != '"' && s.buf[s.r] != '\\' && s.buf[s.r] >= ' ' {
		s.r++
	}
	return s.buf[start:s.r]
}

// escape takes what follows a backslash. It returns the character, or 0xff for one outside of ASCII
// and for those that no name has.
func (s *rowScanner) escape() byte {
	switch c := s.next(); c {
	case '"', '\\', '/':
		return c
	case 'b', 'f', 'n', 'r', 't':
		return 0xff
	case 'u':
		var digits [4]byte
		for i := range digits {
			digits[i] = s.next()
		}
		n, err := strconv.ParseUint(string(digits[:]), 16, 16)
		if err != nil {
			s.fail("a bad escape")
		}
		return byte(min(n, 0xff))
	}
	s.fail("a bad escape")
	return 0xff
}

// skipString takes the rest of a string whose quote was taken.
func (s *rowScanner) skipString() {
	for {
		s.plain()
		switch c := s.next(); {
		case c == '"':
			return
		case c == '\\':
			s.escape()
		case c < ' ':
			s.fail("a control character in a string, or no end")
			return
		}
	}
}

// id takes a value and reports whether it is an id: [1-9][0-9]* up to 2^63-1; 1.0, 1e3 and "1" are
// none.
func (s *rowScanner) id() (int64, bool) {
	n, is := s.natural()
	return n, is && n > 0
}

// natural takes a value and reports whether it is a plain number: an id, or 0.
func (s *rowScanner) natural() (int64, bool) {
	if c := s.peekSpace(); c == '-' || isDigit(c) {
		return s.number()
	}
	s.skip(3)
	return 0, false
}

// number takes a number and reports whether it is a natural one, up to 2^63-1.
func (s *rowScanner) number() (int64, bool) {
	is := !s.take('-')
	zero := s.peek() == '0'
	n, digits := s.digits()
	sound := digits == 1 || digits > 1 && !zero
	if s.take('.') {
		_, fraction := s.digits()
		is, sound = false, sound && fraction > 0
	}
	if s.peek()|0x20 == 'e' {
		s.r++
		_ = s.take('+') || s.take('-')
		_, exponent := s.digits()
		is, sound = false, sound && exponent > 0
	}
	if !sound {
		s.fail("a number is none")
	}
	if !is || digits > 19 || n > policy.MaxID {
		return 0, false
	}
	return int64(n), true
}

// digits takes digits and returns their value, as far as it is below 2^64, and how many there were.
func (s *rowScanner) digits() (n uint64, count int) {
	for c := s.peek(); isDigit(c); c = s.peek() {
		n = n*10 + uint64(c-'0')
		count++
		s.r++
	}
	return n, count
}

// skip takes a value of any kind inside depth objects and arrays. The bound for that keeps a
// backend from choosing how deep our stack gets.
func (s *rowScanner) skip(depth int) {
	if depth > maxNesting {
		s.fail("the answer is nested too deeply")
		return
	}
	switch c := s.peekSpace(); {
	case c == '{':
		s.r++
		for n := 0; s.more(n, '}'); n++ {
			s.readName()
			s.skip(depth + 1)
		}
	case c == '[':
		s.r++
		for n := 0; s.more(n, ']'); n++ {
			s.skip(depth + 1)
		}
	case c == '"':
		s.r++
		s.skipString()
	case c == '-' || isDigit(c):
		s.number()
	case c == 't':
		s.word("true")
	case c == 'f':
		s.word("false")
	default:
		s.word("null")
	}
}

// word takes a literal.
func (s *rowScanner) word(w string) {
	for i := range len(w) {
		if s.next() != w[i] {
			s.fail("a value is none")
			return
		}
	}
}

// fail notes why an answer is no listing, unless the stream itself has failed. The texts are
// constants: no byte of an answer gets into a log.
func (s *rowScanner) fail(why string) { s.refuse(fmt.Errorf("%w: %w", ErrRows, errors.New(why))) }

func (s *rowScanner) refuse(err error) {
	if s.err == nil {
		s.err = err
	}
}
