package record

import (
	"net/netip"
	"sync"
	"time"

	"aclgate/policy"
)

// slot is a Record as a Ring keeps it. The ring is far larger than a cache, so
// each line that a request writes there is fetched from memory first: what every
// record says comes first, as narrow as it can be, and of the rest only what
// there is of it is written. The one pointer is the first word, beyond which
// the garbage collector does not look.
type slot struct {
	route    *policy.Route
	mu       sync.Mutex
	id       ID
	digest   [4]byte
	began    int64 // of Record.Start: unix seconds
	beganNS  int32 // and nanoseconds
	status   int32
	token    int64
	cid      int64
	scope    int64
	total    time.Duration
	own      time.Duration
	upstream time.Duration
	bytesIn  int64
	bytesOut int64
	source   [16]byte
	denied   int32
	entry    int32
	line     int32
	verdict  policy.Verdict
	reason   policy.Reason
	method   policy.Method
	would    Outcome
	shadow   Outcome
	family   family

	cut       bool
	traced    bool
	named     bool
	targetLen uint16
	target    [maxTarget]byte
	trace     [traceLen]byte
	asked     int64
	bodyCID   int64
	bodyID    int64
	_         [16]byte // each slot begins a cache line
}

// family says how to read an address. Without its zone: nobody prints it.
type family uint8

const (
	noAddress family = iota
	ipv4
	ipv6
)

// put makes s a copy of r. Numbers are those of ids in one request and of lines
// in one file, so that they fit.
func (s *slot) put(r *Record) {
	s.route, s.id, s.digest = r.Route, r.ID, r.Digest
	s.began, s.beganNS = r.Start.Unix(), int32(r.Start.Nanosecond())
	s.status, s.denied, s.entry, s.line = int32(r.Status), int32(r.Denied), int32(r.Entry), int32(r.EntryLine)
	s.token, s.cid, s.scope = r.TokenID, r.CID, r.Scope
	s.total, s.own, s.upstream = r.Total, r.Own, r.Upstream
	s.bytesIn, s.bytesOut = r.BytesIn, r.BytesOut
	s.verdict, s.reason, s.method = r.Verdict, r.Reason, r.Method
	s.would, s.shadow = r.DryRun, r.Shadow
	s.putSource(r.Source)
	s.cut, s.targetLen = r.cut, r.targetLen
	copy(s.target[:], r.target[:r.targetLen])
	if s.traced = r.traced; r.traced {
		s.trace = r.trace
	}
	if s.named = r.Asked|r.BodyCID|r.BodyID != 0; s.named {
		s.asked, s.bodyCID, s.bodyID = r.Asked, r.BodyCID, r.BodyID
	}
}

func (s *slot) putSource(a netip.Addr) {
	s.source = a.As16()
	switch {
	case a.Is4():
		s.family = ipv4
	case a.IsValid():
		s.family = ipv6
	default:
		s.family = noAddress
	}
}

// copyIf copies the record to r if it is that of id.
func (s *slot) copyIf(id ID, r *Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != id {
		return false
	}
	s.get(r)
	return true
}

// get is the inverse of put.
func (s *slot) get(r *Record) {
	*r = Record{
		Route: s.route, ID: s.id, Digest: s.digest, Start: time.Unix(s.began, int64(s.beganNS)),
		Status: int(s.status), Denied: int(s.denied), Entry: int(s.entry), EntryLine: int(s.line),
		TokenID: s.token, CID: s.cid, Scope: s.scope,
		Total: s.total, Own: s.own, Upstream: s.upstream, BytesIn: s.bytesIn, BytesOut: s.bytesOut,
		Verdict: s.verdict, Reason: s.reason, Method: s.method, DryRun: s.would, Shadow: s.shadow,
		cut: s.cut, targetLen: s.targetLen, target: s.target, traced: s.traced, trace: s.trace,
	}
	if s.named {
		r.Asked, r.BodyCID, r.BodyID = s.asked, s.bodyCID, s.bodyID
	}
	switch s.family {
	case ipv4:
		r.Source = netip.AddrFrom16(s.source).Unmap()
	case ipv6:
		r.Source = netip.AddrFrom16(s.source)
	}
}
