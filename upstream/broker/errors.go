package broker

import (
	"context"
	"errors"
	"io"
	"net"

	"aclgate/proxy/mqtt/wire"
)

// Kinds of failure, for errors.Is. An *Error is exactly one of them.
var (
	// ErrDown says that no connection could be opened.
	ErrDown = errors.New("cannot connect")
	// ErrSlow says that the broker was too slow: in accepting the connection, in its handshake, in
	// answering CONNECT or PINGREQ, or in taking what was written.
	ErrSlow = errors.New("timed out")
	// ErrCredential says that the broker refuses the credential, or what it may do.
	ErrCredential = errors.New("the broker refuses the credential")
	// ErrRefused says that the broker refuses the connection for another reason.
	ErrRefused = errors.New("the broker refuses the connection")
	// ErrVersion says that the broker does not speak MQTT 5.
	ErrVersion = errors.New("the broker does not speak MQTT 5")
	// ErrBroken says that the connection ended, or that what came is not MQTT.
	ErrBroken = errors.New("the connection is broken")
	// ErrCanceled says that the caller does not want the connection any more.
	ErrCanceled = errors.New("canceled")
)

// Error is what Connect and the methods of Conn fail with. Its text is for logs: it names the url,
// and no credential, client id or topic.
type Error struct {
	URL   string
	Kind  error       // one of the kinds above
	Code  wire.Reason // with which the broker refused the connection; Success: it did not
	Cause error       // what happened; may be nil
}

// Error returns kind, url and cause.
func (e *Error) Error() string {
	text := "broker " + e.URL + ": " + e.Kind.Error()
	if e.Code != wire.Success {
		text += " with code " + e.Code.String()
	}
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

// fail makes an error of what happened while dialling, or on an open connection.
func (b *Broker) fail(err error, otherwise error) error {
	var timeout net.Error
	kind := otherwise
	switch {
	case errors.Is(err, context.Canceled):
		kind = ErrCanceled
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		kind = ErrSlow
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // never to be taken for a good end
	}
	return &Error{URL: b.url, Kind: kind, Cause: err}
}

// refused makes an error of a CONNACK.
func (b *Broker) refused(code wire.Reason) error {
	kind := ErrRefused
	switch code {
	case wire.BadUserNameOrPassword, wire.NotAuthorized, wire.Banned, wire.BadAuthMethod:
		kind = ErrCredential
	case wire.UnsupportedVersion:
		kind = ErrVersion
	}
	return &Error{URL: b.url, Kind: kind, Code: code}
}

// refused311 makes an error of a CONNACK of MQTT 3.x, by its return code.
func (b *Broker) refused311(code wire.Reason) error {
	kind := ErrVersion
	if code == 4 || code == 5 {
		kind = ErrCredential
	}
	return &Error{URL: b.url, Kind: kind, Code: code, Cause: errors.New("it answers in MQTT 3.1.1")}
}
