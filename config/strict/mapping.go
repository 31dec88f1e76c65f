package strict

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Map is a mapping whose keys are known. The Map of an absent or faulty node is empty and needs
// nothing, so that one fault does not bring others.
type Map struct {
	node   *Node
	values []Node           // with sound keys, each once
	byKey  map[string]*Node // of a mapping with many keys; nil: values is searched
	needs  bool             // it is a mapping, so that a missing key is one
}

// manyKeys is from where on a mapping is searched by a table.
const manyKeys = 16

// Map returns the node as a mapping that may hold the known keys and no others. Unknown keys, keys
// that come twice and keys that are not text are reported at their place; of two equal ones the
// first counts.
func (n *Node) Map(known ...string) *Map {
	m := &Map{node: n} // here, so that a caller who does not keep it has it without an allocation
	m.read(known)
	return m
}

// read takes the pairs of the node.
func (m *Map) read(known []string) {
	n := m.node
	switch n.Kind() {
	case Absent:
		return
	case Mapping:
	default:
		n.mismatch("a mapping")
		return
	}
	m.needs = true
	size := len(n.y.Content) / 2
	m.values = n.report.nodes.take(size)[:0]
	if size > manyKeys {
		m.byKey = make(map[string]*Node, size)
	}
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		child := Node{y: n.y.Content[i+1], key: n.y.Content[i], report: n.report, up: n}
		if n.streamed == child.y {
			child.stream = n.stream
		}
		if m.take(&child) && !slices.Contains(known, child.key.Value) {
			m.unknown(child.key, known)
		}
	}
}

// Pairs returns the values of a mapping whose keys are free, each of which knows its Key, in their
// order. It reports false after a fault.
func (n *Node) Pairs() ([]Node, bool) {
	if n.Kind() != Mapping {
		n.mismatch("a mapping")
		return nil, false
	}
	m, sound := &Map{node: n}, true
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		sound = m.take(&Node{y: n.y.Content[i+1], key: n.y.Content[i], report: n.report, up: n}) && sound
	}
	return m.values, sound
}

// Key returns the key in front of the value; "" where it has none.
func (n *Node) Key() string {
	if n == nil || n.key == nil {
		return ""
	}
	return n.key.Value
}

// take adds a pair to the mapping, and reports whether its key is sound.
func (m *Map) take(child *Node) bool {
	key, report := child.key, child.report
	at := child.KeyPos()
	if key.Kind != yaml.ScalarNode || key.Value == "" {
		if key.Kind != 0 { // else it was refused while parsing
			report.Fault(at, "%s", m.node.about("expected a word as key"))
		}
		return false
	}
	if first := m.Get(key.Value); first != nil {
		report.Fault(at, "key %s stands here twice: first in line %d", quote(key.Value), first.KeyPos().Line)
		return false
	}
	m.values = append(m.values, *child)
	if m.byKey != nil {
		m.byKey[key.Value] = &m.values[len(m.values)-1]
	}
	return true
}

// unknown reports a key that the mapping does not know.
func (m *Map) unknown(key *yaml.Node, known []string) {
	at := Pos{key.Line, key.Column}
	m.node.report.Fault(at, "unknown key %s%s", quote(key.Value), didYouMean(key.Value, known))
}

// Node returns the node that the mapping was made of; nil for an absent one.
func (m *Map) Node() *Node { return m.node }

// Get returns the value of key, nil if the mapping does not hold it. A null is returned as it is,
// and every reader refuses it.
func (m *Map) Get(key string) *Node {
	if m.byKey != nil {
		return m.byKey[key]
	}
	for i := range m.values {
		if m.values[i].key.Value == key {
			return &m.values[i]
		}
	}
	return nil
}

// Opt is Get for keys where a null is as good as an absence: `section:` with all its lines
// commented out.
func (m *Map) Opt(key string) *Node {
	if n := m.Get(key); n.Kind() != Null {
		return n
	}
	return nil
}

// Need is Get for keys that must be there; a missing one is reported where the mapping begins.
func (m *Map) Need(key string) *Node {
	n := m.Get(key)
	if n == nil && m.needs {
		m.node.Fault("missing key %q", key)
	}
	return n
}
