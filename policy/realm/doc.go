// Package realm says what realms and users are: where a user lives, what a session may do, which
// names are the same and which passwords will do (SPEC 10.6).
//
// A user's tokens have no rights of their own. Whoever loads one asks Rights with the realm and the
// user as they are at that moment, so that changing either changes every token at once. What does
// not read is missing, and what is missing permits nothing.
//
// The package is pure: documents in, values out. Hashing, sessions and the network are proxy/login's.
package realm
