// Package share divides what is scarce among those who want it (SPEC 2, Shares): connections to the
// backend, the places of those who wait for one, the memory for bodies. No single caller can so hold
// what all others need, however slow it is.
//
// One token holds at most half, one account with everything below it three quarters, and callers
// without a token together an eighth. Roots are no account here: what they hold with everything
// below them is all there is. A sixteenth is kept for the gateway's own readings. These are bounds of
// what is held, also while nobody waits: what is in use cannot be taken back without cutting an
// answer, so the room for those who come later has to be there before they come.
//
// An account is shared by its children: the accounts below it, and its own tokens, which are
// together one of them. The last quarter of its bound is for children that hold less than an equal
// part. So at the bound those above an equal part are refused first, and a child that comes late
// finds something left.
//
// Those who wait have their turns token by token, each token's in the order they came. One whose
// token or account is at its bound is passed over and keeps its place.
//
// While little is held nobody can be above a bound. So a [Ledger] counts a total then and nothing
// else: it takes a few instructions, no map and no memory. When more than one token may have is held
// it counts, once, who holds what, and from then on each change, until little is held again.
package share
