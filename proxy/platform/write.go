package platform

import (
	"cmp"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// post makes records, all of them or none.
func (x *call) post() error {
	body, err := x.body()
	if err != nil {
		return err
	}
	kind := x.col.route.Kind
	asked, fault := kind.ReadNew(body)
	if fault != nil {
		return fault
	}
	var made []document
	var keys []string
	if x.col.realm {
		if err := x.oneRealm(); err != nil {
			return err
		}
	}
	for i, doc := range asked {
		x.password = doc.Get(passwordField)
		if doc, err = x.col.make(x, doc.Without(passwordField)); err != nil {
			return inElement(err, body, i)
		}
		id, err := x.w.NewID(x.col.table)
		if err != nil {
			return err
		}
		doc = doc.With("id", record.NewInt(id))
		key := ""
		if x.col.table == store.Tokens {
			doc, key = newKey(doc)
		}
		if err := x.write(record.Value{}, doc); err != nil {
			return inElement(err, body, i)
		}
		x.view.grew(x.col.table, doc)
		if key != "" && x.api.o.Ring != nil {
			if err := x.w.Seal(id, x.api.o.Ring.Seal(doc, key)); err != nil {
				return err
			}
		}
		made, keys = append(made, document{id: id, doc: doc}), append(keys, key)
		x.warn(doc)
	}
	for i, d := range made {
		row := kind.Choose(x.row(d, x.counts()), x.fields)
		if keys[i] != "" {
			row = row.With("key", record.NewText(keys[i]))
		}
		x.rows = append(x.rows, row)
	}
	x.tag(made)
	return nil
}

// inElement gives the fault of an element of a list its place.
func inElement(err error, body record.Value, i int) error {
	fault, ok := err.(*record.Fault)
	if !ok || fault.Class != record.BadField || body.Shape != record.List {
		return err
	}
	return fault.Below("[" + strconv.Itoa(i) + "]")
}

// warn notes what a limit says and nobody here enforces.
func (x *call) warn(doc record.Value) {
	if x.col.table != store.Limits {
		return
	}
	for _, text := range admin.Warnings(doc) {
		if !slices.Contains(x.warnings, text) {
			x.warnings = append(x.warnings, text)
		}
	}
}

// named returns the records of a call that changes them, and judges how many they are and If-Match.
func (x *call) named() ([]document, error) {
	found, fault := x.pick()
	if fault != nil {
		return nil, fault
	}
	s := policy.Selector{Kind: policy.SelectIDs}
	if !x.col.single() {
		s, _ = x.selector() // pick has read it
	}
	byName := s.Kind == policy.SelectIDs
	if most := x.api.o.MaxWrite; most > 0 && len(found) > most && !byName {
		return nil, &record.Fault{Class: record.BadField, Text: "this would change " + strconv.Itoa(len(found)) + " records: name them"}
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found, x.ifMatch(found)
}

// change changes records: all that are named and seen, or none.
func (x *call) change() error {
	found, err := x.named()
	if err != nil || len(found) == 0 {
		return err
	}
	body, err := x.body()
	if err != nil {
		return err
	}
	kind := x.col.route.Kind
	asked, fault := kind.ReadChange(body)
	if fault != nil {
		return fault
	}
	join := kind.Put
	if x.Request.Method == policy.PATCH {
		join = kind.Patch
	}
	if asked, fault = x.takePassword(asked); fault != nil {
		return fault
	}
	for i := range found {
		d := &found[i]
		after, fault := join(d.doc, asked)
		if fault == nil {
			fault = x.col.judge(x, d.doc, asked, after)
		}
		if fault != nil {
			return fault
		}
		if !same(kind, d.doc, after) || x.password.Shape != record.Absent {
			if err := x.write(d.doc, after); err != nil {
				return err
			}
		}
		d.doc = after
		x.warn(after)
	}
	for _, d := range found {
		x.rows = append(x.rows, kind.Choose(x.row(d, x.counts()), x.fields))
	}
	x.tag(found)
	return nil
}

// write puts a record of the collection, and does what else there is to do.
func (x *call) write(before, after record.Value) error {
	if err := x.put(x.col.table, after); err != nil || x.col.after == nil {
		return err
	}
	return x.col.after(x, before, after)
}

// same reports whether a change changes nothing, so that no history is made of it.
func same(kind *record.Kind, before, after record.Value) bool {
	return kind.Row(before).Equal(kind.Row(after))
}

// remove deletes records: all that are named and seen, or none. The answer has their ids and, of what
// they were, the fields that are asked for.
func (x *call) remove() error {
	found, err := x.named()
	if err != nil {
		return err
	}
	fields := x.fields
	if fields == nil {
		fields = record.Fields{{"id"}}
	}
	for _, d := range found {
		x.rows = append(x.rows, x.col.route.Kind.Choose(x.row(d, x.counts()), fields))
	}
	if x.col.table == store.Accounts {
		slices.SortStableFunc(found, func(a, b document) int { return cmp.Compare(x.depth(b.id), x.depth(a.id)) })
	}
	for _, d := range found {
		if err := x.col.remove(x, d.doc); err != nil {
			return err
		}
		if err := x.delete(x.col.table, d.id); err != nil {
			return err
		}
	}
	return nil
}

// depth returns how many accounts lie above one: those below go first, so that a branch can be
// deleted by one call.
func (x *call) depth(id int64) (n int) {
	for a, found := x.view.Account(id); found && a.Parent != 0 && n < 64; n++ {
		a, found = x.view.Account(a.Parent)
	}
	return n
}
