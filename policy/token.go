package policy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"sync/atomic"
)

// Access is the access type of a token (SPEC 1). The zero value permits nothing at all: a token
// without a type must not be a standard one.
type Access uint8

// The access types. The numbers of the wire (0 standard, 1 master, 2 acl, 3 noapi) are the store's
// to translate.
const (
	NoAccess Access = iota
	Standard
	Master
	ACLAccess
	NoAPI
)

var accessNames = [...]string{"none", "standard", "master", "acl", "noapi"}

// String returns the word of the access type.
func (a Access) String() string { return accessNames[a] }

// Number returns the access type as flespi's JSON spells it.
func (a Access) Number() int {
	switch a {
	case Master:
		return 1
	case Standard:
		return 0
	case ACLAccess:
		return 2
	}
	return 3
}

// Digest is the SHA-256 digest of a token's key, or the mark of a token from elsewhere: the only form
// in which store, cache and logs know a key.
type Digest [32]byte

// Key returns the slice of the digest by which caches choose places and stores keep revisions. Who
// can choose digests can only choose those that no token has.
func (d *Digest) Key() uint64 { return binary.LittleEndian.Uint64(d[:]) }

// Short returns the first 8 hex digits, which is what logs may show.
func (d Digest) Short() string { return hex.EncodeToString(d[:4]) }

// Token is a caller's credential, compiled and immutable but for its last use. What every request
// reads fills the first 128 bytes: with many tokens in turn a request costs what it has to fetch
// from memory.
type Token struct {
	Access  Access
	Enabled bool
	IsUser  bool     // it has roles, and nothing else: ACL has no entry
	Shown   [4]byte  // of its digest, where it is found by a mark; zero: the first of Digest
	Expire  int64    // unix seconds; 0: unused
	Sources *Sources // nil: any address
	Origins []string // nil: any
	CID     int64
	ACL     *ACL // of ACLAccess

	ID      int64
	Digest  Digest
	TTL     int64         // seconds since the last use, or since Created; 0: unused
	Created int64         // unix seconds; 0: unknown
	Used    *atomic.Int64 // unix seconds of the last use; 0: never. Nil with TTL 0

	Info string
	Line int // in the policy file, 0: unknown

	// Deadline ends a token that lives by its ttl, whatever its uses: unix seconds, 0: none.
	Deadline int64
	UserID   int64 // the user that it carries; 0: none
	User     *User // what people call that one; nil: nobody, or it was not asked
	Roles    []UserRole
}

// Valid returns NotJudged while the token may be used at now (unix seconds) from addr by a page of
// origin ("" without one), or why not (SPEC 3). Nothing of it may be cached.
func (t *Token) Valid(now int64, addr netip.Addr, origin []byte) Reason {
	switch {
	case !t.Enabled:
		return TokenDisabled
	case !t.Alive(now):
		return TokenExpired
	case t.Sources != nil && !t.Sources.Contain(addr):
		return TokenAddress
	case t.Origins != nil && len(origin) > 0 && !t.hasOrigin(origin):
		return TokenOrigin
	}
	return NotJudged
}

// Alive reports whether either of the two limits still holds; one that is unused holds nothing.
func (t *Token) Alive(now int64) bool {
	if t.Expire > 0 && now < t.Expire {
		return true
	}
	if t.TTL <= 0 || t.Deadline > 0 && now >= t.Deadline {
		return false
	}
	return now < max(t.Created, t.LastUsed())+t.TTL
}

// ShownDigest returns the part of the key's SHA-256 digest that logs may show.
func (t *Token) ShownDigest() [4]byte {
	if t.Shown != [4]byte{} {
		return t.Shown
	}
	return [4]byte(t.Digest[:])
}

// LastUsed returns the unix second of the last use that is remembered, or 0.
func (t *Token) LastUsed() int64 {
	if t.Used == nil {
		return 0
	}
	return t.Used.Load()
}

// Touch notes a use at now. It never moves backwards.
func (t *Token) Touch(now int64) {
	if t.Used == nil {
		return
	}
	for last := t.Used.Load(); last < now; last = t.Used.Load() {
		if t.Used.CompareAndSwap(last, now) {
			return
		}
	}
}

func (t *Token) hasOrigin(origin []byte) bool {
	for _, o := range t.Origins {
		if bytes.EqualFold(origin, []byte(o)) {
			return true
		}
	}
	return false
}

// Sources are the addresses that a token may be used from: networks, and masks with * and ? over
// the text of an address.
type Sources struct {
	Networks []netip.Prefix
	Masks    []string
}

// Contain reports whether addr is one of them. An address that is not known is none.
func (s *Sources) Contain(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return false
	}
	for _, p := range s.Networks {
		if p.Contains(addr) {
			return true
		}
	}
	if len(s.Masks) == 0 {
		return false
	}
	var room [64]byte
	text := addr.AppendTo(room[:0])
	for _, m := range s.Masks {
		if Wildcard(m, text) {
			return true
		}
	}
	return false
}

// Wildcard reports whether text matches mask, where * is any run of bytes and ? is any single one.
func Wildcard(mask string, text []byte) bool {
	m, i, star, back := 0, 0, -1, 0
	for i < len(text) {
		switch {
		case m < len(mask) && mask[m] == '*':
			star, back = m, i
			m++
		case m < len(mask) && (mask[m] == '?' || mask[m] == text[i]):
			m, i = m+1, i+1
		case star >= 0:
			back++
			m, i = star+1, back
		default:
			return false
		}
	}
	for m < len(mask) && mask[m] == '*' {
		m++
	}
	return m == len(mask)
}
