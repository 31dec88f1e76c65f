package policy

import "bytes"

// AppendTarget appends the target that may go to the backend: the path of the route with what d
// permits of each selector, and the query. It is the inverse of Parse. With a nil d every selector
// is printed as it was asked for.
func AppendTarget(dst []byte, r *Request, d *Decision) []byte {
	return appendTarget(dst, r, d, nil)
}

// minSegment is the length of a text that costs more to copy than to send from where it is.
const minSegment = 1 << 10

// Segment is a long list that belongs into a target and was left out of it. The zero value is none.
type Segment struct {
	IDs Printed
	At  int // position in the target; never its beginning
}

// AppendTargetSegment is AppendTarget without the copy of a long list that an entry keeps in print.
// What it appends is the target once the segment is put in at its position, which counts from the
// beginning of dst.
func AppendTargetSegment(dst []byte, r *Request, d *Decision) ([]byte, Segment) {
	var in Segment
	dst = appendTarget(dst, r, d, &in)
	return dst, in
}

// appendTarget leaves the first long list to in, unless that is nil.
func appendTarget(dst []byte, r *Request, d *Decision, in *Segment) []byte {
	if r.Route == nil {
		for _, s := range r.segments {
			dst = appendEscaped(append(dst, '/'), s, inPath)
		}
		return appendQuery(dst, r, d)
	}
	for i := range r.Selectors {
		dst = append(dst, r.Route.Literals[i]...)
		switch {
		case d == nil:
			dst = appendSelector(dst, &r.Selectors[i])
		case in != nil && in.take(&d.Selectors[i], len(dst)):
		default:
			dst = d.Selectors[i].appendTo(dst, &r.Selectors[i])
		}
	}
	dst = append(dst, r.Route.Literals[len(r.Selectors)]...)
	return appendQuery(dst, r, d)
}

// take makes p the segment, if it is long enough and the first.
func (in *Segment) take(p *SelectorDecision, at int) bool {
	if p.As != AsIDs || p.Text.Len() < minSegment || in.IDs.Len() > 0 {
		return false
	}
	in.IDs, in.At = p.Text, at
	return true
}

// AppendQuery appends "?" and the query of r, or nothing when it is empty.
func AppendQuery(dst []byte, r *Request) []byte { return appendQuery(dst, r, nil) }

// appendQuery appends the query as d lets it pass: fields without "*", which an empty list of would
// be something else.
func appendQuery(dst []byte, r *Request, d *Decision) []byte {
	sep := byte('?')
	for _, p := range r.Query {
		switch {
		case d == nil:
		case d.dropStar && p.Name == paramFields:
			mark := len(dst)
			dst = append(append(append(dst, sep), paramFields...), '=')
			if from := len(dst); len(appendNamed(dst, p.Value)) == from {
				dst = dst[:mark]
				continue
			}
			dst = appendNamed(dst, p.Value)
			sep = '&'
			continue
		case d.data != nil && p.Name == paramData:
			p.Value = d.data
		}
		dst = append(append(append(dst, sep), p.Name...), '=')
		dst = appendForm(dst, p.Value)
		sep = '&'
	}
	return dst
}

// Bounds of AppendDropped.
const (
	maxDropped     = 16 // names
	maxDroppedName = 64 // bytes of each
)

// AppendDropped appends the names of the parameters that were left out, percent-encoded, with commas
// between them: at most 16 of 64 bytes each, then "…" for what is left out of this text.
func AppendDropped(dst []byte, r *Request) []byte {
	for i, name := range r.Dropped {
		if i > 0 {
			dst = append(dst, ',')
		}
		if i == maxDropped {
			return append(dst, "…"...)
		}
		dst = appendEscaped(dst, name[:min(len(name), maxDroppedName)], inName)
		if len(name) > maxDroppedName {
			dst = append(dst, "…"...)
		}
	}
	return dst
}

func appendSelector(dst []byte, s *Selector) []byte {
	switch s.Kind {
	case SelectIDs:
		return appendIDs(dst, s.IDs)
	case SelectConditions:
		return AppendMatch(dst, s.IDs, s)
	}
	return appendEscaped(dst, s.Text, inPath)
}

// AppendMatch appends what a match compares as a path segment, for resolving it: over some ids, or
// with none over every item that there is.
func AppendMatch(dst []byte, ids []int64, s *Selector) []byte {
	if len(ids) > 0 {
		dst = append(appendIDs(dst, ids), ',')
	}
	return appendEscaped(dst, s.Text, inPath)
}

// The places that a byte can be in unescaped: less than RFC 3986 allows, so that no backend can
// take "+", "&" or ";" for anything but data.
const (
	inPath = 1 << iota
	inQuery
	inName // a list of names
)

// rawBytes says where each byte needs no escape. In a path "," and "=" stay readable, in a query
// "," and ":" do.
var rawBytes = func() (t [256]byte) {
	for c := range 256 {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		switch {
		case letter || c == '-' || c == '.' || c == '_' || c == '~':
			t[c] = inPath | inQuery | inName
		case c == ',' || c == ':' || c == '*':
			t[c] = inPath | inQuery
		}
	}
	for _, c := range "=@!()" {
		t[c] |= inPath
	}
	return t
}()

// appendForm appends a value of the query as forms are encoded: with "+" for a space.
func appendForm(dst, value []byte) []byte {
	for more := true; more; {
		var word []byte
		word, value, more = bytes.Cut(value, []byte{' '})
		dst = appendEscaped(dst, word, inQuery)
		if more {
			dst = append(dst, '+')
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

func appendEscaped(dst, text []byte, place byte) []byte {
	for _, c := range text {
		if rawBytes[c]&place != 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}
