package policy_test

import (
	"net/netip"
	"sync/atomic"
	"testing"

	"aclgate/policy"
)

func used(at int64) *atomic.Int64 {
	u := &atomic.Int64{}
	u.Store(at)
	return u
}

// TestTokenLife: valid while expire or ttl holds, to the second.
func TestTokenLife(t *testing.T) {
	rows := []struct {
		name  string
		token policy.Token
		now   int64
		want  policy.Reason
	}{
		{"before expire", policy.Token{Expire: 1000}, 999, policy.NotJudged},
		{"at expire", policy.Token{Expire: 1000}, 1000, policy.TokenExpired},
		{"neither limit", policy.Token{}, 1, policy.TokenExpired},
		{"ttl since creation", policy.Token{TTL: 10, Created: 100, Used: used(0)}, 109, policy.NotJudged},
		{"ttl since creation over", policy.Token{TTL: 10, Created: 100, Used: used(0)}, 110, policy.TokenExpired},
		{"ttl since use", policy.Token{TTL: 10, Created: 100, Used: used(500)}, 509, policy.NotJudged},
		{"ttl since use over", policy.Token{TTL: 10, Created: 100, Used: used(500)}, 510, policy.TokenExpired},
		{"ttl without memory of uses", policy.Token{TTL: 10, Created: 100}, 109, policy.NotJudged},
		{"expire over, ttl holds", policy.Token{Expire: 200, TTL: 10, Created: 100, Used: used(500)}, 505, policy.NotJudged},
		{"ttl over, expire holds", policy.Token{Expire: 900, TTL: 10, Created: 100, Used: used(500)}, 899, policy.NotJudged},
		{"both over", policy.Token{Expire: 900, TTL: 10, Created: 100, Used: used(500)}, 900, policy.TokenExpired},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.token.Enabled = true
			if got := row.token.Valid(row.now, netip.Addr{}, nil); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
			row.token.Enabled = false
			if got := row.token.Valid(row.now, netip.Addr{}, nil); got != policy.TokenDisabled {
				t.Errorf("disabled: got %v, want %v", got, policy.TokenDisabled)
			}
		})
	}
}

func TestTouchNeverMovesBack(t *testing.T) {
	tok := &policy.Token{Used: used(0)}
	for _, now := range []int64{5, 9, 7, 9, 3} {
		tok.Touch(now)
	}
	if got := tok.LastUsed(); got != 9 {
		t.Errorf("got %v, want 9", got)
	}
	(&policy.Token{}).Touch(5)
	if got := (&policy.Token{}).LastUsed(); got != 0 {
		t.Errorf("without memory: got %v, want 0", got)
	}
}

func TestTokenSources(t *testing.T) {
	s := &policy.Sources{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
		Masks:    []string{"172.16.*.5", "198.51.100.?"},
	}
	rows := []struct {
		addr string
		want bool
	}{
		{"10.1.2.3", true}, {"10.2.0.1", false}, {"192.0.2.7", true}, {"192.0.2.8", false},
		{"::ffff:10.1.2.3", true}, {"::ffff:192.0.2.8", false}, {"::ffff:198.51.100.1", true},
		{"2001:db8::1", true}, {"2001:db9::1", false}, {"172.16.9.5", true}, {"172.16.9.55", false}, {"172.16.9.1.5", false},
		{"198.51.100.9", true}, {"198.51.100.10", false}, {"", false},
	}
	for _, row := range rows {
		addr, _ := netip.ParseAddr(row.addr)
		tok := policy.Token{Enabled: true, Expire: 10, Sources: s}
		want := policy.TokenAddress
		if row.want {
			want = policy.NotJudged
		}
		if got := tok.Valid(1, addr, nil); got != want {
			t.Errorf("%q: got %v, want %v", row.addr, got, want)
		}
		tok.Sources = nil
		if got := tok.Valid(1, addr, nil); got != policy.NotJudged {
			t.Errorf("%q without ips: got %v, want %v", row.addr, got, policy.NotJudged)
		}
	}
}

func TestTokenSourcesOfNothingHoldNobody(t *testing.T) {
	tok := policy.Token{Enabled: true, Expire: 10, Sources: &policy.Sources{}}
	if got := tok.Valid(1, netip.MustParseAddr("10.1.2.3"), nil); got != policy.TokenAddress {
		t.Errorf("got %v, want %v", got, policy.TokenAddress)
	}
}

func TestTokenOrigins(t *testing.T) {
	rows := []struct {
		origins []string
		origin  string
		want    policy.Reason
	}{
		{nil, "https://a.example", policy.NotJudged},
		{nil, "", policy.NotJudged},
		{[]string{"https://a.example"}, "https://a.example", policy.NotJudged},
		{[]string{"https://a.example"}, "HTTPS://A.example", policy.NotJudged},
		{[]string{"https://a.example"}, "https://a.example.evil", policy.TokenOrigin},
		{[]string{"https://a.example"}, "http://a.example", policy.TokenOrigin},
		{[]string{"https://a.example"}, "https://a.example:8443", policy.TokenOrigin},
		{[]string{"https://a.example"}, "null", policy.TokenOrigin},
		{[]string{"https://a.example"}, "", policy.NotJudged}, // without one it says nothing
		{[]string{}, "https://a.example", policy.TokenOrigin},
	}
	for _, row := range rows {
		tok := policy.Token{Enabled: true, Expire: 10, Origins: row.origins}
		if got := tok.Valid(1, netip.Addr{}, []byte(row.origin)); got != row.want {
			t.Errorf("%v %q: got %v, want %v", row.origins, row.origin, got, row.want)
		}
	}
}

// matchesMask is Wildcard once more, by a table: row by row of the mask, which beginnings of the
// text it matches so far. A recursion would not end on a mask of many stars.
func matchesMask(mask, text string) bool {
	reached := make([]bool, len(text)+1)
	reached[0] = true
	for _, m := range []byte(mask) {
		next := make([]bool, len(text)+1)
		for i := range reached {
			switch {
			case m == '*':
				next[i] = reached[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = reached[i-1] && (m == '?' || m == text[i-1])
			}
		}
		reached = next
	}
	return reached[len(text)]
}

func TestWildcard(t *testing.T) {
	d := newDice([]byte("masks"))
	for range 20000 {
		var mask, text string
		for range d.n(7) {
			mask += d.one("*", "?", "1", ".", "a")
		}
		for range d.n(9) {
			text += d.one("1", ".", "a")
		}
		if got, want := policy.Wildcard(mask, []byte(text)), matchesMask(mask, text); got != want {
			t.Fatalf("%q %q: got %v, want %v", mask, text, got, want)
		}
	}
}

// FuzzWildcard: the loop agrees with the table.
func FuzzWildcard(f *testing.F) {
	f.Add("10.*.?", "10.1.2")
	f.Add("***********-", "\xff\a\xb4G\x91\x8d\x14\xb3hb\xadw\xb8Qzi")
	f.Fuzz(func(t *testing.T, mask, text string) {
		if len(mask) > 50 || len(text) > 200 {
			return
		}
		if got, want := policy.Wildcard(mask, []byte(text)), matchesMask(mask, text); got != want {
			t.Errorf("%q %q: got %v, want %v", mask, text, got, want)
		}
	})
}

func TestAccessWords(t *testing.T) {
	rows := []struct {
		access policy.Access
		word   string
		number int
	}{
		{policy.NoAccess, "none", 3}, {policy.Standard, "standard", 0}, {policy.Master, "master", 1}, {policy.ACLAccess, "acl", 2}, {policy.NoAPI, "noapi", 3},
	}
	for _, row := range rows {
		if row.access.String() != row.word || row.access.Number() != row.number {
			t.Errorf("got %v %v, want %v %v", row.access, row.access.Number(), row.word, row.number)
		}
	}
}
