//go:build !unix

package upstream

import "errors"

const (
	noWait   = 1
	peekOnly = 2
)

// recv cannot look without waiting here, so no connection counts as silent and each
// carries one exchange.
func (l *link) recv(uintptr) { l.n, l.err = 0, errors.ErrUnsupported }

func (l *link) bind() { l.receive = l.recv }

// ask writes and reads in the ordinary way.
func (l *link) ask(p []byte) (int, error) {
	out := l.out
	l.out = pieces{} // what was apart belongs to others
	if err := l.put(&out); err != nil {
		return 0, err
	}
	return l.Conn.Read(p)
}
