package body

import "bytes"

// key reads a key and its colon, and refuses a key that the object has already.
func (s *Scanner) key() error {
	if s.peek() != '"' {
		return s.fault("a key is missing")
	}
	start := s.at
	if err := s.str(); err != nil {
		return err
	}
	end := s.at
	if s.peek() != ':' {
		return s.fault("a colon is missing")
	}
	s.at++
	key := s.unescaped(s.text[start+1 : end-1])
	for _, b := range key {
		if b < ' ' || b == 0x7f {
			return &SyntaxError{Offset: start, Reason: "control character in a key"}
		}
	}
	if s.addKey(start, key) {
		return &SyntaxError{Offset: start, Reason: "duplicate key"}
	}
	return nil
}

// unescaped returns the string that raw spells. It is raw itself or is valid
// until the next call.
func (s *Scanner) unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	s.scratch = appendUnescaped(s.scratch[:0], raw)
	return s.scratch
}

// value reads a number, string or literal, or opens an object or array.
func (s *Scanner) value() error {
	b := s.peek()
	if b != '{' && s.depth == 1 && !s.open[0].object {
		return s.fault("an element of the array is not an object")
	}
	s.fresh = false
	switch b {
	case '{', '[':
		return s.push(b == '{')
	case '"':
		return s.str()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	}
	return s.fault("a value is missing")
}

func (s *Scanner) literal(word string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return s.fault("a value is missing")
	}
	s.at += len(word)
	return nil
}

// str reads a string, quotes included.
func (s *Scanner) str() error {
	s.at++
	for {
		s.at += plain(s.text[s.at:])
		switch {
		case s.at == len(s.text):
			return s.fault("a string does not end")
		case s.text[s.at] == '"':
			s.at++
			return nil
		case s.text[s.at] < ' ':
			return s.fault("control character in a string")
		}
		if err := s.escape(); err != nil {
			return err
		}
	}
}

// plain returns how many bytes of a string stand for themselves.
func plain(text []byte) int {
	for i, b := range text {
		if b < ' ' || b == '"' || b == '\\' {
			return i
		}
	}
	return len(text)
}

// escape reads one escape, or the two of a surrogate pair.
func (s *Scanner) escape() error {
	rest := s.text[s.at:]
	if len(rest) >= 2 && escapes[rest[1]] != 0 {
		s.at += 2
		return nil
	}
	r, n := escapedRune(rest)
	switch {
	case r >= 0:
		s.at += n
		return nil
	case n > 0:
		return s.fault("lone surrogate")
	}
	return s.fault("bad escape")
}

// number reads a number of any size: what it is worth is for those to say who
// use it, and judged keys are taken only if spelled like an id.
func (s *Scanner) number() error {
	if s.text[s.at] == '-' {
		s.at++
	}
	zero := s.at < len(s.text) && s.text[s.at] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		return s.fault("bad number")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return s.fault("bad number")
		}
	}
	if s.at == len(s.text) || s.text[s.at]|0x20 != 'e' {
		return nil
	}
	s.at++
	if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
		s.at++
	}
	if s.digits() == 0 {
		return s.fault("bad number")
	}
	return nil
}

// digits moves past decimal digits and returns how many there were.
func (s *Scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}
