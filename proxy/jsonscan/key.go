package jsonscan

// maxName is the length of the longest name that a key can be compared with.
const maxName = 8

// key unescapes a key as it comes, a byte at a time, so that "err\u006Frs" is the name errors too.
// It keeps as much of it as a name may be long, never the key, which may be as long as the backend
// likes.
type key struct {
	text    [maxName]byte
	size    uint8
	other   bool  // no name is spelled so
	escaped bool  // after a backslash
	digits  uint8 // hexadecimal digits still to come
	code    rune  // of the digits so far
}

// is reports whether the key that was read is name: ASCII, of at most 8 letters.
func (k *key) is(name string) bool { return !k.other && string(k.text[:k.size]) == name }

// ends reports whether b, the next byte, is the closing quote.
func (k *key) ends(b byte) bool { return b == '"' && !k.escaped && k.digits == 0 }

// read takes the next byte, and reports false if a key cannot hold it.
func (k *key) read(b byte) bool {
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

// escape takes the letter of an escape. No short one spells a letter.
func (k *key) escape(b byte) bool {
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

func (k *key) digit(b byte) bool {
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

// char takes one character, or a byte of one that is not ASCII and so is in no name.
func (k *key) char(r rune) {
	if k.other || k.size == maxName || r >= 0x80 {
		k.other = true
		return
	}
	k.text[k.size] = byte(r)
	k.size++
}
