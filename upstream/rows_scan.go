package upstream

import "io"

const (
	rowBuffer = 32 << 10
	// maxSpan bounds one row, or one other member, in bytes. Memory does not depend on
	// it; it ends an answer that never ends.
	maxSpan = 4 << 20
	// maxKey is more than any name that is asked for.
	maxKey = 32
	// maxNesting bounds what is skipped.
	maxNesting = 128
)

// rowScanner reads JSON tokens (RFC 8259) off a stream. At the end of the stream and after
// a failure every byte is 0, which no rule of JSON permits, so nobody has to ask twice.
type rowScanner struct {
	src   io.Reader
	buf   []byte
	r, w  int
	past  int64 // bytes of the stream before buf
	began int64 // where in the stream the current row began
	err   error // the first failure
	ended bool
	name  [maxKey]byte // the last key, decoded
}

func (s *rowScanner) reset(src io.Reader) {
	buf := s.buf
	if buf == nil {
		buf = make([]byte, rowBuffer)
	}
	*s = rowScanner{src: src, buf: buf}
}

// mark begins a row or a member, which must not be longer than maxSpan.
func (s *rowScanner) mark() { s.began = s.past + int64(s.r) }

func (s *rowScanner) next() byte {
	if s.r < s.w {
		c := s.buf[s.r]
		s.r++
		return c
	}
	if !s.fill() {
		return 0
	}
	s.r++
	return s.buf[0]
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
	s.past += int64(s.w)
	s.r, s.w = 0, 0
	if s.past-s.began > maxSpan {
		s.fail("a row is too long")
		return false
	}
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

// stop notes the end of the stream. A failure counts at once, even behind bytes: an answer
// that was cut is not used in part.
func (s *rowScanner) stop(err error) {
	if err == io.EOF {
		s.ended = true
	} else if err != nil {
		s.refuse(err)
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// skipSpace takes the next byte that is no white space.
func (s *rowScanner) skipSpace() byte {
	c := s.next()
	for isSpace(c) {
		c = s.next()
	}
	return c
}

// peekSpace skips white space and returns the byte behind it without taking it.
func (s *rowScanner) peekSpace() byte {
	for isSpace(s.peek()) {
		s.r++
	}
	return s.peek()
}

// atEnd reports whether nothing but white space is left.
func (s *rowScanner) atEnd() bool { return s.peekSpace() == 0 && s.ended && s.r == s.w }

// key takes a name and the colon behind it. Names that are too long to be asked for come
// back cut, with a last byte that no name has.
func (s *rowScanner) key() []byte {
	if s.skipSpace() != '"' {
		s.fail("a name is no string")
		return nil
	}
	n := 0
	for {
		c := s.next()
		switch {
		case c == '"':
			if s.skipSpace() != ':' {
				s.fail("a name has no value")
			}
			return s.name[:n]
		case c < 0x20:
			s.fail("a name does not end")
			return nil
		case c == '\\':
			c = s.escape()
		}
		if n == maxKey {
			n, c = maxKey-1, 0xff
		}
		s.name[n] = c
		n++
	}
}

// escape takes what follows a backslash. It returns the character, or 0xff for one outside
// of ASCII.
func (s *rowScanner) escape() byte {
	switch c := s.next(); c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		return s.unicode()
	}
	s.fail("a bad escape")
	return 0xff
}

func (s *rowScanner) unicode() byte {
	n := 0
	for range 4 {
		d := hexDigit(s.next())
		if d > 15 {
			s.fail("a bad escape")
			return 0xff
		}
		n = n<<4 | int(d)
	}
	if n > 0x7f {
		return 0xff
	}
	return byte(n)
}

// skipString takes the rest of a string whose quote was taken.
func (s *rowScanner) skipString() {
	for {
		part := s.buf[s.r:s.w]
		for i, c := range part {
			if c != '"' && c != '\\' && c >= 0x20 {
				continue
			}
			s.r += i + 1
			if c == '"' {
				return
			}
			if c < 0x20 {
				s.fail("a control character in a string")
				return
			}
			s.escape()
			part = nil
			break
		}
		if part == nil && s.err == nil {
			continue
		}
		s.r = s.w
		if !s.fill() {
			s.fail("a string does not end")
			return
		}
	}
}
