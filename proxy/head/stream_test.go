package head

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/upstream/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stillPace has the sweep do nothing: what these tests play has no time in it.
var stillPace = pace{gone: time.Hour, drain: time.Hour}

// noListener is a net.Listener that never accepts.
type noListener struct{ closed chan struct{} }

func (l noListener) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l noListener) Close() error              { close(l.closed); return nil }
func (l noListener) Addr() net.Addr            { return &net.TCPAddr{} }

func quietListener(t testing.TB, config Config) *Listener {
	t.Helper()
	l := newListener(noListener{make(chan struct{})}, config, stillPace, socket.NewClock())
	t.Cleanup(func() { l.Close(); l.CloseConns(); l.Wait() })
	return l
}

// script is a connection that yields a stream in pieces, the sizes of which cut returns, and then
// its end.
type script struct {
	stream string
	cut    func() int
	sent   strings.Builder
}

func (s *script) Read(p []byte) (int, error) {
	if s.stream == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), max(s.cut(), 1))], s.stream)
	s.stream = s.stream[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.sent.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

func whole() int    { return 1 << 30 }
func bytewise() int { return 1 }

// play serves a stream as the server above does and writes down what it saw: one line per request
// and one per body.
func play(l *Listener, stream string, cut func() int) []string {
	c := l.wrap(&script{stream: stream, cut: cut})
	var seen []string
	for {
		if !c.Next() {
			return append(seen, "end")
		}
		h := c.Head()
		if h.Fault != nil {
			seen = append(seen, fmt.Sprint(h.Fault.Status, " ", h.Fault.Reason))
		} else {
			seen = append(seen, show(h))
			body, err := io.ReadAll(bodyOf{c})
			seen = append(seen, fmt.Sprintf("%q %v", body, err))
		}
		if c.MustClose() {
			return append(seen, "close")
		}
	}
}

// show prints everything that a handler can see of a head.
func show(h *Head) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s 1.0=%v close=%v expect=%v length=%d/%v host=%q auth=%q cid=%q type=%q coding=%q origin=%q", h.Method, h.Target,
		h.HTTP10, h.Close, h.Expect, h.Length, h.HasLength, h.Host, h.Authorization, h.CID, h.ContentType, h.ContentEncoding, h.Origin)
	for _, f := range h.Fields {
		fmt.Fprintf(&b, " %q:%q", f.Name, f.Value)
	}
	return b.String()
}

// bodyOf reads the body of a connection as an io.Reader.
type bodyOf struct{ c *Conn }

func (b bodyOf) Read(p []byte) (int, error) { return b.c.ReadBody(p) }

// verdicts plays a stream and reduces each request to its status, or "ok" with its body.
func verdicts(l *Listener, stream string) string {
	var short []string
	for _, line := range play(l, stream, whole) {
		switch {
		case len(line) > 4 && line[3] == ' ' && line[0] == '4', strings.HasPrefix(line, "505 "):
			line = line[:3]
		case strings.Contains(line, " 1.0="):
			line, _, _ = strings.Cut(line, " 1.0=")
		}
		short = append(short, line)
	}
	return strings.Join(short, " | ")
}
