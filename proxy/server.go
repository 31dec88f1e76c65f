package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"aclgate/proxy/head"
)

// overload is what a connection hears that is one too many.
const overload = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n" +
	"Retry-After: 1\r\nConnection: close\r\nContent-Length: 85\r\n\r\n" +
	`{"errors":[{"code":503,"reason":"the gateway has too many connections"}],"result":[]}`

// Server accepts connections and has a Gateway serve their requests.
//
// Of fasthttp it uses the messages and not the server: proxy/head has read the
// request already, and a connection that waits for its next one must hold
// nothing but a goroutine with a small stack.
type Server struct {
	gateway  *Gateway
	listener *head.Listener
	desks    sync.Pool      // of *desk
	serving  sync.WaitGroup // one for each connection
	drain    sync.Once
}

// NewServer returns a Server on ln, which may be a TLS listener.
func NewServer(g *Gateway, ln net.Listener, c head.Config) *Server {
	c.Overload = []byte(overload)
	s := &Server{gateway: g, listener: head.NewListener(ln, c)}
	s.desks.New = func() any { return newDesk(g) }
	return s
}

// Listener returns the listener, for its counters.
func (s *Server) Listener() *head.Listener { return s.listener }

// Serve serves until the listener is closed. It returns nil then. Connections
// may outlive it: see Shutdown.
func (s *Server) Serve() error {
	for {
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		s.serving.Go(func() { s.converse(c.(*head.Conn)) })
	}
}

// converse serves one connection until it ends.
func (s *Server) converse(c *head.Conn) {
	defer c.Close()
	for c.Next() && s.exchange(c) {
	}
}

// exchange serves the request that was read. It reports whether another one may
// follow.
func (s *Server) exchange(c *head.Conn) bool {
	d := s.desks.Get().(*desk)
	d.open(c)
	s.gateway.handle(d, c)
	goesOn := d.send(c)
	if d.close() {
		s.desks.Put(d)
	}
	return goesOn
}

// Shutdown ends the server without failing a request: it takes no new
// connections, every answer from now on says Connection: close, and idle
// connections are closed once they have been idle for a moment. When ctx ends
// first, what is still open is cut. It returns whether all went in peace.
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
