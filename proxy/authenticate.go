package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
	"aclgate/proxy/login/jwt"
)

// auth is what the caller showed.
type auth struct {
	key    []byte // aliases the head; nil: none that could be one
	digest policy.Digest
}

// authenticator finds the token of the caller (SPEC 3).
type authenticator struct {
	engine *policy.Engine
	tokens Tokens
	realms Realms // nil: there are none
	limits *limit.Limiter
	clock  limitClock
}

// authenticate finds the token of the caller, and charges a request without a valid one to its
// address. The look-up comes first: whatever strangers do behind one address, a valid key that
// comes from there passes. Where no token is needed, one that is not valid counts as none.
func (a *authenticator) authenticate(c *call, ev *evaluation) policy.Reason {
	in := &ev.in
	in.Source, in.Origin, in.At = c.rec.Source, c.head.Origin, c.began.Unix()
	reason := a.identify(c, ev)
	public := in.Request.Route.ForAnyone()
	if reason == policy.NotJudged || !public && reason.Answer().Class != policy.ClassUnauthorized {
		return reason
	}
	from := in.Source
	if !from.IsValid() {
		from = c.conn.Peer() // a proxy that does not know its client answers for it
	}
	if wait := a.limits.Source(from, a.clock.at(c.began)); wait > 0 {
		c.refusal.retry = int(wait)
		return policy.LimitSource
	}
	if public {
		in.Token = nil
		return policy.NotJudged
	}
	return reason
}

// identify finds the token and judges whether it may be used. Whatever is wrong with it, the client
// gets one and the same 401; which it was is in the record.
func (a *authenticator) identify(c *call, ev *evaluation) policy.Reason {
	if c.head.Authorization == nil {
		return policy.TokenMissing
	}
	key, ok := keyOf(c.head.Authorization)
	if !ok {
		return policy.TokenMalformed
	}
	c.auth.key = key
	a.digest(&c.auth)
	reason := a.lookUp(c, ev, c.began)
	// One from elsewhere is verified once, and found by its digest or mark from then on.
	if reason == policy.TokenUnknown && a.realms != nil && jwt.Looks(key) {
		known, user := a.realms.Bearer(context.Background(), key, c.auth.digest)
		if c.rec.User = user; known {
			reason = a.lookUp(c, ev, time.Now())
		}
	}
	return reason
}

// digest says what a key is found by: its digest, or what the login has for keys that only tokens from
// elsewhere are as long as.
func (a *authenticator) digest(c *auth) {
	if len(c.key) > maxKey && a.realms != nil {
		a.realms.Mark(c.key, &c.digest)
		return
	}
	c.digest = sha256.Sum256(c.key)
}

// lookUp takes the token as the store has it at now.
func (a *authenticator) lookUp(c *call, ev *evaluation, now time.Time) policy.Reason {
	in := &ev.in
	ev.revision = a.tokens.Revision(c.auth.digest.Key())
	tok, err := a.tokens.Lookup(c.auth.digest, now)
	if err != nil {
		return reasonIn(err)
	}
	in.Token = tok
	c.rec.SetToken(tok)
	reason := a.engine.Authenticate(in)
	in.NoteUse(reason)
	return reason
}

// again finds the token of a request anew, which had one or needed none.
func (a *authenticator) again(c *call, ev *evaluation) policy.Reason {
	now := time.Now()
	ev.in.At = now.Unix()
	if ev.in.Token == nil {
		return policy.NotJudged
	}
	return a.lookUp(c, ev, now)
}

// How long keys of ours are (SPEC 3).
const (
	minKey = 8
	maxKey = 256
)

// keyOf returns the key of an Authorization value: FlespiToken or Bearer in any case, one space and
// the key, or the key alone.
func keyOf(value []byte) ([]byte, bool) {
	scheme, key, found := bytes.Cut(value, []byte{' '})
	switch {
	case !found:
		key = value
	case !head.EqualFold(scheme, "FlespiToken") && !head.EqualFold(scheme, "Bearer"):
		return nil, false
	}
	if len(key) < minKey || len(key) > maxKey {
		return key, jwt.Looks(key) // its bytes are read where it is verified
	}
	sound := true
	for _, b := range key {
		sound = sound && keyBytes[b]
	}
	return key, sound
}

// keyBytes are the bytes of a key: letters, digits and ._~- (SPEC 3). A table, because comparing
// random letters mispredicts at every second of them.
var keyBytes = func() (is [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") {
		is[b] = true
	}
	return is
}()
