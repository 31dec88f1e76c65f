package record

import (
	"net/netip"
	"strings"

	"aclgate/policy"
)

// maxSources bounds a list of addresses, maxOrigins one of origins.
const (
	maxSources = 256
	maxOrigins = 256
	maxOrigin  = 300
)

// readIPs reads what a token may come from: one text with commas [V], or a list. Documents keep the
// text; the empty one is any address. An empty list is a fault: some would read it as no address,
// others as any.
func readIPs(v Value) (Value, *Fault) {
	text := v.Text
	if v.Shape == List {
		var items []string
		for _, item := range v.Items {
			if item.Shape != Text || item.Text == "" || strings.Contains(item.Text, ",") {
				return Value{}, expected(wordsIPs)
			}
			items = append(items, item.Text)
		}
		text = strings.Join(items, ",")
		if len(items) == 0 {
			return Value{}, expected(`addresses; any is ""`)
		}
	} else if v.Shape != Text {
		return Value{}, expected(wordsIPs)
	}
	sources, ok := ParseSources(text)
	if !ok {
		return Value{}, expected(wordsIPs)
	}
	return NewText(SourcesText(sources)), nil
}

// ParseSources reads addresses, networks and masks with commas between; nil for the empty text,
// which is any address [V].
func ParseSources(text string) (*policy.Sources, bool) {
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	items := strings.Split(text, ",")
	s := &policy.Sources{}
	for _, item := range items {
		item = strings.TrimSpace(item)
		if strings.ContainsAny(item, "*?") {
			if len(item) > 64 || strings.Trim(item, "0123456789abcdefABCDEF.:*?") != "" {
				return nil, false
			}
			s.Masks = append(s.Masks, strings.ToLower(item))
			continue
		}
		p, err := netip.ParsePrefix(item)
		if a, errAddr := netip.ParseAddr(item); errAddr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() || p != p.Masked() {
			return nil, false
		}
		s.Networks = append(s.Networks, p)
	}
	return s, len(items) <= maxSources
}

// SourcesText returns the text of addresses as ips of a row spell it [V]; "" for any.
func SourcesText(s *policy.Sources) string {
	if s == nil {
		return ""
	}
	var items []string
	for _, p := range s.Networks {
		if p.IsSingleIP() {
			items = append(items, p.Addr().String())
		} else {
			items = append(items, p.String())
		}
	}
	return strings.Join(append(items, s.Masks...), ",")
}

// readOrigins reads the pages that may use a token. Documents keep "*" as well.
func readOrigins(v Value) (Value, *Fault) {
	if v.Shape == Text && v.Text == "*" {
		return v, nil
	}
	if v.Shape != List || len(v.Items) == 0 || len(v.Items) > maxOrigins {
		return Value{}, expected(`"*" or a list of origins such as https://app.example.com`)
	}
	return listOf(v, func(v Value) (Value, *Fault) {
		if v.Shape != Text || v.Text == "" || v.Text == "*" || len(v.Text) > maxOrigin ||
			strings.ContainsFunc(v.Text, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return Value{}, expected("an origin such as https://app.example.com")
		}
		return v, nil
	})
}
