package record

import (
	"strconv"
	"strings"

	"aclgate/policy"
)

// accessWords are the access types by name, as policy files may spell them, in the order of their
// numbers on the wire.
var accessWords = [...]string{"standard", "master", "acl", "noapi"}

// readAccessType reads an access type: its number, or its name.
func readAccessType(v Value) (Value, *Fault) {
	for n, word := range accessWords {
		if v.Shape == Text && v.Text == word || v.Shape == Number && v.Text == strconv.Itoa(n) {
			return NewInt(int64(n)), nil
		}
	}
	return Value{}, expected("0 (standard), 1 (master), 2 (acl) or 3 (noapi)")
}

// readAccess reads type and acl. Entries of a token that asks none are a fault: whoever wrote them
// meant a token that can do less.
func readAccess(v Value) (Value, *Fault) {
	access, fault := objectOf(v, part{"type", true, readAccessType}, part{"acl", false, readEntries})
	if fault != nil {
		return Value{}, fault
	}
	acl := access.Get("acl")
	switch {
	case access.Get("type").Text == "2" && acl.Shape == Absent:
		return access.With("acl", NewList()), nil
	case access.Get("type").Text == "2":
		return access, nil
	case len(acl.Items) > 0:
		return Value{}, &Fault{Class: BadField, Path: "acl", Text: "expected no entries: only type 2 asks them"}
	}
	return access.Without("acl"), nil
}

// maxEntries bounds an ACL.
const maxEntries = 1000

func readEntries(v Value) (Value, *Fault) {
	if v.Shape != List || len(v.Items) > maxEntries {
		return Value{}, expected("a list of at most 1000 entries")
	}
	return listOf(v, readEntry)
}

func readEntry(v Value) (Value, *Fault) {
	return objectOf(v, part{"uri", true, readURI}, part{"methods", false, readMethods}, part{"ids", false, readIDs},
		part{"submodules", false, readSubmodules}, part{"topic", false, readLongLine}, part{"actions", false, readActions})
}

// readLongLine reads a topic: MQTT filters are longer than other strings.
func readLongLine(v Value) (Value, *Fault) {
	if !plain(v, 0, 1024) {
		return Value{}, expected("a string of at most 1024 bytes without control characters")
	}
	return v, nil
}

func readURI(v Value) (Value, *Fault) {
	if !plain(v, 1, maxLine) || strings.ContainsFunc(v.Text, func(c rune) bool { return c <= ' ' || c > 0x7e }) {
		return Value{}, expected("a uri such as gw/devices")
	}
	return v, nil
}

func readMethods(v Value) (Value, *Fault) {
	return listOf(v, oneOf("GET", "POST", "PUT", "PATCH", "DELETE"))
}

func readActions(v Value) (Value, *Fault) { return listOf(v, oneOf("publish", "subscribe")) }

// readIDs reads which items an entry is about. A null is a fault: taken for an absent key it would
// be every item.
func readIDs(v Value) (Value, *Fault) {
	if v.Shape == Text && (v.Text == "all" || v.Text == "in-groups") {
		return v, nil
	}
	if v.Shape != List {
		return Value{}, expected(`a list of ids, "all" or "in-groups"`)
	}
	return listOf(v, readID)
}

func readSubmodules(v Value) (Value, *Fault) {
	return listOf(v, func(v Value) (Value, *Fault) {
		return objectOf(v, part{"name", true, readURI}, part{"methods", false, readMethods})
	})
}

// EntriesOf returns the entries of an access that Read has read.
func EntriesOf(access Value) []policy.Entry {
	var entries []policy.Entry
	for _, v := range access.Get("acl").Items {
		e := policy.Entry{URI: v.Get("uri").Text, Methods: methodsOf(v.Get("methods")), Topic: v.Get("topic").Text}
		ids := v.Get("ids")
		switch {
		case ids.Shape == List:
			e.Rule = policy.IDsList
			numbers := make([]int64, len(ids.Items))
			for i, id := range ids.Items {
				numbers[i], _ = id.ID()
			}
			e.IDs = policy.NewIDSet(numbers)
		case ids.Text == "in-groups":
			e.Rule = policy.IDsInGroups
		case ids.Shape != Absent:
			e.Rule = policy.IDsAll
		}
		subs := v.Get("submodules")
		e.HasSubmodules = subs.Shape != Absent
		for _, s := range subs.Items {
			e.Submodules = append(e.Submodules, policy.Submodule{Name: s.Get("name").Text, Methods: methodsOf(s.Get("methods"))})
		}
		for _, a := range v.Get("actions").Items {
			if a.Text == "publish" {
				e.Actions |= policy.Publish
			} else {
				e.Actions |= policy.Subscribe
			}
		}
		entries = append(entries, e)
	}
	return entries
}

func methodsOf(v Value) policy.MethodSet {
	var set policy.MethodSet
	for _, m := range v.Items {
		set |= policy.Methods(policy.ParseMethod([]byte(m.Text)))
	}
	return set
}

// AccessOf returns the access type of an access that Read has read; of any other value none.
func AccessOf(access Value) policy.Access {
	switch access.Get("type").Text {
	case "0":
		return policy.Standard
	case "1":
		return policy.Master
	case "2":
		return policy.ACLAccess
	case "3":
		return policy.NoAPI
	}
	return policy.NoAccess
}
