// Package mqtt serves MQTT clients (SPEC 16): each session has one connection from the client and
// one to the backend's broker. The broker keeps sessions, queues and retained messages; the gateway
// keeps the law, which is package policy/topic's.
//
// One goroutine reads what the client sends (up.go), one what the broker sends (down.go). Every
// packet is read into a value, judged by the law in force at that moment, and printed anew. What
// they share is in session: the judge, the table of subscriptions, and the two writers, each with a
// lock of its own.
//
//	client ── CONNECT ──> token, will ──> broker            connect.go
//	client ── SUBSCRIBE ─> narrowed, printed ──> broker     subscribe.go, table.go
//	client ── PUBLISH ──> judged ──> broker                 up.go
//	client <── judged again, every time <── PUBLISH ─ broker   down.go
//
// What filters are narrowed to moves with items, groups and accounts. One goroutine of the server
// notices, and has each session tell the broker the difference (follow.go).
//
// A session ends once, by end: the reason that the client is told, and what the broker is told, are
// decided together.
package mqtt
