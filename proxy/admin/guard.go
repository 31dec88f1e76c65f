package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"
)

// guard knows the admin token by its digest. A nil guard admits nobody.
type guard struct {
	digest atomic.Pointer[[sha256.Size]byte]
}

func newGuard(key string) *guard {
	if key == "" {
		return nil
	}
	g := new(guard)
	g.set(key)
	return g
}

// set replaces the token.
func (g *guard) set(key string) {
	digest := sha256.Sum256([]byte(key))
	g.digest.Store(&digest)
}

// admits reports whether r carries the token. Two Authorization headers are refused: a proxy in
// front may have looked at the other one. Comparing digests takes the same time for every key,
// whatever its length.
func (g *guard) admits(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	if g == nil || len(values) != 1 {
		return false
	}
	digest := sha256.Sum256([]byte(key(values[0])))
	return subtle.ConstantTimeCompare(digest[:], g.digest.Load()[:]) == 1
}

// key returns the key of `Bearer KEY`, or the whole value.
func key(value string) string {
	scheme, rest, found := strings.Cut(value, " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		return rest
	}
	return value
}
