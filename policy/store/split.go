package store

import "bytes"

// parts is a policy file cut into its tokens and the rest. A tree of YAML nodes
// is some 25 times as large as its text, and 100,000 tokens have 40 MB of it;
// cut into items, one token's tree at a time is enough.
type parts struct {
	rest  []byte // the file with empty lines in the place of its tokens
	line  int    // of `tokens:`, from 1
	items []item
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
func split(text []byte) (parts, bool) {
	p := parts{}
	start, ok := p.findTokens(text)
	if !ok {
		return p, false
	}
	end := p.cutItems(text, start)
	if len(p.items) == 0 {
		return p, false
	}
	blank := bytes.Count(text[start:end], []byte{'\n'})
	p.rest = make([]byte, 0, start+blank+len(text)-end)
	p.rest = append(p.rest, text[:start]...)
	p.rest = append(p.rest, bytes.Repeat([]byte{'\n'}, blank)...)
	p.rest = append(p.rest, text[end:]...)
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

// cutItems cuts the list that begins at start and returns the offset of the
// first line that does not belong to it.
func (p *parts) cutItems(text []byte, start int) (end int) {
	indent, line := -1, p.line
	for at := start; at < len(text); {
		next := len(text)
		if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		line++
		body := bytes.TrimLeft(text[at:next], " ")
		column := next - at - len(body)
		switch {
		case empty(body):
		case bytes.HasPrefix(body, []byte("- ")) && (indent < 0 || column == indent):
			indent = column
			p.items = append(p.items, item{line: line})
			if len(p.items) == 1 {
				start = at
			} else {
				p.items[len(p.items)-2].text = text[start:at]
				start = at
			}
		case indent < 0 || column <= indent:
			p.close(text[start:at])
			return at
		}
		at = next
	}
	p.close(text[start:])
	return len(text)
}

func (p *parts) close(last []byte) {
	if n := len(p.items); n > 0 {
		p.items[n-1].text = last
	}
}

// empty reports whether a line without its indentation holds nothing.
func empty(body []byte) bool {
	return len(body) == 0 || body[0] == '\n' || body[0] == '\r' || body[0] == '#'
}
