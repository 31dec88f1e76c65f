package body

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Fault says which rule a text breaks.
type Fault uint8

// The faults. CaseVariant is found by Elements only, the rest by Check.
const (
	Malformed Fault = iota
	CaseVariant
)

// SyntaxError is what Check and Elements return for a text that is refused. Its text is fit for the
// client.
type SyntaxError struct {
	Offset int    // of the offending byte or string, in bytes
	Reason string // from a fixed set
	Fault  Fault
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("cannot read JSON at byte %d: %s", e.Offset, e.Reason)
}

// orUTF8 returns e, or the place where text is no UTF-8: where characters are not certain, nothing
// else is.
func (e *SyntaxError) orUTF8(text []byte) error {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n <= 1 {
			return &SyntaxError{Offset: at, Reason: "not valid UTF-8"}
		}
		at += n
	}
	return e
}

// fault returns a SyntaxError at the next token.
func (s *Scanner) fault(reason string) *SyntaxError {
	at := s.skipSpace(int(s.dec.InputOffset()))
	if b := s.byteAt(at); s.depth > 0 && (b == ',' || b == ':') {
		at = s.skipSpace(at + 1)
	}
	return &SyntaxError{Offset: at, Reason: reason}
}

// errUnexpected stands for the decoder's error where Check refuses a token that the decoder would
// take.
var errUnexpected = errors.New("unexpected token")

// explain says what is wrong with the text after the last token, where the decoder has returned
// err; nil for nil. It looks at the text, not at the words of err: they quote the client, and the
// next version may have others.
func (s *Scanner) explain(err error) *SyntaxError {
	if err == nil {
		return nil
	}
	at := s.skipSpace(int(s.dec.InputOffset()))
	depth := s.dec.StackDepth()
	in, n := s.dec.StackIndex(depth)
	fault := func(reason string) *SyntaxError { return &SyntaxError{Offset: at, Reason: reason} }
	switch b := s.byteAt(at); {
	case n == 0:
	case in == Object && n%2 == 1 && b != ':':
		return fault("a colon is missing")
	case in == Object && n%2 == 1:
		at = s.skipSpace(at + 1)
	case isDigit(b) && s.text[at-1] == '0':
		return fault("bad number")
	case b != ',':
		return fault("a comma or the end of the object or array is missing")
	default:
		at = s.skipSpace(at + 1)
	}
	b := s.byteAt(at)
	switch {
	case in == Object && n%2 == 0 && b != '"':
		return fault("a key is missing")
	case in == Array && depth == 1 && b != '{':
		return fault("an element of the array is not an object")
	case b != '"' && b != '-' && !isDigit(b):
		return fault("a value is missing")
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = int(syntax.ByteOffset)
	}
	if b != '"' {
		return fault("bad number")
	}
	switch {
	case at >= len(s.text):
		return fault("a string does not end")
	case s.text[at] != '\\':
		return fault("control character in a string")
	case s.isUnicodeEscape(at):
		return fault("lone surrogate")
	}
	return fault("bad escape")
}

// isUnicodeEscape reports whether \u and four hexadecimal digits are at an offset.
func (s *Scanner) isUnicodeEscape(at int) bool {
	if len(s.text) < at+6 || s.text[at+1] != 'u' {
		return false
	}
	_, err := strconv.ParseUint(string(s.text[at+2:at+6]), 16, 16)
	return err == nil
}

// skipSpace returns the offset of the next byte that is not white space.
func (s *Scanner) skipSpace(at int) int {
	return len(s.text) - len(bytes.TrimLeft(s.text[at:], " \t\r\n"))
}

// byteAt returns the byte at an offset, 0 at the end.
func (s *Scanner) byteAt(at int) byte {
	if at < len(s.text) {
		return s.text[at]
	}
	return 0
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
