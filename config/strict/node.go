package strict

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Kind is what a node is, apart from what it means.
type Kind uint8

// The kinds of a node.
const (
	Absent  Kind = iota // no node, or one whose fault was reported while parsing
	Null                // a key without value, `null` or `~`
	Text                // any other scalar
	List                // [a, b] or lines with dashes
	Mapping             // {a: b} or lines with colons
)

// found names each kind in "expected …, found …".
var found = [...]string{Absent: "nothing", Null: "no value", Text: "text", List: "a list", Mapping: "a mapping"}

// Node is one value of a file. It stays valid as long as it is referred to. A nil Node is an absent
// value: all methods take it and report nothing.
type Node struct {
	y      *yaml.Node
	key    *yaml.Node // the key in front of it, in a mapping
	report *Report
	up     *Node
	index  int // its place in a list, from 0

	stream   *jsonReader // of the list that Elements reads; nil: Content has all
	streamed *yaml.Node  // in the root of a file: the value of that list
}

// Kind returns what the node is.
func (n *Node) Kind() Kind {
	switch {
	case n == nil:
		return Absent
	case n.y.Kind == yaml.MappingNode:
		return Mapping
	case n.y.Kind == yaml.SequenceNode:
		return List
	case n.y.Kind == yaml.ScalarNode && n.y.Style == 0 && n.y.Tag == "!!null":
		return Null
	case n.y.Kind == yaml.ScalarNode:
		return Text
	}
	return Absent
}

// Pos returns where the value begins; the zero Pos for a nil node.
func (n *Node) Pos() Pos {
	if n == nil {
		return Pos{}
	}
	return Pos{n.y.Line, n.y.Column}
}

// KeyPos returns where the key of the value begins, or the value where it has no key.
func (n *Node) KeyPos() Pos {
	if n == nil || n.key == nil {
		return n.Pos()
	}
	return Pos{n.key.Line, n.key.Column}
}

// Path returns the way to the value from the root of the file, such as
// "tokens[2].access.acl[entry 1].uri"; "" for the root. It is put together on each call, for messages.
func (n *Node) Path() string {
	if n == nil || n.up == nil {
		return ""
	}
	up := n.up.Path()
	switch {
	case n.key == nil && n.up.key != nil && n.up.key.Value == "acl":
		return up + "[entry " + strconv.Itoa(n.index+1) + "]" // as explain, why and the audit log count them
	case n.key == nil:
		return up + "[" + strconv.Itoa(n.index) + "]"
	case up == "":
		return n.key.Value
	}
	return up + "." + n.key.Value
}

// Fault reports that the value makes the file unusable; the message gets the path in front. The
// caller keeps values out of it that may be credentials.
func (n *Node) Fault(format string, args ...any) {
	if n.Kind() != Absent {
		n.report.Fault(n.Pos(), "%s", n.about(fmt.Sprintf(format, args...)))
	}
}

// Warn reports that the value is legal and probably not meant.
func (n *Node) Warn(format string, args ...any) {
	if n.Kind() != Absent {
		n.report.Warn(n.Pos(), "%s", n.about(fmt.Sprintf(format, args...)))
	}
}

// Expected reports that something else was expected, and shows the text that was found. It must not
// be used where a credential may be.
func (n *Node) Expected(what string) {
	if n.Kind() == Text {
		n.Fault("expected %s, found %s", what, quote(n.y.Value))
		return
	}
	n.mismatch(what)
}

// mismatch is Expected without the text.
func (n *Node) mismatch(what string) { n.Fault("expected %s, found %s", what, found[n.Kind()]) }

// about puts the path in front of a message.
func (n *Node) about(message string) string {
	if path := n.Path(); path != "" {
		return path + ": " + message
	}
	return message
}

// List returns the elements of a list; nil for an absent one and, after a fault, for anything else.
func (n *Node) List() []*Node {
	switch n.Kind() {
	case Absent:
		return nil
	case List:
	default:
		n.mismatch("a list")
		return nil
	}
	items, nodes := n.report.lists.take(len(n.y.Content)), n.report.nodes.take(len(n.y.Content))
	for i, y := range n.y.Content {
		nodes[i] = Node{y: y, report: n.report, up: n, index: i}
		items[i] = &nodes[i]
	}
	return items
}

// maxQuote bounds what a message shows of a value, in bytes: enough to find it again, and half of a
// vendor's key at most, should one be where a number was expected.
const maxQuote = 32

// quote returns a text as a message shows it: escaped, because it may hold what moves a terminal's
// cursor, and cut when long.
func quote(text string) string {
	if len(text) <= maxQuote {
		return strconv.QuoteToASCII(text)
	}
	cut := maxQuote
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strconv.QuoteToASCII(text[:cut]) + "…"
}
