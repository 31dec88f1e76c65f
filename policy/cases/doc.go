// Package cases runs policy tests: requests with what the owner of the product expects of them,
// judged by the engine itself.
//
// The rules:
//
//   - A case is one request of one token of the policy, and what should become
//     of it. A matrix is many: every token, request and id, of which those are
//     to pass that it names and no others. What a matrix does not name is
//     expected to be denied: a leak test in four lines.
//   - The verdict is the real one: a case goes through policy/explain, which
//     evaluates it as the proxy does. Nothing is sent anywhere. The items that a
//     suite names take the place of the index and of the backend.
//   - A case may also be about a topic: what a client subscribes to or publishes,
//     or what is delivered to it.
//   - A failure names the line of the case and the line of the policy that
//     decided.
//   - Coverage is about entries: one of a tested token that no case chose is
//     named, and one that can never be chosen, with the one that comes first.
//
// Reading the files is the caller's.
package cases
