// Package head is the listener and connection layer under the HTTP server: the one parser that
// reads what a client sends.
//
// Whoever serves a connection asks Next for the next request, takes its head from Head and its body
// from ReadBody. Two parsers that read one stream differently are how requests are smuggled, so
// there is exactly one, and it is strict where others, fasthttp's among them, are lenient: bare LF,
// folded lines, "017" as a length, "HTTP/9.9", a "#" in the target.
//
// # Heads
//
// A head is read in two steps. find looks for its end as bytes arrive and refuses, in stream order,
// what no later byte can mend: a line that does not end in CRLF, a control byte, a limit. parse
// then reads the complete head. Neither step depends on how the stream was cut into packets: the
// same bytes give the same verdict. A refused head has a Fault; it is served too, so that the
// handler can say why, and the connection ends after that answer.
//
// # Bodies
//
// The bytes after a head belong to its body by the one length that the head declares, or by its
// chunks, and to nothing else. What a handler leaves unread is discarded by that length, up to 64
// KiB, or the connection ends. It is never read as a request.
//
// # Time
//
// No deadline is set per request, because that costs several percent of one. Each connection has a
// [socket.Wait] for each direction, and one goroutine per listener ends those that have lasted too
// long: never early, and two ticks late at most.
//
// # Lifetimes
//
// Every slice of a Head aliases the buffer of its connection and is valid until the answer is
// written. The buffer is pooled and held only between the first byte of a request and the end of
// its answer: an idle connection holds none.
package head
