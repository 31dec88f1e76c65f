package record

import (
	"bytes"
	"strconv"

	"aclgate/policy"
)

// faultKind says what the fault of a Record is.
type faultKind uint8

const (
	faultParameter faultKind = iota // the name of a query parameter
	faultHeader                     // the name of a header
	faultBackend                    // how the backend refused a match
)

// faultMembers name them in the audit log.
var faultMembers = [...]string{`,"parameter":"`, `,"header":"`, `,"backend":"`}

// SetFault remembers the name of the header, or of the query parameter, that a request was refused
// for. Its value is never kept.
func (r *Record) SetFault(name []byte, header bool) {
	r.faultKind = faultParameter
	if header {
		r.faultKind = faultHeader
	}
	r.faultLen = uint8(copy(r.fault[:], name))
}

// AppendFault appends the remembered name, or the backend's words, escaped.
func (r *Record) AppendFault(dst []byte) []byte {
	for _, c := range r.fault[:r.faultLen] {
		if c == ' ' && r.faultKind == faultBackend {
			dst = append(dst, c)
			continue
		}
		dst = appendPlain(dst, c)
	}
	return dst
}

// SetRefusal remembers how the backend refused a match of q: by which status, and in which words. The
// words are of the first reason in its answer, and like the path that is remembered they tell of a
// match no more than what it compares: they end before the first = or {, and there are none where
// they repeat a value.
func (r *Record) SetRefusal(status int, answer []byte, q *policy.Request) {
	words := refusalWords(answer)
	if end := bytes.IndexAny(words, "={"); end >= 0 {
		words = words[:end]
	}
	for i := range q.Selectors {
		if s := &q.Selectors[i]; s.Match() && repeats(words, s) {
			words = nil
		}
	}
	r.faultKind, r.faultLen = faultBackend, uint8(len(strconv.AppendInt(r.fault[:0], int64(status), 10)))
	if len(words) > 0 {
		r.fault[r.faultLen] = ' '
		r.faultLen++
		r.faultLen += uint8(copy(r.fault[r.faultLen:], words))
	}
}

// refusalWords returns the text of the first member "reason" of an answer, without its escapes.
func refusalWords(answer []byte) []byte {
	_, rest, _ := bytes.Cut(answer, []byte(`"reason"`))
	rest, found := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte{':'})
	rest, isText := bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte{'"'})
	if !found || !isText {
		return nil
	}
	var words []byte
	for i := 0; i < len(rest) && rest[i] != '"'; i++ {
		if rest[i] == '\\' && i+1 < len(rest) {
			i++
		}
		words = append(words, rest[i])
	}
	return words
}

// minRepeated is the shortest value that counts as repeated: shorter ones are in any text.
const minRepeated = 3

// repeats reports whether words hold a value that a match compares with: that of a field, or a text
// in quotes of an expression.
func repeats(words []byte, s *policy.Selector) bool {
	if s.Kind == policy.SelectExpression {
		for i, part := range bytes.FieldsFunc(s.Text, func(c rune) bool { return c == '"' || c == '\'' }) {
			if i%2 == 1 && len(part) >= minRepeated && bytes.Contains(words, part) {
				return true
			}
		}
		return false
	}
	for part := range bytes.SplitSeq(s.Text, []byte{','}) {
		_, value, _ := bytes.Cut(part, []byte{'='})
		for piece := range bytes.FieldsFuncSeq(value, func(c rune) bool { return c == '=' || c == '*' || c == '?' }) {
			if len(piece) >= minRepeated && bytes.Contains(words, piece) {
				return true
			}
		}
	}
	return false
}
