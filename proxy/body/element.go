package body

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// MaxNames is how many keys may be judged at once.
const MaxNames = 4

// Names are keys to be judged, made once for each kind of request.
type Names [][]byte

// NewNames returns the set of the given keys, at most MaxNames, which are
// ASCII. Anything else is a bug of the caller and panics.
func NewNames(names ...string) Names {
	if len(names) > MaxNames {
		panic(fmt.Sprintf("BUG: %d judged keys, at most %d", len(names), MaxNames))
	}
	set := make(Names, len(names))
	for i, name := range names {
		set[i] = []byte(name)
	}
	return set
}

// Element is one object of the outermost level. It is valid until the function
// that it was given to returns.
type Element struct {
	Start, End int             // offsets of its braces
	Members    int             // how many keys it has
	Values     [MaxNames]Value // of the judged keys, in the order of Names
}

// Value is the value of a judged key. The zero value says that the key is not
// there.
type Value struct {
	Kind Kind
	Raw  []byte // as written, without white space around it; aliases the text
}

// Present reports whether the key is there.
func (v Value) Present() bool {
	return v.Kind != Empty
}

// ID returns the value of a number that is spelled like an id: [1-9][0-9]* up
// to 2^63-1. It reports false for everything else: 1e2, 7.0, -0 and "7" are
// numbers for one backend and none for another.
func (v Value) ID() (int64, bool) {
	if v.Kind != Number || len(v.Raw) > len("9223372036854775807") || bytes.HasPrefix(v.Raw, []byte("0")) {
		return 0, false
	}
	var id uint64 // 19 digits fit
	for _, b := range v.Raw {
		if b < '0' || b > '9' {
			return 0, false
		}
		id = id*10 + uint64(b-'0')
	}
	return int64(id), int64(id) > 0
}

// AppendString appends the string that v is, unescaped, and nothing if v is
// not a string.
func (v Value) AppendString(dst []byte) []byte {
	if v.Kind != String || len(v.Raw) < 2 {
		return dst
	}
	return appendUnescaped(dst, v.Raw[1:len(v.Raw)-1])
}

// Elements gives visit the object, or each object of the array, of a text that
// Check has passed, in order, with the values of the named keys at its top
// level. A key that is a name in other letters is a SyntaxError with the fault
// CaseVariant, because there are decoders that match keys without case. The
// first error, also of visit, ends the walk and is returned: what stands
// behind the first faulty element is not looked at.
func (s *Scanner) Elements(text []byte, names Names, visit func(e *Element) error) error {
	c := cursor{text: text}
	for c.nextObject() {
		if err := s.readElement(&c, names); err != nil {
			return err
		}
		if err := visit(&s.element); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scanner) readElement(c *cursor, names Names) error {
	e := &s.element
	*e = Element{Start: c.at}
	for raw, ok := c.nextKey(); ok; raw, ok = c.nextKey() {
		e.Members++
		i, err := s.match(raw, names)
		if err != nil {
			err.Offset = c.keyAt
			return err
		}
		first := c.peek()
		if value := c.skipValue(); i >= 0 {
			e.Values[i] = Value{Kind: kindOf(first), Raw: value}
		}
	}
	e.End = c.at
	c.at++
	return nil
}

// match returns the place of a key in names, -1 if it is none of them.
func (s *Scanner) match(raw []byte, names Names) (int, *SyntaxError) {
	key := s.unescaped(raw)
	for i, name := range names {
		if bytes.Equal(key, name) {
			return i, nil
		}
		if isVariant(key, name) {
			return -1, &SyntaxError{Reason: "a case variant of the key " + string(name), Fault: CaseVariant}
		}
	}
	return -1, nil
}

// isVariant reports whether key becomes name under some folding of case.
func isVariant(key, name []byte) bool {
	if len(key) < len(name) || len(key) > utf8.UTFMax*len(name) {
		return false
	}
	for _, b := range name {
		r, n := utf8.DecodeRune(key)
		if !sameLetter(r, rune(b)) {
			return false
		}
		key = key[n:]
	}
	return len(key) == 0
}

// sameLetter compares without case. Both mappings count, which for ASCII takes
// in simple folding (U+212A is a k, U+017F an s) and more: U+0130 and U+0131
// become an i in one direction only.
func sameLetter(a, b rune) bool {
	return a == b || unicode.ToLower(a) == unicode.ToLower(b) || unicode.ToUpper(a) == unicode.ToUpper(b)
}

// TopKeys gives visit each key of the object, or of each object of the array,
// of a text that Check has passed: unescaped, at the top level only, valid
// until visit returns. The first error of visit ends the walk and is returned.
func (s *Scanner) TopKeys(text []byte, visit func(key []byte) error) error {
	c := cursor{text: text}
	for c.nextObject() {
		for raw, ok := c.nextKey(); ok; raw, ok = c.nextKey() {
			if err := visit(s.unescaped(raw)); err != nil {
				return err
			}
			c.skipValue()
		}
		c.at++
	}
	return nil
}

// AppendWithCID appends a text that Check has passed, with "cid":N as the last
// member of the object, or of each object of the array, that has no key cid at
// its top level. Everything else is byte for byte the text. It is the one
// change that a body ever sees (SPEC 4.4).
func (s *Scanner) AppendWithCID(dst, text []byte, cid int64) []byte {
	c := cursor{text: text}
	done := 0
	for c.nextObject() {
		members, has := 0, false
		for raw, ok := c.nextKey(); ok; raw, ok = c.nextKey() {
			members++
			has = has || string(s.unescaped(raw)) == "cid"
			c.skipValue()
		}
		if !has {
			dst = append(dst, text[done:c.at]...)
			if members > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `"cid":`...)
			dst = strconv.AppendInt(dst, cid, 10)
			done = c.at
		}
		c.at++
	}
	return append(dst, text[done:]...)
}
