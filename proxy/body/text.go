package body

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// escapes maps the letter of a short escape to what it stands for, 0 for a
// letter that is none.
var escapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// hex4 returns the value of the four hexadecimal digits at the start of text,
// -1 if they are not there.
func hex4(text []byte) rune {
	if len(text) < 4 {
		return -1
	}
	var r rune
	for _, b := range text[:4] {
		switch {
		case '0' <= b && b <= '9':
			r = r<<4 | rune(b-'0')
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			r = r<<4 | rune(b|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// escapedRune reads one \u escape, or a surrogate pair of two, at the start of
// text. It returns the character and the length of its spelling, or -1 and the
// length that was readable: 0 for bad digits, 6 for a lone surrogate.
func escapedRune(text []byte) (rune, int) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1, 0
	}
	r := hex4(text[2:])
	if r < 0 {
		return -1, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if r = utf16.DecodeRune(r, hex4(text[8:])); r != utf8.RuneError {
			return r, 12
		}
	}
	return -1, 6
}

// appendUnescaped appends the string that raw, the text between two quotes,
// spells. Raw must have passed Check; bad escapes of another text are dropped.
func appendUnescaped(dst, raw []byte) []byte {
	for {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 || n+1 >= len(raw) {
			return append(dst, raw...)
		}
		dst, raw = append(dst, raw[:n]...), raw[n:]
		if raw[1] != 'u' {
			dst, raw = append(dst, escapes[raw[1]]), raw[2:]
			continue
		}
		r, size := escapedRune(raw)
		if r >= 0 {
			dst = utf8.AppendRune(dst, r)
		}
		raw = raw[max(size, 2):]
	}
}
