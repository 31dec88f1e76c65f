package strict

import "go.yaml.in/yaml/v3"

// Map is a mapping whose keys are known. The Map of an absent or faulty node is empty and needs
// nothing, so that one fault does not bring others.
type Map struct {
	node   *Node
	values map[string]*Node
	needs  bool // it is a mapping, so that a missing key is one
}

// Map returns the node as a mapping that may hold the known keys and no others. Unknown keys, keys
// that come twice and keys that are not text are reported at their place; of two equal ones the
// first counts.
func (n *Node) Map(known ...string) *Map {
	m := &Map{node: n, values: make(map[string]*Node)}
	switch n.Kind() {
	case Absent:
		return m
	case Mapping:
	default:
		n.mismatch("a mapping")
		return m
	}
	m.needs = true
	isKnown := make(map[string]bool, len(known))
	for _, k := range known {
		isKnown[k] = true
	}
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		child := &Node{y: n.y.Content[i+1], key: n.y.Content[i], report: n.report, up: n}
		if m.take(child) && !isKnown[child.key.Value] {
			m.unknown(child.key, known)
		}
	}
	return m
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
	if first, ok := m.values[key.Value]; ok {
		report.Fault(at, "key %s stands here twice: first in line %d", quote(key.Value), first.KeyPos().Line)
		return false
	}
	m.values[key.Value] = child
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
func (m *Map) Get(key string) *Node { return m.values[key] }

// Opt is Get for keys where a null is as good as an absence: `section:` with all its lines
// commented out.
func (m *Map) Opt(key string) *Node {
	if n := m.values[key]; n.Kind() != Null {
		return n
	}
	return nil
}

// Need is Get for keys that must be there; a missing one is reported where the mapping begins.
func (m *Map) Need(key string) *Node {
	n := m.values[key]
	if n == nil && m.needs {
		m.node.Fault("missing key %q", key)
	}
	return n
}
