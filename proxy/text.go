package proxy

import (
	"aclgate/policy"
	"strconv"
	"unicode/utf8"
)

// maxClientText is how much of its own request a client is shown again.
const maxClientText = 80

const hexDigits = "0123456789abcdef"

// appendJSONText appends s as the inside of a JSON string.
func appendJSONText(b []byte, s string) []byte { return appendJSONBytes(b, []byte(s)) }

// appendJSONBytes appends s as the inside of a JSON string. Bytes that are no UTF-8 become U+FFFD;
// "<", ">" and "&" are escaped, so that the text is harmless in a page as well.
func appendJSONBytes(b, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\ufffd`...)
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f || r == '<' || r == '>' || r == '&':
			b = append(b, `\u00`...)
			b = append(b, hexDigits[r>>4], hexDigits[r&15])
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return b
}

// appendClientText appends a piece of the client's own request, escaped and cut.
func appendClientText(b, s []byte) []byte {
	if len(s) <= maxClientText {
		return appendJSONBytes(b, s)
	}
	return append(appendJSONBytes(b, s[:maxClientText]), "…"...)
}

// digits returns how long an id is when it is printed.
func digits(id int64) int {
	var room [20]byte
	return len(strconv.AppendInt(room[:0], id, 10))
}

// actor is who changes an owner, in the words of the history.
func actor(t *policy.Token) string {
	if t == nil {
		return ""
	}
	return strconv.FormatInt(t.ID, 10)
}

// appendAllow appends the header line that names methods.
func appendAllow(lines []byte, methods policy.MethodSet) []byte {
	return append(methods.Append(append(lines, "Allow: "...)), "\r\n"...)
}

// appendAccount prints the account that the backend is to keep to, where it enforces it.
func appendAccount(dst []byte, cid int64) []byte {
	dst = append(dst, "x-flespi-cid: "...)
	return append(strconv.AppendInt(dst, cid, 10), "\r\n"...)
}

// appendErrorHead begins an error of the gateway's own, up to the words of its reason.
func appendErrorHead(b []byte, status int) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(status), 10)
	return append(b, `,"reason":"`...)
}

// faultEnd ends the body of a fault, behind the words of its only reason.
const faultEnd = `"}]}`
