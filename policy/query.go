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

// readQuery reads name=value pairs (SPEC 2, Query). An empty query is no query.
func (r *Request) readQuery(e *Engine, shape *Route, query []byte) Reason {
	if len(query) == 0 {
		return NotJudged
	}
	if bytes.IndexByte(query, ';') >= 0 {
		return r.refuse(BadQuery, "the query holds a bare ;", nil)
	}
	for rest, more := query, true; more; {
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte{'&'})
		rawName, rawValue, found := bytes.Cut(pair, []byte{'='})
		if !found {
			return r.refuse(BadQuery, "a query parameter is name=value", pair)
		}
		name, ok := r.decode(rawName, true)
		if !ok {
			r.Param = rawName
			return r.refuse(BadQuery, "a query parameter has a bad percent escape", rawName)
		}
		if reason := r.addParam(e.paramName(shape, name), name, rawValue); reason != NotJudged {
			r.Param = name
			return reason
		}
	}
	return NotJudged
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

// addParam judges one parameter and keeps it. name is the known spelling, "" for an unknown one;
// asked is the client's.
func (r *Request) addParam(name string, asked, raw []byte) Reason {
	if name == "" {
		return r.refuse(BadQuery, "unknown query parameter", asked)
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

func control(c rune) bool { return c < 0x20 || c == 0x7f }

// valueFault judges the decoded value of one parameter and notes the two that mean something to the
// gateway.
func (r *Request) valueFault(name string, value []byte) string {
	switch name {
	case paramData:
		r.Data = value
		if len(value) == 0 {
			return "data is JSON and cannot be empty"
		}
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
