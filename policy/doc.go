// Package policy decides who may touch which item.
//
// It is pure. A request target comes in as bytes and becomes a Request, a small typed value; an
// Engine evaluates it as part of an Input (token, time, account tree, index …) and the outcome is a
// Decision; AppendTarget prints the target that may go to the backend. None of the client's bytes
// is copied from one side to the other: what cannot be parsed cannot be printed. Parsing what was
// printed gives the same Request.
//
// Where to look:
//
//   - How a target is read: request.go, selector.go, idlist.go, query.go.
//   - The steps and their order: Engine.Evaluate in engine.go, which calls
//     Authenticate, Scope, Decide (decide.go) and JudgeBody (body.go).
//   - Which entry of an ACL decides: selection.go at load, ACL.Choose at run time;
//     rights by groups: groups.go.
//   - What a request may reach beside its branch, by grants: paths.go, grants.go,
//     levels.go; how that is united: unite.go.
//   - Where an id list is narrowed: Engine.narrow in narrow.go, by the bounds that
//     bounds.go finds.
//   - What a reason means, its status, code and text: the table in reasontable.go.
//   - How a revoked token is refused: one that is disabled or expired by Token.Valid
//     in token.go; one that is gone from the policy by policy/cache, whose look-up
//     finds a newer revision and asks policy/store again.
//   - What the routes are: catalogue.go and route.go, filled by policy/routes.
//   - What is printed: print.go; lists too long for one request: fanout.go.
//
// The rules, in the order in which they are applied (SPEC 2 to 4):
//
//   - A target that does not fit the grammar is refused, whoever sent it.
//   - The catalogue says what each path segment is. An unknown shape is a 404,
//     another method a 405; a token with an ACL gets "not permitted" instead.
//   - Closed routes are closed to everyone, dictionaries are open to everyone.
//   - Exactly one entry of an ACL decides: of those that name the collection
//     and permit the method, the one with the longest uri, with ids before
//     without, first in the list. Entries are never united.
//   - Every selector is judged against its own collection. What is permitted of
//     it is printed; what was asked for by number and is not permitted is
//     named in the answer; what is left empty is never forwarded.
//
// The zero value of everything denies. Time and addresses are arguments; the package opens nothing,
// logs nothing and starts nothing, so that it can be tested, fuzzed and read on its own. On the hot
// path it allocates nothing once its buffers have grown.
package policy
