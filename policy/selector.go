package policy

import "bytes"

// SelectorKind says how a selector names its items. The zero value names none.
type SelectorKind uint8

// The kinds of selectors (SPEC 2). Local ones name things of their parent: they are printed as they
// came, and `all` among them is not rewritten.
const (
	SelectNone SelectorKind = iota
	SelectAll
	SelectIDs
	SelectFields     // field=value, joined by commas
	SelectExpression // {…}
	SelectConditions // an id list, then field=value: those of the ids that satisfy them all
	SelectLocal
)

var selectorNames = [...]string{"none", "all", "ids", "fields", "expression", "conditions", "local"}

// String returns the word for explain.
func (k SelectorKind) String() string { return selectorNames[k] }

// Selector is one selector of a path.
type Selector struct {
	Kind       SelectorKind
	Collection *Collection // nil: local to its parent
	IDs        []int64     // SelectIDs and SelectConditions: distinct, in the order asked
	Text       []byte      // every kind but SelectIDs: decoded; of SelectConditions what follows the ids
}

// Match reports whether the selector compares fields of items, which only the backend knows.
func (s *Selector) Match() bool {
	return s.Kind == SelectFields || s.Kind == SelectExpression || s.Kind == SelectConditions
}

// AccountOnly returns the account that all conditions of the selector ask for, if they ask for
// nothing else: cid=11. 0 is the account of no item: two of them were asked for.
func (s *Selector) AccountOnly() (cid int64, only bool) {
	if s.Kind != SelectFields && s.Kind != SelectConditions {
		return 0, false
	}
	for i, rest, more := 0, s.Text, true; more; i++ {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{','})
		field, value, _ := bytes.Cut(part, []byte{'='})
		id, isID := ParseID(bytes.TrimPrefix(value, []byte{'='}))
		switch {
		case string(field) != "cid" || !isID:
			return 0, false
		case i > 0 && id != cid:
			id = 0
		}
		cid = id
	}
	return cid, true
}

// ByID reports whether the selector names items whose ids are integers.
func (s *Selector) ByID() bool { return s.Collection != nil && s.Collection.IDs == IDInt }

// Limits of a match (SPEC 2).
const (
	maxValue      = 1 << 10
	maxExpression = 4 << 10
	maxBrackets   = 32
)

// readSelector reads one selector. The answer is "" or what is wrong.
func (r *Request) readSelector(s *Selector, text []byte, suspicious byteClass, slash bool) string {
	s.Text = text
	if !s.ByID() {
		s.Kind = SelectLocal
		return localFault(text, suspicious, slash)
	}
	if suspicious&hasSlash != 0 {
		return "a selector holds / or #"
	}
	switch c := text[0]; {
	case string(text) == "all":
		s.Kind = SelectAll
	case bytes.HasPrefix(text, allAnd): // everything that satisfies a match is what the match names
		s.Kind, s.Text = SelectFields, text[len(allAnd):]
		return fieldsFault(s.Text)
	case c >= '0' && c <= '9':
		return r.readIDs(s, text)
	case c == '{':
		s.Kind = SelectExpression
		return expressionFault(text)
	default:
		s.Kind = SelectFields
		return fieldsFault(text)
	}
	return ""
}

// allAnd begins a selector of all items that satisfy conditions.
var allAnd = []byte("all,")

// readIDs reads an id list, and the conditions behind it if there are some.
func (r *Request) readIDs(s *Selector, text []byte) string {
	from := len(r.ids)
	ids, ok := parseIDs(r.ids, text)
	var conditions []byte
	if !ok {
		text, conditions = cutConditions(text)
		ids, ok = parseIDs(r.ids, text)
	}
	r.ids = ids
	if !ok {
		return "an id list is digits without leading zero, up to 2^63-1, with single commas"
	}
	list, scratch := dropDuplicates(ids[from:], r.scratch)
	r.scratch, r.ids = scratch, ids[:from+len(list)]
	s.Kind, s.IDs, s.Text = SelectIDs, list[:len(list):len(list)], nil
	if conditions == nil {
		return ""
	}
	s.Kind, s.Text = SelectConditions, conditions
	return fieldsFault(conditions)
}

// cutConditions cuts what is no list any more off an id list.
func cutConditions(text []byte) (list, conditions []byte) {
	for i := plainRun(text); i < len(text); i++ {
		if c := text[i]; c != ',' && (c < '0' || c > '9') {
			comma := bytes.LastIndexByte(text[:i], ',') // -1: there is no list
			return text[:max(comma, 0)], text[comma+1:]
		}
	}
	return text, nil
}

// localFault judges a selector that only its parent understands.
func localFault(text []byte, suspicious byteClass, slash bool) string {
	switch {
	case suspicious&hasQuestion != 0:
		return "a selector holds ?"
	case suspicious&hasSlash == 0:
		return ""
	case !slash:
		return "a selector holds / or #"
	}
	// A backend that undoes the escape must not find a path to climb.
	for rest, more := text, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'/'})
		if len(part) == 0 || dots(part) {
			return "a part of a topic is empty, . or .."
		}
	}
	return ""
}

// fieldsFault judges field=value[,field=value…].
func fieldsFault(text []byte) string {
	for rest, more := text, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{','})
		field, value, found := bytes.Cut(part, []byte{'='})
		if !found || !fieldName(field) {
			return "a selector is all or an id list, field=value may follow either; or field=value, or one {expression}"
		}
		if len(value) > 0 && value[0] == '=' {
			value = value[1:]
		}
		if len(value) == 0 || len(value) > maxValue || bytes.IndexByte(value, '=') >= 0 {
			return "the value of a field is 1 to 1024 bytes without ="
		}
	}
	return ""
}

func fieldName(b []byte) bool {
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(b) > 0
}

// expressionFault judges the outline of one {…}: it has to end where its first bracket closes, so
// that nothing can be beside it. Brackets inside of quotes are text.
func expressionFault(text []byte) string {
	if len(text) > maxExpression {
		return "an expression is longer than 4096 bytes"
	}
	depth, quote := 0, byte(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '(' || c == '[':
			depth++
			if depth > maxBrackets {
				return "an expression is nested deeper than 32 brackets"
			}
		case c == '}' || c == ')' || c == ']':
			depth--
			if depth == 0 && (i != len(text)-1 || c != '}') {
				return "an expression does not end with its own }"
			}
		}
	}
	if depth != 0 {
		return "an expression does not close its brackets"
	}
	return ""
}
