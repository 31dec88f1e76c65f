package upstream

import (
	"bytes"
	"errors"
	"io"
)

const (
	// maxLine bounds a chunk's size line and a trailer line. It is less than minRoom.
	maxLine     = 1 << 10
	maxTrailers = 32
)

// chunkState is a place in a chunked body.
type chunkState uint8

const (
	chunkSize    chunkState = iota // a size line
	chunkData                      // rest bytes of data
	chunkEnd                       // the CRLF after the data
	chunkTrailer                   // a trailer line or the last, empty one
	chunkDone
)

// frame decides where the body ends (RFC 9112, 6.3), and refuses every head about which two readers
// could differ.
func (a *Answer) frame(f framing) error {
	a.keep = !f.close && !f.old
	if f.keep >= 0 && a.conn != nil {
		a.conn.keepFor(f.keep)
	}
	a.Length, a.rest, a.chunk, a.lines = 0, 0, chunkSize, 0
	switch {
	case f.chunked && f.length >= 0:
		return errors.New("content-length together with transfer-encoding")
	case f.chunked && f.old:
		return errors.New("transfer-encoding in HTTP/1.0")
	case a.Status == 204 || a.Status == 304:
		// What the fields announce must not come; if it does, it must not be taken for the next
		// answer.
		a.Framing = NoBody
		a.keep = a.keep && f.length <= 0 && !f.chunked
	case f.chunked:
		a.Framing, a.Length = ByChunks, -1
	case f.length >= 0:
		a.Framing, a.Length, a.rest = ByLength, f.length, f.length
	default:
		a.Framing, a.Length, a.keep = UntilClose, -1, false
	}
	return nil
}

// begin makes the body readable once the head is there and the request is written.
func (a *Answer) begin() {
	a.err, a.plain = nil, nil
	if a.Length == 0 {
		a.bodyEnded()
	}
}

// Read reads the body, unframed. It returns io.EOF only where the body ended as it was framed; a
// body that was cut is an *Error, io.ErrUnexpectedEOF among its causes.
func (a *Answer) Read(p []byte) (int, error) {
	if len(a.plain) > 0 {
		n := copy(p, a.plain)
		a.plain = a.plain[n:]
		return n, nil
	}
	if a.err != nil || len(p) == 0 {
		return 0, a.err
	}
	switch a.Framing {
	case ByLength:
		return a.readRest(p)
	case ByChunks:
		return a.readChunks(p)
	case UntilClose:
		return a.readAll(p)
	default:
		return 0, io.EOF
	}
}

// readRest reads a body of declared length. Its end is known without another read, so the
// connection is free before the caller has seen io.EOF.
func (a *Answer) readRest(p []byte) (int, error) {
	n, err := a.stream.read(p[:min(int64(len(p)), a.rest)])
	if err != nil {
		return 0, a.fail(err)
	}
	a.rest -= int64(n)
	if a.rest == 0 {
		a.bodyEnded()
	}
	return n, nil
}

// readAll reads until the connection ends. Only a clean end counts: what a reset or a missing TLS
// alert ended may be the half of it.
func (a *Answer) readAll(p []byte) (int, error) {
	n, err := a.stream.read(p)
	if err == io.EOF {
		a.bodyEnded()
		return 0, io.EOF
	}
	if err != nil {
		return 0, a.fail(err)
	}
	return n, nil
}

// readChunks reads data of one chunk. Whatever frames it is consumed in the buffer; the data may go
// past it.
func (a *Answer) readChunks(p []byte) (int, error) {
	for {
		more, err := a.unchunk()
		if err == nil && more {
			err = a.stream.fill()
		}
		switch {
		case err != nil:
			return 0, a.fail(err)
		case more:
			continue
		case a.chunk == chunkDone:
			a.bodyEnded()
			return 0, io.EOF
		}
		n, err := a.stream.read(p[:min(int64(len(p)), a.rest)])
		if err != nil {
			return 0, a.fail(err)
		}
		a.took(int64(n))
		return n, nil
	}
}

// took notes n bytes of the chunk's data as read.
func (a *Answer) took(n int64) {
	a.rest -= n
	if a.rest == 0 {
		a.chunk = chunkEnd
	}
}

// Buffered returns what is left of the body if all of it is in memory already, and with that ends
// the body: most answers are small and come in one piece, and are passed on without another read or
// copy. The bytes are valid until Close. If it returns false the body is still to be read.
func (a *Answer) Buffered() ([]byte, bool) {
	s := &a.stream
	switch {
	case a.err == io.EOF:
		rest := a.plain
		a.plain = nil
		return rest, true
	case a.err != nil:
		return nil, false
	case a.Framing == ByLength && int64(s.w-s.r) >= a.rest:
		body := s.buf[s.r : s.r+int(a.rest)]
		s.r += int(a.rest)
		a.bodyEnded()
		return body, true
	case a.Framing == ByChunks:
		return a.bufferedChunks()
	}
	return nil, false
}

// bufferedChunks moves the data of the chunks together where they are: the size lines between them
// only leave gaps, so nothing that is still to be read is overwritten.
func (a *Answer) bufferedChunks() ([]byte, bool) {
	s := &a.stream
	body := a.plain
	if len(body) == 0 {
		body = s.buf[s.r:s.r]
	}
	for {
		more, err := a.unchunk()
		n := int(min(a.rest, int64(s.w-s.r)))
		switch {
		case err != nil:
			a.plain = body
			a.fail(err)
			return nil, false
		case a.chunk == chunkDone:
			a.plain = nil
			a.bodyEnded()
			return body, true
		case more || n == 0:
			a.plain = body
			return nil, false
		}
		body = append(body, s.buf[s.r:s.r+n]...)
		s.r += n
		a.took(int64(n))
	}
}

// unchunk consumes what frames the chunks until data or the end of the body comes next. It reports
// whether the buffer must be filled before it can go on.
func (a *Answer) unchunk() (more bool, err error) {
	for a.chunk != chunkData && a.chunk != chunkDone {
		line, err := a.stream.line()
		if err != nil || line == nil {
			return true, err
		}
		if err := a.chunkLine(line); err != nil {
			return false, err
		}
	}
	return false, nil
}

// chunkLine consumes one line, which is given without its CRLF.
func (a *Answer) chunkLine(line []byte) error {
	switch a.chunk {
	case chunkSize:
		size, err := parseChunkSize(line)
		a.rest, a.chunk = size, chunkData
		if size == 0 {
			a.chunk = chunkTrailer
		}
		return err
	case chunkEnd:
		// Where a chunk is longer than its size, readers disagree about what follows.
		if len(line) > 0 {
			return errors.New("a chunk longer than its size")
		}
		a.chunk = chunkSize
		return nil
	default:
		return a.trailerLine(line)
	}
}

// trailerLine checks a trailer and drops it: it comes after everything was decided.
func (a *Answer) trailerLine(line []byte) error {
	if len(line) == 0 {
		a.chunk = chunkDone
		return nil
	}
	if a.lines++; a.lines > maxTrailers {
		return errors.New("too many trailers")
	}
	_, err := parseField(line)
	return err
}

// parseChunkSize reads a size line: up to 16 hex digits, then nothing or an extension. Signs, white
// space and 0x are what other readers stumble over.
func parseChunkSize(line []byte) (int64, error) {
	digits, ext := line, []byte(nil)
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		digits, ext = line[:i], line[i:]
	}
	if len(digits) == 0 || len(digits) > 16 || !isText(ext) {
		return 0, errors.New("a bad chunk size or extension")
	}
	var size uint64
	for _, c := range digits {
		d := hexDigit(c)
		if d > 15 {
			return 0, errors.New("a chunk size that is no hex number")
		}
		size = size<<4 | uint64(d)
	}
	if size>>63 != 0 {
		return 0, errors.New("a chunk size out of range")
	}
	return int64(size), nil
}

// hexDigit returns the value of a hex digit, more than 15 for any other byte.
func hexDigit(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// line takes the next line off the buffer, without its CRLF. It is nil if the buffer does not hold
// the whole line yet.
func (s *stream) line() ([]byte, error) {
	wait := s.buf[s.r:s.w]
	i := bytes.IndexByte(wait[:min(len(wait), maxLine)], '\n')
	switch {
	case i < 0 && len(wait) >= maxLine:
		return nil, errors.New("a line of the body that is too long")
	case i < 0:
		return nil, nil
	case i == 0 || wait[i-1] != '\r':
		return nil, errors.New("a line of the body that does not end in CRLF")
	}
	s.r += i + 1
	return wait[: i-1 : i-1], nil
}
