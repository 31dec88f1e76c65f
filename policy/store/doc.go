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
// Live is the store of a database (SPEC 15). It holds every token packed in memory, as a Policy does,
// and follows the changes of an Engine. No request waits for the database: what it may rest on is
// bounded by a lease, which only an answer renews that was obeyed whole. Its parts:
//
//   - engine.go: what an engine is. live.go, feed.go, apply.go, lease.go: following one, and what
//     becomes of an answer. relay.go: everything read while it arrives. writable.go and copy.go: packed
//     tokens that change one by one, and are copied without what is dead.
//   - rows.go and document.go: a row is the JSON that a policy file takes, read by the same readers. plain.go: the
//     quick way for rows that are written as most are.
//   - records.go and owners.go: kinds that a policy file has not. Roles, grants, limits, realms, users
//     and accounts are kept as documents by id (Doc, Docs), for those who judge by them; whose items
//     are is kept in some 40 bytes for each (Owner, Owners). LiveOptions.Changed says which moved.
//   - group.go: changes that wait share a transaction, each a Part of it. remember.go: what a transaction reads twice.
//   - edit.go and txrecords.go: a transaction, judged. transfer.go: import and export. wait.go: who obeys a change,
//     and whether what is obeyed is what is in the database.
//
// # How an engine is written
//
// An engine is a package below this one that implements Engine for one kind of database, and the
// only place that imports its driver. memory is the shortest complete one, sqlite the first that
// lasts. It promises:
//
//   - Every change of a row, by whomever and by whatever way, has a revision one above the one before,
//     in the order of the commits, and a random mark. The database itself has to see to it, by
//     triggers that keep a counter locked until the commit: a sequence skips what commits late.
//   - Since, All and View each read in one snapshot. Since may return the first of many changes;
//     its Rows are those that these changes name, as they are in the snapshot. An engine that
//     cannot name the rows of a change returns the change without IDs.
//   - Head.Floor is the oldest revision of which the change is still there: Prune keeps the change of
//     the floor itself, so that its mark can be compared.
//   - Write is durable when it returns nil, and one transaction at a time: what the Writer reads
//     cannot change before the commit. Of its Parts one that fails leaves nothing, and costs the others
//     nothing; what only the commit refuses is ErrUnmet. It maps a value that is taken to ErrTaken and a missing row
//     to ErrNoRow. Documents are kept byte for byte.
//   - Sealed keys, verifiers of passwords and last uses have no revision, are named by no change and
//     stand in no history. All does not yield them.
//   - Beat is a write. On a standby, or wherever nothing can be written, it fails.
//   - Methods end when their context does. Errors name the database, say what to do, and hold
//     neither credentials nor values of rows.
//
// Live does the rest: retries, leases, resyncs, last uses, judging rows. A new engine passes
// enginetest.Run, gets a kind of store in config and its opening in cmd/internal/app.
//
// The times of last uses, which tokens with a ttl live by, stand in a file beside the policy or in a
// table. They are the only thing that following writes.
package store
