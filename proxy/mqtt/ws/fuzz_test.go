package ws

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// stub is the raw side of a connection: bytes come in pieces, and what is written is kept.
type stub struct {
	net.Conn
	in    []byte
	piece int
	out   bytes.Buffer
}

func (s *stub) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *stub) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *stub) SetWriteDeadline(time.Time) error { return nil }

// payloadOf is RFC 6455 5.2 once more, naively: the payload of binary messages up to what is refused,
// and how many pings were read whole. Of a last frame that is cut off it has what is there.
func payloadOf(b []byte) (payload []byte, pings int) {
	open := false // a message in fragments
	for len(b) >= 2 {
		fin, code, masked, n := b[0]&0x80 != 0, b[0]&0x0f, b[1]&0x80 != 0, uint64(b[1]&0x7f)
		reserved, at := b[0]&0x70 != 0, 2
		switch {
		case n == 126 && len(b) >= 4:
			n, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
		case n == 127 && len(b) >= 10:
			n, at = binary.BigEndian.Uint64(b[2:]), 10
		case n >= 126:
			return payload, pings
		}
		control := code >= 8
		if reserved || !masked || n>>63 != 0 || control && (!fin || n > 125) || code > 10 || code > 2 && code < 8 ||
			code == 0 && !open || (code == 1 || code == 2) && open || code == 1 || code == 8 || len(b) < at+4 {
			return payload, pings
		}
		mask, body := b[at:at+4], b[at+4:]
		whole := uint64(len(body)) >= n
		if whole {
			body, b = body[:n], body[n:]
		} else {
			b = nil
		}
		if control {
			if whole && code == 9 {
				pings++
			}
			continue
		}
		open = !fin
		for i, c := range body {
			payload = append(payload, c^mask[i%4])
		}
	}
	return payload, pings
}

// FuzzFrames reads any bytes as frames, in pieces of any size: what is handed on is the payload of
// binary messages up to the first fault, and nothing more; pings are answered; a length that is
// announced takes no memory.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		frame(0x82, "abc"), frame(0x02, "ab") + frame(0x89, "p") + frame(0x80, "c"), frame(0x81, "text"), frame(0x82, "a") + frame(0x88, "\x03\xe8") + frame(0x82, "b"),
		"\x82\x03abc", frame(0xc2, "rsv"), frame(0x80, "x"), frame(0x02, "a") + frame(0x82, "b"), "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04abc",
		"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04abc", frame(0x82, string(make([]byte, 70000))), frame(0x09, "x"), frame(0x8a, "pong"), "\x82\xfe\x00\x01\x00\x00\x00\x00a",
	} {
		f.Add([]byte(seed), uint8(3))
		f.Add([]byte(seed), uint8(255))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		raw := &stub{in: bytes.Clone(in), piece: int(piece) + 1}
		c := newConn(nil, raw, "")
		got, err := io.ReadAll(struct{ io.Reader }{c})
		want, pings := payloadOf(in)
		if !bytes.Equal(got, want) {
			t.Errorf("read %x (%v), want %x", got, err, want)
		}
		for range pings {
			if b := raw.out.Bytes(); len(b) < 2 || b[0] != 0x8a || len(raw.out.Next(2+int(b[1]))) < 2 {
				t.Fatalf("a ping has no answer: %x", b)
			}
		}
		if rest := raw.out.Bytes(); len(rest) > 0 && rest[0] != 0x88 {
			t.Errorf("said %x", rest)
		}
	})
}
