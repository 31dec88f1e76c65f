package upstream

import "bytes"

// tokenBytes are the bytes of a token (RFC 9110, 5.6.2).
var tokenBytes = tokenTable()

func tokenTable() (table [256]bool) {
	for c := range table {
		b := byte(c)
		letter := 'a' <= b|0x20 && b|0x20 <= 'z' && b < 0x80
		table[c] = letter || isDigit(b) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0
	}
	return table
}

// isToken reports whether b is a token; an empty one is none.
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// isText reports whether b holds no control byte but the tab. Bytes above 0x7f are opaque text (RFC
// 9110, 5.5); a NUL or a bare CR ends the value for some readers.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isFold reports whether b is lower, which is lower case, without regard to the case of ASCII
// letters. bytes.EqualFold would also take the Kelvin sign for a k.
func isFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trimSpace drops spaces and tabs, and nothing else, from both ends. bytes.TrimSpace also drops
// vertical tabs and Unicode spaces, after which `chunked` would look like chunked.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// hasElement reports whether the comma-separated list names the element.
func hasElement(list []byte, lower string) bool {
	for len(list) > 0 {
		element := list
		if i := bytes.IndexByte(list, ','); i >= 0 {
			element, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		if isFold(trimSpace(element), lower) {
			return true
		}
	}
	return false
}
