package store

import (
	"bytes"

	"aclgate/config/strict"
)

// value reads a text or a value in brackets; inside says whether it stands in
// brackets itself.
func (q *quick) value(inside bool) int32 {
	if q.odd || q.at == len(q.text) {
		return q.give()
	}
	switch c := q.text[q.at]; c {
	case '[', '{':
		if !q.deeper() {
			return q.give()
		}
		defer func() { q.depth-- }()
		if c == '[' {
			return q.brackets()
		}
		return q.braces()
	case '"', '\'':
		return q.quoted(c)
	}
	return q.plainText(inside)
}

// gap skips space and line ends between brackets.
func (q *quick) gap() {
	for q.at < len(q.text) && (q.text[q.at] == ' ' || q.text[q.at] == '\n') {
		q.at++
		if q.text[q.at-1] == '\n' {
			q.start = q.at
		}
	}
}

// ends goes behind a comma or the closing bracket, and reports whether it was
// the bracket. A comma before it is left to strict.
func (q *quick) ends(closing byte) bool {
	q.gap()
	if q.at == len(q.text) || q.text[q.at] != ',' && q.text[q.at] != closing {
		q.odd = true
		return true
	}
	q.at++
	if q.text[q.at-1] == closing {
		return true
	}
	q.gap()
	return false
}

// empty goes behind the closing bracket if nothing stands before it.
func (q *quick) empty(closing byte) bool {
	q.at++
	q.gap()
	if q.at < len(q.text) && q.text[q.at] == closing {
		q.at++
		return true
	}
	return false
}

func (q *quick) brackets() int32 {
	list, last := q.grow(strict.List), int32(0)
	for done := q.empty(']'); !done; done = q.ends(']') {
		last = q.add(list, last, q.value(true))
	}
	return list
}

func (q *quick) braces() int32 {
	mapping, last := q.grow(strict.Mapping), int32(0)
	for done := q.empty('}'); !done; done = q.ends('}') {
		key := q.flowKey()
		q.gap()
		child := q.value(true)
		q.tree[child].key = key
		last = q.add(mapping, last, child)
	}
	return mapping
}

// flowKey reads a key in brackets and its colon. JSON needs no space behind it.
func (q *quick) flowKey() []byte {
	if n := q.wordLen(); n > 0 {
		key := q.text[q.at : q.at+n]
		q.at += n + 1
		return key
	}
	if q.at == len(q.text) || q.text[q.at] != '"' {
		q.odd = true
		return nil
	}
	key := q.tree[q.quoted('"')].text
	if q.odd || len(key) == 0 || len(key) > maxWord || q.at == len(q.text) || q.text[q.at] != ':' {
		q.odd = true
		return nil
	}
	q.at++
	return key
}

// quoted reads a text in quotes that ends in its line.
func (q *quick) quoted(quote byte) int32 {
	n := q.grow(strict.Text)
	q.at++
	end := bytes.IndexByte(q.text[q.at:], quote)
	if end < 0 {
		return q.give()
	}
	text := q.text[q.at : q.at+end]
	q.at += end + 1
	if quote == '"' && bytes.IndexByte(text, '\\') >= 0 {
		// flespi escapes the slash, and nothing else is undone here: what
		// then still holds a backslash is left to strict.
		if bytes.Contains(text, []byte(`\\`)) {
			return q.give()
		}
		text = bytes.ReplaceAll(text, []byte(`\/`), []byte("/"))
		q.odd = q.odd || bytes.IndexByte(text, '\\') >= 0
	}
	if quote == '\'' && q.at < len(q.text) && q.text[q.at] == quote || !harmless(text) {
		return q.give()
	}
	q.tree[n].text = text
	return n
}

// plainText reads a text without quotes.
func (q *quick) plainText(inside bool) int32 {
	n := q.grow(strict.Text)
	from := q.at
	if c := q.text[q.at]; !isWord(c) && c != '/' && c != '.' && c < 0x80 {
		return q.give()
	}
	for q.at < len(q.text) && !q.plainEnd(inside) {
		q.at++
	}
	text := bytes.TrimRight(q.text[from:q.at], " ")
	q.at = from + len(text)
	if !harmless(text) || isNull(text) {
		return q.give()
	}
	q.tree[n].text, q.tree[n].plain = text, true
	return n
}

// plainEnd reports whether a text without quotes ends at the offset, or holds
// something there that only strict can tell the meaning of.
func (q *quick) plainEnd(inside bool) bool {
	switch c := q.text[q.at]; c {
	case '\n':
		return true
	case '#':
		return q.text[q.at-1] == ' '
	case ':':
		odd := inside || q.at+1 == len(q.text) || q.text[q.at+1] == ' ' || q.text[q.at+1] == '\n'
		// In brackets those of a time and of a scheme are safe.
		if inside && q.at+1 < len(q.text) && (isWord(q.text[q.at+1]) || q.text[q.at+1] == '/') {
			odd = false
		}
		q.odd = q.odd || odd
		return odd
	case ',', ']', '}':
		return inside
	case '[', '{', '?':
		q.odd = q.odd || inside
		return inside
	}
	return false
}

// isNull reports whether a text without quotes is YAML's word for nothing.
func isNull(text []byte) bool {
	switch string(text) {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}
