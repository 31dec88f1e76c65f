// Package upstream is the client of the backend: an HTTP/1.1 transport that puts exact, already
// printed requests on the wire and reads the answers strictly. What is asked with it beside the
// requests of clients is in the packages below: lists of rows in listing, the item index in index,
// the check of the scope header in probe.
//
// The gateway holds a stronger credential than its clients, so nothing between the evaluated
// request and the socket may print it anew: the bytes of [Request] go out as they are, with a Host,
// and a Content-Length or a Transfer-Encoding, and nothing else. There is no URL type, no header
// map, no redirect, no cookie, no proxy setting and no decompression in here.
//
// # Connections
//
// A connection carries one exchange at a time and belongs to one [Answer] until its body ended. It
// goes back to the pool only if the answer ended exactly as it was framed and not one byte was left
// over. Before it is used again it is looked at: an end or unsolicited bytes drop it, because they
// would be taken for the answer to another caller's request. Answers that were cut, ended by the
// close of the connection, came as HTTP/1.0 or before the request was sent are never followed by
// another request.
//
// # Failures
//
// Once a byte was written a failure is final, but for one case: a request marked Repeatable is sent
// once more, on a fresh connection, if the connection had been used before and ended before one
// byte of answer. That is the race between an idle backend closing and us writing. Where no
// connection could be opened nothing was written, so another url is tried. Urls that fail again and
// again are left out for a while.
//
// # Names
//
// The host of a url is looked up every ten seconds in the background. New connections go to what
// the last answer named, and where that is dead it is looked up at once. Connections to an address
// that was not named for a minute end after their exchange, also those that are never idle. While
// DNS fails the known addresses stay in use, for as long as it takes.
//
// # Time
//
// Setting a deadline on every exchange costs more than all else that happens to a small one. So
// each connection has a [socket.Wait], and one goroutine breaks those that have waited too long.
// The time that a client takes is not counted against the backend.
//
// # Memory
//
// An exchange has one buffer of 8 KiB: the request is printed into it and the answer is read into
// it. It grows to 68 KiB for large heads. Bodies are read straight into the caller's memory. An
// idle connection holds no buffer.
package upstream
