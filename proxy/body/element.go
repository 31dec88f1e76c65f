package body

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxKeys is how many keys may be judged at once.
const MaxKeys = 4

// Keys are the judged keys of one kind of request, made once.
type Keys [][]byte

// NewKeys returns the set of the given keys, at most MaxKeys, which are ASCII. Anything else is a
// bug of the caller and panics.
func NewKeys(keys ...string) Keys {
	if len(keys) > MaxKeys {
		panic(fmt.Sprintf("BUG: %d judged keys, at most %d", len(keys), MaxKeys))
	}
	set := make(Keys, len(keys))
	for i, key := range keys {
		set[i] = []byte(key)
	}
	return set
}

// Element is one object of the outermost level. It is valid until the function that it was given to
// returns.
type Element struct {
	Start, End int            // offsets of its braces
	Members    int            // how many keys it has
	Values     [MaxKeys]Value // of the judged keys, in the order of Keys
}

// Value is the value of a judged key. The zero value says that the key is not there.
type Value struct {
	Kind Kind
	Raw  []byte // as written, without white space around it; aliases the text
	At   int    // where it begins in the text
}

// Present reports whether the key is there.
func (v Value) Present() bool {
	return v.Kind != Empty
}

// ID returns the value of a number that is spelled like an id: [1-9][0-9]* up to 2^63-1. It reports
// false for everything else: 1e2, 7.0, -0 and "7" are numbers for one backend and none for another.
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

// AppendString appends the string that v is, unescaped, and nothing if v is not a string.
func (v Value) AppendString(dst []byte) []byte {
	if v.Kind != String {
		return dst
	}
	dst, _ = jsontext.AppendUnquote(dst, v.Raw)
	return dst
}

// AppendStrings appends the string that v is or, with commas between them, the strings of the array
// that it is. It reports false for everything else.
func (v Value) AppendStrings(dst []byte) ([]byte, bool) {
	if v.Kind != Array {
		return v.AppendString(dst), v.Kind == String
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(v.Raw))
	_, _ = dec.ReadToken()
	for n := 0; dec.PeekKind() != jsontext.KindEndArray; n++ {
		raw, err := dec.ReadValue()
		if err != nil || raw.Kind() != String {
			return dst, false
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendUnquote(dst, raw)
	}
	return dst, true
}

// nextObject moves into the next object of the outermost level: the text's own or the next element
// of its array. It reports whether there is one.
func (s *Scanner) nextObject() bool {
	kind := s.dec.PeekKind()
	if kind == Array && s.dec.StackDepth() == 0 {
		_, _ = s.dec.ReadToken()
		kind = s.dec.PeekKind()
	}
	if kind == Object {
		_, _ = s.dec.ReadToken()
	}
	return kind == Object
}

// nextKey reads the next key of the object, as it is written. At the end of the object it moves out
// of it and returns false.
func (s *Scanner) nextKey() (raw []byte, more bool) {
	if s.dec.PeekKind() != String {
		_, _ = s.dec.ReadToken()
		return nil, false
	}
	raw, err := s.dec.ReadValue()
	return raw, err == nil
}

// position returns the offset of the end of what was read last.
func (s *Scanner) position() int { return int(s.dec.InputOffset()) }

// Elements gives visit the object, or each object of the array, of a text that Check has passed, in
// order, with the values of the judged keys at its top level. A key that is a judged one in other
// letters is a SyntaxError with the fault CaseVariant, because there are decoders that match keys
// without case. The first error, also of visit, ends the walk and is returned: what follows the
// first faulty element is not looked at.
func (s *Scanner) Elements(text []byte, keys Keys, visit func(e *Element) error) error {
	s.start(text)
	for s.nextObject() {
		if err := s.readElement(keys); err != nil {
			return err
		}
		if err := visit(&s.element); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scanner) readElement(keys Keys) error {
	e := &s.element
	*e = Element{Start: s.position() - 1}
	for raw, more := s.nextKey(); more; raw, more = s.nextKey() {
		e.Members++
		i, err := s.match(raw, keys)
		if err != nil {
			err.Offset = s.position() - len(raw)
			return err
		}
		value, failed := s.dec.ReadValue()
		if failed != nil {
			return failed
		}
		if i >= 0 {
			e.Values[i] = Value{Kind: value.Kind(), Raw: value, At: s.position() - len(value)}
		}
	}
	e.End = s.position() - 1
	return nil
}

// match returns the index of a key in keys, -1 if it is none of them.
func (s *Scanner) match(raw []byte, keys Keys) (int, *SyntaxError) {
	key := s.unescaped(raw)
	for i, judged := range keys {
		if bytes.Equal(key, judged) {
			return i, nil
		}
		if isVariant(key, judged) {
			return -1, &SyntaxError{Reason: "a case variant of the key " + string(judged), Fault: CaseVariant}
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

// sameLetter compares without case. Both mappings count, which for ASCII takes in simple folding
// (U+212A is a k, U+017F an s) and more: U+0130 and U+0131 become an i in one direction only.
func sameLetter(a, b rune) bool {
	return a == b || unicode.ToLower(a) == unicode.ToLower(b) || unicode.ToUpper(a) == unicode.ToUpper(b)
}

// TopKeys gives visit each key of the object, or of each object of the array, of a text that Check
// has passed: unescaped, at the top level only, valid until visit returns. The first error of visit
// ends the walk and is returned.
func (s *Scanner) TopKeys(text []byte, visit func(key []byte) error) error {
	s.start(text)
	for s.nextObject() {
		for raw, more := s.nextKey(); more; raw, more = s.nextKey() {
			if err := visit(s.unescaped(raw)); err != nil {
				return err
			}
			_ = s.dec.SkipValue()
		}
	}
	return nil
}

// AppendWithCID appends a text that Check has passed, with "cid":N as the last member of the
// object, or of each object of the array, that has no key cid at its top level. Everything else is
// byte for byte the text. It is the one change that a body ever sees (SPEC 4.4).
func (s *Scanner) AppendWithCID(dst, text []byte, cid int64) []byte {
	s.start(text)
	done := 0
	for s.nextObject() {
		members, has := 0, false
		for raw, more := s.nextKey(); more; raw, more = s.nextKey() {
			members++
			has = has || string(s.unescaped(raw)) == "cid"
			_ = s.dec.SkipValue()
		}
		if has {
			continue
		}
		end := s.position() - 1
		dst = append(dst, text[done:end]...)
		if members > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"cid":`...)
		dst = strconv.AppendInt(dst, cid, 10)
		done = end
	}
	return append(dst, text[done:]...)
}
