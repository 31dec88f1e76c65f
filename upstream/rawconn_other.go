//go:build !unix

package upstream

import "errors"

const (
	noWait   = 1
	peekOnly = 2
)

// receive cannot look without waiting here, so no connection counts as silent and each carries one
// exchange.
func (l *rawConn) receive(uintptr) { l.n, l.err = 0, errors.ErrUnsupported }

func (l *rawConn) bind() { l.receiveFn = l.receive }

// writeThenRead writes and reads in the ordinary way.
func (l *rawConn) writeThenRead(p []byte) (int, error) {
	out := l.out
	l.out = pieces{} // what was apart belongs to others
	if err := l.writeRest(&out); err != nil {
		return 0, err
	}
	return l.Conn.Read(p)
}
