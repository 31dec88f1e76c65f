package strict

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// AppendJSON appends a value of any shape as JSON. A word without quotes is a number, true, false
// or null where JSON has it so, and a text otherwise. All that is no printable ASCII is escaped only
// where this package would not read it back.
func (n *Node) AppendJSON(dst []byte) []byte {
	if n == nil {
		return append(dst, "null"...)
	}
	return appendValue(dst, n.y, appendJSONText)
}

// AppendYAML appends the same value on one line of YAML, which reads as the same again.
func (n *Node) AppendYAML(dst []byte) []byte {
	if n == nil {
		return append(dst, "null"...)
	}
	return appendValue(dst, n.y, strconv.AppendQuoteToASCII)
}

// appendValue appends a value, which is JSON and YAML at once but for its texts.
func appendValue(dst []byte, y *yaml.Node, text func([]byte, string) []byte) []byte {
	switch {
	case y.Kind == yaml.SequenceNode:
		dst = append(dst, '[')
		for i, child := range y.Content {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendValue(dst, child, text)
		}
		return append(dst, ']')
	case y.Kind == yaml.MappingNode:
		dst = append(dst, '{')
		for i := 0; i+1 < len(y.Content); i += 2 {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(text(dst, y.Content[i].Value), ": "...)
			dst = appendValue(dst, y.Content[i+1], text)
		}
		return append(dst, '}')
	case y.Kind == yaml.ScalarNode && y.Style == 0 && y.Tag == "!!null":
		return append(dst, "null"...)
	case y.Kind == yaml.ScalarNode && y.Style == 0 && isJSONWord(y.Value):
		return append(dst, y.Value...)
	}
	return text(dst, y.Value)
}

// isJSONWord reports whether a text without quotes is a JSON value other than null.
func isJSONWord(word string) bool {
	if word == "" || word[0] != 't' && word[0] != 'f' && word[0] != '-' && (word[0] < '0' || word[0] > '9') {
		return false
	}
	v := jsontext.Value(word)
	return v.IsValid() && len(word) == len(v)
}

// AppendJSONText appends a text as JSON that this package reads: what screenBytes refuses is
// escaped.
func AppendJSONText(dst []byte, text string) []byte { return appendJSONText(dst, text) }

func appendJSONText(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029:
			dst = append(dst, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			dst = append(dst, string(c)...)
		}
	}
	return append(dst, '"')
}

// Member returns the value of a key of a mapping, nil if there is none or this is no mapping.
func (n *Node) Member(key string) *Node {
	if n.Kind() != Mapping {
		return nil
	}
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		if n.y.Content[i].Value == key {
			return &Node{y: n.y.Content[i+1], key: n.y.Content[i], report: n.report, up: n}
		}
	}
	return nil
}

// ParseDocument is Parse for one JSON value that is no file. Name is what faults say in its place.
func ParseDocument(name string, text []byte) (*Node, *Report) {
	var d Documents
	return d.Parse(name, text)
}

// Documents parses one JSON value after the other in the same room. It belongs to one goroutine.
type Documents struct {
	reader *jsonReader
	report *Report
}

func nobody() {}

// maxKept is how many nodes are kept for the next value: a giant is not.
const maxKept = 1024

// Parse is ParseDocument. Node and report are valid until the next call, what was read of them for
// ever; it keeps the text alive.
func (d *Documents) Parse(name string, text []byte) (*Node, *Report) {
	if d.report == nil {
		d.report = &Report{}
	}
	report := d.report
	report.reuse(name)
	if !screenText(report, text, nobody) {
		return nil, report
	}
	if d.reader == nil {
		d.reader = newJSONReader(report, text, cursor{line: 1, col: 1})
		d.reader.pause = nobody
	} else {
		d.reader.reuse(text)
	}
	d.reader.whole = string(text)
	root := d.reader.document("\x00") // no key is streamed
	if root == nil {
		return nil, report
	}
	return root, report
}

// Flow reports whether a list or mapping is written in brackets or braces, as JSON is.
func (n *Node) Flow() bool { return n != nil && n.y.Style&yaml.FlowStyle != 0 }

// LastLine returns the last line on which something within the value begins; 0 for a nil node.
func (n *Node) LastLine() int {
	if n == nil {
		return 0
	}
	return deepest(n.y)
}

func deepest(y *yaml.Node) int {
	last := y.Line
	for _, inner := range y.Content {
		last = max(last, deepest(inner))
	}
	return last
}
