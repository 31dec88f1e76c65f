package strict

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// ParseFile is Parse for files that may be large. A file whose name ends in .json is read as JSON,
// and the value of its top-level key stream is not held: Node.Elements makes a tree of one element
// at a time. Nodes, places and faults are those of Parse. Of JSON, pause is called after every few
// microseconds of work, so that who has to can let others run.
func ParseFile(file string, text []byte, stream string, pause func()) (*Node, *Report) {
	if !strings.HasSuffix(file, ".json") {
		return Parse(file, text)
	}
	report := NewReport(file)
	if !screenText(report, text, pause) {
		return nil, report
	}
	r := newJSONReader(report, text, cursor{line: 1, col: 1})
	r.pause = pause
	root := r.document(stream)
	if root == nil {
		return nil, report
	}
	return root, report
}

// Elements yields the elements of a list with their places in it, from 0. An element that is
// streamed is valid until the next one is asked for.
func (n *Node) Elements() iter.Seq2[int, *Node] {
	return func(yield func(int, *Node) bool) {
		if n != nil && n.stream != nil {
			n.stream.elements(n, yield)
			return
		}
		for i, element := range n.List() {
			if !yield(i, element) {
				return
			}
		}
	}
}

// cursor is a place in a text that only moves forward.
type cursor struct{ at, line, col int }

func (c *cursor) moveTo(text []byte, offset int) Pos {
	for ; c.at < offset; c.at++ {
		switch b := text[c.at]; {
		case b == '\n':
			c.line, c.col = c.line+1, 1
		case b&0xC0 != 0x80: // the first byte of a character
			c.col++
		}
	}
	return Pos{c.line, c.col}
}

// jsonReader makes nodes of JSON.
type jsonReader struct {
	report *Report
	text   []byte
	base   int // offset of what the decoder reads
	dec    *jsontext.Decoder
	place  cursor
	nodes  []yaml.Node // room for the nodes of one element
	used   int
	pause  func()
	words  map[string]string // one copy of each short text: keys and words come again and again
	whole  string            // the text, of which values are parts; "": they are copied one by one
	input  bytes.Buffer      // what the decoder reads, of a text that is reused
}

// Bounds of what words holds.
const (
	maxShared = 32
	maxWords  = 4096
)

func newJSONReader(report *Report, text []byte, at cursor) *jsonReader {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text[at.at:]), twice...)
	return &jsonReader{report: report, text: text, base: at.at, dec: dec, place: at, words: make(map[string]string)}
}

// twice lets keys come twice: strict reports them by itself, with both places.
var twice = []jsontext.Options{jsontext.AllowDuplicateNames(true)}

// reuse puts the reader before another text. Nodes that it made are not valid any more.
func (r *jsonReader) reuse(text []byte) {
	r.input = *bytes.NewBuffer(text)
	r.dec.Reset(&r.input, twice...)
	r.text, r.base, r.place, r.used = text, 0, cursor{line: 1, col: 1}, 0
	if len(r.nodes) > maxKept {
		r.nodes = nil
	}
}

// next returns where the next token begins.
func (r *jsonReader) next() Pos {
	at := r.base + int(r.dec.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return r.place.moveTo(r.text, at)
}

// node returns a node at a place.
func (r *jsonReader) node(kind yaml.Kind, at Pos) *yaml.Node {
	if r.used == len(r.nodes) {
		r.nodes, r.used = make([]yaml.Node, max(64, 2*len(r.nodes))), 0
	}
	y := &r.nodes[r.used]
	r.used++
	*y = yaml.Node{Kind: kind, Line: at.Line, Column: at.Col, Content: y.Content[:0]}
	return y
}

// document reads the whole text, but for the value of the key stream.
func (r *jsonReader) document(stream string) *Node {
	root := &r.report.nodes.take(1)[0]
	*root = Node{report: r.report}
	if len(bytes.TrimSpace(r.text)) == 0 {
		root.y = r.node(yaml.MappingNode, Pos{1, 1})
		return root
	}
	at := r.next()
	if r.dec.PeekKind() != '{' {
		y, err := r.value(1)
		if err != nil || r.end() != nil {
			return r.fault(err)
		}
		root.y = y
		return root
	}
	root.y = r.node(yaml.MappingNode, at)
	_, err := r.dec.ReadToken()
	for err == nil && r.dec.PeekKind() != '}' {
		var key, value *yaml.Node
		if key, err = r.value(2); err != nil {
			break
		}
		if key.Value == stream && r.dec.PeekKind() == '[' && root.stream == nil {
			at := r.next()
			value = r.node(yaml.SequenceNode, at)
			root.stream = newJSONReader(r.report, r.text, r.place)
			root.streamed = value
			err = r.skipList()
		} else {
			value, err = r.value(2)
		}
		root.y.Content = append(root.y.Content, key, value)
	}
	if err == nil {
		_, err = r.dec.ReadToken()
	}
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return r.fault(err)
	}
	return root
}

// skipList checks the grammar of a list.
func (r *jsonReader) skipList() error {
	_, err := r.dec.ReadToken()
	for err == nil && r.dec.PeekKind() != ']' {
		err = r.dec.SkipValue()
		r.pause()
	}
	if err == nil {
		_, err = r.dec.ReadToken()
	}
	return err
}

// errSecond says that a second value follows the first.
var errSecond = errors.New("a second value begins here: one file holds one")

// end reports whether nothing follows the value.
func (r *jsonReader) end() error {
	r.next()
	switch _, err := r.dec.ReadToken(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return errSecond
}

// fault reports why the text is no JSON. Where the decoder quotes the text its message is cut:
// there may be a credential.
func (r *jsonReader) fault(err error) *Node {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		at := min(r.base+int(syntax.ByteOffset), len(r.text))
		message, _, _ := strings.Cut(syntax.Err.Error(), " `")
		r.report.Fault(r.place.moveTo(r.text, at), "this is not JSON: %s", message)
	case err == io.ErrUnexpectedEOF || err == io.EOF:
		r.report.Fault(r.place.moveTo(r.text, len(r.text)), "this is not JSON: it ends in the middle")
	default:
		r.report.Fault(Pos{r.place.line, r.place.col}, "%s", err)
	}
	return nil
}

// value reads one value into a tree.
func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	at := r.next()
	if depth > maxDepth {
		r.report.Fault(at, "more than %d lists and mappings inside each other", maxDepth)
		return r.node(0, at), r.dec.SkipValue()
	}
	switch kind := r.dec.PeekKind(); kind {
	case '{', '[':
		if _, err := r.dec.ReadToken(); err != nil {
			return nil, err
		}
		y := r.node(yaml.MappingNode, at)
		if kind == '[' {
			y.Kind = yaml.SequenceNode
		}
		for r.dec.PeekKind() != kind+2 { // the closing bracket: '{'+2 is '}', '['+2 is ']'
			child, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			y.Content = append(y.Content, child)
		}
		_, err := r.dec.ReadToken()
		return y, err
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	y := r.node(yaml.ScalarNode, at)
	switch {
	case raw[0] == '"' && bytes.IndexByte(raw, '\\') >= 0:
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return nil, err
		}
		y.Value, y.Style = string(text), yaml.DoubleQuotedStyle
	case raw[0] == '"':
		y.Value, y.Style = r.word(raw, 1), yaml.DoubleQuotedStyle
	case raw[0] == 'n':
		y.Value, y.Tag = "null", "!!null"
	default:
		y.Value = r.word(raw, 0)
	}
	return y, nil
}

// word returns the value that the decoder just read, without its quotes.
func (r *jsonReader) word(raw []byte, quotes int) string {
	text := raw[quotes : len(raw)-quotes]
	if r.whole != "" {
		end := r.base + int(r.dec.InputOffset()) - quotes
		return r.whole[end-len(text) : end]
	}
	if len(text) > maxShared {
		return string(text)
	}
	if word, found := r.words[string(text)]; found {
		return word
	}
	word := string(text)
	if len(r.words) < maxWords {
		r.words[word] = word
	}
	return word
}

// elements yields the elements of the list that the decoder stands before. The text was parsed
// once, so there is no fault of syntax in it.
func (r *jsonReader) elements(list *Node, yield func(int, *Node) bool) {
	if _, err := r.dec.ReadToken(); err != nil {
		return
	}
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		r.used = 0
		y, err := r.value(3)
		if err != nil || !yield(i, &Node{y: y, report: r.report, up: list, index: i}) {
			return
		}
	}
}
