package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of what an issuer is asked for.
const (
	maxDocument = 1 << 20
	maxKeys     = 100
	minRSA      = 2048
	maxRSA      = 8192
	discovery   = "/.well-known/openid-configuration"
)

// keySet are the keys of an issuer by kid.
type keySet map[string]*jose.JSONWebKey

// errInsecure says that keys would come over a connection that anybody can change.
var errInsecure = errors.New("the address is not https")

// fetch reads the keys of an issuer: where they are says its discovery document.
func fetch(ctx context.Context, client *http.Client, issuer string) (keySet, error) {
	text, err := get(ctx, client, strings.TrimSuffix(issuer, "/")+discovery)
	if err != nil {
		return nil, err
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	switch err := json.Unmarshal(text, &document); {
	case err != nil:
		return nil, fmt.Errorf("the discovery document does not read: %w", err)
	case document.Issuer != issuer:
		return nil, errors.New("the discovery document is another issuer's")
	}
	if text, err = get(ctx, client, document.Keys); err != nil {
		return nil, err
	}
	return parseKeys(text)
}

// ownAuthority says what to do where an issuer has its certificate from an authority that this machine does not know.
const ownAuthority = "if that authority is your own, the variable SSL_CERT_FILE in the environment of the gateway names a PEM file with its certificate, in the place of the system's"

// get reads a document, as it is at this address and no other.
func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errInsecure
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return nil, fmt.Errorf("%w: %s", err, ownAuthority)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", u.Host, resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil && len(text) > maxDocument {
		err = fmt.Errorf("%s answers more than %d bytes", u.Host, maxDocument)
	}
	return text, err
}

// parseKeys reads a JWKS (RFC 7517). What is no key to verify with is left out; without one it is a
// fault, so that the last good keys stay.
func parseKeys(text []byte) (keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("the keys do not read: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("there are more than %d keys", maxKeys)
	}
	keys := keySet{}
	for _, raw := range set.Keys {
		key := new(jose.JSONWebKey)
		if key.UnmarshalJSON(raw) != nil || key.Use != "" && key.Use != "sig" || !key.IsPublic() || !sound(key) {
			continue
		}
		if keys[key.KeyID] != nil {
			return nil, errors.New("two keys have one kid")
		}
		keys[key.KeyID] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key to verify with")
	}
	return keys, nil
}

// sound reports whether a key can verify a signature, at a cost that is bounded. Symmetric ones
// cannot: who verifies could sign.
func sound(key *jose.JSONWebKey) bool {
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// find returns the key that a header means: by kid, or without one the only key there is.
func (s keySet) find(h *header) *jose.JSONWebKey {
	key := s[h.kid]
	if key == nil && h.kid == "" && len(s) == 1 {
		for _, only := range s {
			key = only
		}
	}
	if key == nil || key.Algorithm != "" && key.Algorithm != string(h.alg) {
		return nil
	}
	return key
}

// same reports whether two keys are one.
func same(a, b *jose.JSONWebKey) bool {
	if a == nil || b == nil {
		return false
	}
	x, err := a.MarshalJSON()
	y, err2 := b.MarshalJSON()
	return err == nil && err2 == nil && string(x) == string(y)
}
