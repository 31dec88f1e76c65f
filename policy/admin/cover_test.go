package admin

import (
	"net/netip"
	"testing"

	"aclgate/policy"
	"aclgate/policy/record"
)

// FuzzCovers: what is covered has no address that the wider list does not have. Addresses are taken
// from the lists themselves and their neighbours, and any that the fuzzer thinks of.
func FuzzCovers(f *testing.F) {
	for _, row := range [][3]string{
		{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3"}, {"10.1.*", "10.1.2.?", "10.1.2.7"}, {"10.?", "10.*", "10.7"}, {"1*", "1?*", "12.0.0.1"}, {"::/0", "0.0.0.0/0", "1.2.3.4"},
		{"*.1", "10.*", "10.0.0.1"}, {"10.0.0.?", "10.0.0.1,10.0.0.2", "10.0.0.2"}, {"*", "fe80::*", "fe80::1"}, {"?*?", "**", "1.1.1.1"}, {"10.0.0.0/8", "10.0.*", "10.0.0.1"},
	} {
		f.Add(row[0], row[1], row[2])
	}
	f.Fuzz(func(t *testing.T, wide, narrow, sample string) {
		c, ok := record.ParseSources(wide)
		is, ok2 := record.ParseSources(narrow)
		if !ok || !ok2 || c == nil || is == nil || !coversSources(c, is) {
			return
		}
		addrs := []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::1")}
		if a, err := netip.ParseAddr(sample); err == nil {
			addrs = append(addrs, a)
		}
		for _, p := range append(append([]netip.Prefix{}, c.Networks...), is.Networks...) {
			addrs = append(addrs, p.Addr(), p.Addr().Prev(), p.Addr().Next())
		}
		for _, a := range addrs {
			if is.Contain(a) && !c.Contain(a) {
				t.Errorf("%q covers %q, and %s is in the second alone", wide, narrow, a)
			}
		}
		for _, m := range is.Masks { // as texts, whether or not they are addresses
			if policy.Wildcard(m, []byte(sample)) && !anyMask(c.Masks, sample) {
				t.Errorf("%q covers %q, and %q is in the second alone", wide, narrow, sample)
			}
		}
	})
}

func anyMask(masks []string, text string) bool {
	for _, m := range masks {
		if policy.Wildcard(m, []byte(text)) {
			return true
		}
	}
	return false
}

// TestCovers: what must be covered, so that nobody is refused what is plainly theirs.
func TestCovers(t *testing.T) {
	for _, row := range []struct {
		wide, narrow string
		want         bool
	}{
		{"10.0.0.0/8", "10.0.0.0/8", true}, {"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "10.1.2.3,11.0.0.1", false}, {"10.1.2.3", "10.0.0.0/8", false},
		{"10.1.*", "10.1.2.3", true}, {"10.1.*", "10.1.2.0/24", false}, {"10.*", "10.1.*", true}, {"10.1.*", "10.*", false}, {"10.1.?", "10.1.*", false},
		{"10.1.2.3,10.1.2.4", "10.1.2.4", true}, {"10.1.2.0/31", "10.1.2.0,10.1.2.1", true}, {"*", "10.*", true}, {"*", "10.0.0.0/8", false}, {"FE80::*", "fe80::1", true},
		{"::/0", "10.0.0.1", false}, {"0.0.0.0/0", "::1", false}, {"10.1.**", "10.1.*", true}, {"10.1.*", "10.1.**", true}, {"10.??", "10.?*", false}, {"10.?*", "10.??", true},
	} {
		c, _ := record.ParseSources(row.wide)
		is, _ := record.ParseSources(row.narrow)
		if got := coversSources(c, is); got != row.want {
			t.Errorf("%s covers %s: %v", row.wide, row.narrow, got)
		}
	}
}
