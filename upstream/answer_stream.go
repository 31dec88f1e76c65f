package upstream

import (
	"io"
	"sync"
)

const (
	// smallBuffer holds most answers whole, and so most are read at once: it is for requests under
	// way only. 16 KiB beside the head is what a page of rows often has.
	smallBuffer = 20 << 10
	// largeBuffer holds the largest head and still leaves room for the body after it.
	largeBuffer = maxHead + 2*minRoom
	// minRoom is kept free after a head, so that a line of the body always fits.
	minRoom = 2 << 10
)

// Arrays, not slices, are pooled: a pointer fits the pool's interface without being allocated.
// Other sizes are never taken back, so a giant cannot stay.
var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// getBuffer returns a buffer of at least n bytes with undefined content.
func getBuffer(n int) []byte {
	switch {
	case n <= smallBuffer:
		return smallBuffers.Get().(*[smallBuffer]byte)[:]
	case n <= largeBuffer:
		return largeBuffers.Get().(*[largeBuffer]byte)[:]
	default:
		return make([]byte, n)
	}
}

// putBuffer takes back what getBuffer returned, in its full length.
func putBuffer(b []byte) {
	switch len(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b))
	}
}

// source is where an answer comes from: a connection, which wants to know how far the answer is
// because each part has its own time.
type source interface {
	io.Reader
	interim() // a 1xx answer was read; the final one is still awaited
	settled() // the head was read; what follows is body
}

// stream is the buffer in front of a source. buf[:base] is the head, which the fields alias, and is
// never written again; buf[r:w] came and waits to be read.
type stream struct {
	src  source
	buf  []byte
	base int
	r, w int
}

// fill reads once into the free end of the buffer. The error is io.EOF or the source's.
func (s *stream) fill() error {
	switch {
	case s.r == s.w:
		s.r, s.w = s.base, s.base
	case s.w == len(s.buf):
		s.w = s.base + copy(s.buf[s.base:], s.buf[s.r:s.w])
		s.r = s.base
	}
	n, err := s.src.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	return err
}

// read returns bytes that wait, or else what the source has next: directly into p if p is as large
// as the buffer, which saves the copy of a large body.
func (s *stream) read(p []byte) (int, error) {
	if s.r == s.w {
		if len(p) >= len(s.buf)-s.base {
			return s.src.Read(p)
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.r:s.w])
	s.r += n
	return n, nil
}

// grow moves everything to a large buffer. Nothing may alias the old one.
func (s *stream) grow() {
	larger := getBuffer(largeBuffer)
	copy(larger, s.buf[:s.w])
	putBuffer(s.buf)
	s.buf = larger
}

// free gives the buffer back.
func (s *stream) free() {
	if s.buf != nil {
		putBuffer(s.buf)
	}
	*s = stream{}
}
