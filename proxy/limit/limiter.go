package limit

import (
	"cmp"
	"encoding/binary"
	"net/netip"

	"aclgate/policy"
)

// defaultSources is how many sources have a bucket of their own: about 10 MiB.
const defaultSources = 1 << 16

// Options is what a Limiter bounds.
type Options struct {
	Token   Limit // of each token
	Account Limit // of each account with everything below it
	Source  Limit // of each source of requests without a valid token; its Concurrent is not used

	MaxSources int // sources with a bucket of their own; 0: 65536

	Shared bool // other gateways learn what is used here: see Used
}

// Limiter bounds callers. The nil Limiter bounds nothing and does nothing. It is safe for
// concurrent use, has no goroutine and needs no end.
type Limiter struct {
	tokens, accounts, sources *table // nil: no bound
}

// New returns a Limiter, nil where o bounds nothing.
func New(o Options) *Limiter {
	if o.MaxSources <= 0 {
		o.MaxSources = defaultSources
	}
	o.Source.Concurrent = 0
	l := &Limiter{tokens: newTable(o.Token, 0), accounts: newTable(o.Account, 0), sources: newTable(o.Source, o.MaxSources)}
	if *l == (Limiter{}) {
		return nil
	}
	if o.Shared {
		for _, s := range l.scopes() {
			s.table.rule.share()
		}
	}
	return l
}

// Hold is what one request has taken, and what its client is told of it. The zero Hold is empty. It
// belongs to one request at a time and is used again after Release.
type Hold struct {
	Quota Quota // of the bucket with the fewest requests left
	Retry int64 // seconds until a refused request would pass, at least 1; 0: it was not refused

	taken []taken // from the token up
	path  []int64 // accounts, from the token's own up
}

// taken is one bucket that the request is in.
type taken struct {
	bucket *bucket
	rule   *rule
	full   int64  // what charge returned; 0: nothing was charged
	turns  *turns // of whom the request is, where the bucket is shared; else nil
	kept   int64  // requests that the bucket keeps for others
}

// Admit charges a request of tok, which came at now, to its token and to its accounts up to the
// root of tree. It returns NotJudged and has filled h, whose Release ends the request; or
// LimitToken or LimitAccount, and then nothing was charged and nothing is held. h is empty before.
func (l *Limiter) Admit(h *Hold, tok *policy.Token, tree *policy.Tree, now int64) policy.Reason {
	if l == nil {
		return policy.NotJudged
	}
	// The token comes first: whoever exceeds the bound of its own token must take nothing from its
	// neighbours in the account, not even for a moment.
	if l.tokens != nil {
		if b, in := l.tokens.enter(uint64(tok.ID), now); !h.take(l.tokens, b, in, nil, now) {
			return h.refused(policy.LimitToken, now)
		}
	}
	if l.accounts != nil && !l.admitAccounts(h, tok.CID, tree, now) {
		return h.refused(policy.LimitAccount, now)
	}
	for _, t := range h.taken {
		if t.turns != nil {
			t.turns.pass()
		}
	}
	h.measure(now)
	return policy.NotJudged
}

// Look says what Admit would say at now, and gives back at once what it takes. h is empty before and
// has Retry afterwards, until its Release.
func (l *Limiter) Look(h *Hold, tok *policy.Token, tree *policy.Tree, now int64) policy.Reason {
	reason := l.Admit(h, tok, tree, now)
	if reason == policy.NotJudged {
		h.refused(reason, now)
	}
	return reason
}

// admitAccounts charges a request to an account and those above it. Each shares its bound among the
// accounts below it, so that one of them cannot use up what the others need.
func (l *Limiter) admitAccounts(h *Hold, cid int64, tree *policy.Tree, now int64) bool {
	h.path = h.path[:0]
	tree.Ancestors(cid, func(cid int64) { h.path = append(h.path, cid) })
	var below *bucket
	for _, cid := range h.path {
		b, in := l.accounts.enter(uint64(cid), now)
		u := b.shares(below, &l.accounts.rule, now)
		if in && int64(b.active.Load()) > u.most(&l.accounts.rule) {
			b.leave()
			in = false
		}
		if !h.take(l.accounts, b, in, &u, now) {
			return false
		}
		below = b
	}
	return true
}

// take charges one bucket that the request has entered, if in says so. It reports whether both were
// possible.
func (h *Hold) take(t *table, b *bucket, in bool, u *user, now int64) bool {
	wait := int64(1) // nobody knows when a request ends: a second is a polite guess
	if in {
		entry := taken{bucket: b, rule: &t.rule}
		if entry.full, wait = b.charge(&t.rule, u, now); u != nil {
			entry.turns, entry.kept = u.turns, u.kept(&t.rule)
		}
		h.taken = append(h.taken, entry)
	}
	b.count(wait)
	if wait > 0 {
		h.Retry = seconds(wait)
	}
	return wait == 0
}

// refused gives everything back.
func (h *Hold) refused(r policy.Reason, now int64) policy.Reason {
	for _, t := range h.taken {
		if t.full != 0 {
			t.bucket.giveBack(t.rule, t.full)
		}
	}
	h.measure(now)
	h.leave()
	return r
}

// measure notes the tightest bucket: the fewest requests left, then the longest to wait for more.
// One without a rate is none: nobody knows when a request ends, so there is nothing to tell.
func (h *Hold) measure(now int64) {
	for _, t := range h.taken {
		if t.rule.interval == 0 {
			continue
		}
		q := t.bucket.quota(t.rule, now)
		q.Remaining = max(0, q.Remaining-t.kept)
		if h.Quota.Limit == 0 || cmp.Or(cmp.Compare(q.Remaining, h.Quota.Remaining), cmp.Compare(h.Quota.Reset, q.Reset)) < 0 {
			h.Quota = q
		}
	}
}

func (h *Hold) leave() {
	for _, t := range h.taken {
		t.bucket.leave()
	}
	clear(h.taken) // a pooled Hold must not keep buckets from being collected
	h.taken = h.taken[:0]
}

// Release ends the request and empties h. A second call does nothing.
func (h *Hold) Release() {
	h.leave()
	h.Quota, h.Retry = Quota{}, 0
}

// Source charges a request without a valid token to the address that it came from at now. It
// returns 0, or the seconds until one would pass.
func (l *Limiter) Source(addr netip.Addr, now int64) int64 {
	if l == nil || l.sources == nil {
		return 0
	}
	b, _ := l.sources.enter(sourceKey(addr), now)
	_, wait := b.charge(&l.sources.rule, nil, now)
	b.count(wait)
	b.leave()
	return seconds(wait)
}

// sourceKey returns the source of an address. One subscriber has at least a whole /64 (RFC 6177),
// so that single IPv6 addresses are no bound at all. An IPv4 address counts as its own 6to4 prefix
// (RFC 3056), which is where its holder could come from as well. 0 is an address that is not known.
func sourceKey(addr netip.Addr) uint64 {
	switch addr = addr.Unmap(); {
	case addr.Is4():
		v4 := addr.As4()
		return 0x2002<<48 | uint64(binary.BigEndian.Uint32(v4[:]))<<16
	case addr.Is6():
		v6 := addr.As16()
		return binary.BigEndian.Uint64(v6[:8])
	}
	return 0
}
