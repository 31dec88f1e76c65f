package proxy

import (
	"context"
	"errors"
	"net"
	"sync"

	"aclgate/proxy/head"
)

// Redirect answers on a plain listener: it sends every request to the same path of the TLS listener
// (listen.redirect). Requests are read as strictly as everywhere, and no body is.
type Redirect struct {
	listener *head.Listener
	origin   string // where to, as scheme and authority; "": the request's Host
	port     string // of the TLS listener where Host says where to, with its colon; "": 443
	serving  sync.WaitGroup
}

// NewRedirect returns a Redirect on ln. Origin is listen.public_url, or empty; port is that of the
// TLS listener.
func NewRedirect(ln net.Listener, c head.Config, origin, port string) *Redirect {
	r := &Redirect{listener: head.NewListener(ln, c), origin: origin}
	if port != "443" {
		r.port = ":" + port
	}
	return r
}

// Serve serves until Shutdown. It returns nil then.
func (r *Redirect) Serve() error {
	for {
		c, err := r.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		r.serving.Go(func() { r.serveConn(c.(*head.Conn)) })
	}
}

// Shutdown takes no new connections, and waits for those that are open until ctx ends.
func (r *Redirect) Shutdown(ctx context.Context) {
	r.listener.Drain()
	_ = r.listener.Close()
	stop := context.AfterFunc(ctx, r.listener.CloseConns)
	defer stop()
	r.listener.Wait()
	r.serving.Wait()
}

// serveConn answers one request. The connection ends with it: the client goes elsewhere.
func (r *Redirect) serveConn(c *head.Conn) {
	defer c.Close()
	if c.Next() {
		_, _ = c.Write(r.answer(c.Head())) // who is gone needs no answer
	}
}

func (r *Redirect) answer(h *head.Head) []byte {
	host := head.HostName(h.Host)
	status, reason := 308, "use https" // 307 and 308 alone keep method and body (RFC 9110 15.4.9)
	switch {
	case h.Fault != nil:
		status, reason = h.Fault.Status, h.Fault.Reason
	case host == nil && r.origin == "":
		status, reason = 400, "Host is missing"
	}
	body := append(appendJSONText(appendErrorHead([]byte(`{"errors":[`), status), reason), faultEnd...)
	b := appendStatus(nil, status)
	if status == 308 {
		b = append(b, "Location: "...)
		if r.origin != "" {
			b = append(b, r.origin...)
		} else {
			b = append(append(append(b, "https://"...), host...), r.port...)
		}
		b = append(appendURI(b, h.Target), "\r\n"...)
	}
	b = append(b, "Content-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\n"...)
	b = append(appendNumber(b, "Content-Length: ", int64(len(body))), "\r\n"...)
	if string(h.Method) == "HEAD" {
		return b
	}
	return append(b, body...)
}

// appendURI appends a target that the head reader let pass, with an escape for what clients send raw
// although a URI may not hold it (RFC 3986, 2).
func appendURI(b, target []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range target {
		switch {
		case c >= 0x80, c == '"', c == '<', c == '>', c == '\\', c == '^', c == '`', c == '{', c == '|', c == '}':
			b = append(b, '%', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
