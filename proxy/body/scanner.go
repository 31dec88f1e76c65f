package body

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may stand inside each other, the
// outermost one counted.
const MaxDepth = 32

// maxText is the longest text that Check reads: offsets are kept in 32 bits.
// Limits in use are far below it.
const maxText = math.MaxInt32

// What a Scanner in the pool may keep: enough for ordinary bodies. One body of
// a million keys must not hold its memory for ever.
const (
	maxPooledKeys    = 4096
	maxPooledScratch = 16 << 10
)

// Fault says which rule a text breaks.
type Fault uint8

// The faults. CaseVariant is found by Elements only, the rest by Check.
const (
	Malformed Fault = iota
	CaseVariant
)

// SyntaxError is what Check and Elements return for a text that is refused.
// Its text is fit for the client.
type SyntaxError struct {
	Offset int    // of the offending byte or string, in bytes
	Reason string // from a fixed set
	Fault  Fault
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("cannot read JSON at byte %d: %s", e.Offset, e.Reason)
}

// Scanner reads texts, one after the other. The zero value is ready; it must
// not be shared. Take one from Get where speed matters.
type Scanner struct {
	cursor
	fresh   bool // the innermost container was opened last, nothing is in it yet
	depth   int
	open    [MaxDepth]container
	keys    keySet
	scratch []byte // the last key that needed unescaping
	element Element
}

// container is an object or array that is not closed yet.
type container struct {
	object bool
	base   int // where its keys begin in Scanner.keys
}

var pool = sync.Pool{New: func() any { return new(Scanner) }}

// Get returns a Scanner. Hand it back with Put.
func Get() *Scanner {
	return pool.Get().(*Scanner)
}

// Put hands s back. Neither s nor an Element of it may be used afterwards.
func Put(s *Scanner) {
	if cap(s.keys.entries) > maxPooledKeys || cap(s.scratch) > maxPooledScratch {
		return
	}
	s.element = Element{}
	pool.Put(s)
}

// Check reads text by the rules of the package and says what it is: Empty for
// nothing or white space, Null, Object or Array. An error is a *SyntaxError.
// The memory it takes is at most about four times len(text), for a text that
// is nothing but short keys of one object.
func (s *Scanner) Check(text []byte) (Kind, error) {
	if err := checkBytes(text); err != nil {
		return Empty, err
	}
	s.cursor = cursor{text: text}
	s.depth = 0
	kind, err := s.outermost()
	for err == nil && s.depth > 0 {
		err = s.step()
	}
	if err == nil {
		err = s.end()
	}
	s.text = nil
	if err != nil {
		s.keys.clear()
		return Empty, err
	}
	return kind, nil
}

// checkBytes judges what needs no grammar. With UTF-8 settled for the whole
// text, strings are read byte by byte.
func checkBytes(text []byte) error {
	switch {
	case len(text) > maxText:
		return &SyntaxError{Reason: "too long"}
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return &SyntaxError{Reason: "byte order mark"}
	case utf8.Valid(text):
		return nil
	}
	at := 0
	for r, n := utf8.DecodeRune(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(text[at:]) {
		at += n
	}
	return &SyntaxError{Offset: at, Reason: "not valid UTF-8"}
}

func (s *Scanner) fault(reason string) error {
	return &SyntaxError{Offset: s.at, Reason: reason}
}

// outermost reads the whole of an empty text or of null, and opens the object
// or array of another.
func (s *Scanner) outermost() (Kind, error) {
	switch s.peek() {
	case '{':
		return Object, s.push(true)
	case '[':
		return Array, s.push(false)
	case 'n':
		return Null, s.literal("null")
	}
	if s.at == len(s.text) {
		return Empty, nil
	}
	return Empty, s.fault("neither null, an object nor an array of objects")
}

// end refuses whatever follows the value but white space.
func (s *Scanner) end() error {
	if s.peek(); s.at < len(s.text) {
		return s.fault("something follows the value")
	}
	return nil
}

// step reads the next member, element or closing bracket of the innermost
// container. A loop of steps instead of recursion keeps the stack flat
// whatever the client sends.
func (s *Scanner) step() error {
	in := &s.open[s.depth-1]
	b := s.peek()
	if in.object && b == '}' || !in.object && b == ']' {
		s.pop()
		return nil
	}
	if !s.fresh {
		if b != ',' {
			return s.fault("a comma or the end of the object or array is missing")
		}
		s.at++
	}
	if in.object {
		if err := s.key(); err != nil {
			return err
		}
	}
	return s.value()
}

func (s *Scanner) push(object bool) error {
	if s.depth == MaxDepth {
		return s.fault("nested too deeply")
	}
	s.open[s.depth] = container{object: object, base: len(s.keys.entries)}
	s.depth++
	s.at++
	s.fresh = true
	return nil
}

// pop closes the innermost container and forgets its keys, so the memory held
// follows what is open, not what has been read.
func (s *Scanner) pop() {
	s.depth--
	s.at++
	s.fresh = false
	s.keys.truncate(s.open[s.depth].base)
}
