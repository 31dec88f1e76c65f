package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// overload answers a connection that is one too many.
const overload = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n" +
	"Retry-After: 1\r\nConnection: close\r\nContent-Length: 73\r\n\r\n" +
	`{"errors":[{"code":503,"reason":"the gateway has too many connections"}]}`

// plainHTTP answers a client that speaks HTTP in the clear to a TLS listener.
const plainHTTP = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n" +
	"Connection: close\r\nContent-Length: 68\r\n\r\n" +
	`{"errors":[{"code":400,"reason":"this port speaks TLS: use https"}]}`

// Server accepts connections and has a Gateway serve their requests.
//
// Of fasthttp it uses the messages and not the server: proxy/head has read the request already, and
// a connection that waits for its next one must hold nothing but a goroutine with a small stack.
type Server struct {
	gateway   *Gateway
	listener  *head.Listener
	exchanges sync.Pool      // of *exchange
	serving   sync.WaitGroup // one for each connection
	drain     sync.Once
}

// NewServer returns a Server on ln, which may be a TLS listener.
func NewServer(g *Gateway, ln net.Listener, c head.Config) *Server {
	c.Overload, c.PlainHTTP = []byte(overload), []byte(plainHTTP)
	s := &Server{gateway: g, listener: head.NewListener(ln, c)}
	s.exchanges.New = func() any { return newExchange(g) }
	return s
}

// Listener returns the listener, for its counters.
func (s *Server) Listener() *head.Listener { return s.listener }

// Serve serves until the listener is closed. It returns nil then. Connections may outlive it: see
// Shutdown.
func (s *Server) Serve() error {
	for {
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		s.serving.Go(func() { s.serveConn(c.(*head.Conn)) })
	}
}

// serveConn serves one connection until it ends.
func (s *Server) serveConn(c *head.Conn) {
	defer c.Close()
	for c.Next() && s.serveRequest(c) {
	}
}

// serveRequest serves the request that was read. It reports whether another one may follow: not
// behind an answer that could not be written whole, and not behind one that said so.
func (s *Server) serveRequest(c *head.Conn) bool {
	x := s.exchanges.Get().(*exchange)
	s.gateway.handle(x, c)
	last, err := x.resp.close, error(nil)
	if x.resp.streams {
		err = s.gateway.stream(x, c)
	} else {
		_, err = c.Write(x.resp.out)
	}
	if x.sent() {
		s.exchanges.Put(x)
	}
	return err == nil && !last
}

// stream writes an answer whose body passes piece by piece, each as it comes, and finishes the
// exchange. An answer that breaks off must not look whole: the connection ends with it.
func (g *Gateway) stream(x *exchange, c *head.Conn) error {
	s := &x.resp.stream
	err := g.guard(x, func() error { return s.copyTo(c, x.resp.out) })
	if s.err != nil && !errors.Is(s.err, upstream.ErrCanceled) {
		g.Log.Warn("an answer was cut", "decision", x.id(), "error", s.err)
	}
	if err != nil && s.length == unframed {
		c.Abort() // the end of the connection would look like the end of the answer
	}
	if g.guard(x, func() error { g.finish(x); return nil }) != nil {
		g.release(x)
	}
	return err
}

// guard turns a panic behind the back of handle into an error. The exchange must not be used again.
func (g *Gateway) guard(x *exchange, do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			g.faults.panicked(&x.call, fault)
			x.resp.broken, err = true, policy.Internal
		}
	}()
	return do()
}

// copyTo writes the head, and the body framed as the head says.
func (s *stream) copyTo(c *head.Conn, printed []byte) error {
	if _, err := c.Write(printed); err != nil {
		return err
	}
	switch s.length {
	case inChunks:
		return c.WriteChunks(s)
	case unframed:
		_, err := io.Copy(c, s)
		return err
	}
	n, err := c.ReadFrom(s)
	if err == nil && n != s.length {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Shutdown ends the server without failing a request: it takes no new connections, every answer
// from now on says Connection: close, and idle connections are closed once they have been idle for
// a moment. When ctx ends first, what is still open is cut. It returns whether all went in peace.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain.Do(func() {
		s.listener.Drain()
		s.listener.Close()
	})
	gone := make(chan struct{})
	go func() {
		s.listener.Wait()
		s.serving.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	s.listener.CloseConns()
	select {
	case <-gone:
	case <-time.After(time.Second):
	}
	return ctx.Err()
}
