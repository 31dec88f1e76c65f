package policy

import (
	"bytes"
	"unicode/utf8"
)

// Request is one call reduced to what entries speak about. It is filled by Parse and reused; its
// slices alias the target that was parsed, or the Request's own buffers, until the next Parse.
type Request struct {
	Method    Method
	Route     *Route    // nil: unknown shape, or a known one with another method
	Allow     MethodSet // of a known shape: the methods that it takes
	Selectors []Selector
	Query     []Param  // in the order asked, without cid
	CID       int64    // of ?cid=, 0: not given
	Data      []byte   // the decoded data parameter, nil: not given
	Dropped   [][]byte // decoded names of parameters of a GET that are left out: the route has none so

	// Detail completes the reason of a refused target for the client, about Arg, which is the
	// client's own text: show it escaped, never log it.
	Detail string
	Arg    []byte
	// Param is the decoded name of the query parameter that is at fault; nil: none is, or it has no
	// name. It may be logged, escaped: it is the name alone.
	Param []byte

	segments   [][]byte
	suspicious []byteClass
	ids        []int64
	scratch    []int64
	buf        []byte
}

// Segments returns the decoded segments of the path that was parsed.
func (r *Request) Segments() [][]byte { return r.segments }

// Param is one parameter of the query, decoded.
type Param struct {
	Name  string // from the catalogue or the settings, never the client's bytes
	Value []byte
}

// byteClass notes what a decoded segment holds that only some places may hold.
type byteClass uint8

const (
	hasSlash     byteClass = 1 << iota // / or #
	hasQuestion                        // ?
	hasSeparator                       // \ ; or %, which some parsers split on or decode again
	hasControl
	hasHigh // a byte of a UTF-8 sequence
)

// byteClasses says what each byte is, so that a segment costs one look-up a byte.
var byteClasses = func() (t [256]byteClass) {
	for c := range t {
		switch {
		case c < 0x20 || c == 0x7f:
			t[c] = hasControl
		case c >= 0x80:
			t[c] = hasHigh
		}
	}
	t['/'], t['#'], t['?'] = hasSlash, hasSlash, hasQuestion
	t['\\'], t[';'], t['%'] = hasSeparator, hasSeparator, hasSeparator
	return t
}()

// maxSegments bounds a path; the deepest route of the catalogue has eight.
const maxSegments = 32

// Parse reads an origin-form target (SPEC 2, Target to Query). NotJudged means that it fits the
// grammar; any other reason is a refusal, with Detail and Arg filled. An unknown route is not a
// fault of the grammar: Route stays nil.
func (r *Request) Parse(e *Engine, method Method, target []byte) Reason {
	r.reset(method, len(target))
	path, query, _ := bytes.Cut(target, []byte{'?'})
	// An empty variable in a script must not turn the submodule of a write into its item.
	if n := len(path) - 1; n > 0 && path[n] == '/' {
		if method != GET {
			return r.refuse(BadTarget, "only the path of a GET may end in /", nil)
		}
		path = path[:n]
	}
	if reason := r.split(path); reason != NotJudged {
		return reason
	}
	var shape *Route
	if n := e.Catalogue.find(r.segments); n != nil && len(n.routes) > 0 {
		r.Allow, r.Route, shape = n.allow, n.route(method), n.routes[0]
	}
	if r.Route != nil {
		shape = r.Route
	}
	if reason := r.readSelectors(shape); reason != NotJudged {
		return reason
	}
	return r.readQuery(e, shape, query)
}

func (r *Request) reset(method Method, size int) {
	*r = Request{
		Method: method, Selectors: r.Selectors[:0], Query: r.Query[:0], Dropped: r.Dropped[:0], segments: r.segments[:0],
		suspicious: r.suspicious[:0], ids: r.ids[:0], scratch: r.scratch[:0], buf: r.buf[:0],
	}
	// Decoded text never is longer than the target, so buf does not move while segments alias it.
	if cap(r.buf) < size {
		r.buf = make([]byte, 0, size+size/4)
	}
}

func (r *Request) refuse(reason Reason, detail string, arg []byte) Reason {
	r.Detail, r.Arg = detail, arg
	return reason
}

// split cuts the raw path on "/" first and decodes each segment once, so that an encoded slash is
// never a separator.
func (r *Request) split(path []byte) Reason {
	if len(path) < 2 || path[0] != '/' {
		return r.refuse(BadTarget, "the path is empty", nil)
	}
	rest, more := path[1:], true
	for more {
		var segment []byte
		segment, rest, more = bytes.Cut(rest, []byte{'/'})
		if len(r.segments) == maxSegments {
			return r.refuse(BadTarget, "the path has too many segments", nil)
		}
		text, suspicious, fault := r.decodeSegment(segment)
		if fault != "" {
			return r.refuse(BadTarget, fault, segment)
		}
		r.segments = append(r.segments, text)
		r.suspicious = append(r.suspicious, suspicious)
	}
	return NotJudged
}

// decodeSegment returns the segment decoded once. What no segment may hold is a fault; what only
// some may hold is noted. In doubt it is a fault: a byte that this gateway and the backend could
// read differently is an attack.
func (r *Request) decodeSegment(raw []byte) (text []byte, suspicious byteClass, fault string) {
	text, ok := r.decode(raw, false)
	switch {
	case !ok:
		return nil, 0, "a segment has a bad percent escape"
	case len(text) == 0:
		return nil, 0, "a segment is empty"
	case dots(text):
		return nil, 0, "a segment is . or .."
	}
	for _, c := range text[plainRun(text):] {
		suspicious |= byteClasses[c]
	}
	switch {
	case suspicious&hasSeparator != 0:
		return nil, 0, `a segment holds \ ; or %`
	case suspicious&hasControl != 0:
		return nil, 0, "a segment holds a control byte"
	case suspicious&hasHigh != 0 && !utf8.Valid(text):
		return nil, 0, "a segment is not valid UTF-8"
	}
	return text, suspicious & (hasSlash | hasQuestion), ""
}

func dots(b []byte) bool { return string(b) == "." || string(b) == ".." }

// decode undoes percent escapes, and "+" where form is set. Text without any is returned as it
// came; the rest is written to buf.
func (r *Request) decode(raw []byte, form bool) ([]byte, bool) {
	if bytes.IndexByte(raw, '%') < 0 && (!form || bytes.IndexByte(raw, '+') < 0) {
		return raw, true
	}
	from := len(r.buf)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '+' && form:
			c = ' '
		case c == '%':
			if i+2 >= len(raw) {
				return nil, false
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi > 15 || lo > 15 {
				return nil, false
			}
			c, i = hi<<4|lo, i+2
		}
		r.buf = append(r.buf, c)
	}
	return r.buf[from:len(r.buf):len(r.buf)], true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// readSelectors reads the selectors of a known shape. In an unknown one a segment has no syntax,
// but what no literal may hold it may not hold either.
func (r *Request) readSelectors(shape *Route) Reason {
	if shape == nil {
		for i, suspicious := range r.suspicious {
			if suspicious != 0 {
				return r.refuse(BadTarget, "a segment holds / # or ?", r.segments[i])
			}
		}
		return NotJudged
	}
	// Literals match byte for byte, so only selectors can hold anything odd.
	next, path := 0, shape.pattern
	for i, segment := range r.segments {
		if !path[i] {
			continue
		}
		sel := Selector{Collection: shape.Selectors[next]}
		if fault := r.readSelector(&sel, segment, r.suspicious[i], shape.Slash); fault != "" {
			return r.refuse(BadSelector, fault, segment)
		}
		r.Selectors = append(r.Selectors, sel)
		next++
	}
	return NotJudged
}
