package join

// maxName is the length of the longest key that counts.
const maxName = len("result")

// keyReader unescapes a key as it comes, a byte at a time. It keeps as much of
// it as the names that count are long, never the key, which may be as long as
// the backend likes.
type keyReader struct {
	text    [maxName]byte
	size    int
	other   bool // it is none of the names
	escaped bool // after a backslash
	digits  int  // hexadecimal digits still to come
	code    rune // of the digits so far
}

// is reports whether the key that was read is name.
func (k *keyReader) is(name string) bool { return !k.other && string(k.text[:k.size]) == name }

// ends reports whether b, the next byte, is the closing quote.
func (k *keyReader) ends(b byte) bool { return b == '"' && !k.escaped && k.digits == 0 }

// read takes the next byte, and reports false if a key cannot hold it.
func (k *keyReader) read(b byte) bool {
	switch {
	case k.digits > 0:
		return k.digit(b)
	case k.escaped:
		k.escaped = false
		return k.escape(b)
	case b == '\\':
		k.escaped = true
	case b < ' ':
		return false
	default:
		k.char(rune(b))
	}
	return true
}

// escape takes the letter of an escape. No short one spells a letter of a name.
func (k *keyReader) escape(b byte) bool {
	switch b {
	case 'u':
		k.digits, k.code = 4, 0
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		k.other = true
	default:
		return false
	}
	return true
}

func (k *keyReader) digit(b byte) bool {
	switch {
	case '0' <= b && b <= '9':
		k.code = k.code<<4 | rune(b-'0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		k.code = k.code<<4 | rune(b|0x20-'a'+10)
	default:
		return false
	}
	if k.digits--; k.digits == 0 {
		k.char(k.code)
	}
	return true
}

// char takes one character, or a byte of one that is not ASCII and so is in no
// name.
func (k *keyReader) char(r rune) {
	if k.other || k.size == maxName || r >= 0x80 {
		k.other = true
		return
	}
	k.text[k.size] = byte(r)
	k.size++
}
