package jsonscan

import "bytes"

// MaxDepth is how many objects and arrays may be open inside a value. One bit is kept for each, to
// see that brackets match.
const MaxDepth = 8192

// value finds the end of one value.
type value struct {
	done   bool // scan has come to the end of the value
	scalar bool // a number or literal: it ends before a byte that is none of it
	inStr  bool
	esc    bool // after a backslash in a string
	depth  int
	kinds  [MaxDepth / 64]uint64 // one bit for each open bracket: set for an object
}

// start makes v ready for a value that begins with b, and reports false if none does.
func (v *value) start(b byte) bool {
	v.done, v.inStr, v.esc, v.depth = false, false, false, 0
	v.scalar = isScalar[b]
	return v.scalar || b == '"' || b == '{' || b == '['
}

// scan reads up to the end of the value or of src, and returns how many bytes of src belong to the
// value. With an error these are the bytes before the fault: ErrMalformed or ErrTooDeep.
func (v *value) scan(src []byte) (int, error) {
	if v.scalar {
		return v.scanScalar(src), nil
	}
	for i := 0; i < len(src); {
		if v.inStr {
			i += v.scanString(src[i:])
		} else if i += skipPlain(src[i:]); i < len(src) {
			if b := src[i]; b == '"' {
				v.inStr = true
			} else if err := v.bracket(b); err != nil {
				return i, err
			}
			i++
		}
		if v.depth == 0 && !v.inStr {
			v.done = true
			return i, nil
		}
	}
	return len(src), nil
}

// isScalar marks the bytes that numbers and literals are made of.
var isScalar = [256]bool{
	'-': true, '+': true, '.': true, 'E': true,
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	// The letters of true, false, null and of the exponent.
	'a': true, 'e': true, 'f': true, 'l': true, 'n': true, 'r': true, 's': true, 't': true, 'u': true,
}

// scanScalar ends before the first byte that is none of a scalar: a border is not known before it
// is seen.
func (v *value) scanScalar(src []byte) int {
	for i, b := range src {
		if !isScalar[b] {
			v.done = true
			return i
		}
	}
	return len(src)
}

// bracket notes one that opens, and takes back the one that b closes.
func (v *value) bracket(b byte) error {
	if b == '{' || b == '[' {
		return v.push(b)
	}
	return v.pop(b)
}

func (v *value) push(b byte) error {
	if v.depth == MaxDepth {
		return ErrTooDeep
	}
	word, bit := v.depth/64, uint64(1)<<(v.depth%64)
	v.kinds[word] &^= bit
	if b == '{' {
		v.kinds[word] |= bit
	}
	v.depth++
	return nil
}

// pop takes a closing bracket, and fails on one of the other kind.
func (v *value) pop(b byte) error {
	d := v.depth - 1
	if object := v.kinds[d/64]>>(d%64)&1 == 1; object != (b == '}') {
		return ErrMalformed
	}
	v.depth = d
	return nil
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

// scanString reads to the end of a string, its quote included, or of src. The quote is looked for
// once and then again only after an escape that hid it: looking again after every escape would be
// quadratic.
func (v *value) scanString(src []byte) int {
	i, quote := 0, -1
	if v.esc {
		i, v.esc = 1, false
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
			v.esc = true
			return len(src)
		case slash >= 0:
			i += slash + 2
		case quote == len(src):
			return len(src)
		default:
			v.inStr = false
			return quote + 1
		}
	}
}
