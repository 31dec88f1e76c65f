package sequences

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Player plays tests against one broker or gateway.
type Player struct {
	Dial func() (net.Conn, error)
	User string // user name of the player's CONNECTs, and of a test's that name nobody; empty: none

	// Exact demands every packet byte for byte. Otherwise a test that has to end in a disconnect is
	// good if it does, whatever comes before, and a successful CONNACK may have any properties.
	Exact bool

	// Patience is how long one packet may take. Zero: two seconds.
	Patience time.Duration
}

// Play plays one test. The error says what was different.
func (p *Player) Play(t Test) error {
	conn, err := p.Dial()
	if err != nil {
		return fmt.Errorf("cannot dial: %w", err)
	}
	defer conn.Close()
	c := client{Conn: conn, patience: p.patience()}
	if t.Connect {
		if err := c.connect(t.Version, "sequences", p.User); err != nil {
			return err
		}
	}
	ended, err := p.steps(&c, t)
	if err != nil {
		return err
	}
	if !ended {
		ended = c.ended()
	}
	if ended != t.Disconnect {
		return fmt.Errorf("connection ended: %v, want %v", ended, t.Disconnect)
	}
	return nil
}

func (p *Player) patience() time.Duration {
	if p.Patience == 0 {
		return 2 * time.Second
	}
	return p.Patience
}

// steps plays the steps and reports whether the connection ended among them.
func (p *Player) steps(c *client, t Test) (ended bool, err error) {
	for _, step := range t.Steps {
		switch step.Kind {
		case Send:
			if _, err := c.Write(withUser(step.Bytes, p.User)); err != nil {
				return true, nil
			}
		case Publish:
			if err := p.publish(step); err != nil {
				return false, fmt.Errorf("cannot publish: %w", err)
			}
		case Receive:
			got, err := c.packet()
			lenient := !p.Exact && (t.Disconnect || connacks(got, step.Bytes))
			switch {
			case err != nil && !errors.Is(err, errSilent):
				return true, nil
			case lenient:
			case err != nil:
				return false, fmt.Errorf("nothing came, want %x", step.Bytes)
			case !bytes.Equal(got, step.Bytes):
				return false, fmt.Errorf("got %x, want %x", got, step.Bytes)
			}
		}
	}
	return false, nil
}

// connacks reports whether both packets are a successful CONNACK with the same flags.
func connacks(got, want []byte) bool {
	head := func(p []byte) []byte {
		if _, size := binary.Uvarint(p[1:]); size > 0 {
			return p[1+size:]
		}
		return nil
	}
	if len(got) < 4 || len(want) < 4 || got[0] != 0x20 || want[0] != 0x20 {
		return false
	}
	g, w := head(got), head(want)
	return len(g) > 1 && len(w) > 1 && g[1] == 0 && bytes.Equal(g[:2], w[:2])
}

// publish sends one message by a connection of its own.
func (p *Player) publish(s Step) error {
	conn, err := p.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	c := client{Conn: conn, patience: p.patience()}
	if err := c.connect(4, "sequences-helper", p.User); err != nil {
		return err
	}
	body := appendText(nil, s.Topic)
	if s.QoS > 0 {
		body = append(body, 0, 1)
	}
	if err := c.send(0x30|s.QoS<<1, append(body, s.Payload...)); err != nil || s.QoS == 0 {
		return err
	}
	if _, err = c.packet(); err == nil && s.QoS == 2 {
		if err = c.send(0x62, []byte{0, 1}); err == nil {
			_, err = c.packet()
		}
	}
	return err
}

// client is the player's side of a connection.
type client struct {
	net.Conn
	patience time.Duration
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func (c *client) send(first byte, body []byte) error {
	packet := binary.AppendUvarint([]byte{first}, uint64(len(body)))
	_, err := c.Write(append(packet, body...))
	return err
}

// connect sends a plain CONNECT and expects to be let in.
func (c *client) connect(version byte, id, user string) error {
	name := "MQTT"
	if version == 3 {
		name = "MQIsdp"
	}
	flags := byte(0x02)
	if user != "" {
		flags |= 0x80
	}
	body := append(appendText(nil, name), version, flags, 0, 60)
	if version == 5 {
		body = append(body, 0)
	}
	body = appendText(body, id)
	if user != "" {
		body = appendText(body, user)
	}
	if err := c.send(0x10, body); err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	got, err := c.packet()
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	if !connacks(got, []byte{0x20, 2, 0, 0}) {
		return fmt.Errorf("cannot connect: got %x", got)
	}
	return nil
}

var errSilent = errors.New("nothing came in time")

// packet reads one packet.
func (c *client) packet() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return nil, err
	}
	packet := make([]byte, 1, 64)
	_, err := io.ReadFull(c, packet)
	length, shift := 0, 0
	for err == nil {
		var b [1]byte
		_, err = io.ReadFull(c, b[:])
		packet = append(packet, b[0])
		length |= int(b[0]&0x7f) << shift
		if shift += 7; b[0] < 0x80 {
			break
		}
	}
	if err == nil {
		body := make([]byte, length)
		_, err = io.ReadFull(c, body)
		packet = append(packet, body...)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil, errSilent
	}
	return packet, err
}

// ended reports whether the connection ends: a PINGREQ is not answered. What else comes is passed
// over.
func (c *client) ended() bool {
	if _, err := c.Write([]byte{0xc0, 0}); err != nil {
		return true
	}
	for {
		got, err := c.packet()
		if err != nil {
			return !errors.Is(err, errSilent)
		}
		if got[0] == 0xd0 {
			return false
		}
	}
}
