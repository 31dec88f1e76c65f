package proxy

import (
	"bytes"

	"aclgate/proxy/head"
)

// sharedDirectives are the directives of Cache-Control that permit or instruct shared caches
// (RFC 9111 5.2.2), and private, which every answer says already.
var sharedDirectives = [...]string{"public", "s-maxage", "proxy-revalidate", "private"}

// appendPrivate appends the directives of a Cache-Control that say nothing to shared caches, each
// after ", ". A comma inside quotes separates nothing; a text whose quotes do not close is left out.
func appendPrivate(dst, value []byte) []byte {
	for len(value) > 0 {
		end := directiveEnd(value)
		if end < 0 {
			return dst
		}
		directive := bytes.Trim(value[:end], " \t")
		value = value[min(end+1, len(value)):]
		name, _, _ := bytes.Cut(directive, []byte{'='})
		if name = bytes.TrimRight(name, " \t"); len(name) > 0 && !speaksToShared(name) {
			dst = append(append(dst, ", "...), directive...)
		}
	}
	return dst
}

func speaksToShared(name []byte) bool {
	for _, d := range sharedDirectives {
		if head.EqualFold(name, d) {
			return true
		}
	}
	return false
}

// directiveEnd returns the index of the comma behind the first directive, or the length of list; -1
// where a quote does not close.
func directiveEnd(list []byte) int {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return i
		}
	}
	if quoted {
		return -1
	}
	return len(list)
}
