package record

import (
	"encoding/hex"
	"net/netip"
	"time"

	"aclgate/policy"
)

// Action is what an MQTT session does.
type Action uint8

// The actions.
const (
	Connect Action = iota
	Will
	Subscribe
	Publish
	Deliver
	End
)

// Actions returns the words of all actions, in the order of their numbers.
func Actions() []string {
	return []string{"connect", "will", "subscribe", "publish", "deliver", "end"}
}

// String returns the word.
func (a Action) String() string {
	if all := Actions(); int(a) < len(all) {
		return all[a]
	}
	return ""
}

// maxTopic bounds what is kept of a topic or filter, in bytes after escaping.
const maxTopic = 256

// Topic is what is remembered of one action of an MQTT session. It has no pointers into what the client sent,
// and never holds a credential, a client id or a payload.
type Topic struct {
	Time    time.Time
	Action  Action
	Verdict policy.Verdict
	Reason  policy.Reason
	Code    uint8 // that the client was answered or, at the end, told

	Caller
	Source netip.Addr

	Printed  int // filters that went to the broker for the asked one
	Denied   int // ids that were named and are not permitted
	Withheld int64

	topic [maxTopic]byte
	len   uint16
	cut   bool
}

// Caller is whose session it is.
type Caller struct {
	TokenID int64        // 0: no token was recognised
	Digest  [4]byte      // the first 8 hex digits of the key's digest
	CID     int64        // the token's account
	User    *policy.User // that the token carries; nil: none
}

// CallerOf returns the holder of a token.
func CallerOf(t *policy.Token) Caller {
	c := Caller{TokenID: t.ID, CID: t.CID, User: t.User}
	c.Digest = t.ShownDigest()
	return c
}

// SetTopic remembers a topic or filter, escaped, as far as there is room.
func (t *Topic) SetTopic(text []byte) {
	t.len, t.cut = 0, false
	for _, c := range text {
		var room [3]byte
		b := appendPlain(room[:0], c)
		if int(t.len)+len(b) > maxTopic {
			t.cut = true
			return
		}
		t.len += uint16(copy(t.topic[t.len:], b))
	}
}

// AppendTopic appends the remembered topic, with "…" where it was cut off.
func (t *Topic) AppendTopic(dst []byte) []byte {
	dst = append(dst, t.topic[:t.len]...)
	if t.cut {
		dst = append(dst, "…"...)
	}
	return dst
}

// AppendJSON appends t as one JSON object on one line. Members that say nothing are left out.
func (t *Topic) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = t.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
	dst = member(dst, `","action":"`, t.Action.String())
	dst = member(dst, `","verdict":"`, t.Verdict.String())
	dst = member(dst, `","reason":"`, t.Reason.String())
	dst = append(dst, '"')
	dst = number64(dst, `,"code":`, int64(t.Code))
	if t.len > 0 {
		dst = append(t.AppendTopic(append(dst, `,"topic":"`...)), '"')
	}
	dst = number64(dst, `,"printed":`, int64(t.Printed))
	dst = number64(dst, `,"denied":`, int64(t.Denied))
	dst = number64(dst, `,"withheld":`, t.Withheld)
	if t.TokenID != 0 {
		dst = number64(dst, `,"token":`, t.TokenID)
		dst = append(hex.AppendEncode(append(dst, `,"digest":"`...), t.Digest[:]), '"')
	}
	dst = number64(dst, `,"cid":`, t.CID)
	dst = appendUser(dst, t.User)
	if t.Source.IsValid() {
		dst = append(t.Source.Unmap().WithZone("").AppendTo(append(dst, `,"source":"`...)), '"')
	}
	return append(dst, '}')
}
