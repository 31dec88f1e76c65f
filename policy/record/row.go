package record

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
)

// Row returns what clients see of a stored document: every readable field that is kept in it, with
// what an absent one means. Computed fields are null until the caller sets them; no field that has
// no row in the table, a digest for instance, gets into a row.
func (k *Kind) Row(doc Value) Value {
	row := Value{Shape: Object, Members: make([]Member, 0, len(k.Fields))}
	for i := range k.Fields {
		f := &k.Fields[i]
		if !f.Readable() {
			continue
		}
		row.Members = append(row.Members, Member{f.Name, k.kept(f, doc)})
	}
	return row
}

func (k *Kind) kept(f *Field, doc Value) Value {
	if f.Has(Computed) {
		return Value{Shape: Null}
	}
	v := doc.Get(f.Name)
	switch {
	case f.Name == "cid" && (k == Subaccounts || k == Customer):
		if v = doc.Get("parent"); v.Shape == Absent {
			return NewInt(0) // a root, as the vendor's own account
		}
		return v
	case f.Name == "acl" && k == LegacyTokens:
		v = doc.Get("access").Get("acl")
	}
	if v.Shape == Absent || v.Shape == Null {
		return f.Type.Absent()
	}
	return f.Type.show(v)
}

// show returns a stored value as rows spell it. Policy files and what was imported from them spell
// some values in other ways.
func (t Type) show(v Value) Value {
	switch {
	case t == IPs && v.Shape == List && len(v.Items) > 0:
		if read, fault := readIPs(v); fault == nil {
			return read
		}
	case t == Access && AccessOf(v) != policy.ACLAccess:
		return v.Without("acl") // [V]: absent of types 0 and 1
	case t == Access && v.Get("acl").Shape == Absent:
		return v.With("acl", NewList())
	}
	return v
}

// Fields are the fields that a request asks for: paths, each a name or names with dots between.
// None: the default set.
type Fields [][]string

// maxFields bounds how many there are.
const maxFields = 256

// ReadFields reads the value of fields. An unknown name is a fault, also below a field whose
// members are known; below metadata and the like any name is possible.
func (k *Kind) ReadFields(text string) (Fields, *Fault) {
	if text == "" {
		return nil, nil
	}
	var fields Fields
	for _, path := range strings.Split(text, ",") {
		names := strings.Split(path, ".")
		f := k.Field(names[0])
		switch {
		case f == nil || !f.Readable():
			return nil, k.noField(names[0])
		case slices.Contains(names, "") || len(fields) == maxFields || len(names) > maxDepth:
			return nil, &Fault{Class: BadField, Path: "fields", Text: "expected names with commas between", Hint: k.Readable()}
		case len(names) > 1 && !f.Type.has(names[1]):
			return nil, &Fault{Class: BadField, Path: "fields", Text: "there is no field " + shown(path), Hint: k.Readable()}
		}
		fields = append(fields, names)
	}
	return fields, nil
}

func (k *Kind) noField(name string) *Fault {
	f := unknown(name, k.Readable())
	f.Path, f.Text = "fields", shown(name)+": "+f.Text
	return f
}

// has reports whether values of the type may have a member called name.
func (t Type) has(name string) bool {
	switch t {
	case Metadata, Numbers:
		return true
	case Access:
		return name == "type" || name == "acl"
	case Home:
		return name == "type" || name == "subaccount_id" || name == "limit_id"
	case TokenParams:
		return name == "access" || name == "ttl" || name == "ips" || name == "origins"
	}
	return false
}

// Choose returns the members of a row that a request asks for. A path of several names gives the
// objects on the way with that member alone [G]; where the row has nothing there, nothing.
func (k *Kind) Choose(row Value, fields Fields) Value {
	chosen := NewObject()
	if fields == nil {
		for _, m := range row.Members {
			if f := k.Field(m.Name); f != nil && f.Has(Default) {
				chosen.Members = append(chosen.Members, m)
			}
		}
		return chosen
	}
	for _, path := range fields {
		chosen = choose(chosen, row, path)
	}
	return chosen
}

func choose(chosen, from Value, path []string) Value {
	v := from.Get(path[0])
	switch {
	case v.Shape == Absent:
		return chosen
	case len(path) == 1:
		return chosen.With(path[0], v)
	case v.Shape != Object:
		return chosen
	}
	below := chosen.Get(path[0])
	if below.Shape == Absent {
		below = NewObject()
	}
	if below = choose(below, v, path[1:]); len(below.Members) == 0 {
		return chosen
	}
	return chosen.With(path[0], below)
}

// Condition is one field=value of a match. Value may hold * and ?.
type Condition struct {
	Path  []string
	Value string
}

// maxMatches bounds the conditions of a selector, and maxPattern the length of one.
const (
	maxMatches = 64
	maxPattern = 1024
)

// ReadMatch reads conditions joined by commas, as the grammar of SPEC 2 has them; an expression is
// a fault, because nobody evaluates it [G]. A field that is a secret cannot be named: a match would
// be an oracle for it.
func (k *Kind) ReadMatch(text string) ([]Condition, *Fault) {
	if strings.HasPrefix(text, "{") {
		return nil, &Fault{Class: BadField, Text: "expressions are not evaluated here: name fields, as in name=x"}
	}
	var conditions []Condition
	for i, part := range strings.Split(text, ",") {
		name, value, found := strings.Cut(part, "=")
		value = strings.TrimPrefix(value, "=")
		path := strings.Split(name, ".")
		f := k.Field(path[0])
		switch {
		case !found || value == "" || len(value) > maxPattern || strings.Contains(value, "=") || i == maxMatches || slices.Contains(path, ""):
			return nil, &Fault{Class: BadField, Text: "expected all, ids, or field=value with commas between"}
		case f == nil || !f.Readable() || len(path) > 1 && !f.Type.has(path[1]):
			return nil, unknown(name, k.Readable())
		case f.Has(Secret):
			return nil, &Fault{Class: BadField, Path: path[0], Text: "cannot be matched"}
		}
		conditions = append(conditions, Condition{path, value})
	}
	return conditions, nil
}

// Match reports whether a row, with its computed fields, satisfies every condition. A value is
// compared as it is spelled: numbers and booleans as in JSON, strings without quotes. A list
// satisfies a condition when one of its elements does; an object never.
func Match(row Value, conditions []Condition) bool {
	for _, c := range conditions {
		v := row
		for _, name := range c.Path {
			v = v.Get(name)
		}
		if !matches(v, c.Value) {
			return false
		}
	}
	return true
}

func matches(v Value, pattern string) bool {
	switch v.Shape {
	case Text, Number, Bool:
		return policy.Wildcard(pattern, []byte(v.Text))
	case Null:
		return pattern == "null"
	case List:
		return slices.ContainsFunc(v.Items, func(item Value) bool { return matches(item, pattern) })
	}
	return false
}

// NumberOf returns the whole number that a field of a stored document holds, 0 if there is none:
// numbers may be stored as texts in what was written by hand.
func NumberOf(doc Value, name string) int64 {
	v := doc.Get(name)
	if v.Shape != Number && v.Shape != Text {
		return 0
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
