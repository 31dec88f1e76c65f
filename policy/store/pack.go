package store

import (
	"encoding/binary"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/policy/topic"
)

// A packed record is the digest, then numbers as varints: id, line, access type with bits for
// enabled and for whether it says by whom it was made, cid, expire, ttl, created, the numbers of
// sources, origins and kind, and the length of info. Behind info follow by whom it was made, with a
// ttl the number of the counter of its last use, and for each entry its line and its ids, as
// differences, and of an mqtt entry its actions and its topic. A token of one entry with two ids
// takes 60 bytes.

// packedHead is what stands behind the digest, in this order.
type packedHead struct {
	id, line, access, cid, expire, ttl, created int64
	sources, origins, kind, info                int64
}

// Bits of packedHead.access, above which is the access type.
const (
	isEnabled = 1 << iota
	isMade
	accessShift = iota
)

func (h *packedHead) append(b []byte) []byte {
	for _, v := range [...]int64{h.id, h.line, h.access, h.cid, h.expire, h.ttl, h.created, h.sources, h.origins, h.kind, h.info} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

// pack appends a record of this kind.
func (p *Policy) pack(b []byte, rec *Record, kind int) []byte {
	t := &rec.Token
	h := packedHead{
		id: t.ID, line: int64(t.Line), access: int64(t.Access) << accessShift, cid: t.CID, expire: t.Expire, ttl: t.TTL, created: t.Created,
		sources: p.sourcesOf(t.Sources), origins: p.originsOf(t.Origins), kind: int64(kind), info: int64(len(t.Info)),
	}
	if t.Enabled {
		h.access |= isEnabled
	}
	made := rec.Made != Made{}
	if made {
		h.access |= isMade
	}
	b = append(h.append(append(b, t.Digest[:]...)), t.Info...)
	if made {
		for _, v := range [...]int64{rec.Made.By, rec.Made.User, rec.Made.Realm} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	if t.TTL > 0 {
		b = binary.AppendUvarint(b, uint64(len(p.timed)))
	}
	line := t.Line
	for i := range rec.Entries {
		e := &rec.Entries[i]
		b = binary.AppendVarint(b, int64(e.Line-line))
		line = e.Line
		if e.Rule == policy.IDsList {
			b = packIDs(b, e.IDs.IDs())
		}
		if e.URI == topic.EntryURI {
			b = binary.AppendUvarint(b, uint64(e.Actions))
			b = binary.AppendUvarint(b, uint64(len(e.Topic)))
			b = append(b, e.Topic...)
		}
	}
	return b
}

// packIDs appends ids, which ascend.
func packIDs(b []byte, ids []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	last := int64(0)
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id-last))
		last = id
	}
	return b
}

// headOf returns the id and the line of a packed record.
func headOf(record []byte) (id int64, line int) {
	u := unpacker(record[len(policy.Digest{}):])
	return u.number(), int(u.number())
}

// unpacker takes what was packed off the front of its bytes.
type unpacker []byte

func (u *unpacker) number() int64 {
	v, n := binary.Uvarint(*u)
	*u = (*u)[n:]
	return int64(v)
}

func (u *unpacker) signed() int64 {
	v, n := binary.Varint(*u)
	*u = (*u)[n:]
	return v
}

func (u *unpacker) bytes(n int64) []byte {
	b := (*u)[:n]
	*u = (*u)[n:]
	return b
}

// head takes the head of a record.
func (u *unpacker) head() packedHead {
	return packedHead{
		id: u.number(), line: u.number(), access: u.number(), cid: u.number(), expire: u.number(), ttl: u.number(), created: u.number(),
		sources: u.number(), origins: u.number(), kind: u.number(), info: u.number(),
	}
}

// skip goes on to the number of the counter, or where there is no ttl to the entries.
func (h *packedHead) skip(u *unpacker) {
	u.bytes(h.info)
	if h.access&isMade != 0 {
		u.number()
		u.number()
		u.number()
	}
}

// skipEntries goes behind the entries of a record of this kind.
func (p *Policy) skipEntries(u *unpacker, kind int64) {
	entries := p.kinds.list[kind].entries
	for i := range entries {
		u.signed()
		if entries[i].Rule == policy.IDsList {
			for range u.number() {
				u.number()
			}
		}
		if entries[i].URI == topic.EntryURI {
			u.number()
			u.bytes(u.number())
		}
	}
}

// measure returns the access type and the length of the record at the front of u.
func (p *Policy) measure(u unpacker) (policy.Access, int) {
	whole := len(u)
	u.bytes(int64(len(policy.Digest{})))
	h := u.head()
	h.skip(&u)
	if h.ttl > 0 {
		u.number()
	}
	p.skipEntries(&u, h.kind)
	return policy.Access(h.access >> accessShift), whole - len(u)
}

// ids takes a list of ids. Short ones, which most are, take no memory but that of the set.
func (u *unpacker) ids() policy.IDSet {
	var room [64]int64
	ids := room[:0]
	last := int64(0)
	for range u.number() {
		last += u.number()
		ids = append(ids, last)
	}
	return policy.NewIDSet(ids)
}

// unpack makes the record that stands at the front of u, and goes behind it.
func (p *Policy) unpack(u *unpacker) *Record {
	rec := &Record{}
	t := &rec.Token
	t.Digest = policy.Digest(u.bytes(int64(len(t.Digest))))
	h := u.head()
	t.ID, t.Line = h.id, int(h.line)
	t.Access, t.Enabled = policy.Access(h.access>>accessShift), h.access&isEnabled != 0
	t.CID, t.Expire, t.TTL, t.Created = h.cid, h.expire, h.ttl, h.created
	t.Sources, t.Origins = p.sources[h.sources], p.origins[h.origins]
	t.Info = string(u.bytes(h.info))
	if h.access&isMade != 0 {
		rec.Made = Made{By: u.number(), User: u.number(), Realm: u.number()}
	}
	if t.TTL > 0 {
		if counter := u.number(); p.lasts != nil {
			t.Used = p.lasts[counter]
		}
	}
	rec.Entries = slices.Clone(p.kinds.list[h.kind].entries)
	line := t.Line
	for i := range rec.Entries {
		e := &rec.Entries[i]
		line += int(u.signed())
		e.Line = line
		if e.Rule == policy.IDsList {
			e.IDs = u.ids()
		}
		if e.URI == topic.EntryURI {
			e.Actions = policy.Actions(u.number())
			e.Topic = string(u.bytes(u.number()))
		}
	}
	return rec
}

// sourcesOf returns the number of sources among those of the policy: many tokens come from the same
// few networks. 0 is nil.
func (p *Policy) sourcesOf(s *policy.Sources) int64 {
	if s == nil {
		return 0
	}
	var key []byte
	for _, network := range s.Networks {
		key = append(network.AppendTo(key), ' ')
	}
	key = append(key, '|')
	for _, m := range s.Masks {
		key = append(append(key, m...), ' ')
	}
	n, known := p.names["ips "+string(key)]
	if !known {
		n = int64(len(p.sources))
		p.sources = append(p.sources, s)
		p.names["ips "+string(key)] = n
	}
	return n
}

// originsOf is the same for origins. An empty list, which permits none, is not nil.
func (p *Policy) originsOf(origins []string) int64 {
	if origins == nil {
		return 0
	}
	key := []byte("origins ")
	for _, o := range origins {
		key = strconv.AppendQuote(key, o)
	}
	n, known := p.names[string(key)]
	if !known {
		n = int64(len(p.origins))
		p.origins = append(p.origins, origins)
		p.names[string(key)] = n
	}
	return n
}
