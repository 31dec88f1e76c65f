package competitors

import (
	"context"
	"errors"
	"net"

	"github.com/valyala/fasthttp"
)

// Bare runs the bare proxy until ctx ends: what fasthttp's documentation shows, with default
// options, and nothing else. It is the price of a proxy in Go before it decides anything.
func Bare(ctx context.Context, listen, backend string) error {
	client := &fasthttp.HostClient{Addr: backend}
	server := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.Request.Header.Del("Connection")
		if err := client.Do(&c.Request, &c.Response); err != nil {
			c.Error(err.Error(), fasthttp.StatusBadGateway)
		}
		c.Response.Header.Del("Connection")
	}}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	if err := server.Serve(ln); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
