// Package record remembers what happened to single requests: one Record for each, a Ring of the
// last few for `why`, and an Audit that writes them to a file, of which a Line is read again.
//
// A Record is filled along the way by whoever serves the request, and counted, remembered and
// written once, at its end. It never holds a credential, a query or a body, and whatever it copies
// from a client is bounded and escaped. A request neither waits for the audit log nor allocates for
// any of it.
package record
