package platform

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// maxRead is how many changes are read from the history at a time.
const maxRead = 1000

// history answers with the change records of what the call names: who changed it, when, and which
// fields, never their values (SPEC 9). By all, those of records that were deleted are among them.
func (x *call) history() error {
	s := policy.Selector{Kind: policy.SelectIDs}
	if !x.col.single() {
		var fault *record.Fault
		if s, fault = x.selector(); fault != nil {
			return fault
		}
	}
	var rows []record.Value
	if s.Kind == policy.SelectAll {
		if x.col.realm {
			if fault := x.pickRealms(); fault != nil {
				return fault
			}
		}
		err := x.eachChange(0, func(id int64, row record.Value, doc record.Value) {
			if x.sees(doc) {
				rows = append(rows, row)
			}
		})
		if err != nil {
			return err
		}
	} else {
		found, fault := x.pick()
		if fault != nil {
			return fault
		}
		for _, d := range found {
			if err := x.eachChange(d.id, func(_ int64, row record.Value, _ record.Value) { rows = append(rows, row) }); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b record.Value) int {
		return int(record.NumberOf(a, "timestamp") - record.NumberOf(b, "timestamp"))
	})
	rows, fault := page(x, rows)
	if fault != nil {
		return fault
	}
	for _, row := range rows {
		x.rows = append(x.rows, record.Changes.Choose(row, x.fields))
	}
	return nil
}

// eachChange yields the changes of one record of the collection, of all for 0, as rows, with the
// document as it was last.
func (x *call) eachChange(id int64, yield func(id int64, row, doc record.Value)) error {
	q := store.ChangeQuery{Table: x.col.table, ID: id, Limit: maxRead}
	for {
		n := 0
		err := x.api.store.Changes(context.Background(), q, func(c store.Change) error {
			n, q.After = n+1, c.Rev
			before, after := byID(c.Before), byID(c.After)
			for _, of := range c.IDs {
				if id != 0 && of != id {
					continue
				}
				if row, shown := x.changeRow(&c, of, before[of], after[of]); shown {
					doc := after[of]
					if doc.Shape == record.Absent {
						doc = before[of]
					}
					yield(of, row, doc)
				}
			}
			return nil
		})
		if err != nil || n < maxRead {
			return err
		}
	}
}

// byID returns the documents of one side of a change: a row, or a list of rows.
func byID(text []byte) map[int64]record.Value {
	v, err := record.Parse(text)
	if err != nil {
		return nil
	}
	items := []record.Value{v}
	if v.Shape == record.List {
		items = v.Items
	}
	docs := map[int64]record.Value{}
	for _, doc := range items {
		docs[record.NumberOf(doc, "id")] = doc
	}
	return docs
}

// changeRow returns the row that the log has for a change of one record. Shown is false if no row is
// due: the change is only of fields that the rows of this collection do not have, such as what the
// record of an account holds beside them.
func (x *call) changeRow(c *store.Change, id int64, before, after record.Value) (row record.Value, shown bool) {
	who := readActor(c.Actor)
	fields := x.changed(before, after)
	if who.words["wrote"] != "" && x.col.table == store.Users {
		fields = append(fields, who.words["wrote"])
	}
	event := "changed"
	switch {
	case before.Shape == record.Absent && after.Shape != record.Absent:
		event = "created"
	case after.Shape == record.Absent && before.Shape != record.Absent:
		event = "deleted"
	case who.words["shown"] != "":
		event = "shown"
	case len(fields) == 0:
		return row, false
	}
	texts := record.NewList()
	for _, name := range fields {
		texts.Items = append(texts.Items, record.NewText(name))
	}
	row = record.NewObject(
		record.Member{Name: "timestamp", Value: record.NewInt(c.At.Unix())}, record.Member{Name: "id", Value: record.NewInt(id)},
		record.Member{Name: "event", Value: record.NewText(event)}, record.Member{Name: "fields", Value: texts},
	)
	return x.withActor(row, &who), true
}

// withActor says who made a change, unless that is somebody above the caller.
func (x *call) withActor(row record.Value, who *actor) record.Value {
	seen := x.Operator || who.token != 0 && x.law.InScope(who.account)
	null := record.Value{Shape: record.Null}
	text := func(word string) record.Value {
		if !seen {
			return record.NewText("")
		}
		return record.NewText(who.words[word])
	}
	id := func(n int64) record.Value {
		if !seen || n == 0 {
			return null
		}
		return record.NewInt(n)
	}
	by := who.kind
	if !seen {
		by = "above"
	}
	acting := who.account
	if n, err := strconv.ParseInt(who.words["cid"], 10, 64); err == nil {
		acting = n
	}
	return row.With("by", record.NewText(by)).With("token_id", id(who.token)).With("cid", id(acting)).
		With("decision", text("decision")).With("source", text("from"))
}

// stored are names of documents that rows spell in another way.
var stored = map[string]string{"parent": "cid", "key_sha256": "key"}

// changed returns the names of the fields that differ, as rows spell them.
func (x *call) changed(before, after record.Value) (names []string) {
	for _, doc := range []record.Value{before, after} {
		for _, m := range doc.Members {
			name := m.Name
			if other := stored[name]; other != "" {
				name = other
			}
			if x.col.route.Kind.Field(name) != nil && !slices.Contains(names, name) && !before.Get(m.Name).Equal(after.Get(m.Name)) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// actor is who made a change, read from the history: see call.actor.
type actor struct {
	kind    string // token, operator or db
	token   int64
	account int64 // of the token
	words   map[string]string
}

func readActor(text string) actor {
	words := strings.Fields(text)
	a := actor{kind: "db", words: map[string]string{}}
	for i, word := range words {
		name, value, found := strings.Cut(word, "=")
		switch id, ok := policy.ParseID([]byte(word)); {
		case found:
			a.words[name] = value
		case i == 0 && ok:
			a.kind, a.token = "token", id
		case i == 0 && word == operator:
			a.kind = operator
		}
	}
	a.account, _ = strconv.ParseInt(a.words["of"], 10, 64)
	return a
}
