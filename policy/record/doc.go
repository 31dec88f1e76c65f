// Package record holds managed records as documents (SPEC 9, 10): what fields each kind has, what a
// request may write, and how rows are printed and matched.
//
// One table of fields (Kinds) drives all of it: reading bodies, the default set of fields, the
// hints in faults, docs/api.md and the OpenAPI document. A field that has no row can neither be
// written nor read.
//
// A document is a Value: JSON with its members sorted, numbers as they were spelled. Read makes
// documents of a body, Put and Patch change one, Kind.Row makes of a stored document what clients
// see, Match and AppendRow select and print it. Everything here is from bytes to bytes: no clock,
// no network, no store, and no idea of who asks; that is policy/admin's.
package record
