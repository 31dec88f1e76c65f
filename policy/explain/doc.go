// Package explain says a decision in words: how a request was read, which entry of the token's ACL
// was chosen and why each other one lost, what became of every id, what the client and the backend
// get, and what to do about it.
//
// Its readers are those who run the gateway and are told that a customer cannot see device 7, and
// those who own the product and ask whether that is right. Hence the rules:
//
//   - The verdict is the engine's own: Explain calls Engine.Evaluate. It derives
//     on its own only why an entry lost, and a test holds the two together.
//   - What cannot be known here, it does not guess: a match that the backend
//     has to resolve, or items that only the running gateway's index can place,
//     end in "unresolved" with the question that is open.
//   - No credential comes out. Of a target that was refused the query is not
//     shown, since it may hold one. What came from a client is escaped.
//   - It is a pure function of its arguments, time and address included, so
//     that command line, policy tests and comparisons can share it. Only who
//     passes a Resolve function has the backend asked.
package explain
