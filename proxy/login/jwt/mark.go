package jwt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"

	"golang.org/x/sys/cpu"
)

// Marker makes what remembered tokens are found by. A token is ten times as long as a key of ours, and
// its SHA-256 would be the dearest single step of a request with it.
//
// A mark is AES over the GMAC of the token, under two keys that are drawn at start and never leave the
// process. GMAC alone is a universal hash: whoever does not know its key finds two texts with one mark
// with a chance of at most 2^-118 a pair, however he makes them. The usual danger of one nonce for all
// texts is that tags which are seen give the key away: the AES on top makes them look random, so that
// a log may show some of one. hash/maphash is faster still, but its rounds are too few against texts
// that are made to collide, and whoever collides with a remembered token is its user.
//
// Without instructions for both in the processor a mark is the SHA-256, which is faster then.
type Marker struct {
	hash  cipher.AEAD // nil: SHA-256
	seal  cipher.Block
	nonce [12]byte
}

// NewMarker returns a Marker with keys of its own: no other one makes the same marks.
func NewMarker() *Marker {
	if x, arm := &cpu.X86, &cpu.ARM64; !(x.HasAES && x.HasPCLMULQDQ && x.HasSSE41) && !(arm.HasAES && arm.HasPMULL) {
		return &Marker{}
	}
	var keys [32]byte
	_, _ = rand.Read(keys[:]) // never fails
	first, err := aes.NewCipher(keys[:16])
	if err != nil {
		return &Marker{}
	}
	seal, err := aes.NewCipher(keys[16:])
	if err != nil {
		return &Marker{}
	}
	hash, err := cipher.NewGCM(first)
	if err != nil { // under GODEBUG=fips140=only
		return &Marker{}
	}
	return &Marker{hash: hash, seal: seal}
}

// Mark writes the mark of a token to mark. It may be used by any number of goroutines.
func (m *Marker) Mark(token []byte, mark *[sha256.Size]byte) {
	if m.hash == nil {
		*mark = sha256.Sum256(token)
		return
	}
	*mark = [sha256.Size]byte{}
	m.hash.Seal(mark[:0], m.nonce[:], nil, token)
	m.seal.Encrypt(mark[:aes.BlockSize], mark[:aes.BlockSize])
}
