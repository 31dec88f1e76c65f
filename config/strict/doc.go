// Package strict reads YAML (and so JSON) files in which a slip must never pass for a choice.
//
// A file is parsed once into a tree of nodes; decoders walk the tree and report what does not fit,
// but never stop at it, so that one run names every fault of a file at once. Each fault says where
// it is (file:line:col), what was expected and, for a misspelt word, which known word is nearest.
//
// The rules are these. The text of a value decides and never YAML's own idea of its type: `010`,
// `0x1` and `1_0` are no ids, `yes` is no boolean, and quotes change nothing, except that `""` is
// an empty text where nothing at all is a null. A null is a value that is missing: readers refuse
// it, and Map.Opt is for keys where it may mean an absent one. Keys are unique and known. One file
// is one document in UTF-8 without byte order mark. Anchors, aliases and tags are refused: they
// make one value count in two places, hide a short file's real size ("a billion laughs") and choose
// types without the reader noticing. A value is shown in a message only by the readers whose text
// cannot be a credential by its place; Key never shows what it read.
//
// A decoder of a record reads like its table:
//
//	root, report := strict.Parse(name, text)
//	m := root.Map("id", "name", "parent")
//	strict.Into(&a.ID, m.Need("id"), strict.ID)
//	strict.Into(&a.Name, m.Get("name"), strict.Text)
//	return report.Faults().Err()
//
// Every reader takes a nil node for an absent one and reports nothing about it.
package strict
