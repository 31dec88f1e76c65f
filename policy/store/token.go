package store

import (
	"encoding/hex"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Bounds of times: the year 9999, since unix seconds beyond it are milliseconds that would never
// expire, and a hundred years.
const (
	maxTime = 253402300799
	maxTTL  = 100 * 366 * 24 * 3600
)

const plainKeyWarning = "tokens[%d].key: the key itself stands here: write its SHA-256 digest as key_sha256"

// accessWords are the names of access types and their numbers on the wire.
var accessWords = map[string]policy.Access{
	"master": policy.Master, "standard": policy.Standard, "acl": policy.ACLAccess, "noapi": policy.NoAPI,
	"1": policy.Master, "0": policy.Standard, "2": policy.ACLAccess, "3": policy.NoAPI,
}

// Readers that are made once: a load reads a million tokens.
var (
	accessWord = strict.Enum("master", "standard", "acl", "noapi", "1", "0", "2", "3")
	idle       = strict.Seconds(0, maxTTL)
)

// readToken reads one token of the list. What is faulty is reported and left out of the draft.
func (r *reader) readToken(n *strict.Node, index int) draft {
	m := n.Map(tokenKeys...)
	rec := &Record{Token: policy.Token{Enabled: true, Line: n.Pos().Line}}
	t := &rec.Token
	d := draft{record: rec, index: index, id: m.Get("id").Pos(), cid: m.Get("cid").Pos()}
	strict.Into(&t.ID, m.Need("id"), strict.ID)
	r.readKey(&d, m)
	strict.Into(&t.Info, m.Get("info"), strict.Str)
	strict.Into(&t.CID, m.Need("cid"), strict.ID)
	strict.Into(&t.Enabled, m.Get("enabled"), strict.Bool)
	strict.Into(&rec.Made.By, m.Get("created_by"), strict.ID)
	strict.Into(&rec.Made.User, m.Get("user_id"), strict.ID)
	strict.Into(&rec.Made.Realm, m.Get("realm_id"), strict.ID)
	r.readTimes(t, m)
	r.readIPs(t, m.Get("ips"))
	r.readOrigins(t, m.Get("origins"))
	r.readAccess(rec, m.Need("access"))
	if extra := m.Get("metadata"); extra != nil && r.metadata != nil {
		r.metadata(t.ID, extra)
	}
	if b := m.Get("blocked"); b != nil && !unblocked(b) {
		r.warnAbout(b, "flespi had blocked this token, so it is not enabled here")
		t.Enabled = false
	}
	return d
}

// unblocked reports whether flespi's field says that nothing is blocked.
func unblocked(n *strict.Node) bool {
	text, _ := scalar(n)
	return n.Kind() == strict.Null || text == "0" || text == "false" || text == ""
}

// scalar returns the text of a node without reporting a fault.
func scalar(n *strict.Node) (string, bool) {
	if n.Kind() != strict.Text {
		return "", false
	}
	return strict.Str(n)
}

// readKey reads the one credential of a token. No fault of it shows the text: a plain key may stand
// in the place of its digest.
func (r *reader) readKey(d *draft, m *strict.Map) {
	plain, digest := m.Get("key"), m.Get("key_sha256")
	switch {
	case plain != nil && digest != nil:
		plain.Fault("key and key_sha256 stand beside each other: leave one out")
	case plain != nil:
		d.key = plain.Pos()
		if key, ok := strict.Key(plain); ok {
			d.record.Token.Digest, d.hasDigest = DigestOf([]byte(key)), true
			r.warn(plain.Pos(), plainKeyWarning, d.index)
		}
	case digest != nil:
		d.key = digest.Pos()
		text, _ := scalar(digest)
		if d.record.Token.Digest, d.hasDigest = parseDigest([]byte(text)); !d.hasDigest {
			digest.Fault("expected the SHA-256 digest of the key: 64 hexadecimal digits")
		}
	case m.Node().Kind() == strict.Mapping:
		m.Node().Fault("missing key \"key_sha256\" (or \"key\")")
	}
}

func parseDigest(text []byte) (policy.Digest, bool) {
	var d policy.Digest
	if len(text) != hex.EncodedLen(len(d)) {
		return d, false
	}
	_, err := hex.Decode(d[:], text)
	return d, err == nil
}

// readTimes reads expire, ttl and created. A token needs one of the first two, and what they count
// from.
func (r *reader) readTimes(t *policy.Token, m *strict.Map) {
	var ok [3]bool
	t.Expire, ok[0] = readIfThere(m.Get("expire"), moment)
	t.TTL, ok[1] = readIfThere(m.Get("ttl"), idle)
	t.Created, ok[2] = readIfThere(m.Get("created"), moment)
	switch {
	case m.Node().Kind() != strict.Mapping:
	case ok[0] && ok[1] && t.Expire == 0 && t.TTL == 0:
		m.Node().Fault("neither expire nor ttl limits the token: give it one of them")
	case ok[2] && t.TTL > 0 && t.Created == 0:
		m.Get("ttl").Fault("a ttl counts from the last use, and before the first one from \"created\": add it")
	}
}

func moment(n *strict.Node) (int64, bool) {
	v, ok := strict.Unix(n)
	if ok && v > maxTime {
		n.Fault("expected unix seconds, found a time after the year 9999: are these milliseconds?")
		return 0, false
	}
	return v, ok
}

// readIPs reads the addresses that a token may come from.
func (r *reader) readIPs(t *policy.Token, n *strict.Node) {
	if n == nil {
		return
	}
	var err error
	if n.Kind() == strict.List {
		items, ok := strict.ListOf(strict.Word)(n)
		if !ok {
			return
		}
		t.Sources, err = parseSourceList(items)
	} else if text, ok := strict.Str(n); ok {
		t.Sources, err = parseSources(text)
	}
	switch {
	case err != nil:
		n.Fault("expected addresses, networks such as 10.0.0.0/8 or masks such as 10.0.*: %s", err)
	case t.Sources != nil && len(t.Sources.Networks)+len(t.Sources.Masks) == 0:
		r.warnAbout(n, "an empty list permits no address: leave ips out for any")
	}
}

// readOrigins reads the origins of the pages that may use a token.
func (r *reader) readOrigins(t *policy.Token, n *strict.Node) {
	if text, ok := scalar(n); n == nil || ok && text == "*" {
		return
	}
	if n.Kind() != strict.List {
		n.Expected("\"*\" or a list of origins such as https://app.example.com")
		return
	}
	t.Origins = []string{}
	for _, o := range n.List() {
		if o.Kind() == strict.Mapping {
			strict.Into(new(string), o.Map("preset").Need("preset"), strict.Word)
			r.warnAbout(o, "presets are flespi's own and match nothing here: write the origins out")
			continue
		}
		if text, ok := strict.Word(o); ok && isOrigin(text) {
			t.Origins = append(t.Origins, strings.Clone(text))
			if !strings.Contains(text, "://") {
				r.warnAbout(o, "no browser sends an origin without scheme: write https://"+text)
			}
		} else if ok {
			o.Expected("an origin such as https://app.example.com (any origin is origins: \"*\")")
		}
	}
	if len(n.List()) == 0 {
		r.warnAbout(n, "an empty list permits no origin: leave origins out for any")
	}
}

// readAccess reads the access type and the entries.
func (r *reader) readAccess(rec *Record, n *strict.Node) {
	m := n.Map(accessKeys...)
	var word string
	strict.Into(&word, m.Need("type"), accessWord)
	rec.Token.Access = accessWords[word]
	entries := m.Opt("acl").List()
	if rec.Token.Access == policy.ACLAccess || word == "" {
		r.readEntries(rec, entries)
		return
	}
	// Whoever wrote entries meant a token that can do less than this one.
	if len(entries) > 0 {
		m.Get("acl").Fault("entries stand here, and access.type is %s, which asks none: write type: acl", rec.Token.Access)
	}
}
