package proxy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"net/netip"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// identify finds the token of the caller (SPEC 3). Whatever is wrong with it,
// the client hears one and the same 401; which it was stands in the record.
func (g *Gateway) identify(c *call) policy.Reason {
	c.source = g.sourceOf(c)
	c.rec.Source = c.source
	if c.head.Authorization == nil {
		return policy.TokenMissing
	}
	key, ok := keyOf(c.head.Authorization)
	if !ok {
		return policy.TokenMalformed
	}
	digest := policy.Digest(sha256.Sum256(key))
	tok, err := g.Tokens.Lookup(digest)
	if err != nil {
		return tokenReason(err)
	}
	c.tok, c.key = tok, key
	c.rec.SetToken(tok)
	c.in = policy.Input{Request: &c.req, Token: tok, At: c.began.Unix(), Source: c.source, Origin: c.head.Origin}
	reason := g.engine.Authenticate(&c.in)
	touch(&c.in, reason)
	return reason
}

// touch notes a use of a token that was judged with this reason: one that is not valid is not used.
func touch(in *policy.Input, reason policy.Reason) {
	if reason.Answer().Class != policy.ClassUnauthorized {
		in.Token.Touch(in.At)
	}
}

func tokenReason(err error) policy.Reason {
	var reason policy.Reason
	if errors.As(err, &reason) {
		return reason
	}
	return policy.Internal
}

// keyOf returns the key of an Authorization value: FlespiToken or Bearer in any
// case, one space and the key, or the key alone.
func keyOf(value []byte) ([]byte, bool) {
	scheme, key, found := bytes.Cut(value, []byte{' '})
	switch {
	case !found:
		key = value
	case !head.EqualFold(scheme, "FlespiToken") && !head.EqualFold(scheme, "Bearer"):
		return nil, false
	}
	if len(key) < 8 || len(key) > 256 {
		return nil, false
	}
	sound := true
	for _, b := range key {
		sound = sound && keyBytes[b]
	}
	return key, sound
}

// keyBytes are the bytes of a key: letters, digits and ._~- (SPEC 3). A table,
// because comparing random letters mispredicts at every second of them.
var keyBytes = func() (is [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") {
		is[b] = true
	}
	return is
}()

// sourceOf returns the address of the client: the peer's, or, behind a trusted
// proxy, the last one in X-Forwarded-For that is not a trusted proxy itself.
// What a client writes there is believed from nobody else.
func (g *Gateway) sourceOf(c *call) netip.Addr {
	addr := c.conn.Peer()
	if len(g.TrustedProxies) == 0 || !g.trusted(addr) {
		return addr
	}
	for i := len(c.head.Fields) - 1; i >= 0; i-- {
		f := &c.head.Fields[i]
		if !bytes.EqualFold(f.Name, []byte("X-Forwarded-For")) {
			continue
		}
		var done bool
		if addr, done = g.walkBack(addr, f.Value); done {
			break
		}
	}
	return addr
}

// walkBack reads one X-Forwarded-For line from its end. It is done at the first
// address that no trusted proxy wrote, and at anything that is no address.
func (g *Gateway) walkBack(addr netip.Addr, list []byte) (netip.Addr, bool) {
	for len(list) > 0 {
		i := bytes.LastIndexByte(list, ',')
		hop, err := netip.ParseAddr(string(bytes.TrimSpace(list[i+1:])))
		if err != nil {
			return addr, true
		}
		addr = hop.Unmap().WithZone("") // a zone is any text, and means nothing elsewhere
		if !g.trusted(addr) {
			return addr, true
		}
		list = list[:max(i, 0)]
	}
	return addr, false
}

func (g *Gateway) trustedPeer(c *call) bool { return g.trusted(c.conn.Peer()) }

func (g *Gateway) trusted(addr netip.Addr) bool {
	for _, p := range g.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func now() time.Time { return time.Now() }

func since(t time.Time) time.Duration { return time.Since(t) }
