package jwt

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/go-jose/go-jose/v4"

	"aclgate/policy/record"
)

// MaxLen is how long a token may be.
const MaxLen = 8 << 10

// skew is by how many seconds clocks may differ.
const skew = 60

// Looks reports whether a bearer is a JWT by its form: three parts of base64url with dots between, of
// which the first is an object. Verify says whether it is one.
func Looks(key []byte) bool {
	return bytes.HasPrefix(key, []byte("eyJ")) && len(key) <= MaxLen && bytes.Count(key, []byte{'.'}) == 2
}

// Claims are those of a verified token.
type Claims struct {
	Issuer   string // the name of the issuer in the settings
	Subject  string
	Audience []string
	IssuedAt int64 // unix seconds
	Expires  int64 // unix seconds
	KeyID    string
	All      record.Value
}

// header is what the header of a token says.
type header struct {
	alg jose.SignatureAlgorithm
	kid string
}

var (
	errForm   = errors.New("the token is not well-formed")
	errHeader = errors.New("the header of the token says what is not understood here")
	errAlg    = errors.New("the algorithm is not one that the settings name for the issuer")
	errIssuer = errors.New("no issuer of the settings is called so")
	errKey    = errors.New("the issuer has no such key")
	errSigned = errors.New("the signature is not the issuer's")
	errClaims = errors.New("a claim is missing, or not what it has to be")
	errTime   = errors.New("the token is not valid now")
	errSilent = errors.New("the keys of the issuer cannot be read")
)

// parts decodes header and claims of a token that nobody has verified yet.
func parts(token []byte) (h header, claims record.Value, err error) {
	fields := bytes.Split(token, []byte{'.'})
	if len(fields) != 3 || len(token) > MaxLen || len(fields[2]) == 0 {
		return h, claims, errForm
	}
	head, err := object(fields[0])
	if err != nil {
		return h, claims, err
	}
	for _, m := range head.Members {
		ok := m.Value.Shape == record.Text
		switch m.Name {
		case "alg":
			h.alg = jose.SignatureAlgorithm(m.Value.Text)
		case "kid":
			h.kid = m.Value.Text
			ok = ok && len(h.kid) <= 256
		case "typ":
			ok = ok && (m.Value.Text == "JWT" || m.Value.Text == "at+jwt" || m.Value.Text == "application/at+jwt")
		case "x5t", "x5t#S256": // names of a certificate, which nobody asks for
		default: // crit, b64, cty, jwk, jku, x5u, x5c, zip …
			ok = false
		}
		if !ok {
			return h, claims, errHeader
		}
	}
	claims, err = object(fields[1])
	return h, claims, err
}

// object reads a part of a token: base64url without padding, of one JSON object.
func object(part []byte) (record.Value, error) {
	text, err := base64.RawURLEncoding.Strict().AppendDecode(nil, part)
	if err != nil {
		return record.Value{}, errForm
	}
	v, err := record.Parse(text)
	if err != nil || v.Shape != record.Object {
		return record.Value{}, errForm
	}
	return v, nil
}

// numericDate reads a time of RFC 7519: unix seconds, which may have a fraction.
func numericDate(v record.Value) (int64, bool) {
	f, err := strconv.ParseFloat(v.Text, 64)
	if v.Shape != record.Number || err != nil || f < 0 || f > 253402300799 {
		return 0, false
	}
	return int64(math.Floor(f)), true
}

// read reads the claims of a token whose signature is right.
func (c *Claims) read(all record.Value, now int64) error {
	c.All, c.Subject = all, all.Get("sub").Text
	switch aud := all.Get("aud"); aud.Shape {
	case record.Text:
		c.Audience = []string{aud.Text}
	case record.List:
		for _, a := range aud.Items {
			if a.Shape != record.Text {
				return errClaims
			}
			c.Audience = append(c.Audience, a.Text)
		}
	}
	var okExp, okIat bool
	c.Expires, okExp = numericDate(all.Get("exp"))
	c.IssuedAt, okIat = numericDate(all.Get("iat"))
	nbf, okNbf := numericDate(all.Get("nbf"))
	switch {
	case !okExp || !okIat || all.Get("nbf").Shape != record.Absent && !okNbf:
		return errClaims
	case all.Get("sub").Shape != record.Text || c.Subject == "" || len(c.Subject) > 256 || len(c.Audience) == 0 || slices.Contains(c.Audience, ""):
		return errClaims
	case now >= c.Expires+skew, okNbf && now < nbf-skew, now < c.IssuedAt-skew, c.Expires < c.IssuedAt:
		return errTime
	}
	return nil
}
