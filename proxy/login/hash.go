package login

import (
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"aclgate/policy/realm"
)

// condensed returns what bcrypt is given of a password: bcrypt stops at 72 bytes, and clients send
// longer ones that differ behind them (SPEC 10.6).
func condensed(password string) []byte {
	sum := sha512.Sum384([]byte(password))
	text := make([]byte, base64.StdEncoding.EncodedLen(len(sum)))
	base64.StdEncoding.Encode(text, sum[:])
	return text
}

// Hash returns a verifier of a password, for a program that serves nobody meanwhile.
func Hash(password string, cost int) (string, error) { return hashWith(password, cost, func() {}) }

// hashWith is Hash, which calls rest between the rounds of bcrypt.
func hashWith(password string, cost int, rest func()) (string, error) {
	hash, err := hashBcrypt(condensed(password), cost, rest)
	if err != nil {
		return "", fmt.Errorf("cannot hash a password: %w", err)
	}
	return realm.OwnMark + hash, nil
}

// hash is Hash for whoever has a hasher: requests that are served meanwhile go first.
func (s *Service) hash(password string) (string, error) {
	return hashWith(password, s.o.Cost, newPacer(false).rest)
}

// Hash returns a verifier of a password when a hasher is free, or an error where too many wait for one.
func (s *Service) Hash(password string) (verifier string, err error) {
	busy := s.hashers.do(func() { verifier, err = s.hash(password) })
	return verifier, errors.Join(busy, err)
}

// matches reports whether a password is the one that a verifier was made of. Between the rounds of
// bcrypt it calls rest.
func matches(verifier, password string, rest func()) bool {
	switch realm.FormOf(verifier) {
	case realm.Own:
		return matchesBcrypt(verifier[len(realm.OwnMark):], condensed(password), rest)
	case realm.Bcrypt:
		return matchesBcrypt(verifier, []byte(password), rest)
	case realm.Argon2id:
		return matchesArgon(verifier, password)
	}
	return false
}

func matchesArgon(verifier, password string) bool {
	a, _ := realm.ParseArgon(verifier)
	salt, err := base64.RawStdEncoding.DecodeString(a.Salt)
	sum, err2 := base64.RawStdEncoding.DecodeString(a.Sum)
	if err != nil || err2 != nil {
		return false
	}
	made := argon2.IDKey([]byte(password), salt, a.Time, a.Memory, a.Lanes, uint32(len(sum)))
	return subtle.ConstantTimeCompare(made, sum) == 1
}

// nobodys returns a verifier that no password matches, as expensive as our own.
func nobodys(cost int) string {
	return fmt.Sprintf("%s$2b$%02d$%s", realm.OwnMark, cost, "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234")
}

// renewable reports whether a verifier that has just matched is to be made anew: it was imported, or
// is cheaper than those that are made now.
func renewable(verifier string, cost int) bool {
	if realm.FormOf(verifier) != realm.Own {
		return true
	}
	was, err := bcrypt.Cost([]byte(verifier[len(realm.OwnMark):]))
	return err == nil && was < cost
}

// errBusy says that too many wait for a hasher.
var errBusy = errors.New("too many logins wait")

// How many may wait for each hasher: about two seconds of work; of those that are held back, three.
const (
	queuePerHasher = 8
	queueHeldBack  = 1
)

// hashers bound how many passwords are hashed at one time, and how many wait for that.
type hashers struct {
	slots   chan struct{}
	queue   int          // how many may wait for each
	waiting atomic.Int64 // those at work too
}

func newHashers(n, queue int) *hashers { return &hashers{slots: make(chan struct{}, n), queue: queue} }

// full reports whether do would return errBusy now.
func (h *hashers) full() bool { return h.waiting.Load() >= h.most() }

func (h *hashers) most() int64 { return int64(cap(h.slots) * (1 + h.queue)) }

// do calls work when a hasher is free, or returns errBusy.
func (h *hashers) do(work func()) error {
	if h.waiting.Add(1) > h.most() {
		h.waiting.Add(-1)
		return errBusy
	}
	defer h.waiting.Add(-1)
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	work()
	return nil
}
