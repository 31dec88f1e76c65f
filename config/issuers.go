package config

import (
	"net/url"
	"slices"
	"time"

	"aclgate/config/strict"
)

// issuerKeys are the keys of an issuer.
var issuerKeys = []string{"name", "issuer", "audience", "algorithms", "jwks_max_age"}

// Algorithm is one that tokens from elsewhere may be signed with.
type Algorithm string

// The algorithms. None of them lets who verifies sign.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

// issuers reads realms.issuers.
func issuers(n *strict.Node) (all []Issuer, sound bool) {
	sound = true
	for _, element := range n.List() {
		m := element.Map(issuerKeys...)
		i := Issuer{JWKSMaxAge: time.Hour}
		strict.Into(&i.Name, m.Need("name"), strict.Word)
		strict.Into(&i.URL, m.Need("issuer"), issuerURL)
		strict.Into(&i.Audience, m.Get("audience"), strict.Str)
		strict.Into(&i.JWKSMaxAge, m.Get("jwks_max_age"), strict.Duration(time.Minute, day))
		algorithms := []Algorithm{RS256, ES256, EdDSA}
		strict.Into(&algorithms, m.Get("algorithms"), strict.ListOf(strict.Enum(RS256, ES256, EdDSA)))
		for _, a := range algorithms {
			i.Algorithms = append(i.Algorithms, string(a))
		}
		if slices.ContainsFunc(all, func(other Issuer) bool { return other.Name == i.Name || other.URL == i.URL }) {
			element.Fault("an issuer above has this name or this URL too")
		}
		sound = sound && i.Name != "" && i.URL != ""
		all = append(all, i)
	}
	return all, sound
}

// issuerURL reads the URL of an issuer. It is compared with iss byte by byte, so it is kept as it
// stands.
func issuerURL(n *strict.Node) (string, bool) {
	text, ok := strict.Str(n)
	if !ok {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		n.Expected("an https URL without query, as the iss of its tokens")
		return "", false
	}
	return text, true
}
