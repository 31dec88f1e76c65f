// Package policy is the engine of aclgate: who may touch which item.
//
// It is pure. A request target comes in as bytes and becomes a Request, a
// small typed value; an Engine judges it against a Token, its ACL and a Scope, and
// the outcome is a Decision; AppendTarget prints the target that may go to the
// backend. Nothing of the client's bytes is copied from one side to the other:
// what cannot be parsed cannot be printed. Parsing what was printed gives the
// same Request.
//
// The rules, in the order in which they are applied (SPEC 2 to 4):
//
//   - A target that does not fit the grammar is refused, whoever sent it.
//   - The catalogue says what each path segment is. An unknown shape is a 404,
//     another method a 405; a token with an ACL hears "not permitted" instead.
//   - Closed routes are closed to everyone, dictionaries are open to everyone.
//   - Exactly one entry of an ACL decides: of those that name the collection
//     and permit the method, the one with the longest uri, with ids before
//     without, first in the list. Entries are never united.
//   - Every selector is judged against its own collection. What is permitted of
//     it is printed; what was asked for by number and is not permitted is
//     named in the answer; what is left empty is never forwarded.
//
// The zero value of everything denies. Time and addresses are arguments; the
// package opens nothing, logs nothing and starts nothing, so that it can be
// tested, fuzzed and read on its own. On the hot path it allocates nothing
// once its buffers have grown.
package policy
