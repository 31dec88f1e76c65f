package upstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"aclgate/policy"
	"aclgate/upstream/share"
)

const (
	// maxInline is the longest body that is copied after its head and written with it.
	maxInline = 48 << 10
	// headRoom covers the fixed parts of a printed head: version, length, line ends.
	headRoom = 96
	// longTarget is the length from which on a target is written from where it is: a piece more to
	// write costs less than the copy.
	longTarget = 2 << 10
)

// Request is one request, printed but for its Host, hop marker and framing. Its slices are read until Do
// returns and never changed.
type Request struct {
	Method  string // capital letters; not HEAD or CONNECT
	Target  []byte // origin-form, begins with "/"; less the segment
	Segment policy.Segment
	Head    []byte // field lines, each ended by CRLF; no Host, Content-Length, Transfer-Encoding

	Body       []byte    // the whole body; or
	BodyReader io.Reader // the body as a stream, read by the goroutine that called Do
	BodyLength int64     // of the stream; -1: unknown, sent in chunks

	HasBody    bool // print a Content-Length even if it is 0: POST, PUT, PATCH
	Repeatable bool // a GET; counts only without a body

	// Holder is who the connection is for: it counts for the shares of that token and its accounts
	// (SPEC 2, Shares).
	Holder share.Holder

	// Confirm is asked once there is a connection, before the first byte is written, and before
	// each repeat: waiting for a connection takes time, in which a right may end. If it returns an
	// error nothing is sent, and Do fails with ErrWithdrawn. Nil: nobody is asked.
	Confirm func() error
}

// check reports what would make the request anything but one message. It is the last wall after the
// printer: a line end in the target or an empty line in the head would begin a second request, sent
// with the gateway's credential.
func (r *Request) check() error {
	switch {
	case !isMethod(r.Method):
		return errors.New("the method is none, or one whose answer is framed otherwise")
	case !isTarget(r.Target):
		return errors.New("the target holds a byte that ends it")
	case r.Segment.IDs.Len() > 0 && (r.Segment.At < 1 || r.Segment.At > len(r.Target)):
		return errors.New("the segment is outside of the target")
	case !isBlock(r.Head):
		return errors.New("the head is not a block of lines")
	case r.BodyReader != nil && (len(r.Body) > 0 || r.BodyLength < -1):
		return errors.New("the body is given twice or its length is none")
	}
	return nil
}

// isMethod refuses HEAD and CONNECT too: their answers have no body whatever the head says, and
// none of our routes has them.
func isMethod(method string) bool {
	if method == "HEAD" || method == "CONNECT" {
		return false
	}
	for _, c := range []byte(method) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return method != ""
}

// isTarget reports whether target is an origin-form of printable ASCII without a fragment.
func isTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	bad := uint64(0)
	rest := target
	for ; len(rest) >= 8; rest = rest[8:] {
		// Eight bytes at a time: the high bit of some byte is set where one is not below 0x7f,
		// below '!', or '#'. Borrows spill only into words that are bad already.
		word := binary.LittleEndian.Uint64(rest)
		hash := word ^ '#'*ones
		bad |= (word + ones) | word | (word-'!'*ones)&^word | (hash-ones)&^hash
	}
	for _, c := range rest {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return bad&highs == 0
}

// isBlock reports whether head is empty or lines without an empty one among them.
func isBlock(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	return bytes.HasSuffix(head, crlf) && !bytes.HasPrefix(head, crlf) &&
		!bytes.Contains(head, []byte("\r\n\r\n")) && !bytes.Contains(head, []byte("\n\n"))
}

// length returns the length of the body, -1 if it is not known.
func (r *Request) length() int64 {
	if r.BodyReader != nil {
		return r.BodyLength
	}
	return int64(len(r.Body))
}

// streamed reports whether the body is written piece by piece.
func (r *Request) streamed() bool {
	return r.BodyReader != nil && r.BodyLength != 0 || len(r.Body) > maxInline
}

// repeatable reports whether the request may be sent a second time.
func (r *Request) repeatable() bool {
	return r.Repeatable && r.Method == "GET" && r.length() == 0
}

// appendTarget prints the target with its segment.
func (r *Request) appendTarget(dst []byte) []byte {
	if r.Segment.IDs.Len() == 0 {
		return append(dst, r.Target...)
	}
	dst = append(dst, r.Target[:r.Segment.At]...)
	dst = append(dst, r.Segment.IDs.Bytes()...)
	return append(dst, r.Target[r.Segment.At:]...)
}

// headSize returns a bound of what appendHead appends.
func (r *Request) headSize(own string) int {
	return headRoom + len(r.Method) + len(r.Target) + r.Segment.IDs.Len() + len(own) + len(r.Head)
}

// appendHead prints the request up to and with the empty line. own is the lines of the endpoint:
// Host, and the hop marker.
func (r *Request) appendHead(dst []byte, own string) []byte {
	dst = append(append(dst, r.Method...), ' ')
	return r.appendFields(r.appendTarget(dst), own)
}

// appendFields prints what follows the target.
func (r *Request) appendFields(dst []byte, own string) []byte {
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = append(dst, own...)
	dst = append(dst, r.Head...)
	switch n := r.length(); {
	case n < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case n > 0 || r.HasBody:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// apart returns the length of the piece that is written from where it is: the segment, or a target
// that is long without one; 0: everything is copied.
func (r *Request) apart() int {
	switch {
	case r.Segment.IDs.Len() > 0:
		return r.Segment.IDs.Len()
	case len(r.Target) >= longTarget:
		return len(r.Target)
	}
	return 0
}

// pieces prints the whole request into dst, which must have room for it, but for what apart names.
func (r *Request) pieces(dst []byte, own string) pieces {
	if r.apart() == 0 {
		return pieces{2: append(r.appendHead(dst, own), r.Body...)}
	}
	long, rest := r.Segment.IDs.Bytes(), r.Target[r.Segment.At:]
	dst = append(append(dst, r.Method...), ' ')
	if len(long) == 0 {
		long, rest = r.Target, nil
	} else {
		dst = append(dst, r.Target[:r.Segment.At]...)
	}
	n := len(dst)
	dst = append(r.appendFields(append(dst, rest...), own), r.Body...)
	return pieces{dst[:n], long, dst[n:]}
}
