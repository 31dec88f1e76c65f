package proxy

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"

	"aclgate/proxy/head"
)

// The hop marker (SPEC 2): every request to the backend carries the random id of the gateway, and
// the ids of the gateways that it passed before. One that carries the own id goes in circles. A
// client can make up ids, and by that have only its own requests refused.

const (
	markerName = "x-aclgate-via"
	markerSize = 24 // hex digits
	// maxMarkers is how many gateways a request may have passed.
	maxMarkers = 16
)

// NewMarker returns a random id for one gateway.
func NewMarker() string {
	var id [markerSize / 2]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// looped reports whether a request has been at the gateway of this marker before, or has passed more
// gateways than a sound set-up has.
func looped(h *head.Head, marker string) bool {
	if !h.HasVia {
		return false
	}
	count, own := 0, false
	eachMarker(h, func(id []byte) {
		count++
		own = own || string(id) == marker
	})
	return own || count > maxMarkers
}

// appendMarkers prints the ids of the gateways before, one a line; its own is added where the
// request is sent.
func appendMarkers(dst []byte, h *head.Head) []byte {
	eachMarker(h, func(id []byte) { dst = appendLine(dst, markerName, id) })
	return dst
}

// eachMarker calls do with every id. What is no id is passed over: nothing of it goes on.
func eachMarker(h *head.Head, do func(id []byte)) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if !head.EqualFold(f.Name, markerName) {
			continue
		}
		for list, more := f.Value, true; more; {
			var id []byte
			id, list, more = bytes.Cut(list, []byte(","))
			if id = bytes.Trim(id, " \t"); isMarker(id) {
				do(id)
			}
		}
	}
}

func isMarker(id []byte) bool {
	if len(id) != markerSize {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
