package admin

import (
	"net/netip"
	"strings"

	"aclgate/policy"
)

// coversSources reports whether every address that is has is one of c's. It may say no where they
// are in truth, as for networks of two masks, but never yes where they are not. A token without
// addresses of its own is not covered.
func coversSources(c, is *policy.Sources) bool {
	if is == nil {
		return false
	}
	for _, p := range is.Networks {
		if !coversNetwork(c, p) {
			return false
		}
	}
	for _, m := range is.Masks {
		if !coversMask(c, m) {
			return false
		}
	}
	return true
}

func coversNetwork(c *policy.Sources, p netip.Prefix) bool {
	for _, q := range c.Networks {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) {
			return true
		}
	}
	if !p.IsSingleIP() {
		return false // masks are over texts: which of a network's texts they match is not asked
	}
	for _, m := range c.Masks {
		if policy.Wildcard(m, []byte(p.Addr().String())) {
			return true
		}
	}
	return false
}

func coversMask(c *policy.Sources, mask string) bool {
	for _, m := range c.Masks {
		if maskCovers(m, mask) {
			return true
		}
	}
	return false
}

// maxMask bounds the masks that are compared; a textual address has at most 45 bytes.
const maxMask = 64

// maskCovers reports whether every text that narrow matches is matched by wide, as far as it can be
// seen from left to right: * of wide takes any run of narrow's, ? of wide a single one that is not a
// run, and a run of narrow's needs a * of wide.
func maskCovers(wide, narrow string) bool {
	if len(wide) > maxMask || len(narrow) > maxMask {
		return false
	}
	// covers[j] reports whether the rest of wide covers narrow[j:].
	covers := make([]bool, len(narrow)+1)
	covers[len(narrow)] = true
	for i := len(wide) - 1; i >= 0; i-- {
		next := make([]bool, len(narrow)+1)
		for j := len(narrow); j >= 0; j-- {
			switch {
			case wide[i] == '*':
				next[j] = covers[j] || j < len(narrow) && next[j+1]
			case j == len(narrow) || narrow[j] == '*':
			case wide[i] == '?' || wide[i] == narrow[j]:
				next[j] = covers[j+1]
			}
		}
		covers = next
	}
	return covers[0]
}

// coversOrigins reports whether every origin of is is one of c's. No list is any origin.
func coversOrigins(c, is []string) bool {
	if is == nil {
		return false
	}
	for _, o := range is {
		found := false
		for _, own := range c {
			found = found || strings.EqualFold(own, o)
		}
		if !found {
			return false
		}
	}
	return true
}
