package store

import (
	"bytes"
	"slices"
	"time"
	"unicode/utf8"

	"aclgate/config/strict"
	"aclgate/policy"
)

// read reads an item as a token. It reports ok only for one without any fault
// and without any warning but that of a plain key, which plainKey tells, and
// those about its entries, which the caller looks for.
func (q *quick) read(it item) (d draft, plainKey, ok bool) {
	root, ok := q.parse(it)
	if !ok || q.tree[root].kind != strict.Mapping {
		return draft{}, false, false
	}
	q.made = Record{Token: policy.Token{Enabled: true, Line: q.line(root)}}
	d.record = &q.made
	seen := uint32(0)
	for n := q.tree[root].child; n != 0; n = q.tree[n].next {
		i := slices.Index(tokenKeys, string(q.tree[n].key))
		if i < 0 || seen&(1<<i) != 0 || !q.field(&d, tokenKeys[i], n) {
			return draft{}, false, false
		}
		seen |= 1 << i
		plainKey = plainKey || tokenKeys[i] == "key"
	}
	t := &d.record.Token
	limited := t.Expire > 0 || t.TTL > 0
	sound := limited && t.ID > 0 && t.CID > 0 && t.Access != policy.NoAccess && (t.TTL == 0 || t.Created > 0)
	one := seen&(1<<1|1<<2) == 1<<1 || seen&(1<<1|1<<2) == 1<<2 // key and key_sha256
	return d, plainKey, sound && one && d.hasDigest
}

// field reads one field of a token. It reports whether the value is sound.
func (q *quick) field(d *draft, key string, n int32) (ok bool) {
	t, b := &d.record.Token, &q.tree[n]
	switch key {
	case "id":
		d.id = q.place(n)
		t.ID, ok = q.id(n)
	case "cid":
		d.cid = q.place(n)
		t.CID, ok = q.id(n)
	case "key":
		d.key, d.hasDigest = q.place(n), b.kind == strict.Text && strict.IsKey(string(b.text))
		t.Digest, ok = DigestOf(b.text), d.hasDigest
	case "key_sha256":
		d.key = q.place(n)
		t.Digest, ok = parseDigest(b.text)
		d.hasDigest = ok
	case "info":
		t.Info, ok = string(b.text), b.kind == strict.Text
	case "expire":
		t.Expire, ok = q.moment(n)
	case "created":
		t.Created, ok = q.moment(n)
	case "ttl":
		t.TTL, ok = q.seconds(n)
	case "enabled":
		t.Enabled, ok = string(b.text) == "true", string(b.text) == "true" || string(b.text) == "false"
	case "ips":
		t.Sources, ok = q.ips(n)
	case "origins":
		t.Origins, ok = q.origins(n)
	case "access":
		ok = q.access(d.record, n)
	case "blocked":
		ok = string(b.text) == "0"
	default: // accessed, metadata: nobody looks into them
		ok = true
	}
	return ok
}

// line returns the line of a value in the file.
func (q *quick) line(n int32) int {
	return q.first + bytes.Count(q.text[:q.tree[n].at], []byte{'\n'})
}

func (q *quick) place(n int32) place {
	at := q.tree[n].at
	start := bytes.LastIndexByte(q.text[:at], '\n') + 1
	return place{int32(q.line(n)), int32(utf8.RuneCount(q.text[start:at]) + 1)}
}

// id reads an id; 0 is none.
func (q *quick) id(n int32) (int64, bool) { return policy.ParseID(q.tree[n].text) }

// number reads 0 or what an id is spelled like.
func number(text []byte) (int64, bool) {
	if string(text) == "0" {
		return 0, true
	}
	return policy.ParseID(text)
}

func (q *quick) moment(n int32) (int64, bool) {
	text := q.tree[n].text
	if v, ok := number(text); ok {
		return v, v <= maxTime
	}
	t, err := time.Parse(time.RFC3339, string(text))
	return t.Unix(), err == nil && t.Nanosecond() == 0 && t.Unix() >= 0 && t.Unix() <= maxTime
}

// seconds reads a number with one unit or none.
func (q *quick) seconds(n int32) (int64, bool) {
	text, unit := q.tree[n].text, int64(1)
	if len(text) > 1 {
		if u, found := map[byte]int64{'d': 86400, 'h': 3600, 'm': 60, 's': 1}[text[len(text)-1]]; found {
			text, unit = text[:len(text)-1], u
		}
	}
	v, ok := number(text)
	return v * unit, ok && v <= maxTTL/unit
}

// texts returns the elements of a list of texts that are not empty.
func (q *quick) texts(n int32) (texts []string, ok bool) {
	for c := q.tree[n].child; c != 0; c = q.tree[c].next {
		if q.tree[c].kind != strict.Text || len(q.tree[c].text) == 0 {
			return nil, false
		}
		texts = append(texts, string(q.tree[c].text))
	}
	return texts, q.tree[n].kind == strict.List
}

func (q *quick) ips(n int32) (*policy.Sources, bool) {
	if q.tree[n].kind == strict.Text {
		s, err := parseSources(string(q.tree[n].text))
		return s, err == nil
	}
	items, ok := q.texts(n)
	if !ok || len(items) == 0 {
		return nil, false
	}
	s, err := parseSourceList(items)
	return s, err == nil
}

func (q *quick) origins(n int32) ([]string, bool) {
	if q.tree[n].kind == strict.Text {
		return nil, string(q.tree[n].text) == "*"
	}
	items, ok := q.texts(n)
	for _, o := range items {
		ok = ok && isOrigin(o)
	}
	return items, ok && len(items) > 0
}

// distinct reports whether no key of a mapping comes twice.
func (q *quick) distinct(n int32) bool {
	for a := q.tree[n].child; a != 0; a = q.tree[a].next {
		for b := q.tree[a].next; b != 0; b = q.tree[b].next {
			if bytes.Equal(q.tree[a].key, q.tree[b].key) {
				return false
			}
		}
	}
	return true
}

// get returns the value of a key of a mapping with known, distinct keys; 0 is
// an absent one.
func (q *quick) get(n int32, key string) int32 {
	for c := q.tree[n].child; c != 0; c = q.tree[c].next {
		if string(q.tree[c].key) == key {
			return c
		}
	}
	return 0
}

// known reports whether a value is a mapping of known keys, none of them twice.
func (q *quick) known(n int32, keys []string) bool {
	for c := q.tree[n].child; c != 0; c = q.tree[c].next {
		if !slices.Contains(keys, string(q.tree[c].key)) {
			return false
		}
	}
	return q.tree[n].kind == strict.Mapping && q.distinct(n)
}

var accessKeys = []string{"type", "acl"}

func (q *quick) access(rec *Record, n int32) bool {
	if !q.known(n, accessKeys) {
		return false
	}
	rec.Token.Access = accessWords[string(q.tree[q.get(n, "type")].text)]
	acl := q.get(n, "acl")
	if acl == 0 {
		return true
	}
	q.room = q.room[:0]
	for c := q.tree[acl].child; c != 0; c = q.tree[c].next {
		e, ok := q.entry(c)
		if !ok || rec.Token.Access != policy.ACLAccess {
			return false
		}
		q.room = append(q.room, e)
		rec.Entries = q.room
	}
	return q.tree[acl].kind == strict.List
}

func (q *quick) entry(n int32) (e policy.Entry, ok bool) {
	uri := q.tree[q.get(n, "uri")]
	if !q.known(n, entryKeys) || uri.kind != strict.Text || len(uri.text) == 0 {
		return e, false
	}
	e.URI, e.Line = q.word(uri.text), q.line(n)
	e.Methods, ok = q.methods(q.get(n, "methods"))
	ok = ok && q.ids(&e, q.get(n, "ids")) && q.submodules(&e, q.get(n, "submodules"))
	if topic := q.get(n, "topic"); topic != 0 {
		ok = ok && q.tree[topic].kind == strict.Text
	}
	if actions := q.get(n, "actions"); actions != 0 && ok {
		_, ok = q.texts(actions)
	}
	return e, ok
}

func (q *quick) methods(n int32) (set policy.MethodSet, ok bool) {
	for c := q.tree[n].child; c != 0; c = q.tree[c].next {
		m := methodNamed(q.tree[c].text)
		if m == 0 {
			return 0, false
		}
		set |= m
	}
	return set, n == 0 || q.tree[n].kind == strict.List
}

func (q *quick) ids(e *policy.Entry, n int32) bool {
	b := q.tree[n]
	switch {
	case n == 0:
		return true
	case b.kind == strict.Text && string(b.text) == "all":
		e.Rule = policy.IDsAll
		return true
	case b.kind == strict.Text && string(b.text) == "in-groups":
		e.Rule = policy.IDsInGroups
		return true
	}
	var ids []int64
	for c := b.child; c != 0; c = q.tree[c].next {
		id, ok := q.id(c)
		if !ok {
			return false
		}
		ids = append(ids, id)
	}
	e.Rule, e.IDs = policy.IDsList, policy.NewIDSet(ids)
	return b.kind == strict.List
}

var submoduleKeys = []string{"name", "methods"}

func (q *quick) submodules(e *policy.Entry, n int32) bool {
	if n == 0 {
		return true
	}
	e.HasSubmodules = true
	for c := q.tree[n].child; c != 0; c = q.tree[c].next {
		name := q.tree[q.get(c, "name")].text
		methods, ok := q.methods(q.get(c, "methods"))
		if !ok || len(name) == 0 || !q.known(c, submoduleKeys) {
			return false
		}
		e.Submodules = append(e.Submodules, policy.Submodule{Name: q.word(name), Methods: methods})
	}
	e.Submodules = slices.Clip(e.Submodules)
	return q.tree[n].kind == strict.List
}

// word returns one copy of a text that many entries share.
func (q *quick) word(text []byte) string {
	if kept, found := q.words[string(text)]; found {
		return kept
	}
	kept := string(text)
	q.words[kept] = kept
	return kept
}
