// Package wire reads and prints the packets of MQTT 3.1, 3.1.1 and 5 (SPEC 16.2). It has no idea
// of rights, topics that mean something, or sessions.
//
// It is a parser and a printer, never a filter: a Reader cuts the stream into frames, Parse makes
// a typed value of a frame, and Append prints a new packet from the value. Parsing what was
// printed gives the same value. No byte of a packet that is not exactly as the standard says
// reaches a value that somebody may print: Parse returns a Fault, whose Reason is the code for
// DISCONNECT, and the value is not for use.
//
// # Strictness
//
// The flags of every type, lengths in their shortest form, no bytes left over, packet ids, quality
// of service, reserved bits, reason codes and properties are checked, each for its packet, version
// and sender. What the standard allows a server to check is checked: control and non-characters in
// topics, filters and client ids. Payload, correlation data, authentication data and password are
// opaque.
//
// # Memory
//
// A length is compared with the limit before anything is taken for it, and memory grows with the
// bytes that arrive, not with the length that was announced. An idle Reader holds a few hundred
// bytes. Every slice of a parsed value aliases the Reader's buffer and is valid until its next
// Next. Reading and printing a PUBLISH allocates nothing.
package wire
