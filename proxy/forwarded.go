package proxy

import (
	"bytes"
	"net/netip"
)

// forwarding knows which proxies stand in front of the gateway, and what they say of their clients.
type forwarding struct {
	trusted []netip.Prefix
	tls     bool // the listener's own side
}

// source returns the address of the client: the peer's, or, behind a trusted proxy, the last one in
// X-Forwarded-For that is not a trusted proxy itself. What a client writes there is believed from
// nobody else.
func (f *forwarding) source(c *call) netip.Addr {
	addr := c.conn.Peer()
	if len(f.trusted) == 0 || !f.trusts(addr) {
		return addr
	}
	for i := len(c.head.Fields) - 1; i >= 0; i-- {
		field := &c.head.Fields[i]
		if !bytes.EqualFold(field.Name, []byte("X-Forwarded-For")) {
			continue
		}
		var done bool
		if addr, done = f.walkBack(addr, field.Value); done {
			break
		}
	}
	return addr
}

// walkBack reads one X-Forwarded-For line from its end. It is done at the first address that no
// trusted proxy wrote, and at anything that is no address.
func (f *forwarding) walkBack(addr netip.Addr, list []byte) (netip.Addr, bool) {
	for len(list) > 0 {
		i := bytes.LastIndexByte(list, ',')
		hop, err := netip.ParseAddr(string(bytes.TrimSpace(list[i+1:])))
		if err != nil {
			return addr, true
		}
		addr = hop.Unmap().WithZone("") // a zone is any text, and means nothing elsewhere
		if !f.trusts(addr) {
			return addr, true
		}
		list = list[:max(i, 0)]
	}
	return addr, false
}

func (f *forwarding) trusts(addr netip.Addr) bool {
	for _, p := range f.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// scheme returns the scheme that the client used: the connection's own, or what a trusted proxy
// says of its side.
func (f *forwarding) scheme(c *call) string {
	own := "http"
	if f.tls {
		own = "https"
	}
	if len(f.trusted) == 0 || !f.trusts(c.conn.Peer()) {
		return own
	}
	switch string(c.head.Get("X-Forwarded-Proto")) {
	case "https":
		return "https"
	case "http":
		return "http"
	}
	return own
}
