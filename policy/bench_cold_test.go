package policy_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"aclgate/policy"
)

// BenchmarkDecideCold judges one request for each of 10,000 tokens in random order, so that what is
// the token's own has left the processor's cache when it is needed again.
func BenchmarkDecideCold(b *testing.B) {
	const tokens = 10000
	cat := catalogue(b)
	tree, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}}, 4)
	random := rand.New(rand.NewPCG(1, 2))
	all, order := make([]*policy.Token, tokens), random.Perm(tokens)
	for i := range all {
		id := 5_000_000 + random.Int64N(1_000_000)
		tok := &worldToken{access: "acl", cid: 11, entries: []worldEntry{
			{uri: "gw/devices", methods: []string{"GET", "POST"}, rule: "list", ids: []int64{7, id, id + 3}},
		}}
		all[i] = tok.compile(cat)
		all[i].Enabled, all[i].Expire = true, 1<<40
	}
	seen, want := int64(0), map[string]policy.Reason{"/gw/devices/7": policy.Permitted, "/gw/devices/all": policy.Narrowed}
	for _, target := range []string{"/gw/devices/7", "/gw/devices/all"} {
		b.Run(target, func(b *testing.B) {
			s := scene{engine: policy.Engine{Catalogue: cat, MaxIDs: 10000}, method: policy.GET, target: []byte(target)}
			s.c = policy.Input{Request: &s.r, Scope: 11, Tree: tree}
			i := 0
			for b.Loop() {
				s.c.Token = all[order[i]]
				if i++; i == tokens {
					i = 0
				}
				valid := s.c.Token.Valid(5, netip.Addr{}, nil)
				if reason := s.run(); valid != policy.NotJudged || reason != want[target] {
					b.Fatal(valid, reason)
				}
				// What the record of a request takes of the token and the entry.
				seen += s.c.Token.ID + int64(s.c.Token.Digest[0]) + int64(s.d.Entry.Line+s.d.Entry.Number)
			}
		})
	}
}
