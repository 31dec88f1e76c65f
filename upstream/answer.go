package upstream

import (
	"io"
	"sync"
)

// Framing is how an answer says where its body ends.
type Framing uint8

// The ways to end a body.
const (
	NoBody     Framing = iota // 204 and 304, whatever their fields say
	ByLength                  // Content-Length
	ByChunks                  // Transfer-Encoding: chunked
	UntilClose                // neither: the end of the connection is the end of the body
)

// Answer is the answer to one request. The zero value is ready for Do; an Answer can be used again
// after Close, and must not be copied. Status, Fields, Length and Framing are set by a successful
// Do; the fields, and what Buffered returns, alias a buffer that Close gives back.
//
// One goroutine uses an Answer. Only Cancel may be called by others.
type Answer struct {
	Status  int     // 200 to 599
	Fields  []Field // in the order they came, framing and hop-by-hop fields included
	Length  int64   // of the body; 0 with NoBody, -1 with ByChunks and UntilClose
	Framing Framing

	stream stream
	rest   int64      // bytes of the body, or of the chunk, still to come
	chunk  chunkState // what comes next in a chunked body
	lines  int        // trailer lines read
	plain  []byte     // unframed ahead by Buffered, not yet read
	err    error      // how the body ended; io.EOF: well
	keep   bool       // the connection may carry another exchange once the body ended
	stale  bool       // the exchange failed in the one way that may be repeated
	unsent bool       // no connection could be opened, so another url may be tried
	fresh  bool       // the request is being repeated: used connections will not do

	conn *conn  // nil once it was given back or dropped
	url  string // of the backend

	mu       sync.Mutex // guards what Cancel shares with the owner
	busy     interrupter
	canceled bool
}

// interrupter is what a request can be stuck in: waiting for a connection, dialing, or using one.
type interrupter interface{ interrupt() }

// Cancel makes the Do or Read in progress, and every later one until Reset, fail with ErrCanceled.
// It does not block and may be called from any goroutine at any time.
func (a *Answer) Cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.canceled = true
	if a.busy != nil {
		a.busy.interrupt()
	}
}

// Reset closes the answer and forgets a Cancel. Nobody may call Cancel meanwhile: it would hit the
// next request.
func (a *Answer) Reset() {
	a.Close()
	a.mu.Lock()
	a.canceled = false
	a.mu.Unlock()
}

// URL returns the url of the backend that was asked last.
func (a *Answer) URL() string { return a.url }

// Fill makes an answer out of memory, for a backend that is no Transport.
func (a *Answer) Fill(status int, body []byte) {
	a.Close()
	a.Status, a.plain, a.err = status, body, io.EOF
}

// attach names what Cancel has to interrupt, and reports false if it came before.
func (a *Answer) attach(x interrupter) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.canceled {
		return false
	}
	a.busy = x
	return true
}

// detach says that there is nothing to interrupt. From here on a Cancel is only noted: the
// connection may belong to another request the next moment.
func (a *Answer) detach() {
	a.mu.Lock()
	a.busy = nil
	a.mu.Unlock()
}

// use takes the connection for this answer.
func (a *Answer) use(c *conn) {
	a.conn, a.url = c, c.pool.url
	a.stream.src = c
}

// Close ends the use of the answer. The connection goes back to the pool if the body was read to
// its end, or what is left of it is already here; else it is dropped, because the rest of this
// answer would become the beginning of the next. It always returns nil.
func (a *Answer) Close() error {
	if a.conn != nil {
		a.Buffered()
	}
	if a.conn != nil {
		a.releaseConn(false)
	}
	a.clear()
	a.err = io.ErrClosedPipe
	return nil
}

// clear gives the buffer back and everything that aliases it up.
func (a *Answer) clear() {
	a.stream.free()
	a.Status, a.Fields, a.plain = 0, a.Fields[:0], nil
}

// releaseConn parts with the connection, at once when the body has ended: a client that reads
// slowly does not hold it. Unsolicited bytes after the body close it.
func (a *Answer) releaseConn(clean bool) {
	c := a.conn
	a.conn = nil
	a.stream.src = nil
	a.detach()
	if clean && a.keep && a.stream.r == a.stream.w {
		c.pool.release(c)
	} else {
		c.pool.closeInUse(c)
	}
}

// bodyEnded notes the good end of the body.
func (a *Answer) bodyEnded() {
	a.err = io.EOF
	if a.conn != nil {
		a.releaseConn(true)
	}
}

// fail notes the bad end of the exchange and returns it as an *Error.
func (a *Answer) fail(err error) error {
	kind := ErrBroken
	if a.conn != nil {
		kind = a.conn.kind()
		a.releaseConn(false)
	}
	if body, ok := err.(*bodyError); ok {
		kind, err = ErrBody, body.cause
	}
	return a.setError(kind, err)
}

// setError notes a failure of a kind.
func (a *Answer) setError(kind, cause error) error {
	a.err = &Error{URL: a.url, Kind: kind, Cause: uncut(cause)}
	return a.err
}
