package wire

import (
	"bytes"
	"unicode/utf8"
)

// textOf reports whether b is UTF-8, without overlong forms and surrogates, and whether it holds
// U+0000.
func textOf(b []byte) (text, nul bool) {
	return utf8.Valid(b), bytes.IndexByte(b, 0) >= 0
}

// plain reports whether b is UTF-8 without control and non-characters, which the standard lets a
// server refuse: a topic with one of them cannot be read in a log, and hides from one who looks.
func plain(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 || r < 0xa0 || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef {
			return false
		}
		i += size
	}
	return true
}

// clientID reads a client id, which may be empty here.
func (c *cursor) clientID() []byte {
	b := c.binary()
	if !plain(b) {
		c.malformed("a client id is not UTF-8 or holds a control or non-character")
		return nil
	}
	return b
}

// userName reads a user name.
func (c *cursor) userName() []byte {
	b := c.binary()
	if !plain(b) {
		c.malformed("a user name is not UTF-8 or holds a control or non-character")
		return nil
	}
	return b
}

// topic reads a topic name: no wildcards. It may be empty here.
func (c *cursor) topic() []byte {
	b := c.binary()
	switch {
	case !plain(b):
		c.malformed("a topic is not UTF-8 or holds a control or non-character")
	case bytes.IndexByte(b, '+') >= 0 || bytes.IndexByte(b, '#') >= 0:
		c.malformed("a topic holds a wildcard")
	default:
		return b
	}
	return nil
}

// filter reads a topic filter.
func (c *cursor) filter() []byte {
	b := c.binary()
	switch {
	case c.failed():
	case len(b) == 0:
		c.malformed("an empty topic filter")
	case !plain(b):
		c.malformed("a topic filter is not UTF-8 or holds a control or non-character")
	case !wildcardsFit(b):
		c.malformed("a wildcard of a topic filter does not stand alone, or # not at its end")
	case shared(b) && !shareFits(b):
		c.malformed("a shared filter without group or filter, or with a wildcard in its group")
	default:
		return b
	}
	return nil
}

// wildcardsFit reports whether each + and # is a whole level, and # the last one.
func wildcardsFit(b []byte) bool {
	for i, c := range b {
		if c != '+' && c != '#' {
			continue
		}
		first := i == 0 || b[i-1] == '/'
		last := i+1 == len(b)
		if !first || !last && (c == '#' || b[i+1] != '/') {
			return false
		}
	}
	return true
}

const sharePrefix = "$share"

// shared reports whether a filter is a shared one. "$share" alone is: it names neither group nor
// filter.
func shared(b []byte) bool {
	return bytes.HasPrefix(b, []byte(sharePrefix)) && (len(b) == len(sharePrefix) || b[len(sharePrefix)] == '/')
}

// shareFits reports whether a shared filter has a group without wildcards and a filter behind it.
func shareFits(b []byte) bool {
	if len(b) == len(sharePrefix) {
		return false
	}
	group, filter, found := bytes.Cut(b[len(sharePrefix)+1:], []byte("/"))
	return found && len(group) > 0 && len(filter) > 0 && !bytes.ContainsAny(group, "+#")
}
