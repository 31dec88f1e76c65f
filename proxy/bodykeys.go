package proxy

import (
	"aclgate/policy"
	"aclgate/proxy/body"
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
