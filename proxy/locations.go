package proxy

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"

	"aclgate/upstream"
)

// locations rewrites the URLs in an answer that name the backend itself: a client that follows one
// would go around the gateway, and learns where the backend is (SPEC 5).
type locations struct {
	via      *forwarding
	backends []string // host:port, in lower case
}

func newLocations(via *forwarding, o *Options) locations {
	l := locations{via: via}
	for _, text := range o.Backends {
		if u, err := url.Parse(text); err == nil {
			l.backends = append(l.backends, withPort(u.Scheme, strings.ToLower(u.Host)))
		}
	}
	return l
}

// withPort returns an authority with its port, which is the scheme's where none is given.
func withPort(scheme, authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		return authority
	}
	if scheme == "https" {
		return authority + ":443"
	}
	return authority + ":80"
}

// appendLocation prints a header that holds one URL, or nothing where the client must not follow it.
func (l *locations) appendLocation(b []byte, c *call, f *upstream.Field) []byte {
	var room [256]byte
	if value, ok := l.appendURL(room[:0], c, f.Value); ok {
		return appendLine(b, f.Name, value)
	}
	return b
}

// appendLink prints a Link header (RFC 8288) with those of its links that the client may follow.
func (l *locations) appendLink(b []byte, c *call, f *upstream.Field) []byte {
	var value []byte
	for rest := f.Value; len(rest) > 0; {
		open, end := bytes.IndexByte(rest, '<'), bytes.IndexByte(rest, '>')
		if open < 0 || end < open {
			break
		}
		target, params := rest[open+1:end], rest[end+1:]
		next := directiveEnd(params)
		if next < 0 {
			break
		}
		if len(value) > 0 {
			value = append(value, ", "...)
		}
		if with, ok := l.appendURL(append(value, '<'), c, target); ok {
			value = append(append(with, '>'), params[:next]...)
		} else {
			value = bytes.TrimSuffix(value, []byte(", "))
		}
		rest = params[min(next+1, len(params)):]
	}
	if len(value) == 0 {
		return b
	}
	return appendLine(b, f.Name, value)
}

// appendURL appends a URL as a client may see it, and reports whether it may. Relative ones, and
// those of others, pass.
func (l *locations) appendURL(b []byte, c *call, text []byte) ([]byte, bool) {
	if bytes.IndexByte(text, '\\') >= 0 { // a slash for browsers
		return b, false
	}
	scheme, rest, absolute := bytes.Cut(text, []byte("//"))
	if !absolute || len(scheme) > 0 && (scheme[len(scheme)-1] != ':' || bytes.ContainsAny(scheme, "/?#")) {
		return append(b, text...), true
	}
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := strings.ToLower(string(rest[bytes.LastIndexByte(rest[:end], '@')+1 : end]))
	full := withPort(strings.ToLower(string(bytes.TrimSuffix(scheme, []byte{':'}))), authority)
	for _, backend := range l.backends {
		if full == backend {
			return append(l.via.appendOwnURL(b, c), rest[end:]...), true
		}
	}
	host := full[:strings.LastIndexByte(full, ':')]
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return b, false
	}
	return append(b, text...), true
}
