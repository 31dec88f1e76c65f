// Package store is where tokens and accounts live.
//
// A Store answers two questions: which Record belongs to the digest of a key, and what the account
// tree looks like. Its revision grows with every change of either, so that whoever remembers an
// answer can tell whether it still holds. The revision is never ahead of the answers: an answer
// read after it is at least as new.
//
// File is the store of a policy file (SPEC 8). Its rules:
//
//   - A file is read whole, checked whole, and then takes effect at once, by
//     one pointer. A file with a fault, a missing one or one that is being
//     written changes nothing: the running policy stays, and every fault is
//     named with its place.
//   - When Reload returns nil, every Load that begins later obeys the new file.
//   - Keys are digests. A plain key in a file is hashed while it is read and
//     never kept, shown or logged.
//   - What may be a slip is refused or warned about and never guessed at: a
//     token too many is a leak, a token too few an outage.
//
// ReadPolicy is the pure part: text in, Policy and faults out. One set of readers over the nodes of
// config/strict serves YAML, which is parsed whole, and JSON, which is read token by token. That
// both give the same is fuzzed. A policy of more than some 10,000 tokens is better written as JSON:
// YAML takes ten times as long, and a tree of nodes.
//
// A Policy keeps its tokens packed, as bytes (pack.go), and Load unpacks one. A token of one entry
// takes some 70 bytes so, and nothing that the garbage collector has to walk through. A reload
// works beside requests and rests as long as it works (pace.go).
//
// The times of last uses, which tokens with a ttl live by, stand in a file beside the policy. They
// are the only thing that a Store writes.
package store
