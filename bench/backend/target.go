package backend

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// query holds the parameters that the API knows; others are ignored.
type query struct {
	fields string // comma list; "" is the default set
	data   string // JSON; "" when absent
	limit  int64  // -1: none
	offset int64
}

var (
	errTarget   = errors.New("the target is not a path")
	errEscape   = errors.New("bad percent-encoding")
	errUTF8     = errors.New("not UTF-8")
	errTwice    = errors.New("parameter given twice")
	errNumber   = errors.New("limit and offset are numbers")
	errNameless = errors.New("the query has a parameter without name")
)

// parseTarget splits the raw target of a request line into decoded path segments, appended to segs,
// and the query. Splitting comes first and each segment is decoded once: what an encoded slash
// hides is never a path.
func parseTarget(segs []string, raw string) ([]string, query, error) {
	path, rawQuery, _ := strings.Cut(raw, "?")
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, query{}, errTarget
	}
	for more := true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		seg, err := unescape(seg, false)
		if err != nil {
			return nil, query{}, err
		}
		segs = append(segs, seg)
	}
	q, err := parseQuery(rawQuery)
	return segs, q, err
}

func parseQuery(raw string) (query, error) {
	q := query{limit: -1}
	var seen []string
	for more := raw != ""; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name, true)
		if err != nil {
			return q, err
		}
		if value, err = unescape(value, true); err != nil {
			return q, err
		}
		if name == "" {
			return q, errNameless
		}
		for _, other := range seen {
			if other == name {
				return q, errTwice
			}
		}
		seen = append(seen, name)
		switch name {
		case "fields":
			q.fields = value
		case "data":
			q.data = value
		case "limit":
			q.limit, err = number(value)
		case "offset":
			q.offset, err = number(value)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

func number(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || s[0] == '+' {
		return 0, errNumber
	}
	return n, nil
}

// unescape decodes s once; in form values a plus is a space.
func unescape(s string, form bool) (string, error) {
	if !strings.Contains(s, "%") && !(form && strings.Contains(s, "+")) {
		if !utf8.ValidString(s) {
			return "", errUTF8
		}
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%':
			if i+2 >= len(s) || nibble(s[i+1]) < 0 || nibble(s[i+2]) < 0 {
				return "", errEscape
			}
			out = append(out, byte(nibble(s[i+1])<<4|nibble(s[i+2])))
			i += 2
		case s[i] == '+' && form:
			out = append(out, ' ')
		default:
			out = append(out, s[i])
		}
	}
	if !utf8.Valid(out) {
		return "", errUTF8
	}
	return string(out), nil
}

// nibble returns the value of a hexadecimal digit, or -1.
func nibble(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
