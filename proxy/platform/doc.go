// Package platform is the administration API (SPEC 10): managed records under flespi's own paths, for
// masters on the public listener and for the operator on the admin listener. There is one
// implementation, over a small interface of the store, and it knows no HTTP: a parsed request and a
// body go in, a status and a body come out.
//
// The rules:
//
//   - A table of collections (collection.go) says which records are served. A further kind of record
//     is a further row.
//   - Who may do what is the law's (policy/admin), which is asked inside the transaction that writes:
//     what it saw cannot change before the commit. The caller's token is read there, too, so that one
//     that was revoked meanwhile does nothing more.
//   - What documents and rows look like is policy/record's. Answers are made of its rows, and of
//     nothing else, so no digest gets into one.
//   - A call is done whole or not at all. Denied ids of a list are errors beside it.
//   - A key is said once, in the answer to the POST that made it (keys.go).
package platform
