package store

import (
	"bytes"
	"iter"
	"strings"
	"sync/atomic"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Policy is what a policy file says. It is immutable once it is read. Its tokens stand in it
// packed: most of 100,000 are not in use, and one that is stands in the cache as well.
type Policy struct {
	Tree *policy.Tree

	grants  *policy.Grants             // nil: the file has none
	owners  owners                     // of items; nil: the file says nothing of them
	docs    map[Table]map[int64][]byte // of accounts that say more than their place in the tree, limits, realms and users
	secrets map[int64]string           // verifiers of passwords, by user
	arena   arena
	digests *hashIndex
	tokens  [policy.NoAPI + 1]int // by access type
	kinds   kinds
	sources []*policy.Sources // equal ones once; the first is nil
	origins [][]string        // the same
	names   map[string]int64  // of both; nil once the policy is read
	timed   []int64           // ids of the tokens with a ttl, in the order of the file
	lasts   []*atomic.Int64   // their last uses; nil: nobody counts them
	scratch []byte
}

func newPolicy() *Policy {
	p := &Policy{sources: make([]*policy.Sources, 1), origins: make([][]string, 1), secrets: map[int64]string{}}
	p.names, p.kinds.number = make(map[string]int64), make(map[string]int)
	p.digests = newHashIndex(&p.arena, hashDigest)
	return p
}

// add packs a record of this kind behind the others.
func (p *Policy) add(rec *Record, kind int) ref {
	p.scratch = p.pack(p.scratch[:0], rec, kind)
	if rec.Token.TTL > 0 {
		p.timed = append(p.timed, rec.Token.ID)
	}
	p.tokens[rec.Token.Access]++
	return p.arena.put(p.scratch)
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

// Records yields the tokens in the order of the file, counted from 0. Each record is made for the
// caller.
func (p *Policy) Records() iter.Seq2[int, *Record] {
	return func(yield func(int, *Record) bool) {
		i := 0
		for _, chunk := range p.arena.chunks {
			for u := unpacker(chunk); len(u) > 0; i++ {
				if !yield(i, p.unpack(&u)) {
					return
				}
			}
		}
	}
}

// Kinds yields what tokens there are, without what tells single ones apart: the access types, and
// each list of entries once, without its ids. They must not be changed.
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

// ReadPolicy reads the text of the named policy file, as JSON if its name ends in .json and as YAML
// otherwise. It returns every fault and warning in the order of the text; with a fault that is not
// a warning there is no policy. Warnings about entries are against cat; nil asks for none. maxDepth
// bounds the levels of accounts.
func ReadPolicy(file string, text []byte, cat *policy.Catalogue, maxDepth int) (*Policy, strict.Faults) {
	return newReader(file, cat, maxDepth).read(text)
}

// reader reads one policy file.
type reader struct {
	faultList
	lint     lint
	words    map[string]string // one copy of each uri and submodule name
	accounts []accountAt
	maxDepth int    // of accounts
	pace     *pacer // nil: no rests

	metadata func(id int64, n *strict.Node) // is given what tokens have of it; nil: nobody is

	policy *Policy    // as far as it is read
	ids    *hashIndex // its tokens by id
}

// draft is a token as far as it could be read, with the places of what only the rest of the file
// can judge.
type draft struct {
	record    *Record
	index     int // in the list of tokens
	hasDigest bool
	id        strict.Pos
	key       strict.Pos
	cid       strict.Pos
}

// accountAt is an account and where it stands.
type accountAt struct {
	account policy.Account
	at      strict.Pos
	index   int    // in the list of accounts
	doc     []byte // nil: the account says nothing beside its place in the tree
}

func newReader(file string, cat *policy.Catalogue, maxDepth int) *reader {
	r := &reader{words: make(map[string]string), lint: lint{cat}, maxDepth: maxDepth}
	r.file = file
	r.policy = newPolicy()
	r.ids = newHashIndex(&r.policy.arena, hashID)
	return r
}

// kindOf returns the kind of a list of entries.
func (r *reader) kindOf(entries []policy.Entry) *kind {
	return &r.policy.kinds.list[r.policy.kinds.of(entries, &r.lint)]
}

// blank reports whether a text holds nothing but space, comments and marks of a document. An editor
// that empties a file before it writes it shows such a one for a moment, a file whose lines were all
// commented out is one, and it would be a sound policy that knows nobody.
func blank(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		for _, mark := range []string{"---", "..."} {
			line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(mark)))
		}
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// read reads the text of the file.
func (r *reader) read(text []byte) (*Policy, strict.Faults) {
	if blank(text) {
		r.fault(strict.Pos{}, "the file is empty: a policy without tokens is written `tokens: []`")
		return r.finish()
	}
	root, report := strict.ParseFile(r.file, text, "tokens", r.pace.step)
	m := root.Map(fileKeys...)
	r.readAccounts(m.Opt("accounts"))
	r.readLimits(m.Opt("limits"))
	r.readOwners(m.Opt("owners"))
	r.readRecords(m)
	r.readGrants(m.Opt("grants"))
	for i, n := range m.Opt("tokens").Elements() {
		r.keep(r.readToken(n, i))
		r.pace.step()
	}
	for _, f := range report.Faults() {
		r.add(f)
	}
	return r.finish()
}

// warnAbout warns about the value of a node. The node's own Warn is not used: see maxWarnings.
func (r *reader) warnAbout(n *strict.Node, format string, args ...any) {
	r.warn(n.Pos(), "%s: "+format, append([]any{n.Path()}, args...)...)
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
