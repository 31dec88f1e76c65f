package platform

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Ring seals keys, so that they can be shown again (platform.keys: reveal). Its own key stands outside
// the store: a stolen store is no ring of keys.
type Ring struct{ seal cipher.AEAD }

// RingSize is how many bytes the key of a Ring has.
const RingSize = 32

// NewRing returns a Ring with this key.
func NewRing(key []byte) (*Ring, error) {
	if len(key) != RingSize {
		return nil, errors.New("expected 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	return &Ring{seal}, err
}

// bound is what a sealed key is bound to: the id of its token and its digest. Put beside another token
// it does not open.
func bound(doc record.Value) []byte {
	digest, _ := hex.DecodeString(doc.Get("key_sha256").Text)
	return append(binary.BigEndian.AppendUint64(nil, uint64(record.NumberOf(doc, "id"))), digest...)
}

// Seal returns the sealed key of the token with this document: the nonce, then what is sealed.
func (r *Ring) Seal(doc record.Value, key string) []byte {
	nonce := make([]byte, r.seal.NonceSize(), r.seal.NonceSize()+len(key)+r.seal.Overhead())
	rand.Read(nonce)
	return r.seal.Seal(nonce, nonce, []byte(key), bound(doc))
}

// open returns the key in a box.
func (r *Ring) open(doc record.Value, box []byte) (string, bool) {
	n := r.seal.NonceSize()
	if len(box) < n {
		return "", false
	}
	key, err := r.seal.Open(nil, box[:n], box[n:], bound(doc))
	return string(key), err == nil
}

// reveal returns the key of a token, null unless it is there and the caller could make this very token
// now. Each showing is a change of the record as it was, so that the history says who has seen it.
func (x *call) reveal(d document) (record.Value, error) {
	null := record.Value{Shape: record.Null}
	if !x.law.CouldMake(d.doc) {
		return null, nil
	}
	box, err := x.w.Sealed(d.id)
	if err != nil {
		if errors.Is(err, store.ErrNoRow) {
			err = nil
		}
		return null, err
	}
	key, ok := x.api.o.Ring.open(d.doc, box)
	if !ok {
		return null, nil
	}
	return record.NewText(key), x.put(x.col.table, d.doc)
}
