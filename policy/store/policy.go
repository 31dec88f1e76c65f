package store

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Policy is what a policy file says. It is immutable once it is read. Its
// tokens stand in it packed: most of 100,000 are not in use, and one that is
// stands in the cache as well.
type Policy struct {
	Tree *policy.Tree

	shelf   shelf
	digests *index
	tokens  [policy.NoAPI + 1]int // by access type
	kinds   kinds
	sources []*policy.Sources // equal ones once; the first is nil
	origins [][]string        // the same
	names   map[string]int64  // of both; nil once the policy is read
	timed   []int64           // ids of the tokens with a ttl, in the order of the file
	lasts   []*atomic.Int64   // their last uses; nil: nobody counts them
	scratch []byte
}

// newPolicy returns an empty policy with room for n tokens.
func newPolicy(n int) *Policy {
	p := &Policy{sources: make([]*policy.Sources, 1), origins: make([][]string, 1)}
	p.names, p.kinds.number = make(map[string]int64), make(map[string]int)
	p.digests = newIndex(&p.shelf, hashDigest, n)
	return p
}

// add packs a record of this kind behind the others.
func (p *Policy) add(rec *Record, kind int) ref {
	p.scratch = p.pack(p.scratch[:0], rec, kind)
	if rec.Token.TTL > 0 {
		p.timed = append(p.timed, rec.Token.ID)
	}
	p.tokens[rec.Token.Access]++
	return p.shelf.put(p.scratch)
}

// Find returns the record with this digest, or nil.
func (p *Policy) Find(d policy.Digest) *Record {
	record := p.digests.withDigest(&d)
	if record == nil {
		return nil
	}
	u := unpacker(record)
	return p.unpack(&u)
}

// Len returns the number of tokens.
func (p *Policy) Len() int {
	n := 0
	for _, of := range p.tokens {
		n += of
	}
	return n
}

// Records yields the tokens in the order of the file, counted from 0. Each
// record is made for the caller.
func (p *Policy) Records() iter.Seq2[int, *Record] {
	return func(yield func(int, *Record) bool) {
		i := 0
		for _, chunk := range p.shelf.chunks {
			for u := unpacker(chunk); len(u) > 0; i++ {
				if !yield(i, p.unpack(&u)) {
					return
				}
			}
		}
	}
}

// Kinds yields what tokens there are, without what tells single ones apart: the
// access types, and each list of entries once, without its ids. They must not
// be changed.
func (p *Policy) Kinds() iter.Seq2[policy.Access, []policy.Entry] {
	return func(yield func(policy.Access, []policy.Entry) bool) {
		for access, n := range p.tokens {
			if a := policy.Access(access); a != policy.ACLAccess && n > 0 && !yield(a, nil) {
				return
			}
		}
		for _, k := range p.kinds.list {
			if len(k.entries) > 0 && !yield(policy.ACLAccess, k.entries) {
				return
			}
		}
	}
}

// wholeTextMax bounds the files that are parsed again as a whole when an item
// does not parse on its own. In a larger one the item's own fault is reported:
// a slip of the pen must not cost the process its memory.
const wholeTextMax = 4 << 20

// ReadPolicy reads the text of the named policy file. It returns every fault
// and warning in the order of the text; with a fault that is not a warning
// there is no policy. Warnings about entries are against cat; nil asks for
// none. maxDepth bounds the levels of accounts.
func ReadPolicy(file string, text []byte, cat *policy.Catalogue, maxDepth int) (*Policy, strict.Faults) {
	return newReader(file, cat, maxDepth).read(text)
}

// read reads the text of the file.
func (r *reader) read(text []byte) (*Policy, strict.Faults) {
	text, lines := plainLines(text, r.pace)
	p, ok := split(text, r.pace)
	if !ok || !lines || !r.readParts(p, len(text) <= wholeTextMax) {
		again := newReader(r.file, r.lint.catalogue, r.maxDepth)
		again.pace = r.pace
		again.readWhole(text)
		return again.finish()
	}
	return r.finish()
}

// pieceBytes is how much of a text is looked at in one go. What scans memory or
// digests it in assembly cannot be interrupted, not even for the collector,
// which holds up everybody until it can.
const pieceBytes = 256 << 10

// plainLines returns a text with LF at the end of each line for CRLF, which
// moves no column and is one line end to YAML too. It reports whether the text
// is free of a CR on its own, which ends a line for YAML alone: split does not
// look for that.
func plainLines(text []byte, pace *pacer) (plain []byte, ok bool) {
	if !hasReturn(text, pace) {
		return text, true
	}
	crlf := []byte("\r\n")
	if bytes.Count(text, crlf[:1]) != bytes.Count(text, crlf) {
		return text, false
	}
	return bytes.ReplaceAll(text, crlf, crlf[1:]), true
}

func hasReturn(text []byte, pace *pacer) bool {
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		if bytes.IndexByte(text[:n], '\r') >= 0 {
			return true
		}
		text = text[n:]
		pace.rest()
	}
	return false
}

// reader reads one policy file.
type reader struct {
	faultList
	lint     lint
	quick    quick
	words    map[string]string // one copy of each uri and submodule name
	homes    []home
	maxDepth int    // of accounts
	pace     *pacer // nil: no rests

	policy *Policy // as far as it is read
	ids    *index  // its tokens by id

	// Of an item that is read on its own: the lines above it in the file, and
	// its place in the list of tokens.
	lines, index int
}

// draft is a token as far as it could be read, with the places of what only the
// rest of the file can judge.
type draft struct {
	record    *Record // that of the quick reader holds until its next item
	index     int32   // in the list of tokens
	hasDigest bool
	id        place
	key       place
	cid       place
}

// place is a strict.Pos, smaller.
type place struct{ line, col int32 }

func placeOf(p strict.Pos) place { return place{int32(p.Line), int32(p.Col)} }

func (p place) pos() strict.Pos { return strict.Pos{Line: int(p.line), Col: int(p.col)} }

// home is an account and where it stands.
type home struct {
	account policy.Account
	at      strict.Pos
	index   int // in the list of accounts
}

func newReader(file string, cat *policy.Catalogue, maxDepth int) *reader {
	r := &reader{words: make(map[string]string), lint: lint{cat}, maxDepth: maxDepth}
	r.file = file
	r.quick.words = r.words
	r.expect(0)
	return r
}

// expect makes room for n tokens, before the first is read.
func (r *reader) expect(n int) {
	r.policy = newPolicy(n)
	r.ids = newIndex(&r.policy.shelf, hashID, n)
}

// kindOf returns the kind of a list of entries.
func (r *reader) kindOf(entries []policy.Entry) *kind {
	return &r.policy.kinds.list[r.policy.kinds.of(entries, &r.lint)]
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
	tokens := m.Opt("tokens").List()
	r.expect(len(tokens))
	r.readAccounts(m.Opt("accounts"))
	for i, n := range tokens {
		r.keepSlow(r.readToken(n, i))
		r.pace.step()
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
	r.expect(p.count)
	r.readAccounts(m.Opt("accounts"))
	for _, f := range report.Faults() {
		r.add(f)
	}
	for index := range p.count {
		it, _ := p.items.next()
		if !r.readQuick(it, index) && !r.readItem(it, index) && mayRetry {
			return false
		}
		r.pace.step()
	}
	return true
}

// keepSlow keeps a draft of config/strict.
func (r *reader) keepSlow(d draft) { r.keep(d, r.policy.kinds.of(d.record.Entries, &r.lint)) }

// readQuick reads an item in a common shape. It leaves one with warnings to
// readItem, which knows their places, as long as they would be shown.
func (r *reader) readQuick(it item, index int) bool {
	d, plainKey, ok := r.quick.read(it)
	if !ok {
		return false
	}
	kind := r.policy.kinds.of(d.record.Entries, &r.lint)
	if n := r.policy.kinds.list[kind].findings; n > 0 {
		if len(r.warnings) < maxWarnings {
			return false
		}
		r.unshown += n
	}
	d.index = int32(index)
	if plainKey {
		r.warn(d.key.pos(), plainKeyWarning, index)
	}
	r.keep(d, kind)
	return true
}

// readItem reads an item as a file of its own. It reports whether it is YAML.
func (r *reader) readItem(it item, index int) bool {
	drafts, ok := r.drafts(it, index)
	for _, d := range drafts {
		r.keepSlow(d)
	}
	return ok
}

// drafts reads the tokens of an item, which may turn out to be several.
func (r *reader) drafts(it item, index int) (drafts []draft, ok bool) {
	const head = "tokens:\n"
	root, report := strict.Parse(r.file, append([]byte(head), it.text...))
	r.lines, r.index = it.line-2, index
	for _, n := range root.Map("tokens").Get("tokens").List() {
		drafts = append(drafts, r.readToken(n, index))
	}
	for _, f := range report.Faults() {
		f.Line += r.lines
		f.Message = r.moveLine(r.path(f.Message))
		r.add(f)
	}
	r.lines, r.index = 0, 0
	return drafts, root != nil
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
