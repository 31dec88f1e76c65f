package record

import (
	"encoding/hex"
	"strconv"
	"time"

	"aclgate/policy"
)

// AppendJSON appends r as one JSON object on one line. Members that say nothing are left out. It
// allocates nothing if dst has room; all text in it is from closed sets or was escaped when it was
// remembered, so that no string needs escaping here but the names of users.
func (r *Record) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Start.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
	dst = append(dst, `","decision":"`...)
	dst = r.AppendID(dst)
	dst = member(dst, `","verdict":"`, r.Enforced().String())
	dst = member(dst, `","reason":"`, r.Reason.String())
	dst = member(dst, `","method":"`, r.Method.String())
	dst = append(dst, '"')
	dst = number64(dst, `,"status":`, int64(r.Status))
	dst = r.appendWhat(dst)
	dst = r.appendWho(dst)
	dst = r.DryRun.append(dst, `,"would":"`, `","would_reason":"`)
	dst = r.Shadow.append(dst, `,"shadow":"`, `","shadow_reason":"`)
	dst = r.appendCost(dst)
	return append(dst, '}')
}

func (r *Record) appendWhat(dst []byte) []byte {
	if r.Route != nil {
		dst = append(appendRoute(append(dst, `,"route":"`...), r.Route), '"')
	}
	if r.targetLen > 0 {
		dst = append(r.AppendTarget(append(dst, `,"target":"`...)), '"')
	}
	if r.faultLen > 0 {
		dst = append(r.AppendFault(append(dst, faultMembers[r.faultKind]...)), '"')
	}
	if r.droppedLen > 0 {
		dst = append(r.AppendDropped(append(dst, `,"dropped":"`...)), '"')
	}
	if r.traced {
		dst = append(r.AppendTrace(append(dst, `,"trace":"`...)), '"')
	}
	dst = number64(dst, `,"entry":`, int64(r.Entry))
	dst = number64(dst, `,"line":`, int64(r.EntryLine))
	return number64(dst, `,"denied":`, int64(r.Denied))
}

func (r *Record) appendWho(dst []byte) []byte {
	if r.TokenID != 0 {
		dst = number64(dst, `,"token":`, r.TokenID)
		dst = hex.AppendEncode(append(dst, `,"digest":"`...), r.Digest[:])
		dst = append(dst, '"')
	}
	dst = number64(dst, `,"cid":`, r.CID)
	dst = appendUser(dst, r.User)
	dst = number64(dst, `,"scope":`, r.Scope)
	dst = number64(dst, `,"asked_cid":`, r.Asked)
	if r.Path != Branch {
		dst = append(member(dst, `,"path":"`, r.Path.String()), '"')
	}
	dst = number64(dst, `,"body_cid":`, r.BodyCID)
	dst = number64(dst, `,"body_id":`, r.BodyID)
	if r.Source.IsValid() {
		dst = r.Source.Unmap().WithZone("").AppendTo(append(dst, `,"source":"`...))
		dst = append(dst, '"')
	}
	return dst
}

// append appends an outcome under two names. Where nobody could tell without
// asking the backend, there is no reason.
func (o Outcome) append(dst []byte, verdict, reason string) []byte {
	if !o.Known {
		return dst
	}
	dst = member(dst, verdict, o.Verdict.String())
	if o.Verdict != policy.Unresolved {
		dst = member(dst, reason, o.Reason.String())
	}
	return append(dst, '"')
}

func (r *Record) appendCost(dst []byte) []byte {
	dst = number64(dst, `,"bytes_in":`, r.BytesIn)
	dst = number64(dst, `,"bytes_out":`, r.BytesOut)
	dst = number64(dst, `,"total_us":`, int64(r.Total/time.Microsecond))
	dst = number64(dst, `,"own_us":`, int64(r.Own/time.Microsecond))
	return number64(dst, `,"upstream_us":`, int64(r.Upstream/time.Microsecond))
}

func member(dst []byte, name, value string) []byte {
	return append(append(dst, name...), value...)
}

func number64(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), n, 10)
}

// appendRoute appends what Route.String returns, without making a string.
func appendRoute(dst []byte, r *policy.Route) []byte {
	for i, literal := range r.Literals {
		if i > 0 {
			dst = append(dst, "{}"...)
		}
		dst = append(dst, literal...)
	}
	return dst
}
