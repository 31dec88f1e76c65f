package store

import "bytes"

// parts is a policy file cut into its tokens and the rest. A tree of YAML nodes
// is some 25 times as large as its text, and 100,000 tokens have 40 MB of it;
// cut into items, one token's tree at a time is enough.
type parts struct {
	rest  []byte // the file without its tokens
	line  int    // of `tokens:`, from 1
	items cutter // yields them
	count int    // of them
}

// item is the text of one element of the list of tokens, whole lines.
type item struct {
	text []byte
	line int // of its first line in the file, from 1
}

// split cuts a file whose tokens are a block list under a line `tokens:`. It
// reports false for any other: JSON, a list in brackets, no tokens at all.
//
// Only lines are looked at, so a cut may run through a text in quotes or in
// brackets that spans lines. Whoever reads the parts notices: the item before
// the cut does not parse on its own. What does parse ends where it ends in the
// whole file, because the text before it is complete.
func split(text []byte, pace *pacer) (parts, bool) {
	p := parts{}
	start, ok := p.findTokens(text)
	if !ok {
		return p, false
	}
	p.items = cutter{text: text, at: start, line: p.line + 1, indent: -1}
	all := p.items
	for ok := true; ok; p.count++ {
		_, ok = all.next()
		pace.step()
	}
	if p.count--; p.count == 0 {
		return p, false
	}
	blank := 0
	if all.at < len(text) { // what stands behind the tokens keeps its lines
		blank = all.line - p.line - 1
	}
	p.rest = make([]byte, 0, start+blank+len(text)-all.at)
	p.rest = append(p.rest, text[:start]...)
	p.rest = append(p.rest, bytes.Repeat([]byte{'\n'}, blank)...)
	p.rest = append(p.rest, text[all.at:]...)
	return p, true
}

// findTokens finds the line `tokens:` and returns the offset behind it.
func (p *parts) findTokens(text []byte) (start int, ok bool) {
	for rest := text; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		p.line++
		if value, found := bytes.CutPrefix(line, []byte("tokens:")); found {
			value = bytes.TrimRight(value, " \r")
			bare := len(value) == 0 || bytes.HasPrefix(bytes.TrimLeft(value, " "), []byte{'#'}) && value[0] == ' '
			return len(text) - len(after), bare
		}
		rest = after
	}
	return 0, false
}

// cutter cuts a list into items.
type cutter struct {
	text   []byte
	at     int // offset of the next line
	line   int // its number
	indent int // of the items; -1: not known yet
}

// next returns the next item, which ends where the next one or something that
// does not belong to the list begins, and whether there is one. After the last
// the cutter stands behind the list.
func (c *cutter) next() (it item, ok bool) {
	start := c.at
	for c.at < len(c.text) {
		next := len(c.text)
		if n := bytes.IndexByte(c.text[c.at:], '\n'); n >= 0 {
			next = c.at + n + 1
		}
		body := bytes.TrimLeft(c.text[c.at:next], " ")
		column := next - c.at - len(body)
		switch {
		case empty(body):
		case bytes.HasPrefix(body, []byte("- ")) && (c.indent < 0 || column == c.indent):
			if ok {
				it.text = c.text[start:c.at]
				return it, true
			}
			it, ok = item{line: c.line}, true
			c.indent, start = column, c.at
		case c.indent < 0 || column <= c.indent:
			it.text = c.text[start:c.at]
			return it, ok
		}
		c.at = next
		c.line++
	}
	it.text = c.text[start:]
	return it, ok
}

// empty reports whether a line without its indentation holds nothing.
func empty(body []byte) bool {
	return len(body) == 0 || body[0] == '\n' || body[0] == '\r' || body[0] == '#'
}
