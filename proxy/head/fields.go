package head

import "bytes"

// Longest values of the vendor's own headers, in bytes.
const (
	maxApp   = 64
	maxTrace = 31
)

// field reads one header line.
func (r *rules) field(h *Head, line []byte) *Fault {
	if blank(line[0]) {
		return errFold
	}
	f, ok := splitField(line)
	if !ok {
		return errName
	}
	n := classify(f.Name)
	if n == nameCookie {
		return nil
	}
	h.Fields = append(h.Fields, f)
	if n == nameOther {
		return nil
	}
	if underscored(f.Name) {
		return underscoreFault(n)
	}
	if n.once() && h.seen&(1<<n) != 0 {
		return errTwice
	}
	h.seen |= 1 << n
	return r.known(h, n, f.Value)
}

// splitField splits a header or trailer line at its colon and reports whether the name is a token.
// White space before the colon is none: some read past it, some take the name with it (RFC 9112
// 5.1).
func splitField(line []byte) (Field, bool) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	return Field{name, trim(value)}, ok && len(name) > 0 && tokenByte.all(name)
}

// IsToken reports whether b could be the name of a header.
func IsToken(b []byte) bool { return len(b) > 0 && tokenByte.all(b) }

// underscoreFault says what is wrong with a known name that is spelled with "_". Those that are
// only read pass as unknown headers, of which nothing is read.
func underscoreFault(n name) *Fault {
	switch {
	case n.protected():
		return errUnderscore
	case n == nameOverride:
		return errOverride
	}
	return nil
}

// known reads the value of a header that is known by name.
func (r *rules) known(h *Head, n name, v []byte) *Fault {
	switch n {
	case nameHost:
		h.Host = v
	case nameAuthorization:
		h.Authorization = v
	case nameCID:
		h.CID = v
		return unless(number(v) > 0, errCID)
	case nameContentType:
		h.ContentType = v
		return unless(plainByte.allText(v), errValue)
	case nameContentEncoding:
		h.ContentEncoding = v
		return unless(plainByte.allText(v), errValue)
	case nameOrigin:
		h.Origin = v
		return unless(plainByte.allText(v), errValue)
	case nameApp:
		return unless(len(v) <= maxApp, errApp)
	case nameTrace:
		return unless(len(v) <= maxTrace, errTrace)
	case nameVia:
		h.HasVia = true
	case nameOverride:
		return errOverride
	default:
		return r.framing(h, n, v)
	}
	return nil
}

func unless(ok bool, f *Fault) *Fault {
	if ok {
		return nil
	}
	return f
}

// framing reads the headers that say where the message ends and whether the connection goes on.
func (r *rules) framing(h *Head, n name, v []byte) *Fault {
	switch n {
	case nameContentLength:
		h.Length, h.HasLength = number(v), true
		return unless(h.Length >= 0, errLength)
	case nameTransferEncoding:
		if !r.chunked {
			return errChunkedOff
		}
		h.chunked = EqualFold(v, "chunked")
		return unless(h.chunked && !h.HTTP10, errCoding)
	case nameExpect:
		h.Expect = true
		return unless(EqualFold(v, "100-continue"), errExpect)
	case nameConnection:
		return h.connection(v)
	}
	return nil
}

// connection reads a list of tokens, of which only close matters. A proxy removes the headers that
// are named there: to name the account header is to ask for its removal (CVE-2022-1388,
// CVE-2022-31813).
func (h *Head) connection(v []byte) *Fault {
	for more := true; more; {
		var member []byte
		member, v, more = bytes.Cut(v, []byte(","))
		member = trim(member)
		if !tokenByte.all(member) || classify(member).protected() {
			return errConnection
		}
		if EqualFold(member, "close") {
			h.Close = true
		}
	}
	return nil
}

// checkBody decides how the body is framed, once all headers are known.
func (h *Head) checkBody() *Fault {
	if h.chunked {
		if h.HasLength {
			return errCoding
		}
		h.Length = -1
	}
	// An expectation without a body to wait for is ignored, and HTTP/1.0 knows none (RFC 9110
	// 10.1.1).
	h.Expect = h.Expect && h.Length != 0 && !h.HTTP10
	switch string(h.Method) {
	case "GET", "POST", "PUT", "PATCH", "DELETE":
		return nil
	}
	return unless(h.Length == 0, errBody)
}
