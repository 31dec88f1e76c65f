package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"aclgate/config/tlsfiles"
	"aclgate/proxy/mqtt/wire"
)

// Connect opens a connection for a session: c has what the client asked for, as far as the broker
// shall know it. Version and credential are set here; key is the caller's, which is the credential
// if the gateway has none of its own. The answer is in Conn.Connack. c is not kept.
func (b *Broker) Connect(ctx context.Context, c *wire.Connect, key string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Dial)
	defer cancel()
	raw, err := b.dial(ctx)
	if err != nil {
		return nil, b.fail(err, ErrDown)
	}
	// A caller that gives up ends the wait for CONNACK, as the deadline does.
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	conn := newConn(b, raw, c.KeepAlive)
	if err = conn.introduce(c, key); err == nil {
		err = conn.welcome()
	}
	if !stop() {
		err = b.fail(ctx.Err(), ErrBroken)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

func (b *Broker) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", b.address)
	if err != nil || b.files == nil {
		return raw, err
	}
	config := b.files.Config().Clone()
	config.ServerName, config.NextProtos = b.host, nil
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, tlsfiles.Explain(err, "mqtt.upstream.tls.ca_file")
	}
	return secure, nil
}

// introduce sends CONNECT.
func (c *Conn) introduce(asked *wire.Connect, key string) error {
	own := *asked
	own.Version = wire.V5
	if c.broker.options.Credential != nil {
		key = c.broker.options.Credential()
	}
	own.HasUser, own.User = true, []byte(key)
	own.HasPass, own.Password = false, nil
	if c.broker.name != "" {
		own.User = []byte(c.broker.name)
		own.HasPass, own.Password = true, []byte(key)
	}
	own.Properties.Delete(wire.AuthMethod)
	own.Properties.Delete(wire.AuthData)
	own.Properties.Delete(wire.AliasMaximum) // the broker is offered no aliases
	own.Properties.SetNum(wire.MaximumPacket, uint32(c.broker.options.MaxPacket))
	packet, err := own.Append(nil, wire.V5)
	if err != nil {
		return err
	}
	if _, err := c.raw.Write(packet); err != nil {
		return c.broker.fail(err, ErrBroken)
	}
	return nil
}

// welcome reads CONNACK.
func (c *Conn) welcome() error {
	f, err := c.reader.Next()
	switch {
	case err != nil:
		return c.broker.fail(err, ErrBroken)
	case f.Type != wire.CONNACK:
		return &Error{URL: c.broker.url, Kind: ErrBroken, Cause: errors.New("the answer to CONNECT is another packet")}
	}
	if f.Size() == connack311 {
		f.Version = wire.V311
	}
	if err := c.Connack.Parse(f); err != nil {
		return c.broker.fail(err, ErrBroken)
	}
	switch {
	case f.Version == wire.V311:
		return c.broker.refused311(c.Connack.Code)
	case c.Connack.Code != wire.Success:
		return c.broker.refused(c.Connack.Code)
	}
	c.can(&c.Connack.Properties)
	return nil
}

// connack311 is the length of a CONNACK of MQTT 3.x in bytes; one of MQTT 5 has properties, if only
// the length of none.
const connack311 = 4

// Check opens a connection and ends it, to see whether that can be done.
func (b *Broker) Check(ctx context.Context, clientID, key string) error {
	c := wire.Connect{CleanStart: true, ClientID: []byte(clientID)}
	conn, err := b.Connect(ctx, &c, key)
	if err != nil {
		return err
	}
	return conn.Destroy()
}
