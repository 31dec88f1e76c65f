package load

import (
	"bytes"
	"errors"
)

// message is the framing of one answer.
type message struct {
	status int
	body   int // where the body begins
	length int // of head and body
}

// errFraming says that what came is no answer with a Content-Length. The bench asks for nothing
// that needs another framing.
var errFraming = errors.New("an answer without Content-Length, or none at all")

var (
	headEnd    = []byte("\r\n\r\n")
	lengthName = []byte("\r\ncontent-length:")
)

// parse reads the head that data begins with. A message of length 0 is not whole yet.
func parse(data []byte) (message, error) {
	end := bytes.Index(data, headEnd)
	if end < 0 {
		return message{}, nil
	}
	if end < 12 || data[8] != ' ' {
		return message{}, errFraming
	}
	m := message{status: digits(data[9:12]), body: end + len(headEnd)}
	n := contentLength(data[:end])
	if m.status == 204 || m.status == 304 {
		n = 0 // whatever the head says of a body (RFC 9112 6.3)
	}
	if n < 0 || m.status < 200 {
		return message{}, errFraming
	}
	if m.length = m.body + n; m.length > len(data) {
		m.length = 0
	}
	return m, nil
}

// contentLength returns the value of Content-Length, -1 without one.
func contentLength(head []byte) int {
	for at := bytes.IndexByte(head, '\r'); at >= 0; {
		line := head[at:]
		if len(line) > len(lengthName) && line[2]|0x20 == 'c' && line[len(lengthName)-1] == ':' && bytes.EqualFold(line[:len(lengthName)], lengthName) {
			value := bytes.TrimLeft(line[len(lengthName):], " ")
			end := bytes.IndexByte(value, '\r')
			if end < 0 {
				end = len(value)
			}
			return digits(value[:end])
		}
		next := bytes.IndexByte(line[1:], '\r')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return -1
}

// digits returns the number that b spells, -1 if it spells none of up to 9 digits.
func digits(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
