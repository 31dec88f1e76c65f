package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"aclgate/policy"
)

// ID names one decision: what x-aclgate-decision carries and `why` asks for. It is random, so that
// it says nothing about other requests.
type ID [12]byte

// ErrID is the error of a text that is no decision id.
var ErrID = errors.New("a decision id is 24 hex digits")

// NewID returns a fresh id. Nothing is granted to whoever knows one, so the runtime's ChaCha8
// generator, which takes no lock, is enough.
func NewID() ID {
	var id ID
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint32(id[8:], rand.Uint32())
	return id
}

// ParseID is the inverse of Append; its error is ErrID.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 2*len(id) {
		return ID{}, ErrID
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ID{}, ErrID
	}
	return id, nil
}

// Append appends the id as 24 hex digits.
func (id ID) Append(dst []byte) []byte { return hex.AppendEncode(dst, id[:]) }

// String returns the id as 24 hex digits.
func (id ID) String() string {
	return hex.EncodeToString(id[:])
}

// Bounds of what a Record copies from a request.
const (
	maxTarget = 256
	maxFault  = 64
	maxNames  = 128 // of dropped parameters
	traceLen  = 55  // of a version 00 traceparent, the only one there is
)

// Record is what is remembered of one request. Whoever serves it fills the record along the way and
// hands it on at the end. It has no pointers into the request, and never holds a credential.
type Record struct {
	Facts
	text
}

// Facts are what a Record says without the client's own words.
type Facts struct {
	ID      ID
	Start   time.Time // when the whole head had been read
	Verdict policy.Verdict
	Reason  policy.Reason
	Method  policy.Method
	Route   *policy.Route // nil: unknown
	Status  int           // of the answer; 0: nobody was left to answer

	TokenID int64        // 0: no token was recognised
	Digest  [4]byte      // the first 8 hex digits of the key's digest
	CID     int64        // the token's account
	User    *policy.User // that the token carries; nil: none
	Scope   int64        // the account whose branch the request may touch
	Asked   int64        // the account that x-flespi-cid or cid named; 0: none
	BodyCID int64        // the account that the body named and was refused; 0: none
	BodyID  int64        // the item that the body named and was refused; 0: none
	Source  netip.Addr
	Denied  int // ids that were asked for by number and are not permitted
	Path    Path

	Entry     int // the entry that decided, counted from 1; 0: none
	EntryLine int // its line in the policy file; 0: unknown

	DryRun Outcome // of the token's entries, while policy.enforce is false
	Shadow Outcome // of policy.shadow, where it differs from what was done

	Total    time.Duration // from Start to the last byte of the answer
	Own      time.Duration // the gateway's own share of it
	Upstream time.Duration // waiting for the backend; 0: it was not asked
	BytesIn  int64         // of the request's body
	BytesOut int64         // of the answer's body
}

// text is what a Record keeps of the client's own words, escaped or checked.
type text struct {
	targetLen  uint16
	cut        bool // the target was longer
	traced     bool
	faultKind  faultKind
	faultLen   uint8
	droppedLen uint8
	target     [maxTarget]byte
	trace      [traceLen]byte
	fault      [maxFault]byte // the name of what the request was refused for, or the backend's words
	dropped    [maxNames]byte // names of the query that were left out, escaped
}

// copyTo copies r to a place in a memory that no cache holds: only what r says is written, because
// each line that is written there has to be fetched before.
func (r *Record) copyTo(to *Record) {
	to.Facts = r.Facts
	t := &to.text
	t.targetLen, t.cut, t.traced = r.targetLen, r.cut, r.traced
	t.faultKind, t.faultLen, t.droppedLen = r.faultKind, r.faultLen, r.droppedLen
	copy(t.target[:], r.target[:r.targetLen])
	copy(t.fault[:], r.fault[:r.faultLen])
	copy(t.dropped[:], r.dropped[:r.droppedLen])
	if r.traced {
		t.trace = r.trace
	}
}

// Outcome is what a policy that is not enforced makes of a request. The zero value is none.
type Outcome struct {
	Known   bool
	Verdict policy.Verdict // Unresolved: only the backend could have told
	Reason  policy.Reason
}

// Denies reports whether less would have gone through.
func (o Outcome) Denies() bool {
	return o.Known && (o.Verdict == policy.Deny || o.Verdict == policy.Narrow)
}

// Enforced returns the verdict that the request ended in. One that never got a verdict was denied.
func (r *Record) Enforced() policy.Verdict {
	if r.Verdict == policy.Narrow || r.Verdict == policy.Allow {
		return r.Verdict
	}
	return policy.Deny
}

// Reset makes r ready for the next request.
func (r *Record) Reset() { *r = Record{} }

// AppendID appends the decision id as 24 hex digits.
func (r *Record) AppendID(dst []byte) []byte { return r.ID.Append(dst) }

// SetToken remembers who called, by the token's id and the part of its digest that logs may show.
func (r *Record) SetToken(t *policy.Token) {
	r.TokenID, r.CID, r.User = t.ID, t.CID, t.User
	r.Digest = t.ShownDigest()
}

// SetRequest remembers what was asked, as it was read: the path with its ids decoded and printed, or
// their number and a digest where they are too many. The query is not kept. Nor is the path where a
// closed route deals in keys, for one may stand in it, and of a match only what it compares:
// /gw/devices/name=*.
func (r *Record) SetRequest(q *policy.Request) {
	r.clearTarget()
	r.Route = q.Route
	switch {
	case q.Route == nil:
		for _, segment := range q.Segments() {
			r.put('/')
			r.putSegment(segment)
		}
		return
	case q.Route.Closed != policy.NotClosed:
		return
	}
	for i := range q.Selectors {
		r.putSegment([]byte(q.Route.Literals[i]))
		s := &q.Selectors[i]
		if len(s.IDs) > 0 {
			r.putIDs(s, maxTarget-idsRoom*(len(q.Selectors)-i))
		}
		if s.Kind == policy.SelectConditions {
			r.put(',')
		}
		r.putSegment(s.Text)
	}
	r.putSegment([]byte(q.Route.Literals[len(q.Selectors)]))
}

// SetRefused remembers the path of a request that could not be read, as far as that is safe: without
// query, and of a segment nothing behind the first = or {.
func (r *Record) SetRefused(target []byte) {
	r.clearTarget()
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for first := true; len(path) > 0; first = false {
		var segment []byte
		segment, path, _ = bytes.Cut(path, []byte{'/'})
		if !first {
			r.put('/')
		}
		r.putSegment(segment)
	}
}

// SetDropped remembers the names of parameters that were left out, as policy.AppendDropped prints
// them, as far as there is room.
func (r *Record) SetDropped(names []byte) { r.droppedLen = uint8(copy(r.dropped[:], names)) }

// AppendDropped appends the names of parameters that were left out, percent-encoded, with commas
// between them. Nothing if there are none.
func (r *Record) AppendDropped(dst []byte) []byte { return append(dst, r.dropped[:r.droppedLen]...) }

func (r *Record) clearTarget() { r.Route, r.targetLen, r.cut = nil, 0, false }

// idsRoom is the room for each list of ids whose number and digest are kept.
const idsRoom = 64

// ManyIDs is in a remembered path where a list of ids was too long for it.
const ManyIDs = "-ids-sha256-"

// putIDs appends the ids of a selector, up to this length of the path, or their number and the
// beginning of the SHA-256 digest of them all in print: who has the list can compare it.
func (r *Record) putIDs(s *policy.Selector, most int) {
	before := r.targetLen
	for i, id := range s.IDs {
		if i > 0 {
			r.put(',')
		}
		var digits [20]byte
		r.putSegment(strconv.AppendInt(digits[:0], id, 10))
		if int(r.targetLen) > most && i > 0 {
			break
		}
	}
	if int(r.targetLen) <= most || len(s.IDs) == 1 {
		return
	}
	r.targetLen, r.cut = before, false
	sum := digestOf(s.IDs)
	var text [idsRoom]byte
	b := strconv.AppendInt(append(text[:0], '('), int64(len(s.IDs)), 10)
	b = hex.AppendEncode(append(b, ManyIDs...), sum[:])
	r.putSegment(append(b, ')'))
}

// digester digests a printed list of ids without allocating.
type digester struct {
	hash hash.Hash
	buf  []byte
}

var digesters = sync.Pool{New: func() any { return &digester{sha256.New(), make([]byte, 0, 1<<10)} }}

// digestOf returns the first 8 bytes of the SHA-256 digest of ids, printed with commas between them.
func digestOf(ids []int64) [8]byte {
	d := digesters.Get().(*digester)
	defer digesters.Put(d)
	d.hash.Reset()
	b := d.buf[:0]
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		if b = strconv.AppendInt(b, id, 10); cap(b)-len(b) < 32 {
			d.hash.Write(b)
			b = b[:0]
		}
	}
	d.hash.Write(b)
	d.buf = d.hash.Sum(b[:0])
	return [8]byte(d.buf)
}

// putSegment appends a segment of a path. Bytes that could deceive a terminal or end a JSON string
// are percent-encoded.
func (r *Record) putSegment(segment []byte) {
	for len(segment) > 0 && !r.cut {
		if segment = r.putOrdinary(segment); len(segment) == 0 {
			return
		}
		if opens := match(segment); opens != 0 {
			r.put(opens)
			r.put('*')
			return
		}
		r.put(segment[0])
		segment = segment[1:]
	}
}

// ordinary are the bytes of a path that stand for themselves, which is nearly all of them.
var ordinary = makeOrdinary()

func makeOrdinary() (all [256]bool) {
	for c := range all {
		all[c] = c > 0x20 && c < 0x7f && !strings.ContainsRune("\"\\%={?", rune(c))
	}
	return all
}

// putOrdinary appends the ordinary bytes that target begins with, as far as there is room, and
// returns the rest.
func (r *Record) putOrdinary(target []byte) []byte {
	room := r.target[r.targetLen:]
	n := min(len(room), len(target))
	for i, c := range target[:n] {
		if !ordinary[c] {
			n = i
			break
		}
		room[i] = c
	}
	r.targetLen += uint16(n)
	return target[n:]
}

// match returns '=' or '{' where the rest of a segment compares with values, also when it is
// spelled with an escape, and 0 elsewhere.
func match(rest []byte) byte {
	if rest[0] == '=' || rest[0] == '{' {
		return rest[0]
	}
	if len(rest) < 3 || rest[0] != '%' {
		return 0
	}
	switch string(rest[:3]) {
	case "%3D", "%3d":
		return '='
	case "%7B", "%7b":
		return '{'
	}
	return 0
}

// put appends one byte of the target if there is room for it, and never half an escape. Once
// something did not fit, nothing follows.
func (r *Record) put(c byte) {
	var room [3]byte
	b := appendPlain(room[:0], c)
	if r.cut || int(r.targetLen)+len(b) > maxTarget {
		r.cut = true
		return
	}
	r.targetLen += uint16(copy(r.target[r.targetLen:], b))
}

// appendPlain appends a byte, percent-encoded unless a terminal and a JSON string take it as it is.
func appendPlain(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	if c > 0x20 && c < 0x7f && c != '"' && c != '\\' {
		return append(dst, c)
	}
	return append(dst, '%', digits[c>>4], digits[c&15])
}

// AppendTarget appends the remembered path, with "…" where it was cut off.
func (r *Record) AppendTarget(dst []byte) []byte {
	dst = append(dst, r.target[:r.targetLen]...)
	if r.cut {
		dst = append(dst, "…"...)
	}
	return dst
}
