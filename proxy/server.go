package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"aclgate/proxy/head"
)

// overload is what a connection hears that is one too many.
const overload = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n" +
	"Retry-After: 1\r\nConnection: close\r\nContent-Length: 85\r\n\r\n" +
	`{"errors":[{"code":503,"reason":"the gateway has too many connections"}],"result":[]}`

// Server accepts connections and has a Gateway serve their requests.
type Server struct {
	gateway  *Gateway
	listener *head.Listener
	server   *fasthttp.Server
	drain    sync.Once
}

// NewServer returns a Server on ln, which may be a TLS listener.
func NewServer(g *Gateway, ln net.Listener, c head.Config) *Server {
	c.Overload = []byte(overload)
	return &Server{
		gateway:  g,
		listener: head.NewListener(ln, c),
		server: &fasthttp.Server{
			Handler: g.Handle,
			// proxy/head has read the request; what fasthttp reads is a
			// placeholder of a few bytes. It bounds connections and time too.
			ReadBufferSize:        64,
			MaxRequestBodySize:    1,
			Concurrency:           1 << 30,
			NoDefaultServerHeader: true,
			NoDefaultContentType:  true,
			// Header names of the backend pass as they came.
			DisableHeaderNamesNormalizing: true,
			DisablePreParseMultipartForm:  true,
			SecureErrorLogMessage:         true,
			Logger:                        quiet{g.Log},
		},
	}
}

// quiet passes on what fasthttp has to say. Connections that clients break off
// are their business.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("fasthttp: "+strings.TrimSpace(format), "args", len(args))
}

// Listener returns the listener, for its counters.
func (s *Server) Listener() *head.Listener { return s.listener }

// Serve serves until the listener is closed. It returns nil then.
func (s *Server) Serve() error {
	err := s.server.Serve(s.listener)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
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
