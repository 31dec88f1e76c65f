package store

import (
	"bytes"
	"strconv"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Policy is what a policy file says. It is immutable.
type Policy struct {
	Records []*Record // in the order of the file
	Tree    *policy.Tree

	byDigest map[policy.Digest]*Record
}

// Find returns the record with this digest, or nil.
func (p *Policy) Find(d policy.Digest) *Record { return p.byDigest[d] }

// wholeTextMax bounds the files that are parsed again as a whole when an item
// does not parse on its own. In a larger one the item's own fault is reported:
// a slip of the pen must not cost the process its memory.
const wholeTextMax = 4 << 20

// ReadPolicy reads the text of the named policy file. It returns every fault
// and warning in the order of the text; with a fault that is not a warning
// there is no policy. Warnings about entries are against cat; nil asks for
// none. maxDepth bounds the levels of accounts.
func ReadPolicy(file string, text []byte, cat *policy.Catalogue, maxDepth int) (*Policy, strict.Faults) {
	text, lines := plainLines(text)
	r := newReader(file, cat)
	p, ok := split(text)
	if !ok || !lines || !r.readParts(p, len(text) <= wholeTextMax) {
		r = newReader(file, cat)
		r.readWhole(text)
	}
	return r.finish(maxDepth)
}

// plainLines returns a text with LF at the end of each line for CRLF, which
// moves no column and is one line end to YAML too. It reports whether the text
// is free of a CR on its own, which ends a line for YAML alone: split does not
// look for that.
func plainLines(text []byte) (plain []byte, ok bool) {
	crlf := []byte("\r\n")
	returns := bytes.Count(text, crlf[:1])
	if returns != bytes.Count(text, crlf) {
		return text, false
	}
	if returns == 0 {
		return text, true
	}
	return bytes.ReplaceAll(text, crlf, crlf[1:]), true
}

// reader reads one policy file.
type reader struct {
	faultList
	lint   lint
	quick  quick
	words  map[string]string // one copy of each uri and submodule name
	drafts []draft
	homes  []home

	// Of an item that is read on its own: the lines above it in the file, and
	// its place in the list of tokens.
	lines, index int
}

// draft is a token as far as it could be read, with the places that only the
// whole file can judge.
type draft struct {
	record    *Record
	index     int32 // in the list of tokens
	hasDigest bool
	id        place
	key       place
	cid       place
}

// place is a strict.Pos in half the room: there may be 300,000 of them.
type place struct{ line, col int32 }

func placeOf(p strict.Pos) place { return place{int32(p.Line), int32(p.Col)} }

func (p place) pos() strict.Pos { return strict.Pos{Line: int(p.line), Col: int(p.col)} }

// home is an account and where it stands.
type home struct {
	account policy.Account
	at      strict.Pos
	index   int // in the list of accounts
}

func newReader(file string, cat *policy.Catalogue) *reader {
	r := &reader{words: make(map[string]string)}
	r.file = file
	r.lint = lint{catalogue: cat, kinds: make(map[string]int)}
	r.quick.words = r.words
	return r
}

// blank reports whether a text holds nothing but space. An editor that empties
// a file before it writes it shows such a one for a moment, and it would be a
// sound policy that knows nobody.
func blank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

// readWhole reads a file as one tree.
func (r *reader) readWhole(text []byte) {
	if blank(text) {
		r.fault(strict.Pos{}, "the file is empty: a policy without tokens is written `tokens: []`")
		return
	}
	root, report := strict.Parse(r.file, text)
	m := root.Map("accounts", "tokens")
	r.readAccounts(m.Opt("accounts"))
	for i, n := range m.Opt("tokens").List() {
		r.readToken(n, i)
	}
	for _, f := range report.Faults() {
		r.add(f)
	}
}

// readParts reads a file item by item. It reports false when the whole has to
// be read instead, which mayRetry permits.
func (r *reader) readParts(p parts, mayRetry bool) bool {
	root, report := strict.Parse(r.file, p.rest)
	m := root.Map("accounts", "tokens")
	tokens := m.Get("tokens")
	// The empty value stands where the items stood, which proves that the line
	// is a key of the file and no part of a longer text.
	if root == nil || tokens.Kind() != strict.Null || tokens.KeyPos() != (strict.Pos{Line: p.line, Col: 1}) {
		return false
	}
	r.readAccounts(m.Opt("accounts"))
	for _, f := range report.Faults() {
		r.add(f)
	}
	for index, it := range p.items {
		if !r.readQuick(it, index) && !r.readItem(it, index) && mayRetry {
			return false
		}
	}
	return true
}

// readQuick reads an item in a common shape. It leaves one with warnings to
// readItem, which knows their places, as long as they would be shown.
func (r *reader) readQuick(it item, index int) bool {
	d, plainKey, ok := r.quick.read(it)
	if !ok {
		return false
	}
	if n := r.lint.count(d.record.Entries); n > 0 {
		if len(r.warnings) < maxWarnings {
			return false
		}
		r.unshown += n
	}
	d.index = int32(index)
	if plainKey {
		r.warn(d.key.pos(), plainKeyWarning, index)
	}
	r.drafts = append(r.drafts, d)
	return true
}

// readItem reads an item as a file of its own. It reports whether it is YAML.
func (r *reader) readItem(it item, index int) bool {
	const head = "tokens:\n"
	root, report := strict.Parse(r.file, append([]byte(head), it.text...))
	r.lines, r.index = it.line-2, index
	for _, n := range root.Map("tokens").Get("tokens").List() {
		r.readToken(n, index)
	}
	for _, f := range report.Faults() {
		f.Line += r.lines
		f.Message = r.moveLine(r.path(f.Message))
		r.add(f)
	}
	r.lines, r.index = 0, 0
	return root != nil
}

// itemPath is what a path of an item that is read on its own begins with.
const itemPath = "tokens[0]"

// path returns a path, or a message that begins with one, with the token's
// place in the whole list.
func (r *reader) path(text string) string {
	if rest, found := strings.CutPrefix(text, itemPath); found && r.lines > 0 {
		return "tokens[" + strconv.Itoa(r.index) + "]" + rest
	}
	return text
}

// moveLine puts the line that a message about a key given twice ends with into
// its place in the whole file.
func (r *reader) moveLine(message string) string {
	const before = "twice: first in line "
	i := strings.LastIndex(message, before)
	if i < 0 {
		return message
	}
	line, err := strconv.Atoi(message[i+len(before):])
	if err != nil {
		return message
	}
	return message[:i+len(before)] + strconv.Itoa(line+r.lines)
}

// at returns where a node stands in the whole file.
func (r *reader) at(n *strict.Node) strict.Pos {
	p := n.Pos()
	if p.Line > 0 {
		p.Line += r.lines
	}
	return p
}

// caution warns about the value of a node. The node's own Warn is not used:
// see maxWarnings.
func (r *reader) caution(n *strict.Node, format string, args ...any) {
	r.warn(r.at(n), "%s: "+format, append([]any{r.path(n.Path())}, args...)...)
}

// word returns one copy of a text that many entries share.
func (r *reader) word(text string) string {
	if kept, found := r.words[text]; found {
		return kept
	}
	kept := strings.Clone(text)
	r.words[kept] = kept
	return kept
}
