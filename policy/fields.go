package policy

import "bytes"

// A field of an item is data, by whatever door it is asked for (SPEC 2). What an entry keeps in a
// submodule must not be had as a field of the item: neither shown, by a list of fields, nor told,
// by a match that it satisfies.

// DataFields is what the data of a request says about the fields of items. Who reads JSON fills it
// in. The zero value says nothing.
type DataFields struct {
	Names  []byte // of "fields": the string, or the strings of the array with commas between
	Bad    bool   // "fields" is neither, or it stands there in other letters
	Filter bool   // there is an expression
	Plain  []byte // the data without the name "*"; nil: it does not have it
}

// SlotSet is a set of slots of a collection.
type SlotSet uint64

// maxSlots is how many slots a collection may have.
const maxSlots = 64

// Has reports whether a slot is in the set.
func (s SlotSet) Has(slot int) bool { return s>>slot&1 != 0 }

// hidden returns the set of the slot whose submodule a field is a part of: the first part of its
// name is the submodule's, whatever the case of letters. The account of an item is a field of its
// own, although moving it is a submodule [G].
func (c *Collection) hidden(field []byte) SlotSet {
	first, _, _ := bytes.Cut(field, []byte{'.'})
	for slot, name := range c.Submodules {
		if slot != SlotItem && slot != SlotCID && len(name) == len(first) && bytes.EqualFold(first, []byte(name)) {
			return 1 << slot
		}
	}
	return 0
}

// readFields reads a comma list of fields: which submodules they are parts of, and whether one of
// them is "*". An empty list is the backend's default.
func (c *Collection) readFields(list []byte) (named SlotSet, star, ok bool) {
	for rest, more := list, len(list) > 0; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte{','})
		switch {
		case string(field) == "*":
			star = true
		case !listedField(field):
			return 0, false, false
		default:
			named |= c.hidden(field)
		}
	}
	return named, star, true
}

// listedField reports whether b is [A-Za-z_][A-Za-z0-9_.-]*.
func listedField(b []byte) bool {
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '.' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(b) > 0
}

// tested returns the submodules that the conditions of a match are about. An expression is not
// read: see readable.
func (c *Collection) tested(s *Selector) (named SlotSet) {
	if !s.Match() {
		return 0
	}
	for rest, more := s.Text, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{','})
		if field, _, found := bytes.Cut(part, []byte{'='}); found {
			named |= c.hidden(field)
		}
	}
	return named
}

// guards reports whether the fields of the items of col have to be looked at: where entries name
// submodules, or say more than one thing. A token whose entries say nothing of col, which a linked
// place may be open to, has no right to any submodule of it [G].
func (e *Engine) guards(acl *ACL, col *Collection) bool {
	if acl.Covers(col) {
		return acl.selection.of(col).guarded
	}
	if e.rightOn(acl, col, SlotItem, GET).entry == nil {
		return true
	}
	return acl.selection.of(e.Catalogue.WithRole(RoleGroups)).guarded
}

// fields judges the lists of fields of a request whose answer has rows of items, and notes in d
// which submodules they reach into.
func (e *Engine) fields(d *Decision, in *Input) Reason {
	r := in.Request
	col := r.Route.Rows
	if col == nil || !e.acl(in) || col.OpenTo(r.Method) || !e.guards(in.acl(), col) {
		return NotJudged
	}
	asked, star, ok := col.readFields(r.param(paramFields))
	more, dataStar, dataOK := col.readFields(in.DataFields.Names)
	switch {
	case !ok:
		return r.refuse(BadQuery, "fields is a comma list of names", r.param(paramFields))
	case !dataOK || in.DataFields.Bad || dataStar && r.Method != GET: // elsewhere data is the body
		return r.refuse(BadQuery, "fields in data is a comma list of names, or an array of names", nil)
	case in.DataFields.Filter:
		return FieldHidden
	}
	d.fields, d.dropStar = asked|more, star
	if dataStar {
		d.data = in.DataFields.Plain
	}
	if r.Route.RowsAt < 0 && d.fields != 0 { // no selector names the items, so it is all or none
		var b bounds
		if reason := e.addFields(&b, in, col, d.fields); reason != NotJudged || b.limited() {
			return FieldHidden
		}
	}
	return NotJudged
}

// reachInto narrows b to what the fields at selector i may reach: those that its conditions test, and
// those of the lists where it names the rows of the answer.
func (e *Engine) reachInto(p *SelectorDecision, b *bounds, d *Decision, in *Input, i int) Reason {
	s := &in.Request.Selectors[i]
	if !e.acl(in) {
		return NotJudged
	}
	named := s.Collection.tested(s)
	if i == in.Request.Route.RowsAt {
		named |= d.fields
	}
	if named == 0 || !e.guards(in.acl(), s.Collection) {
		return NotJudged
	}
	p.Fields = named
	return e.addFields(b, in, s.Collection, named)
}

// addFields narrows b to the items whose submodules in named may be read, as the items themselves
// may.
func (e *Engine) addFields(b *bounds, in *Input, col *Collection, named SlotSet) Reason {
	for slot := range col.Submodules {
		if slot != SlotItem && !named.Has(slot) {
			continue
		}
		g := e.rightOn(in.acl(), col, slot, GET)
		if g.entry == nil {
			return FieldHidden
		}
		e.addRight(b, in, col, g)
	}
	return NotJudged
}

// param returns the value of a parameter of the query, nil where it is not given.
func (r *Request) param(name string) []byte {
	for i := range r.Query {
		if r.Query[i].Name == name {
			return r.Query[i].Value
		}
	}
	return nil
}

// appendNamed appends a list of fields without "*". Names need no escape.
func appendNamed(dst, list []byte) []byte {
	from := len(dst)
	for rest, more := list, true; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte{','})
		if string(field) == "*" {
			continue
		}
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(dst, field...)
	}
	return dst
}
