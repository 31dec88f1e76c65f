package head

import "bytes"

// Limits of a head beside Config.MaxHeadBytes.
const (
	maxLines      = 100     // header lines
	maxLine       = 8 << 10 // bytes of one header line, without its CRLF
	maxEmptyLines = 2       // before the request line (RFC 9112 2.2 asks for one)
)

// scan is the search for the end of a head: how far it has come, so that no byte is looked at
// twice.
type scan struct {
	start int // of the request line: after the empty lines
	line  int // start of the line that is being read
	next  int // first byte that was not looked at
	empty int // empty lines before the request line
	lines int // complete lines, the request line among them; without those of cookies
}

// find continues the search in b, which holds everything since the end of the previous message, and
// returns the index after the head, or 0 if b does not hold all of it yet. Its faults come in
// stream order, each at the earliest byte that proves it, so that the verdict does not depend on
// how much has arrived.
func (s *scan) find(b []byte, limit int) (int, *Fault) {
	for {
		bound := s.bound(b, limit)
		window := b[:min(len(b), bound)]
		if s.lines == 0 && len(window) > s.line && !startsRequest(window[s.line]) {
			return 0, errRequestLine
		}
		i := bytes.IndexByte(window[s.next:], '\n')
		if i < 0 {
			return 0, s.pending(window, bound)
		}
		i += s.next
		if f := s.complete(window, i); f != nil {
			return 0, f
		}
		if i-1 == s.line && s.lines > 0 {
			return i + 1, nil
		}
		if f := s.count(window, i); f != nil {
			return 0, f
		}
	}
}

// startsRequest reports whether a request line, or an empty line before it, may begin with b. A TLS
// hello or a PROXY preamble is refused at its first byte instead of after a time-out.
func startsRequest(b byte) bool { return tokenByte[b] || b == '\r' || b == '\n' }

// bound returns the index by which the line that is being read has to have ended.
func (s *scan) bound(b []byte, limit int) int {
	if s.lines == 0 || isCookie(b[s.line:]) {
		return limit
	}
	return min(limit, s.line+maxLine+len("\r\n"))
}

// pending looks at the bytes of a line whose end has not arrived. A CR at the end waits for the
// byte after it.
func (s *scan) pending(window []byte, bound int) *Fault {
	seen := len(window)
	if seen > s.next && window[seen-1] == '\r' {
		seen--
	}
	if !textByte.allText(window[s.next:seen]) {
		return errControl
	}
	s.next = seen
	switch {
	case len(window) < bound:
		return nil
	case s.lines == 0:
		return errURITooLong
	case bound == s.line+maxLine+len("\r\n"):
		return errLineTooLong
	}
	return errTooLarge
}

// complete looks at the rest of the line that ends with the LF at i.
func (s *scan) complete(window []byte, i int) *Fault {
	if i == s.next {
		return errCRLF // pending leaves a CR unread, so there is none before this LF
	}
	switch last := window[i-1]; {
	case !textByte.allText(window[s.next : i-1]):
		return errControl
	case last == '\r':
		return nil
	case !textByte[last]:
		return errControl
	}
	return errCRLF
}

// count takes note of the line that ends with the LF at i, which is not the end of the head.
func (s *scan) count(window []byte, i int) *Fault {
	empty := i-1 == s.line
	cookie := s.lines > 0 && isCookie(window[s.line:])
	s.line, s.next = i+1, i+1
	switch {
	case empty:
		s.start = s.line
		s.empty++
	case !cookie:
		s.lines++
	}
	switch {
	case s.empty > maxEmptyLines:
		return errEmptyLines
	case s.lines > 1+maxLines:
		return errTooManyLines
	}
	return nil
}

// isCookie reports whether a line is one that is dropped unread: it is not counted, and only the
// bound of the whole head holds for it.
func isCookie(line []byte) bool {
	const name = "cookie:"
	return len(line) >= len(name) && line[0]|0x20 == 'c' && EqualFold(line[:len(name)], name)
}

// begun reports whether a byte of a request is among the first n: empty lines are none.
func (s *scan) begun(n int) bool { return s.lines > 0 || n > s.line }
