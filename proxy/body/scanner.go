package body

import (
	"bytes"
	"hash/maphash"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how many objects and arrays may be open at once, the outermost one counted.
const MaxDepth = 32

// maxText is the longest text that Check reads: offsets are kept in 32 bits. Limits in use are far
// below it.
const maxText = math.MaxInt32

// What a Scanner in the pool may keep: enough for ordinary bodies. One body of a million keys must
// not hold its memory for ever.
const (
	maxPooledKeys    = 4096
	maxPooledScratch = 16 << 10
)

// Kind says what a JSON value is. Empty stands for no value at all.
type Kind = jsontext.Kind

// The kinds of values that callers ask for.
const (
	Empty  = jsontext.KindInvalid
	Null   = jsontext.KindNull
	Object = jsontext.KindBeginObject
	Array  = jsontext.KindBeginArray
	Number = jsontext.KindNumber
	String = jsontext.KindString
)

// Scanner reads texts, one after the other. The zero value is ready; it must not be shared. Take
// one from Get where speed matters.
type Scanner struct {
	text    []byte
	src     bytes.Buffer // hands text to dec, which reads it in place
	dec     jsontext.Decoder
	depth   int
	open    [MaxDepth]container
	keys    []uint64 // of the open objects: hash, then offset of the opening quote
	seed    maphash.Seed
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
func Get() *Scanner { return pool.Get().(*Scanner) }

// Put hands s back. Neither s nor an Element of it may be used afterwards.
func Put(s *Scanner) {
	if cap(s.keys) > maxPooledKeys || cap(s.scratch) > maxPooledScratch {
		return
	}
	s.element = Element{}
	s.start(nil)
	pool.Put(s)
}

// start makes s read text from its beginning. Duplicate keys are found by s itself: the decoder
// would hold a copy of each key, in a map for more than 64.
func (s *Scanner) start(text []byte) {
	s.text, s.src = text, *bytes.NewBuffer(text)
	s.dec.Reset(&s.src, jsontext.AllowDuplicateNames(true))
	s.depth, s.keys = 0, s.keys[:0]
}

// Check reads text by the rules of the package and says what it is: Empty for nothing or white
// space, Null, Object or Array. An error is a *SyntaxError. The memory it takes is at most about
// three times len(text), for a text that is nothing but short keys of one object.
func (s *Scanner) Check(text []byte) (Kind, error) {
	switch {
	case len(text) > maxText:
		return Empty, &SyntaxError{Reason: "too long"}
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return Empty, &SyntaxError{Reason: "byte order mark"}
	}
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	s.start(text)
	kind, fault := s.outermost()
	for fault == nil && s.depth > 0 {
		fault = s.step()
	}
	if fault == nil && kind != Empty && !s.atEnd() {
		fault = s.fault("something follows the value")
	}
	if fault != nil {
		return Empty, fault.orUTF8(text)
	}
	return kind, nil
}

// outermost reads null, or opens the object or array.
func (s *Scanner) outermost() (Kind, *SyntaxError) {
	switch kind := s.dec.PeekKind(); kind {
	case Object, Array:
		return kind, s.push(kind)
	case Null:
		_, err := s.dec.ReadToken()
		return kind, s.explain(err)
	}
	if !s.atEnd() {
		return Empty, s.fault("neither null, an object nor an array of objects")
	}
	return Empty, nil
}

// atEnd reports whether nothing but white space is left.
func (s *Scanner) atEnd() bool {
	if s.dec.PeekKind() != jsontext.KindInvalid {
		return false
	}
	_, err := s.dec.ReadToken()
	return err == io.EOF
}

// step reads the next member, element or closing bracket of the innermost container. A loop of
// steps instead of recursion keeps the stack flat whatever the client sends.
func (s *Scanner) step() *SyntaxError {
	in := s.open[s.depth-1]
	kind := s.dec.PeekKind()
	if kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
		return s.pop(in)
	}
	if in.object {
		if kind != String {
			return s.explain(errUnexpected)
		}
		if fault := s.key(); fault != nil {
			return fault
		}
		kind = s.dec.PeekKind()
	}
	switch {
	case s.depth == 1 && !in.object && kind != Object:
		return s.explain(errUnexpected)
	case kind == Object || kind == Array:
		return s.push(kind)
	}
	_, err := s.dec.ReadToken()
	return s.explain(err)
}

func (s *Scanner) push(kind Kind) *SyntaxError {
	if s.depth == MaxDepth {
		return s.fault("nested too deeply")
	}
	s.open[s.depth] = container{object: kind == Object, base: len(s.keys)}
	s.depth++
	_, err := s.dec.ReadToken()
	return s.explain(err)
}

// pop closes the innermost container. It judges its keys and forgets them, so the memory held
// follows what is open, not what has been read.
func (s *Scanner) pop(in container) *SyntaxError {
	if _, err := s.dec.ReadToken(); err != nil {
		return s.explain(err)
	}
	s.depth--
	keys := s.keys[in.base:]
	s.keys = s.keys[:in.base]
	if at := s.duplicate(keys); at < len(s.text) {
		return &SyntaxError{Offset: at, Reason: "duplicate key"}
	}
	return nil
}

// key reads a key.
func (s *Scanner) key() *SyntaxError {
	raw, err := s.dec.ReadValue()
	if err != nil {
		return s.explain(err)
	}
	at := int(s.dec.InputOffset()) - len(raw)
	key := s.unescaped(raw)
	for _, b := range key {
		if b < ' ' || b == 0x7f {
			return &SyntaxError{Offset: at, Reason: "control character in a key"}
		}
	}
	s.keys = append(s.keys, maphash.Bytes(s.seed, key)&^math.MaxUint32|uint64(at))
	return nil
}

// unescaped returns the string that raw spells. It is part of raw itself or is valid until the next
// call.
func (s *Scanner) unescaped(raw []byte) []byte {
	if len(raw) >= 2 && bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	s.scratch, _ = jsontext.AppendUnquote(s.scratch[:0], raw)
	return s.scratch
}

// duplicate returns the offset of the first key that another one of the same object equals, the
// length of the text if there is none. Sorted by their hashes, equal keys are neighbours. The seed
// is random: a client that knew the hash could choose 100,000 keys with one value of it and make
// this quadratic.
func (s *Scanner) duplicate(keys []uint64) int {
	first := len(s.text)
	slices.Sort(keys)
	for i, key := range keys {
		for _, next := range keys[i+1:] {
			at := int(uint32(next))
			if key>>32 != next>>32 || at >= first {
				break
			}
			if bytes.Equal(s.keyAt(int(uint32(key))), s.keyAt(at)) {
				first = at
			}
		}
	}
	return first
}

// keyAt returns the key that is written at an offset. It allocates: it is called on equal hashes
// only, which nearly always is the end.
func (s *Scanner) keyAt(at int) []byte {
	raw, _ := jsontext.NewDecoder(bytes.NewBuffer(s.text[at:])).ReadValue()
	key, _ := jsontext.AppendUnquote(nil, raw)
	return key
}
