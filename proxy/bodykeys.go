package proxy

import (
	"bytes"

	"aclgate/policy"
	"aclgate/proxy/body"
	"aclgate/proxy/quota"
)

// Where each judged key stands in body.Element.Values.
const (
	valueID = iota
	valueCID
	valueTopic
	valueCount
)

// judgedKeys holds every set of judged keys: [id][cid][topic]. In the place of one that is not judged
// stands a name that no key can have, so that neither it nor its case variants mean anything there.
var judgedKeys = func() (sets [2][2][2]body.Keys) {
	const nobody = "\x00"
	for i := range 8 {
		names := [valueCount]string{nobody, nobody, nobody}
		id, cid, topic := i&1, i>>1&1, i>>2
		if id == 1 {
			names[valueID] = "id"
		}
		if cid == 1 {
			names[valueCID] = "cid"
		}
		if topic == 1 {
			names[valueTopic] = "topic"
		}
		sets[id][cid][topic] = body.NewKeys(names[:]...)
	}
	return sets
}()

func keysOf(j policy.Judged, topic bool) body.Keys {
	return judgedKeys[bit(j.ID)][bit(j.CID)][bit(topic)]
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keyOfElement returns the integer of a judged key, 0 when it is absent or not judged here. It
// reports whether that is possible.
func keyOfElement(e *body.Element, value int, judged bool) (int64, bool) {
	if !judged || !e.Values[value].Present() {
		return 0, true
	}
	return e.Values[value].ID()
}

// textMove is what the client reads whose PUT …/cid says anything else.
const textMove = `the body is exactly {"cid":N}`

// noteCID remembers the account that an element gives its item, where that is one and the same for
// all.
func (b *requestBody) noteCID(ev *evaluation, cid int64, shape body.Kind) {
	creates := ev.in.Request.Route.Creates
	switch {
	case cid == 0 && !creates:
		return
	case cid == 0:
		cid = ev.in.Scope
		b.withoutCID++
	}
	b.noteAdd(cid)
	if b.targetCID != 0 && b.targetCID != cid || !creates && shape == body.Array {
		cid = -1
	}
	b.targetCID = cid
}

// noteAdd remembers that an account gets an item more.
func (b *requestBody) noteAdd(cid int64) {
	if n := len(b.adds); n > 0 && b.adds[n-1].CID == cid {
		b.adds[n-1].N++
		return
	}
	b.adds = append(b.adds, quota.Add{CID: cid, N: 1})
}

// multipart reports whether a content type is multipart/form-data.
func multipart(contentType []byte) bool {
	const name = "multipart/form-data"
	return len(contentType) > len(name) && bytes.EqualFold(contentType[:len(name)], []byte(name)) &&
		(contentType[len(name)] == ';' || contentType[len(name)] == ' ')
}
