package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"aclgate/proxy/head"
)

// forwarding knows which proxies stand in front of the gateway, and what they say of their clients.
type forwarding struct {
	trusted   []netip.Prefix
	tls       bool   // the listener's own side
	publicURL string // "": what the client asked for
}

// source returns the address of the client: the peer's, or, behind a trusted proxy, the last one in
// X-Forwarded-For that is not a trusted proxy itself. What a client writes there is believed from
// nobody else. It is not valid where a trusted proxy does not know it: the proxy's own address says
// nothing about the client (SPEC 3).
func (f *forwarding) source(c *call) netip.Addr {
	addr := c.conn.Peer()
	if !f.behindProxy(c) {
		return addr
	}
	for i := len(c.head.Fields) - 1; i >= 0; i-- {
		field := &c.head.Fields[i]
		if !head.EqualFold(field.Name, "X-Forwarded-For") {
			continue
		}
		var done bool
		if addr, done = f.walkBack(addr, field.Value); done {
			break
		}
	}
	return addr
}

// behindProxy reports whether what the peer says of its client is believed.
func (f *forwarding) behindProxy(c *call) bool {
	return len(f.trusted) > 0 && f.trusts(c.conn.Peer())
}

// walkBack reads one X-Forwarded-For line from its end. It is done at the first address that no
// trusted proxy wrote, and at anything that is no address, which leaves none. Empty elements of the
// list say nothing (RFC 9110 5.6.1).
func (f *forwarding) walkBack(addr netip.Addr, list []byte) (netip.Addr, bool) {
	for len(list) > 0 {
		i := bytes.LastIndexByte(list, ',')
		hop := bytes.TrimSpace(list[i+1:])
		list = list[:max(i, 0)]
		if len(hop) == 0 {
			continue
		}
		if addr = hopAddr(hop); !addr.IsValid() || !f.trusts(addr) {
			return addr, true
		}
	}
	return addr, false
}

// hopAddr reads one hop: an address, also as ip:port, [v6] and [v6]:port, which balancers write. It
// is not valid if the text is anything else. A zone is any text, and means nothing elsewhere.
func hopAddr(text []byte) netip.Addr {
	host := string(text)
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("")
	}
	colon := bytes.LastIndexByte(text, ':')
	bracket := bytes.IndexByte(text, ']')
	switch {
	case text[0] == '[' && bracket == len(text)-1:
		host = host[1:bracket]
	case text[0] == '[' && bracket > 0 && colon == bracket+1 && isPort(host[colon+1:]):
		host = host[1:bracket]
	case text[0] != '[' && colon > 0 && isPort(host[colon+1:]):
		host = host[:colon]
	default:
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is6() != (text[0] == '[') { // brackets are for IPv6, which needs them
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
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
// says of its side. Of several hops the first is the client's.
func (f *forwarding) scheme(c *call) string {
	if f.behindProxy(c) {
		first, _, _ := bytes.Cut(c.head.Get("X-Forwarded-Proto"), []byte{','})
		switch first = bytes.TrimSpace(first); {
		case head.EqualFold(first, "https"):
			return "https"
		case head.EqualFold(first, "http"):
			return "http"
		}
	}
	if f.tls {
		return "https"
	}
	return "http"
}

// appendOwnURL appends where the client finds the gateway, without a slash at the end.
func (f *forwarding) appendOwnURL(b []byte, c *call) []byte {
	if f.publicURL != "" {
		return append(b, f.publicURL...)
	}
	b = append(append(b, f.scheme(c)...), "://"...)
	return append(b, c.head.Host...)
}
