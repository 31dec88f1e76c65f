package strict

import "go.yaml.in/yaml/v3"

// maxExpanded bounds what aliases may add to a file: a few lines of them can mean more nodes than
// fit into any memory.
const maxExpanded = 10_000

// ParseWithAliases is Parse for files that a program may have written: an alias is a copy of what
// its anchor names, at the alias's own place.
func ParseWithAliases(file string, text []byte) (*Node, *Report) {
	return parse(file, text, expand)
}

// expand replaces the aliases below root by copies. With too many it leaves the rest as they are,
// and the screening that follows refuses them.
func expand(root *yaml.Node) {
	budget := maxExpanded
	var walk func(y *yaml.Node, depth int)
	walk = func(y *yaml.Node, depth int) {
		if depth > maxDepth {
			return
		}
		y.Anchor = ""
		if y.Kind == yaml.AliasNode && y.Alias != nil {
			if c := copyOf(y.Alias, &budget, depth); c != nil {
				c.Line, c.Column = y.Line, y.Column
				*y = *c
			}
			return
		}
		for _, child := range y.Content {
			walk(child, depth+1)
		}
	}
	walk(root, 1)
}

// copyOf returns a deep copy without anchors, or nil when the budget is spent.
func copyOf(y *yaml.Node, budget *int, depth int) *yaml.Node {
	*budget--
	if *budget < 0 || depth > maxDepth {
		return nil
	}
	if y.Kind == yaml.AliasNode && y.Alias != nil {
		return copyOf(y.Alias, budget, depth+1)
	}
	c := *y
	c.Anchor, c.Content = "", make([]*yaml.Node, len(y.Content))
	for i, child := range y.Content {
		if c.Content[i] = copyOf(child, budget, depth+1); c.Content[i] == nil {
			return nil
		}
	}
	return &c
}
