// Package postgres is the engine that several gateways share: a PostgreSQL database (SPEC 15.3).
//
// The schema is in schema.sql, its roles in roles.sql. Triggers write the revisions and the history,
// one revision for each statement that changes rows, whoever sends it. The row of head stays locked
// until the commit, so that revisions have no gaps and become visible in their order; the price is
// one writer at a time.
//
// There are two logins. That of Options.URL reads, beats and tells last uses; that of
// Options.AdminURL writes records. Neither can touch the numbering or the history.
//
// Nothing is kept on a connection between transactions: no prepared statement, no setting, no
// notification. So a pooler in transaction mode may stand between. Every statement is a constant
// with parameters. An answer of a standby is no answer, and a connection that turned out to lead to
// one is closed.
package postgres
