// Package sqlite is the engine of one machine: a SQLite database in one file (SPEC 15.3).
//
// The schema is in schema.sql. Its triggers write the revisions and the history, one revision for
// each row that changes, whoever changes it. The database has a write-ahead log, so that readers
// wait for nobody, and every commit is on the disk before it is answered (synchronous=full).
//
// There is one process that follows the database, and there may be others that write: commands
// with --offline, or a hand with sqlite3. The process looks at data_version every 20 ms, which
// takes microseconds, and reads changes where that has moved.
//
// The driver is SQLite itself, translated to Go: no C compiler, no library of the system.
package sqlite
