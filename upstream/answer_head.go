package upstream

import (
	"bytes"
	"errors"
)

const (
	maxHead    = 64 << 10 // bytes of one head, its empty line included
	maxLines   = 200      // lines of one head, the status line included
	maxInterim = 8        // 1xx answers before the final one
)

var crlf = []byte("\r\n")

// Field is one header line. Both slices alias the answer's buffer until Close; the value has no
// white space around it.
type Field struct{ Name, Value []byte }

// framing is what the head says about the length of the body and the connection.
type framing struct {
	length  int64 // Content-Length, -1 if there is none
	chunked bool
	old     bool // HTTP/1.0
	close   bool // Connection: close
	keep    int  // seconds of Keep-Alive: timeout, -1 if there is none
}

// readHead reads the final answer's head. Interim answers are skipped, but few: each 1xx taken for
// the final one would shift every later answer to the wrong caller.
func (a *Answer) readHead() error {
	for range maxInterim + 1 {
		end, err := a.headEnd()
		if err != nil {
			return err
		}
		s := &a.stream
		f, err := a.parseHead(s.buf[:end])
		if err != nil {
			return err
		}
		if a.Status >= 200 {
			s.base, s.r = end, end
			s.src.settled()
			return a.frame(f)
		}
		if a.Status == 101 || f.length >= 0 || f.chunked {
			return errors.New("an interim answer that switches protocols or has a body")
		}
		s.w = copy(s.buf, s.buf[end:s.w])
		s.src.interim()
	}
	return errors.New("too many interim answers")
}

// headEnd reads until the whole head is in the buffer, at its beginning, and returns the head's
// length. Lines must end in CRLF: a reader that takes a bare LF sees other fields than one that
// does not.
func (a *Answer) headEnd() (int, error) {
	s := &a.stream
	line, scan := 0, 0
	for lines := 0; lines < maxLines+1; {
		i := bytes.IndexByte(s.buf[scan:s.w], '\n')
		if i < 0 {
			scan = s.w
			if err := a.moreHead(); err != nil {
				return 0, err
			}
			continue
		}
		i += scan
		if i == line || s.buf[i-1] != '\r' {
			return 0, errors.New("a line of the head that does not end in CRLF")
		}
		if i == line+1 {
			return i + 1, a.fitHead(i + 1)
		}
		line, scan = i+1, i+1
		lines++
	}
	return 0, errors.New("a head of too many lines")
}

// tlsAlert is the type of the record by which a TLS server answers what is no handshake (RFC 8446, 5.1).
const tlsAlert = 21

// moreHead reads once more. What does not begin as HTTP is refused at once: other protocols may
// wait for us to speak.
func (a *Answer) moreHead() error {
	const begin = "HTTP/1."
	s := &a.stream
	if n := min(s.w, len(begin)); string(s.buf[:n]) != begin[:n] {
		if s.w > 1 && s.buf[0] == tlsAlert && s.buf[1] == 3 {
			return errors.New("not HTTP but TLS: the backend's URL begins with https://")
		}
		return errors.New("not HTTP")
	}
	if s.w >= maxHead {
		return errors.New("a head that is too long")
	}
	if s.w == len(s.buf) {
		s.grow()
	}
	return s.fill()
}

// fitHead makes room for the body after the head, before anything aliases it.
func (a *Answer) fitHead(end int) error {
	if end > maxHead {
		return errors.New("a head that is too long")
	}
	if len(a.stream.buf)-end < minRoom {
		a.stream.grow()
	}
	return nil
}

// parseHead reads the lines of head, which all end in CRLF, into the answer.
func (a *Answer) parseHead(head []byte) (framing, error) {
	f := framing{length: -1, keep: -1}
	a.Fields = a.Fields[:0]
	line, head := cutLine(head)
	if err := a.parseStatus(line, &f); err != nil {
		return f, err
	}
	for {
		line, head = cutLine(head)
		if len(line) == 0 {
			return f, nil
		}
		field, err := parseField(line)
		if err == nil {
			err = f.note(field)
		}
		if err != nil {
			return f, err
		}
		a.Fields = append(a.Fields, field)
	}
}

// cutLine cuts the first line off b, which holds one that ends in CRLF.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// parseStatus reads `HTTP/1.x ddd reason`. The reason may be missing together with its space: it
// never meant anything.
func (a *Answer) parseStatus(line []byte, f *framing) error {
	const size = len("HTTP/1.1 200")
	if len(line) < size || string(line[:7]) != "HTTP/1." || line[7]|1 != '1' || line[8] != ' ' {
		return errors.New("not a status line of HTTP/1.1 or 1.0")
	}
	f.old = line[7] == '0' // its keep-alive was never defined for proxies
	a.Status = 0
	for _, c := range line[9:size] {
		if !isDigit(c) {
			return errors.New("a status that is no number")
		}
		a.Status = a.Status*10 + int(c-'0')
	}
	reason := line[size:]
	if a.Status < 100 || a.Status > 599 || len(reason) > 0 && reason[0] != ' ' || !isText(reason) {
		return errors.New("a status out of range or a bad reason")
	}
	return nil
}

// parseField reads `name: value`. White space before the colon or the name, which would fold the
// line into the one before, makes the name no token.
func parseField(line []byte) (Field, error) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || !isToken(line[:i]) {
		return Field{}, errors.New("a field whose name is no token")
	}
	value := trimSpace(line[i+1:])
	if !isText(value) {
		return Field{}, errors.New("a control byte in a field")
	}
	return Field{line[:i], value}, nil
}

// note takes down a field that concerns framing.
func (f *framing) note(field Field) error {
	switch len(field.Name) {
	case len("connection"):
		if isFold(field.Name, "connection") && hasElement(field.Value, "close") {
			f.close = true
		}
		if isFold(field.Name, "keep-alive") {
			f.noteKeepAlive(field.Value)
		}
	case len("content-length"):
		if isFold(field.Name, "content-length") {
			return f.noteLength(field.Value)
		}
	case len("transfer-encoding"):
		if isFold(field.Name, "transfer-encoding") {
			return f.noteCoding(field.Value)
		}
	}
	return nil
}

// noteKeepAlive takes the time of `timeout=5, max=100`. What cannot be read says nothing.
func (f *framing) noteKeepAlive(value []byte) {
	for more := true; more; {
		var member []byte
		member, value, more = bytes.Cut(value, []byte(","))
		name, number, _ := bytes.Cut(trimSpace(member), []byte("="))
		number = trimSpace(number)
		if !isFold(trimSpace(name), "timeout") || len(number) == 0 || len(number) > 9 {
			continue
		}
		seconds := 0
		for _, c := range number {
			if !isDigit(c) {
				return
			}
			seconds = seconds*10 + int(c-'0')
		}
		f.keep = seconds
	}
}

// noteLength takes one Content-Length. A second one is refused even if it is equal: it shows that
// two parties framed this message.
func (f *framing) noteLength(value []byte) error {
	if f.length >= 0 {
		return errors.New("two content-length")
	}
	// 18 digits fit an int64 whatever they are.
	if len(value) == 0 || len(value) > 18 {
		return errors.New("a content-length that is no length")
	}
	f.length = 0
	for _, c := range value {
		if !isDigit(c) {
			return errors.New("a content-length that is no length")
		}
		f.length = f.length*10 + int64(c-'0')
	}
	return nil
}

// noteCoding takes the one Transfer-Encoding that has a single meaning. A backend was not asked for
// any other (TE is not printed).
func (f *framing) noteCoding(value []byte) error {
	if f.chunked || !isFold(value, "chunked") {
		return errors.New("a transfer-encoding other than one chunked")
	}
	f.chunked = true
	return nil
}
