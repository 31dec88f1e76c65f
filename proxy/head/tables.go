package head

import (
	"bytes"
	"encoding/binary"
)

// class is a set of bytes.
type class [256]bool

// Byte sets of RFC 9110 and RFC 3986, each with its deviations.
var (
	// tokenByte: names, methods, members of Connection (RFC 9110 5.6.2).
	tokenByte = alphanumericAnd("!#$%&'*+-.^_`|~")
	// hostByte: a registered name without percent-encoding and sub-delims, which no host that we
	// serve has. Userinfo needs "@".
	hostByte = alphanumericAnd("-._")
	// literalByte: inside the brackets of an IPv6 literal, without zone.
	literalByte = classOf("0123456789abcdefABCDEF:.")
	// digitByte: ASCII digits.
	digitByte = classOf("0123456789")
	// pathByte: what real clients send raw in a path, less the fragment mark and the backslash,
	// which others read as a slash.
	pathByte = between(0x21, 0x7e).without(`#\`)
	// queryByte: in a query they send backslashes and UTF-8 raw, too.
	queryByte = between(0x21, 0xff).without("#\x7f")
	// plainByte: visible ASCII and blanks, for values that are read for their meaning.
	plainByte = between(0x20, 0x7e).with("\t")
	// textByte: anything but control bytes. HTAB is legal white space (RFC 9110 5.5); bytes from
	// 0x80 up are opaque.
	textByte = between(0x20, 0xff).with("\t").without("\x7f")
	// fold maps A-Z to a-z and leaves the rest.
	fold = foldTable()
)

func classOf(s string) (c class) { return c.with(s) }

func alphanumericAnd(s string) class {
	return classOf("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").with(s)
}

func between(first, last int) (c class) {
	for b := first; b <= last; b++ {
		c[b] = true
	}
	return c
}

func (c class) with(s string) class {
	for _, b := range []byte(s) {
		c[b] = true
	}
	return c
}

func (c class) without(s string) class {
	for _, b := range []byte(s) {
		c[b] = false
	}
	return c
}

func foldTable() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}

// all reports whether every byte of b is in c.
func (c *class) all(b []byte) bool {
	for _, x := range b {
		if !c[x] {
			return false
		}
	}
	return true
}

// allText is all for a class that holds every byte from 0x20 to 0x7e. Nearly all of a head are such
// bytes, and a token from elsewhere is a thousand of them, so it looks at eight at a time.
func (c *class) allText(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if !visible(binary.LittleEndian.Uint64(b)) && !c.all(b[:8]) {
			return false
		}
	}
	return c.all(b)
}

// visible reports whether all eight bytes of x lie from 0x20 to 0x7e. Of bytes below 0x80 the first
// that is less than 0x20 borrows, and 0x7f and one more sets the highest bit.
func visible(x uint64) bool {
	const ones = 0x0101010101010101
	return (x|(x-0x20*ones)|(x+ones))&(0x80*ones) == 0
}

// EqualFold reports whether a and b are equal but for the case of ASCII letters. bytes.EqualFold
// would also take the Kelvin sign for a K.
func EqualFold[T, U []byte | string](a T, b U) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold[a[i]] != fold[b[i]] {
			return false
		}
	}
	return true
}

// trim drops the optional white space around a value.
func trim(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// cutLine returns the first line of b, which ends in CRLF, and what follows it.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// number returns the value of v, which has to be 0 or digits without leading zero that fit an
// int64; else -1. One spelling per number: "+5", "05" and numbers that wrap around have been read
// differently by two parsers before.
func number(v []byte) int64 {
	const digits = 19 // of the largest int64
	if len(v) == 0 || len(v) > digits || (v[0] == '0' && len(v) > 1) || !digitByte.all(v) {
		return -1
	}
	var n uint64
	for _, d := range v {
		n = n*10 + uint64(d-'0')
	}
	return max(int64(n), -1) // 19 digits fit a uint64; above the largest int64 they turn negative
}
