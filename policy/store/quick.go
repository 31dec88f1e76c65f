package store

import (
	"bytes"
	"unicode/utf8"

	"aclgate/config/strict"
	"aclgate/policy"
)

// quick reads one item of the list of tokens in the shape that people and
// programs write: block or bracket style, plain or quoted texts in one line.
// It knows no faults. Whatever it does not know for certain to read exactly as
// YAML does, it leaves to config/strict, so that its only duty is to be right
// where it speaks. It is some forty times as fast.
type quick struct {
	text  []byte
	at    int // offset
	start int // offset of the line
	col   int // column of what stands at the offset, from 0; -1 at the end
	odd   bool
	depth int
	tree  []branch
	made  Record // what read returns
	room  []policy.Entry
	words map[string]string // shared with the reader
	first int               // number of the first line in the file
}

// branch is one value of the tree of an item.
type branch struct {
	key   []byte
	text  []byte // of a scalar
	kind  strict.Kind
	plain bool  // a scalar without quotes
	at    int   // offset
	child int32 // the first, 0: none
	next  int32 // of the same parent, 0: none
}

// maxQuickDepth is far above that of a token.
const maxQuickDepth = 12

// maxWord bounds a key; YAML itself takes no key beyond 1024 bytes.
const maxWord = 64

// parse reads an item into the tree. It reports whether it could.
func (q *quick) parse(it item) (token int32, ok bool) {
	q.text, q.first, q.at, q.depth, q.odd = it.text, it.line, 0, 0, false
	q.tree = append(q.tree[:0], branch{})
	q.advance()
	list := q.block()
	token = q.tree[list].child
	return token, !q.odd && q.col < 0 && q.tree[list].kind == strict.List && q.tree[token].next == 0
}

func (q *quick) give() int32 { q.odd = true; return 0 }

// advance goes to the first character of the next line that holds anything.
func (q *quick) advance() {
	for q.at < len(q.text) {
		q.start = q.at
		for q.at < len(q.text) && q.text[q.at] == ' ' {
			q.at++
		}
		if q.at == len(q.text) {
			break
		}
		if c := q.text[q.at]; c != '\n' && c != '#' {
			q.col = q.at - q.start
			return
		}
		q.endLine()
	}
	q.col = -1
}

// endLine goes behind the end of the line. Only a comment may stand before it.
func (q *quick) endLine() {
	from := q.at
	for q.at < len(q.text) && q.text[q.at] == ' ' {
		q.at++
	}
	if q.at < len(q.text) && q.text[q.at] == '#' {
		if q.at == from && q.at > 0 && q.text[q.at-1] != ' ' && q.text[q.at-1] != '\n' {
			q.odd = true
		}
		end := bytes.IndexByte(q.text[q.at:], '\n')
		if end < 0 {
			end = len(q.text) - q.at
		}
		q.odd = q.odd || !harmless(q.text[q.at:q.at+end])
		q.at += end
	}
	if q.at < len(q.text) {
		q.odd = q.odd || q.text[q.at] != '\n'
		q.at++
	}
}

// harmless reports whether a text is UTF-8 without what YAML or strict treat
// specially: control characters, further line ends, marks of byte order.
func harmless(text []byte) bool {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		if size == 1 || c < 0xa0 || c == 0x2028 || c == 0x2029 || c >= 0xd800 && c < 0xf900 || c >= 0xfe00 {
			return false
		}
		i += size
	}
	return true
}

// add puts a branch into the tree, behind last among the children of parent.
func (q *quick) add(parent, last, child int32) int32 {
	if last == 0 {
		q.tree[parent].child = child
	} else {
		q.tree[last].next = child
	}
	return child
}

func (q *quick) grow(kind strict.Kind) int32 {
	q.tree = append(q.tree, branch{kind: kind, at: q.at})
	return int32(len(q.tree) - 1)
}

// deeper reports whether one more level may be read. The caller undoes it.
func (q *quick) deeper() bool {
	q.depth++
	q.odd = q.odd || q.depth > maxQuickDepth
	return !q.odd
}

// block reads the list or mapping that begins at the column of the line.
func (q *quick) block() int32 {
	if !q.deeper() || q.col < 0 {
		return q.give()
	}
	defer func() { q.depth-- }()
	if q.dash() {
		return q.blockList(q.col)
	}
	return q.blockMapping(q.col)
}

func (q *quick) dash() bool {
	return q.at+1 < len(q.text) && q.text[q.at] == '-' && q.text[q.at+1] == ' '
}

func (q *quick) blockList(col int) int32 {
	list, last := q.grow(strict.List), int32(0)
	for !q.odd && q.col == col && q.dash() {
		q.at++
		q.spaces()
		var child int32
		if q.wordLen() > 0 && q.at < len(q.text) {
			q.col = q.at - q.start
			child = q.block()
		} else {
			child = q.inline()
		}
		last = q.add(list, last, child)
	}
	return list
}

// blockMapping reads `key: value` lines at a column. A line further in would
// belong to the value above it, which is then more than one line.
func (q *quick) blockMapping(col int) int32 {
	mapping, last := q.grow(strict.Mapping), int32(0)
	for !q.odd && q.col == col {
		n := q.wordLen()
		if n == 0 {
			return q.give()
		}
		key := q.text[q.at : q.at+n]
		q.at += n + 1
		q.spaces()
		var child int32
		if q.at == len(q.text) || q.text[q.at] == '\n' || q.text[q.at] == '#' {
			q.endLine()
			q.advance()
			if q.col < col || q.col == col && !q.dash() {
				return q.give() // no value: a null
			}
			child = q.block()
		} else {
			child = q.inline()
		}
		q.tree[child].key = key
		last = q.add(mapping, last, child)
	}
	if q.col > col {
		return q.give()
	}
	return mapping
}

func (q *quick) spaces() {
	for q.at < len(q.text) && q.text[q.at] == ' ' {
		q.at++
	}
}

// wordLen returns the length of the key at the offset, 0 without one: letters,
// digits and _ before a colon with space or the end of the line behind it.
func (q *quick) wordLen() int {
	i := q.at
	for i < len(q.text) && (isWord(q.text[i])) {
		i++
	}
	if i == q.at || i == len(q.text) || i-q.at > maxWord || q.text[i] != ':' {
		return 0
	}
	if i+1 < len(q.text) && q.text[i+1] != ' ' && q.text[i+1] != '\n' {
		return 0
	}
	return i - q.at
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// inline reads a value that stands in a line of a block, to the line's end.
func (q *quick) inline() int32 {
	n := q.value(false)
	q.endLine()
	q.advance()
	return n
}
