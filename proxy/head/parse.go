package head

import (
	"bytes"
	"unicode/utf8"
)

// rules are the settings that a head is read by.
type rules struct {
	maxHead int      // bytes, request line included
	hosts   []string // lower case, without port and final dot; empty: any
	health  bool     // /healthz and /readyz are served, to whom names no Host, too
	chunked bool     // chunked bodies are taken
}

// parse reads a complete head, from the request line to the empty line. https says whether the
// connection is a TLS one.
func (r *rules) parse(h *Head, b []byte, https bool) *Fault {
	line, rest := cutLine(b)
	if f := h.requestLine(line); f != nil {
		return f
	}
	for line, rest = cutLine(rest); len(line) > 0; line, rest = cutLine(rest) {
		if f := r.field(h, line); f != nil {
			h.FaultField = h.lastName(line)
			return f
		}
	}
	if f := r.checkHost(h, https); f != nil {
		h.FaultField = hostField
		return f
	}
	return h.checkBody()
}

var hostField = []byte("Host")

// lastName returns the name of the header that was read last, nil if the line was none.
func (h *Head) lastName(line []byte) []byte {
	if n := len(h.Fields); n > 0 && bytes.HasPrefix(line, h.Fields[n-1].Name) {
		return h.Fields[n-1].Name
	}
	return nil
}

// requestLine reads method, target and version. The version comes first: what a HTTP/2 preface has
// for a target says less about the mistake.
func (h *Head) requestLine(line []byte) *Fault {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	if len(method) == 0 || !tokenByte.all(method) || len(target) == 0 {
		return errRequestLine
	}
	h.Method = method
	if f := h.version(version); f != nil {
		return f
	}
	return h.target(target)
}

// version takes HTTP/1.1 and HTTP/1.0. Other versions that are spelled like one get that answer; a
// second space, lower case and two-digit numbers are malformed.
func (h *Head) version(v []byte) *Fault {
	switch string(v) {
	case "HTTP/1.1":
		return nil
	case "HTTP/1.0":
		h.HTTP10 = true
		return nil
	}
	const form = "HTTP/d.d"
	if len(v) == len(form) && string(v[:5]) == form[:5] && digitByte[v[5]] && v[6] == '.' && digitByte[v[7]] {
		return errVersion
	}
	return errRequestLine
}

// target takes origin-form, and absolute-form whose authority checkHost compares. "*" and the
// authority of CONNECT begin with neither a slash nor a scheme.
func (h *Head) target(t []byte) *Fault {
	path, query, _ := bytes.Cut(t, []byte{'?'})
	if !pathByte.all(path) || !queryByte.all(query) || !utf8.Valid(query) {
		return errTarget
	}
	if t[0] == '/' {
		h.Target = t
		return nil
	}
	scheme, rest, ok := bytes.Cut(t, []byte("://"))
	slash := bytes.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return errTarget
	}
	h.https = EqualFold(scheme, "https")
	if !h.https && !EqualFold(scheme, "http") {
		return errTarget
	}
	h.authority, h.Target = rest[:slash], rest[slash:]
	return nil
}

// checkHost compares the Host with the target and with the hosts that are served. The authority of
// an absolute-form target replaces Host for the next hop (RFC 9112 3.2.2), so it may say nothing
// else.
func (r *rules) checkHost(h *Head, https bool) *Fault {
	if len(h.Host) == 0 && h.seen&(1<<nameHost) == 0 && r.plainCheck(h) {
		return nil
	}
	host := HostName(h.Host)
	if host == nil {
		return errHost
	}
	if h.authority != nil && (h.https != https || !EqualFold(h.authority, h.Host)) {
		return errAuthority
	}
	if len(r.hosts) == 0 {
		return nil
	}
	for _, served := range r.hosts {
		if EqualFold(host, served) {
			return nil
		}
	}
	return errMisrouted
}

// plainCheck reports whether a request is one that load balancers check with by HTTP/1.0, without a
// Host: it says nothing that a host could change.
func (r *rules) plainCheck(h *Head) bool {
	if !h.HTTP10 || h.authority != nil {
		return false
	}
	switch string(h.Method) {
	case "OPTIONS":
		return string(h.Target) == "/"
	case "GET", "HEAD":
		return r.health && IsHealth(h.Target)
	}
	return false
}

// IsHealth reports whether a target is one of the paths that say how the gateway is.
func IsHealth(target []byte) bool { return string(target) == "/healthz" || string(target) == "/readyz" }

// HostName returns v without its port and the dot at its end, which names the same host; nil if v is
// not host or host:digits.
func HostName(v []byte) []byte {
	end := bytes.IndexByte(v, ':')
	if len(v) > 0 && v[0] == '[' {
		end = bytes.IndexByte(v, ']') + 1
		if end < len("[::]") || !literalByte.all(v[1:end-1]) || bytes.IndexByte(v[:end], ':') < 0 {
			return nil
		}
	} else {
		if end < 0 {
			end = len(v)
		}
		if end == 0 || !hostByte.all(v[:end]) {
			return nil
		}
	}
	if end < len(v) && (v[end] != ':' || !isPort(v[end+1:])) {
		return nil
	}
	host := v[:end]
	if host[end-1] == '.' {
		host = host[:end-1]
	}
	if len(host) == 0 || host[len(host)-1] == '.' {
		return nil
	}
	return host
}

// isPort reports whether b is one to five digits.
func isPort(b []byte) bool { return len(b) > 0 && len(b) <= 5 && digitByte.all(b) }
