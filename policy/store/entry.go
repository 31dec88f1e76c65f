package store

import (
	"fmt"
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/topic"
)

// methodNames are the five methods, in policy's order from GET on.
var (
	methodNames = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	methodName  = strict.Enum(methodNames...)
)

// readEntries reads an ACL and warns about what it cannot mean.
func (r *reader) readEntries(rec *Record, nodes []*strict.Node) {
	if len(nodes) > 0 {
		rec.Entries = make([]policy.Entry, 0, len(nodes))
	}
	sound := true
	for _, n := range nodes {
		e, ok := r.readEntry(n.Map(entryKeys...))
		sound = sound && ok
		rec.Entries = append(rec.Entries, e)
	}
	if !sound || r.kindOf(rec.Entries).findings == 0 {
		return
	}
	for _, f := range r.lint.find(rec.Entries) {
		n := nodes[f.entry]
		if key := [...]string{aboutURI: "uri", aboutMethods: "methods", aboutSubmodules: "submodules"}[f.about]; key != "" {
			n = n.Member(key)
		}
		r.warnAbout(n, "%s", f.message)
	}
}

// Findings returns what the entries of a token say and cannot mean, each with its place, such as
// `access.acl[entry 1].uri: no route has the uri "gw/device", so the entry matches nothing`.
func Findings(rec *Record, cat *policy.Catalogue) (all []string) {
	parts := [...]string{aboutEntry: "", aboutURI: ".uri", aboutMethods: ".methods", aboutSubmodules: ".submodules"}
	l := lint{cat}
	for _, f := range l.find(rec.Entries) {
		all = append(all, fmt.Sprintf("access.acl[entry %d]%s: %s", f.entry+1, parts[f.about], f.message))
	}
	return all
}

func (r *reader) readEntry(m *strict.Map) (e policy.Entry, ok bool) {
	e.Line = m.Node().Pos().Line
	uri, ok := readIfThere(m.Need("uri"), strict.Word)
	e.URI = r.word(uri)
	methods, okMethods := readIfThere(m.Get("methods"), readMethods)
	e.Methods = methods
	okIDs := readIDs(&e, m.Get("ids"))
	okSubs := r.readSubmodules(&e, m.Get("submodules"))
	okTopic := r.readTopic(&e, m)
	return e, ok && uri != "" && okMethods && okIDs && okSubs && okTopic
}

// readTopic reads what an mqtt entry permits with topics, and warns where that is nothing at all.
func (r *reader) readTopic(e *policy.Entry, m *strict.Map) bool {
	text, okTopic := readIfThere(m.Get("topic"), strict.Str)
	words, okActions := readIfThere(m.Get("actions"), strict.ListOf(strict.Word))
	if e.URI != topic.EntryURI || !okTopic || !okActions {
		return okTopic && okActions
	}
	e.Topic = text
	for _, word := range words {
		switch word {
		case policy.Publish.String():
			e.Actions |= policy.Publish
		case policy.Subscribe.String():
			e.Actions |= policy.Subscribe
		default:
			r.warnAbout(m.Get("actions"), "%q is no action: there are publish and subscribe", word)
		}
	}
	if fault := topic.EntryFault(text); fault != "" {
		at := m.Get("topic")
		if at == nil {
			at = m.Node()
		}
		r.warnAbout(at, "the entry grants no topic: %s", fault)
	}
	return true
}

// readIfThere reads a value that may be absent.
func readIfThere[T any](n *strict.Node, read func(*strict.Node) (T, bool)) (v T, ok bool) {
	if n == nil {
		return v, true
	}
	return read(n)
}

func readMethods(n *strict.Node) (policy.MethodSet, bool) {
	var room [8]string
	names, ok := strict.AppendList(room[:0], n, methodName)
	var set policy.MethodSet
	for _, name := range names {
		set |= methodNamed(name)
	}
	return set, ok
}

// methodNamed returns the set of the method called name, empty for any other.
func methodNamed[T string | []byte](name T) policy.MethodSet {
	return policy.Methods(policy.ParseMethod([]byte(name)))
}

// readIDs reads which items an entry is about. A null is a fault: taken for an absent key it would
// be every item.
func readIDs(e *policy.Entry, n *strict.Node) bool {
	text, isText := scalar(n)
	switch {
	case n == nil:
		return true
	case n.Kind() == strict.List:
		var room [64]int64
		ids, ok := strict.AppendList(room[:0], n, strict.ID)
		e.Rule, e.IDs = policy.IDsList, policy.NewIDSet(ids)
		return ok
	case isText && text == "all":
		e.Rule = policy.IDsAll
		return true
	case isText && text == "in-groups":
		e.Rule = policy.IDsInGroups
		return true
	}
	n.Expected("a list of ids, all, or in-groups")
	return false
}

// readSubmodules reads the submodules that an entry names. With none of them between the brackets
// the entry permits nothing below the item.
func (r *reader) readSubmodules(e *policy.Entry, n *strict.Node) bool {
	if n == nil {
		return true
	}
	e.HasSubmodules = true
	ok := n.Kind() == strict.List
	for _, s := range n.List() {
		m := s.Map(submoduleKeys...)
		name, okName := readIfThere(m.Need("name"), strict.Word)
		methods, okMethods := readIfThere(m.Get("methods"), readMethods)
		ok = ok && okName && okMethods && name != ""
		e.Submodules = append(e.Submodules, policy.Submodule{Name: r.word(name), Methods: methods})
	}
	e.Submodules = slices.Clip(e.Submodules)
	return ok
}
