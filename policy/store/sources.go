package store

import (
	"errors"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy"
)

// parseSources reads what a token's ips hold as one text: addresses, networks and masks with commas
// between. The empty text is flespi's "no list" [V].
func parseSources(text string) (*policy.Sources, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return parseSourceList(strings.Split(text, ","))
}

// parseSourceList reads ips that are a list. An empty one permits no address.
func parseSourceList(items []string) (*policy.Sources, error) {
	s := &policy.Sources{}
	for _, item := range items {
		if err := addSource(s, strings.TrimSpace(item)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addSource adds an address, a network or a mask. Masks are compared with the text of an address,
// which netip writes in lower case.
func addSource(s *policy.Sources, text string) error {
	if strings.ContainsAny(text, "*?") {
		if strings.Trim(text, "0123456789abcdefABCDEF.:*?") != "" {
			return errors.New("a mask is an address with * and ? in it")
		}
		s.Masks = append(s.Masks, strings.ToLower(text))
		return nil
	}
	p, err := strict.ParsePrefix(text)
	if err != nil {
		return err
	}
	s.Networks = append(s.Networks, p)
	return nil
}

// maxOrigin bounds an origin, which is a scheme and a host.
const maxOrigin = 300

// isOrigin reports whether text can be the value of an Origin header. "*" is none: in a list it
// would match nothing where "any" was meant.
func isOrigin(text string) bool {
	if text == "" || text == "*" || len(text) > maxOrigin {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
