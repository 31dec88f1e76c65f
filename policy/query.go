package policy

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// The parameters that every route knows. The first names are judged by number below; cid never
// reaches the backend.
const (
	paramFields = "fields"
	paramData   = "data"
	paramLimit  = "limit"
	paramOffset = "offset"
	paramCID    = "cid"
)

// maxPairs bounds a query.
const maxPairs = 64

// readQuery reads name=value pairs (SPEC 2, Query). Empty pairs are none, and an empty query is no
// query.
func (r *Request) readQuery(e *Engine, shape *Route, query []byte) Reason {
	if len(query) == 0 {
		return NotJudged
	}
	if bytes.IndexByte(query, ';') >= 0 {
		return r.refuse(BadQuery, "the query holds a bare ;", nil)
	}
	pairs := 0
	for rest, more := query, true; more; {
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte{'&'})
		if len(pair) == 0 {
			continue
		}
		if pairs++; pairs > maxPairs {
			return r.refuse(BadQuery, "the query has more than 64 parameters", nil)
		}
		if reason := r.readPair(e, shape, pair); reason != NotJudged {
			return reason
		}
	}
	return NotJudged
}

// readPair reads one pair. On a fault r.Param is its name.
func (r *Request) readPair(e *Engine, shape *Route, pair []byte) Reason {
	rawName, rawValue, found := bytes.Cut(pair, []byte{'='})
	name, ok := r.decode(rawName, true)
	if !ok {
		r.Param = rawName
		return r.refuse(BadQuery, "a query parameter has a bad percent escape", rawName)
	}
	reason := NotJudged
	switch known := e.paramName(shape, name); {
	case !found:
		// It may be a value that lost its name, even a key, so it is not remembered.
		return r.refuse(BadQuery, "a query parameter is name=value", name)
	case known == "":
		reason = r.dropParam(e, name, rawValue)
	default:
		reason = r.addParam(known, name, rawValue)
	}
	if reason != NotJudged {
		r.Param = name
	}
	return reason
}

// credentialNames are the names by which keys are sent in a query. Queries are logged on the way,
// so a key in one is a key given away.
var credentialNames = []string{"token", "access_token", "key", "api_key", "apikey", "auth", "authorization"}

// dropParam judges a parameter that the route does not know. On GET it is left out: real clients
// send names of their own, and a narrower answer than they hoped for harms nobody. A write without
// one of its parameters could do something else. What another parser could take for a name that is
// known here is never left out.
func (r *Request) dropParam(e *Engine, name, raw []byte) Reason {
	switch {
	case e.resembles(name):
		return r.refuse(BadQuery, "a query parameter is spelled in another case than the API's", name)
	case foldedIn(credentialNames, name):
		return r.refuse(BadQuery, "a key belongs into the Authorization header, not into the query", name)
	case r.Method != GET || e.RefuseUnknown || bytes.EqualFold(name, []byte("_method")):
		return r.refuse(BadQuery, "unknown query parameter", name)
	}
	value, ok := r.decode(raw, true)
	if !ok || !utf8.Valid(name) || !utf8.Valid(value) {
		return r.refuse(BadQuery, "a query parameter is not percent-encoded UTF-8", name)
	}
	r.Dropped = append(r.Dropped, name)
	return NotJudged
}

// resembles reports whether a name is that of a parameter of any route, but for its case.
func (e *Engine) resembles(name []byte) bool {
	exact := func(known string) bool { return string(name) == known }
	return !slices.ContainsFunc(e.Catalogue.params, exact) && (foldedIn(e.Catalogue.params, name) || foldedIn(e.Query, name))
}

// foldedIn reports whether one of names is name, but for the case of letters.
func foldedIn(names []string, name []byte) bool {
	return slices.ContainsFunc(names, func(n string) bool { return bytes.EqualFold(name, []byte(n)) })
}

// paramName returns the known parameter called name, or "".
func (e *Engine) paramName(shape *Route, name []byte) string {
	switch string(name) {
	case paramFields:
		return paramFields
	case paramData:
		return paramData
	case paramLimit:
		return paramLimit
	case paramOffset:
		return paramOffset
	case paramCID:
		return paramCID
	}
	if shape != nil {
		for _, known := range shape.Query {
			if string(name) == known {
				return known
			}
		}
	}
	for _, known := range e.Query {
		if string(name) == known {
			return known
		}
	}
	return ""
}

// addParam judges one parameter and keeps it. name is the known spelling, asked the client's.
func (r *Request) addParam(name string, asked, raw []byte) Reason {
	if len(raw) == 0 && (name == paramData || name == paramLimit || name == paramOffset) {
		return NotJudged
	}
	given := func(p Param) bool { return p.Name == name }
	if slices.ContainsFunc(r.Query, given) || name == paramCID && r.CID != 0 {
		return r.refuse(BadQuery, "a query parameter is given twice", asked)
	}
	value, ok := r.decode(raw, true)
	if !ok {
		return r.refuse(BadQuery, "a query parameter has a bad percent escape", asked)
	}
	if !utf8.Valid(value) || bytes.ContainsFunc(value, control) {
		return r.refuse(BadQuery, "a query parameter is not UTF-8 without control characters", asked)
	}
	if fault := r.valueFault(name, value); fault != "" {
		return r.refuse(BadQuery, fault, asked)
	}
	if name != paramCID {
		r.Query = append(r.Query, Param{name, value})
	}
	return NotJudged
}

// SetData gives a request the data that it has as its body: it is asked for and printed like the
// parameter. It aliases value.
func (r *Request) SetData(value []byte) {
	r.Data = value
	r.Query = append(r.Query, Param{paramData, value})
}

func control(c rune) bool { return c < 0x20 || c == 0x7f }

// valueFault judges the decoded value of one parameter and notes the two that mean something to the
// gateway.
func (r *Request) valueFault(name string, value []byte) string {
	switch name {
	case paramData:
		r.Data = value
		return ""
	case paramCID:
		cid, ok := ParseID(value)
		if !ok {
			return "cid is the id of an account"
		}
		r.CID = cid
		return ""
	case paramLimit, paramOffset:
		if _, ok := ParseID(value); !ok && string(value) != "0" {
			return "limit and offset are whole numbers"
		}
	}
	// What a second decoding could turn into a separator is no value.
	if bytes.ContainsAny(value, "&;#?%") {
		return "the value of a query parameter holds & ; # ? or %"
	}
	return ""
}
