package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// Kinds of failure, for errors.Is. An error of [Transport.Do] or [Answer.Read] is exactly one of
// them. ErrDial, ErrBroken and ErrTimeout are due to the backend, ErrBusy is a lack of connections,
// the others come from the caller.
var (
	// ErrDial says that no connection could be opened; nothing was sent.
	ErrDial = errors.New("cannot connect")
	// ErrBroken says that the connection ended or that what came is no HTTP answer. The backend may
	// have acted on the request.
	ErrBroken = errors.New("no valid answer")
	// ErrTimeout says that the backend was too slow, also in accepting the connection.
	ErrTimeout = errors.New("timed out")
	// ErrBusy says that every connection is in use and the queue is full or did not move, that this
	// machine has no socket left, or that the transport is closed.
	ErrBusy = errors.New("no connection free")
	// ErrCanceled says that Answer.Cancel or Transport.Close was called.
	ErrCanceled = errors.New("canceled")
	// ErrBody says that Request.BodyReader failed or ended too soon; its error is wrapped.
	ErrBody = errors.New("cannot read the request body")
	// ErrWithdrawn says that Request.Confirm took the request back; its error is wrapped. Nothing was
	// sent.
	ErrWithdrawn = errors.New("withdrawn before it was sent")
	// ErrRequest says that the request given is no single well-formed message. It is a mistake of
	// the caller's printer and nothing was sent.
	ErrRequest = errors.New("request is not well-formed")
)

// Error is what Do and Read fail with. Its text is for logs: it names the url, never a byte of the
// request or of the answer. So the causes that the transport finds itself have constant texts.
type Error struct {
	URL   string // of the backend; empty if none was chosen
	Kind  error  // one of the kinds above
	Cause error  // what happened; may be nil
}

// Error returns kind, url and cause.
func (e *Error) Error() string {
	text := "upstream"
	if e.URL != "" {
		text += " " + e.URL
	}
	text += ": " + e.Kind.Error()
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns kind and cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// uncut returns err as a cause: an end where none was due must never look like io.EOF, which
// callers take for the good end of a body.
func uncut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// dialKind tells why a connection could not be opened. Without ports or descriptors every url fails
// alike, and that says nothing about any of them.
func dialKind(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return ErrBusy
	case errors.Is(err, context.Canceled):
		return ErrCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ErrTimeout
	default:
		return ErrDial
	}
}
