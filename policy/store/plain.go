package store

import (
	"aclgate/policy"
	"aclgate/policy/topic"
)

// plainRow takes a row of tokens apart that is written as AppendDoc writes most: the same keys in the
// same order, no space, no escapes. Such a row needs no tree of nodes. That is most of the work of a
// load, and of a single change it is the code that the processor has to fetch again, because other
// programs ran in between. Whatever is written in another way it leaves to the strict reader, so that
// it never has to say what is wrong.
type plainRow struct {
	rest []byte
	odd  bool // something is written in another way: nothing that was read counts
	word func([]byte) string
}

// plain returns the record of a row, or nil where the strict reader has to look. What it returns is
// what that one would, which would have no fault to report.
func (r *rowReader) plain(doc []byte) *Record {
	r.renew()
	p := plainRow{rest: doc, word: r.shared}
	rec := &Record{}
	p.token(rec)
	if p.odd || len(p.rest) > 0 {
		return nil
	}
	return rec
}

// shared is reader.word of a text in a row.
func (r *rowReader) shared(text []byte) string {
	if kept, found := r.reader.words[string(text)]; found {
		return kept
	}
	return r.reader.word(string(text))
}

// token takes a whole row.
func (p *plainRow) token(rec *Record) {
	t := &rec.Token
	p.need(`{"id":`)
	t.ID = p.number(policy.MaxID)
	p.need(`,"key_sha256":"`)
	digest, ok := parseDigest(p.text())
	t.Digest, p.odd = digest, p.odd || !ok
	if p.have(`,"info":"`) {
		t.Info = string(p.text())
	}
	p.need(`,"cid":`)
	t.CID = p.number(policy.MaxID)
	t.Expire = p.optional(`,"expire":`, maxTime)
	t.TTL = p.optional(`,"ttl":`, maxTTL)
	t.Created = p.optional(`,"created":`, maxTime)
	rec.Made.By = p.optional(`,"created_by":`, policy.MaxID)
	rec.Made.User = p.optional(`,"user_id":`, policy.MaxID)
	rec.Made.Realm = p.optional(`,"realm_id":`, policy.MaxID)
	t.Enabled = !p.have(`,"enabled":false`)
	p.need(`,"access":{"type":`)
	p.access(rec)
	p.need(`}}`)
	if t.Expire == 0 && t.TTL == 0 || t.TTL > 0 && t.Created == 0 {
		p.odd = true // a fault
	}
}

// access takes the access type and the entries.
func (p *plainRow) access(rec *Record) {
	switch {
	case p.have(`0`):
		rec.Token.Access = policy.Standard
	case p.have(`1`):
		rec.Token.Access = policy.Master
	case p.have(`3`):
		rec.Token.Access = policy.NoAPI
	default:
		p.need(`2`)
		rec.Token.Access = policy.ACLAccess
		if !p.have(`,"acl":[`) {
			return
		}
		rec.Entries = make([]policy.Entry, 0, 4)
		for more := true; more && !p.odd; more = p.more() {
			rec.Entries = append(rec.Entries, policy.Entry{})
			p.entry(&rec.Entries[len(rec.Entries)-1])
		}
	}
}

// entry takes an element of acl.
func (p *plainRow) entry(e *policy.Entry) {
	p.need(`{"uri":"`)
	e.URI = p.name()
	e.Methods = p.methods()
	switch {
	case p.have(`,"ids":"all"`):
		e.Rule = policy.IDsAll
	case p.have(`,"ids":"in-groups"`):
		e.Rule = policy.IDsInGroups
	case p.have(`,"ids":[`):
		e.Rule = policy.IDsList
		var room [64]int64
		ids := room[:0]
		for more := !p.have(`]`); more && !p.odd; more = p.more() {
			ids = append(ids, p.number(policy.MaxID))
		}
		e.IDs = policy.NewIDSet(ids)
	}
	if p.have(`,"submodules":[`) {
		e.HasSubmodules = true
		for more := !p.have(`]`); more && !p.odd; more = p.more() {
			p.need(`{"name":"`)
			name := p.name()
			e.Submodules = append(e.Submodules, policy.Submodule{Name: name, Methods: p.methods()})
			p.need(`}`)
		}
	}
	p.need(`}`)
	p.odd = p.odd || e.URI == topic.EntryURI // what it permits with topics is warned about
}

// methods takes the key methods with its list.
func (p *plainRow) methods() (set policy.MethodSet) {
	p.need(`,"methods":[`)
	for more := !p.have(`]`); more && !p.odd; more = p.more() {
		p.need(`"`)
		one := methodNamed(p.text())
		set |= one
		p.odd = p.odd || one == 0
	}
	return set
}

// more takes what follows an element of a list, and reports whether it is another one.
func (p *plainRow) more() bool {
	if p.have(`,`) {
		return true
	}
	p.need(`]`)
	return false
}

// name takes a text with something in it that many rows share, without its first quote.
func (p *plainRow) name() string {
	text := p.text()
	p.odd = p.odd || len(text) == 0
	return p.word(text)
}

// text takes a text without its first quote. It is valid as long as the row is.
func (p *plainRow) text() []byte {
	for i, c := range p.rest {
		switch {
		case c == '"':
			text := p.rest[:i]
			p.rest = p.rest[i+1:]
			return text
		case c < ' ' || c >= 0x7f || c == '\\':
			p.odd = true
			return nil
		}
	}
	p.odd = true
	return nil
}

// number takes a number from 1 to most.
func (p *plainRow) number(most int64) int64 {
	n := 0
	for n < len(p.rest) && '0' <= p.rest[n] && p.rest[n] <= '9' {
		n++
	}
	v, ok := policy.ParseID(p.rest[:n])
	p.rest = p.rest[n:]
	p.odd = p.odd || !ok || v > most
	return v
}

// optional takes a number behind its key; 0: the key is not there.
func (p *plainRow) optional(key string, most int64) int64 {
	if p.have(key) {
		return p.number(most)
	}
	return 0
}

// have takes a text if it comes next.
func (p *plainRow) have(text string) bool {
	if len(p.rest) < len(text) || string(p.rest[:len(text)]) != text {
		return false
	}
	p.rest = p.rest[len(text):]
	return true
}

// need takes a text that has to come next.
func (p *plainRow) need(text string) { p.odd = !p.have(text) || p.odd }
