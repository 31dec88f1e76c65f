package survey

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
)

// The backend speaks TLS and was asked by http, or the other way round.
var (
	ErrTLS   = errors.New("the backend speaks TLS: its URL begins with https://")
	ErrPlain = errors.New("the backend speaks no TLS: its URL begins with http://")
)

// WantsTLS reports whether the backend at origin, an http URL, speaks TLS: what it answers to HTTP
// in the clear (a TLS alert, a 400 page, nothing) names no cause. Nothing is sent to it but the
// beginning of a handshake, and no certificate is trusted for it.
func WantsTLS(ctx context.Context, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" {
		return false
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	ctx, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the question is whether it is TLS, not whose
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// WantsPlain reports whether the backend at origin, an https URL, answers HTTP in the clear. Servers
// of TLS do that too, with a 400, which counts as no. It is asked for nothing, and without a key.
func WantsPlain(ctx context.Context, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" {
		return false
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	ctx, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	line := make([]byte, len("HTTP/1.1 400"))
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	if _, err := io.ReadFull(conn, line); err != nil {
		return false
	}
	return strings.HasPrefix(string(line), "HTTP/") && !strings.HasSuffix(string(line), " 400")
}
