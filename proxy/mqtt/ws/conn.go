package ws

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"aclgate/proxy/head"
)

// readBuffer is what a connection reads ahead, in bytes.
const readBuffer = 2 << 10

// closeTime is how long a close frame may take.
const closeTime = time.Second

// ErrFrame says that a frame is not one that may be sent here. The client was told.
var ErrFrame = errors.New("ws: a frame that breaks the protocol")

// Conn is a WebSocket connection that reads and writes the bytes of MQTT: payload of binary frames.
// One goroutine reads; any number may write, and each Write is one frame.
type Conn struct {
	net.Conn        // for addresses and deadlines: Read, Write and Close are below
	Origin   string // of the page that opened it; empty: of none
	owner    *head.Conn

	r      *bufio.Reader
	state  ws.State
	left   int64 // bytes of the present data frame that were not read
	mask   [4]byte
	masked int      // bytes of the present data frame that were read: where in the mask the next one is
	err    error    // what every further Read says
	scrap  [14]byte // of the header that is being read

	mu     sync.Mutex // guards what follows
	out    []byte
	closed bool // a close frame was sent
}

func newConn(owner *head.Conn, raw net.Conn, origin string) *Conn {
	return &Conn{Conn: raw, Origin: origin, owner: owner, r: bufio.NewReaderSize(raw, readBuffer), state: ws.StateServerSide}
}

// Read reads payload. Control frames among it are answered. After the client's close frame it
// returns io.EOF; a connection that ends without one does so in the same way.
func (c *Conn) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	ws.Cipher(p[:n], c.mask, c.masked)
	c.masked += n
	c.left -= int64(n)
	return n, err
}

// next reads the next header, and all of the frame if it is a control frame.
func (c *Conn) next() error {
	h, err := ws.ReadHeaderBuffer(c.r, c.scrap[:0:len(c.scrap)])
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected):
		return c.fail(ws.StatusProtocolError)
	case err != nil:
		return err
	}
	if ws.CheckHeader(h, c.state) != nil {
		return c.fail(ws.StatusProtocolError)
	}
	switch h.OpCode {
	case ws.OpText:
		return c.fail(ws.StatusUnsupportedData)
	case ws.OpBinary, ws.OpContinuation:
		c.left, c.mask, c.masked = h.Length, h.Mask, 0
		if c.state = c.state.Clear(ws.StateFragmented); !h.Fin {
			c.state = c.state.Set(ws.StateFragmented)
		}
		return nil
	}
	return c.control(h)
}

// control answers a control frame.
func (c *Conn) control(h ws.Header) error {
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return c.frame(ws.OpPong, payload)
	case ws.OpClose:
		code := ws.StatusNormalClosure
		if len(payload) > 0 {
			if len(payload) < 2 || ws.CheckCloseFrameData(ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])) != nil {
				return c.fail(ws.StatusProtocolError)
			}
			code = ws.StatusCode(binary.BigEndian.Uint16(payload))
		}
		c.sayClose(code)
		return io.EOF
	}
	return nil // a pong that nobody asked for
}

// fail tells the client what is wrong and ends reading.
func (c *Conn) fail(code ws.StatusCode) error {
	c.sayClose(code)
	return ErrFrame
}

// Write sends p in one binary frame.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.frame(ws.OpBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// keptBuffer is how much memory for writing a connection keeps, in bytes.
const keptBuffer = 4 << 10

// frame writes a frame in one piece, so that it is no two packets of TCP or records of TLS.
func (c *Conn) frame(code ws.OpCode, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = code == ws.OpClose
	buffer := bytes.NewBuffer(c.out[:0])
	_ = ws.WriteHeader(buffer, ws.Header{Fin: true, OpCode: code, Length: int64(len(payload))})
	out := append(buffer.Bytes(), payload...)
	if c.out = out[:0]; cap(out) > keptBuffer {
		c.out = nil
	}
	_, err := c.Conn.Write(out)
	return err
}

// sayClose sends a close frame, once, to a client that takes it.
func (c *Conn) sayClose(code ws.StatusCode) {
	c.SetWriteDeadline(time.Now().Add(closeTime))
	_ = c.frame(ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
}

// Close says so to the client, unless it was said, and ends the connection.
func (c *Conn) Close() error {
	c.sayClose(ws.StatusNormalClosure)
	return c.owner.Close()
}
