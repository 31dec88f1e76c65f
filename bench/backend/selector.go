package backend

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// selector is a path segment that names items of a collection: all of them, listed ids, or those
// that a match accepts.
type selector struct {
	all   bool
	ids   []int64 // in the order asked, duplicates dropped
	match matcher
}

// fieldset is anything that a match can look into: an item, or a link.
type fieldset interface {
	// value returns the decoded JSON value of a field, dotted names included: nil, bool, int64,
	// float64, string, []any or map[string]any.
	value(name string) any
}

// matcher reports whether an item is one of those that were asked for.
type matcher func(fieldset) bool

var (
	errSelector = errors.New("wrong selector")
	errID       = errors.New("wrong item id")
)

// parseSelector reads one decoded segment: all or 1,2,3, then conditions or none; field=value,…
// alone; or {…}.
func parseSelector(s string) (selector, error) {
	if strings.HasPrefix(s, "{") {
		m, err := parseExpr(s)
		return selector{match: m}, err
	}
	first, conditions, err := splitConditions(s)
	if err != nil {
		return selector{}, err
	}
	sel := selector{all: first == "all" || first == ""}
	if !sel.all {
		if sel.ids, err = parseIDs(first); err != nil {
			return sel, err
		}
	}
	if conditions != "" {
		sel.match, err = parseConditions(conditions)
	}
	return sel, err
}

// splitConditions cuts a selector before its first field=value: what is before it names items.
func splitConditions(s string) (first, conditions string, err error) {
	end := strings.IndexByte(s, '=')
	switch {
	case s == "":
		return "", "", errSelector
	case end < 0:
		return s, "", nil
	}
	at := strings.LastIndexByte(s[:end], ',')
	if at == 0 {
		return "", "", errSelector
	}
	return s[:max(at, 0)], s[at+1:], nil
}

func parseIDs(s string) ([]int64, error) {
	ids := make([]int64, 0, strings.Count(s, ",")+1)
	var seen map[int64]bool
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ",")
		id, err := parseID(part)
		if err != nil {
			return nil, err
		}
		if more && seen == nil {
			seen = map[int64]bool{}
		}
		if seen[id] {
			continue
		}
		if seen != nil {
			seen[id] = true
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// parseID reads a positive number without sign or leading zero.
func parseID(s string) (int64, error) {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0, errID
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errID
	}
	return id, nil
}

// parseConditions reads field=value or field==value, joined by commas that mean AND. Values are
// masks with * and ?.
func parseConditions(s string) (matcher, error) {
	type condition struct{ field, mask string }
	var all []condition
	for _, part := range strings.Split(s, ",") {
		field, mask, ok := strings.Cut(part, "=")
		mask = strings.TrimPrefix(mask, "=")
		if !ok || !isName(field) || mask == "" {
			return nil, errSelector
		}
		all = append(all, condition{field, mask})
	}
	return func(f fieldset) bool {
		for _, c := range all {
			if !fits(c.mask, f.value(c.field)) {
				return false
			}
		}
		return true
	}, nil
}

// fits reports whether a value, or any element of a list, fits the mask.
func fits(mask string, v any) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(v any) bool { return fits(mask, v) })
	}
	text, ok := asText(v)
	return ok && glob(mask, text)
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && c != '.' && c != '-') {
			return false
		}
	}
	return s != ""
}

// asText spells a scalar as selectors do; objects, arrays and absent values have no text.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

// glob reports whether s fits the mask: * is any run of bytes, ? any one byte. It goes back to the
// last star only, so it is quadratic at worst.
func glob(mask, s string) bool {
	star, back := -1, 0
	m, i := 0, 0
	for i < len(s) {
		switch {
		case m < len(mask) && mask[m] == '*':
			star, back = m, i
			m++
		case m < len(mask) && (mask[m] == '?' || mask[m] == s[i]):
			m++
			i++
		case star >= 0:
			back++
			m, i = star+1, back
		default:
			return false
		}
	}
	return strings.Trim(mask[m:], "*") == ""
}
