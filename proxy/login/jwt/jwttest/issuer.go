// Package jwttest is an issuer of tokens for tests: a server with a discovery document and keys, which
// can be made to misbehave, and what signs with its keys or with others.
package jwttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is a server over TLS.
type Issuer struct {
	*httptest.Server
	RSA *rsa.PrivateKey
	EC  *ecdsa.PrivateKey
	Ed  ed25519.PrivateKey

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	answer  func(http.ResponseWriter, *http.Request) bool // nil, or it answers in the place of the issuer
	fetched int
}

// rsaKey returns the one RSA key of all issuers: making one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// New starts an issuer whose keys are called rsa, ec and ed.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{}
	i.RSA = rsaKey()
	i.EC, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, i.Ed, _ = ed25519.GenerateKey(rand.Reader)
	i.keys = []jose.JSONWebKey{
		{Key: i.RSA.Public(), KeyID: "rsa", Use: "sig"}, {Key: i.EC.Public(), KeyID: "ec"}, {Key: i.Ed.Public(), KeyID: "ed", Algorithm: "EdDSA"},
	}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	answer, keys := i.answer, i.keys
	i.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	case "/keys":
		i.mu.Lock()
		i.fetched++
		i.mu.Unlock()
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: keys})
	default:
		http.NotFound(w, r)
	}
}

// Answer has requests answered by somebody else, where it returns true; nil: by nobody.
func (i *Issuer) Answer(answer func(http.ResponseWriter, *http.Request) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// SetKeys replaces the keys.
func (i *Issuer) SetKeys(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Fetched returns how often the keys were read.
func (i *Issuer) Fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetched
}

// Part encodes a part of a token.
func Part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Sign returns a token of these texts, signed by key as its type has it.
func Sign(t testing.TB, key crypto.Signer, header, claims string) string {
	t.Helper()
	signed := Part(header) + "." + Part(claims)
	var sum []byte
	var err error
	digest := sha256.Sum256([]byte(signed))
	switch k := key.(type) {
	case *rsa.PrivateKey:
		sum, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:])
	case ed25519.PrivateKey:
		sum = ed25519.Sign(k, []byte(signed))
	case *ecdsa.PrivateKey:
		r, s, signErr := ecdsa.Sign(rand.Reader, k, digest[:])
		size := (k.Params().BitSize + 7) / 8
		sum, err = make([]byte, 2*size), signErr
		r.FillBytes(sum[:size])
		s.FillBytes(sum[size:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sum)
}
