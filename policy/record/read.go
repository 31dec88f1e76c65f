package record

import (
	"strconv"

	"aclgate/policy"
)

// maxElements bounds how many records one POST makes.
const maxElements = 1000

// ReadNew reads the body of a POST: one object, or an array of them. Each is a document with the
// fields that were given, checked and as documents keep them; all others are the caller's to add.
func (k *Kind) ReadNew(body Value) ([]Value, *Fault) {
	switch {
	case body.Shape == Object:
		doc, fault := k.fields(body, true)
		return []Value{doc}, fault
	case body.Shape != List || len(body.Items) == 0 || len(body.Items) > maxElements:
		return nil, k.hinted(expected("an object, or a list of at most 1000 of them"), true)
	}
	docs := make([]Value, len(body.Items))
	for i, element := range body.Items {
		doc, fault := k.fields(element, true)
		if fault != nil {
			return nil, fault.Below("[" + strconv.Itoa(i) + "]")
		}
		docs[i] = doc
	}
	return docs, nil
}

// ReadChange reads the body of a PUT or PATCH: one object, or an array of just one. What it returns
// goes into Put or Patch.
func (k *Kind) ReadChange(body Value) (Value, *Fault) {
	if body.Shape == List && len(body.Items) == 1 {
		body = body.Items[0]
	}
	switch {
	case body.Shape != Object:
		return Value{}, k.hinted(expected("an object with the fields to change"), false)
	case len(body.Members) == 0:
		return Value{}, k.hinted(expected("a field to change"), false)
	}
	for _, m := range body.Members {
		if fault := k.mayName(m.Name, false); fault != nil {
			return Value{}, fault
		}
	}
	return body, nil
}

// mayName returns a fault unless a body may hold a field of this name.
func (k *Kind) mayName(name string, post bool) *Fault {
	f := k.Field(name)
	switch {
	case f == nil:
		return unknown(name, k.Writable(post))
	case f.Write == Never:
		return k.hinted(&Fault{Class: BadField, Path: name, Text: "is read-only"}, post)
	case f.Write == AtPost && !post:
		return k.hinted(&Fault{Class: BadField, Path: name, Text: "never changes"}, post)
	}
	return nil
}

func (k *Kind) hinted(f *Fault, post bool) *Fault {
	f.Hint = k.Writable(post)
	return f
}

// fields reads an object of a POST.
func (k *Kind) fields(v Value, post bool) (Value, *Fault) {
	if v.Shape != Object {
		return Value{}, k.hinted(expected("an object"), post)
	}
	doc := NewObject()
	for _, m := range v.Members {
		if fault := k.mayName(m.Name, post); fault != nil {
			return Value{}, fault
		}
		value, fault := k.Field(m.Name).Type.Read(m.Value)
		if fault != nil {
			return Value{}, fault.Below(m.Name)
		}
		doc = doc.set(m.Name, value)
	}
	if k == LegacyTokens {
		var fault *Fault
		if doc, fault = legacy(doc); fault != nil {
			return Value{}, fault
		}
	}
	for i := range k.Fields {
		if f := &k.Fields[i]; f.Has(Needed) && doc.Get(f.Name).Shape == Absent {
			return Value{}, k.hinted(&Fault{Class: BadField, Path: f.Name, Text: "is missing"}, post)
		}
	}
	return doc, nil
}

// ReadStored reads a whole record, as a policy file or a database holds it: with its id, its account,
// and whatever else may be written or is given by the gateway.
func (k *Kind) ReadStored(v Value) (Value, *Fault) {
	if v.Shape != Object {
		return Value{}, expected("an object")
	}
	doc := NewObject()
	for _, m := range v.Members {
		f := k.Field(m.Name)
		if f == nil || f.Has(Computed) || f.Has(Secret) {
			return Value{}, unknown(m.Name, k.Names(func(f *Field) bool { return !f.Has(Computed) && !f.Has(Secret) }))
		}
		value, fault := f.Type.Read(m.Value)
		if fault != nil {
			return Value{}, fault.Below(m.Name)
		}
		doc = doc.set(m.Name, value)
	}
	for _, name := range []string{"id", "cid"} {
		if k.Field(name) != nil && doc.Get(name).Shape == Absent {
			return Value{}, &Fault{Class: BadField, Path: name, Text: "is missing"}
		}
	}
	return doc, nil
}

// set sets a member, or takes it away where the value is null: a document does not have what is not
// there.
func (v Value) set(name string, value Value) Value {
	if value.Shape == Null {
		return v.Without(name)
	}
	return v.With(name, value)
}

// legacy puts the acl of the legacy path where it belongs. It makes an acl token, and nothing else:
// an empty one says nothing, so nothing is a master by omission (SPEC 10.4).
func legacy(doc Value) (Value, *Fault) {
	acl := doc.Get("acl")
	doc = doc.Without("acl")
	access := doc.Get("access")
	switch {
	case len(acl.Items) == 0:
		return doc, nil
	case access.Shape == Absent:
		return doc.With("access", NewObject(Member{"type", NewInt(2)}, Member{"acl", acl})), nil
	case access.Get("type").Text != "2" || len(access.Get("acl").Items) > 0 && !access.Get("acl").Equal(acl):
		return Value{}, &Fault{Class: BadField, Path: "acl", Text: "expected what access says, or only one of both"}
	}
	return doc.With("access", access.With("acl", acl)), nil
}

// Put returns a document with the fields of a change, which ReadChange has read, replaced.
func (k *Kind) Put(before, change Value) (Value, *Fault) {
	return k.change(before, change, func(_, v Value) Value { return v })
}

// Patch returns a document with the objects of a change merged into it key by key, as RFC 7396 has
// it: null takes a key away. Lists, acl and ids with them, are replaced whole.
func (k *Kind) Patch(before, change Value) (Value, *Fault) {
	return k.change(before, change, merge)
}

func merge(was, v Value) Value {
	if v.Shape != Object {
		return v
	}
	merged := was
	if was.Shape != Object {
		merged = NewObject()
	}
	for _, m := range v.Members {
		if m.Value.Shape == Null {
			merged = merged.Without(m.Name)
		} else {
			merged = merged.With(m.Name, merge(merged.Get(m.Name), m.Value))
		}
	}
	return merged
}

func (k *Kind) change(before, change Value, join func(was, v Value) Value) (Value, *Fault) {
	after := before
	for _, m := range change.Members {
		name := m.Name
		was := before.Get(name)
		if k == LegacyTokens && name == "acl" {
			continue
		}
		value, fault := k.Field(name).Type.Read(join(was, m.Value))
		if fault != nil {
			return Value{}, fault.Below(name)
		}
		after = after.set(name, value)
	}
	if acl := change.Get("acl"); k == LegacyTokens && acl.Shape != Absent {
		return legacyChange(after, acl)
	}
	return after, nil
}

// legacyChange replaces the entries of an acl token. Of other tokens they cannot be written alone:
// an acl beside them is one that nobody obeys.
func legacyChange(after, acl Value) (Value, *Fault) {
	entries, fault := Entries.Read(acl)
	if fault != nil {
		return Value{}, fault.Below("acl")
	}
	access := after.Get("access")
	if AccessOf(access) != policy.ACLAccess {
		if len(entries.Items) == 0 {
			return after, nil
		}
		return Value{}, &Fault{Class: BadField, Path: "acl", Text: "expected access.type 2 beside entries"}
	}
	return after.With("access", access.With("acl", entries)), nil
}
