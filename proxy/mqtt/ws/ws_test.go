package ws

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/proxy/head"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// upgrade is the head of RFC 6455 1.2, with MQTT's subprotocol.
const upgrade = "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

// serve runs f for the connections of a listener whose upgrades are good, and returns a dialler.
func serve(t *testing.T, f func(*Conn)) func(first string) (net.Conn, *bufio.Reader) {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := head.NewListener(raw, head.Config{Read: 5 * time.Second})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c := c.(*head.Conn)
				if !c.Next() {
					c.Close()
					return
				}
				w, err := Open(c)
				if err != nil {
					c.Close()
					return
				}
				f(w)
				w.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		l.Wait()
	})
	return func(first string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, first)
		return c, bufio.NewReader(c)
	}
}

func echo(c *Conn) { _, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) }

// readHead reads the head of an answer.
func readHead(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			t.Fatalf("after %q: %v", b.String(), err)
		}
	}
	return b.String()
}

// frame prints a client's frame by hand: first byte, then a masked payload.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{1, 2, 3, 4}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// readFrame reads a server's frame by hand.
func readFrame(r *bufio.Reader) (first byte, payload string, err error) {
	var h [2]byte
	if _, err = io.ReadFull(r, h[:]); err != nil {
		return 0, "", err
	}
	n := int(h[1])
	if n == 126 {
		var l [2]byte
		_, err = io.ReadFull(r, l[:])
		n = int(binary.BigEndian.Uint16(l[:]))
	}
	b := make([]byte, n)
	if err == nil {
		_, err = io.ReadFull(r, b)
	}
	return h[0], string(b), err
}

// TestUpgrade: the answer is that of RFC 6455, and no extension is taken.
func TestUpgrade(t *testing.T) {
	dial := serve(t, echo)
	_, r := dial(upgrade)
	got := readHead(t, r)
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRefusals: what is no good upgrade gets an answer of HTTP and the end of the connection.
func TestRefusals(t *testing.T) {
	dial := serve(t, func(c *Conn) { t.Error("an upgrade was taken") })
	edit := func(old, replacement string) string {
		if !strings.Contains(upgrade, old) {
			t.Fatalf("no %q to replace", old)
		}
		return strings.Replace(upgrade, old, replacement, 1)
	}
	for name, row := range map[string]struct {
		head string
		want int
	}{
		"no upgrade":          {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 426},
		"POST":                {edit("GET", "POST"), 405},
		"another path":        {edit("/mqtt HTTP", "/gw/devices/all HTTP"), 404},
		"HTTP/1.0":            {edit("HTTP/1.1", "HTTP/1.0"), 426},
		"another upgrade":     {edit("websocket", "h2c"), 426},
		"not in Connection":   {edit("keep-alive, Upgrade", "keep-alive"), 426},
		"version 8":           {edit("Version: 13", "Version: 8"), 426},
		"two versions":        {edit("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n"), 400},
		"short key":           {edit("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400},
		"no key":              {edit("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400},
		"two keys":            {edit("Sec-WebSocket-Version", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version"), 400},
		"no subprotocol":      {edit("Sec-WebSocket-Protocol: mqtt\r\n", ""), 400},
		"another subprotocol": {edit("Protocol: mqtt", "Protocol: chat, mqttx"), 400},
		"a body":              {edit("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), 400},
		"bytes before":        {upgrade + frame(0x82, "x"), 400},
		"bare LF":             {strings.ReplaceAll(upgrade, "\r\n", "\n"), 400},
		"no host":             {edit("Host: h\r\n", ""), 400},
	} {
		_, r := dial(row.head)
		got := readHead(t, r)
		if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", row.want)) || !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("%s: got %q, want %d", name, got, row.want)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: the connection does not end: %v", name, err)
		}
	}
}

// TestOffers: the subprotocol is one of the client's list, over several lines too.
func TestOffers(t *testing.T) {
	dial := serve(t, echo)
	for offer, want := range map[string]string{
		"mqttv3.1":                                "mqttv3.1",
		"chat,mqttv3.1 , mqtt":                    "mqtt",
		"chat\r\nSec-WebSocket-Protocol: MQTT":    "mqtt",
		"mqttv3.1\r\nSec-WebSocket-Protocol: foo": "mqttv3.1",
	} {
		_, r := dial(strings.Replace(upgrade, "Protocol: mqtt", "Protocol: "+offer, 1))
		if got := readHead(t, r); !strings.Contains(got, "\r\nSec-WebSocket-Protocol: "+want+"\r\n") {
			t.Errorf("%q: got %q, want %s", offer, got, want)
		}
	}
}

// TestEcho: bytes pass however they are cut into frames and writes, with control frames among them.
func TestEcho(t *testing.T) {
	dial := serve(t, echo)
	long := strings.Repeat("0123456789", 20_000)
	for name, sent := range map[string]string{
		"one frame":   frame(0x82, long),
		"fragments":   frame(0x02, long[:100]) + frame(0x00, "") + frame(0x00, long[100:40_000]) + frame(0x80, long[40_000:]),
		"two frames":  frame(0x82, long[:1]) + frame(0x82, "") + frame(0x82, long[1:]),
		"with a ping": frame(0x02, long[:7]) + frame(0x89, "hello") + frame(0x80, long[7:]),
		"with a pong": frame(0x8a, "") + frame(0x82, long),
	} {
		for _, piece := range []int{1 << 20, 1000, 3} {
			c, r := dial(upgrade)
			readHead(t, r)
			go func() {
				for rest := sent; rest != ""; {
					n := min(piece, len(rest))
					if _, err := io.WriteString(c, rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}()
			var got bytes.Buffer
			pongs := 0
			for got.Len() < len(long) {
				first, payload, err := readFrame(r)
				if err != nil {
					t.Fatalf("%s in pieces of %d: %v after %d bytes", name, piece, err, got.Len())
				}
				switch first {
				case 0x82:
					got.WriteString(payload)
				case 0x8a:
					if pongs++; payload != "hello" {
						t.Errorf("%s: pong %q", name, payload)
					}
				default:
					t.Fatalf("%s: frame %#x %q", name, first, payload)
				}
			}
			if got.String() != long || pongs != strings.Count(name, "ping") {
				t.Errorf("%s in pieces of %d: the bytes are others, or %d pongs", name, piece, pongs)
			}
			if piece == 3 {
				break
			}
		}
	}
}

// TestFrames: what may not be sent ends the connection with a code that says so, and what stands
// before it was read.
func TestFrames(t *testing.T) {
	read := make(chan string, 1)
	dial := serve(t, func(c *Conn) {
		b, err := io.ReadAll(struct{ io.Reader }{c})
		read <- fmt.Sprintf("%s %v", b, errors.Is(err, ErrFrame))
	})
	const good = "x false"
	for name, row := range map[string]struct {
		sent string
		code uint16
		read string
	}{
		"text":                      {frame(0x81, "a"), 1003, "x true"},
		"unmasked":                  {"\x82\x01a", 1002, "x true"},
		"reserved bit":              {frame(0xc2, "a"), 1002, "x true"},
		"reserved code":             {frame(0x83, "a"), 1002, "x true"},
		"continuation of nothing":   {frame(0x80, "a"), 1002, "x true"},
		"a frame among fragments":   {frame(0x02, "") + frame(0x82, "a"), 1002, "x true"},
		"a ping in fragments":       {frame(0x09, "a"), 1002, "x true"},
		"a ping too long":           {frame(0x89, strings.Repeat("a", 126)), 1002, "x true"},
		"a length below zero":       {"\x82\xff" + strings.Repeat("\xff", 12), 1002, "x true"},
		"close":                     {frame(0x88, ""), 1000, good},
		"close with a code":         {frame(0x88, "\x03\xe9bye"), 1001, good},
		"close with half a code":    {frame(0x88, "\x03"), 1002, "x true"},
		"close with a reserved one": {frame(0x88, "\x03\xed"), 1002, "x true"},
		"close with bad text":       {frame(0x88, "\x03\xe8\xff"), 1002, "x true"},
	} {
		c, r := dial(upgrade)
		readHead(t, r)
		io.WriteString(c, frame(0x82, "x")+row.sent)
		first, payload, err := readFrame(r)
		if err != nil || first != 0x88 || len(payload) != 2 || binary.BigEndian.Uint16([]byte(payload)) != row.code {
			t.Errorf("%s: got %#x %x, %v, want close %d", name, first, payload, err, row.code)
		}
		if got := <-read; got != row.read {
			t.Errorf("%s: read %q, want %q", name, got, row.read)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: the connection does not end: %v", name, err)
		}
	}
}
