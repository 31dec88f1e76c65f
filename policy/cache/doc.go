// Package cache stands between the requests and a store of tokens: the digest of a key goes in, a
// token with its compiled ACL comes out.
//
// The cache is memory, never truth. ristretto may drop a value that was set, apply it late, or
// bring an old one back after it was deleted; nothing here depends on it doing better. Every value
// carries the store's revision from before it was loaded and the whole digest of its key, and is
// used only if the one is the store's revision now and the other is the digest asked for. So a
// token that is revoked is gone for every Lookup that begins after the store's revision moved,
// whatever is still remembered of it. Nothing is ever deleted; what is old is no longer believed.
//
// The rules of loading:
//
//   - The revision is read before the load and again after it. If it moved in
//     between the token is loaded again.
//   - Of many callers who ask for the same digest one loads, the others wait
//     for it. They take what it found only if it asked the store no earlier
//     than they did, and none of its panics; and they wait for a bounded time.
//   - Unknown digests are remembered apart, few and briefly. A flood of random
//     keys overwrites those few places and can neither drive a good token out
//     nor grow the memory.
//
// In front of ristretto stands a table with two places for each slice of the digests (see hot.go):
// a hit there is two atomic loads and one comparison.
//
// Whether a token is expired, disabled or used from a wrong address is not the cache's to know:
// that is asked on every request.
package cache
