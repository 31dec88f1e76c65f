package policy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// SPEC 2, "A field is data, by whatever door it is asked for", once more by maps and loops.

// submodulesOf are the names of the submodules of a collection. The account of an item is a field
// of its own, and every item could have messages.
func submodulesOf(collection string) []string {
	names := []string{"messages"}
	for _, r := range oracleRoutes() {
		if r.of.URI == collection && r.sub != "" && r.sub != "cid" {
			names = append(names, r.sub)
		}
	}
	return names
}

// hiddenBy returns the submodule that a field is a part of, "" for none.
func hiddenBy(collection, field string) string {
	first := strings.ToLower(strings.Split(field, ".")[0])
	for _, name := range submodulesOf(collection) {
		if strings.ToLower(name) == first {
			return name
		}
	}
	return ""
}

// looksAtFields tells tokens whose entries name submodules or say more than one thing, and those
// that have no right to the items at all.
func (t *trial) looksAtFields(collection string) bool {
	about := collection
	if !t.tok.covers(collection) {
		if t.rightOn(collection, "", "GET").entry == nil {
			return true
		}
		about = "gw/groups"
	}
	n, named := 0, false
	for i := range t.tok.entries {
		if e := &t.tok.entries[i]; e.covers(about) {
			n++
			named = named || e.named
		}
	}
	return n > 1 || named
}

// rowsOf is the collection whose items, or links to them, the answer shows.
func (r *route) rowsOf() string {
	switch {
	case r.linkLast:
		return r.places[len(r.places)-1]
	case r.sub == "" && r.of.ID != "none":
		return r.of.URI
	}
	return ""
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// lists returns what the query asks to see, and how it is printed.
type fieldLists struct {
	names []string
	query [][2]string
	bad   bool // 400
	eight bool // an expression
}

func (t *trial) lists(method string) fieldLists {
	l := fieldLists{query: slices.Clone(t.r.query)}
	for i := len(l.query) - 1; i >= 0; i-- {
		name, value := l.query[i][0], l.query[i][1]
		switch {
		case name == "fields" && value != "":
			stars := l.add(strings.Split(value, ","))
			rest := slices.DeleteFunc(strings.Split(value, ","), func(n string) bool { return n == "*" })
			l.query[i][1] = strings.Join(rest, ",")
			if stars && len(rest) == 0 {
				l.query = slices.Delete(l.query, i, i+1)
			}
		case name == "data":
			l.query[i][1] = l.data(value, method)
		}
	}
	return l
}

// add collects names and reports whether "*" is among them.
func (l *fieldLists) add(names []string) (stars bool) {
	for _, name := range names {
		stars = stars || name == "*"
		l.bad = l.bad || name != "*" && !fieldName.MatchString(name)
	}
	l.names = append(l.names, names...)
	return stars
}

// data reads the parameters that data holds and returns how it is printed.
func (l *fieldLists) data(text, method string) string {
	said := readDataFields(text)
	l.bad = l.bad || said.Bad
	l.eight = l.eight || said.Filter
	if len(said.Names) == 0 || !l.add(strings.Split(string(said.Names), ",")) {
		return text
	}
	l.bad = l.bad || method != "GET"
	return string(said.Plain)
}

// fields judges the lists, and returns the submodules of the rows' collection that they reach into.
func (t *trial) fields(method string) (reach []string, query [][2]string, reasons []string) {
	rows := t.r.route.rowsOf()
	query = t.r.query
	if t.as != "acl" || rows == "" || collectionOf(rows).Open && method == "GET" || !t.looksAtFields(rows) {
		return nil, query, nil
	}
	l := t.lists(method)
	for _, name := range l.names {
		if sub := hiddenBy(rows, name); sub != "" {
			reach = append(reach, sub)
		}
	}
	if l.bad {
		reasons = append(reasons, "bad-query")
	}
	if l.eight {
		reasons = append(reasons, "field-hidden")
	}
	if t.r.route.own || t.r.route.linkLast || len(reach) == 0 {
		return reach, l.query, reasons
	}
	for _, sub := range append(reach, "") {
		if r := t.rightOn(rows, sub, "GET"); r.entry == nil || r.limited() {
			reasons = append(reasons, "field-hidden")
		}
	}
	return nil, l.query, reasons
}

// reach adds to b what the fields at selector i take, those of the lists and of its own conditions.
func (t *trial) reach(i int, s selection, b *bound, listed []string) []string {
	if t.as != "acl" || !isInt(s.collection) {
		return nil
	}
	var subs []string
	last := i == len(t.r.sels)-1
	if t.isOwn(i) && t.r.route.sub == "" || last && t.r.route.linkLast {
		subs = slices.Clone(listed)
	}
	for _, test := range strings.Split(s.text, ",") {
		if field, _, tests := strings.Cut(test, "="); tests && s.kind != "expression" {
			subs = append(subs, hiddenBy(s.collection, field))
		}
	}
	subs = slices.DeleteFunc(subs, func(sub string) bool { return sub == "" })
	if len(subs) == 0 || !t.looksAtFields(s.collection) {
		return nil
	}
	for _, sub := range append(subs, "") {
		right := t.rightOn(s.collection, sub, "GET")
		if right.entry == nil {
			return []string{"field-hidden"}
		}
		b.add(right)
	}
	return nil
}

// splits tells tokens that may read items whose submodules they may not all read: an expression
// could be about any of them.
func (t *trial) splits(collection string) bool {
	item := t.tok.choose(collection, "", "GET")
	return t.tok.covers(collection) && slices.ContainsFunc(submodulesOf(collection), func(sub string) bool {
		return t.tok.choose(collection, sub, "GET") != item
	})
}

// saidOfFields is what data says of fields.
type saidOfFields struct {
	Names       []byte
	Bad, Filter bool
	Plain       []byte
}

// readDataFields reads data as the proxy does for the engine, by encoding/json.
func readDataFields(text string) (said saidOfFields) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return said
	}
	for key := range members {
		for _, judged := range []string{"fields", "filter"} {
			said.Bad = said.Bad || key != judged && strings.EqualFold(key, judged)
		}
	}
	_, said.Filter = members["filter"]
	raw, given := members["fields"]
	if !given {
		return said
	}
	var one string
	var many []string
	switch {
	case json.Unmarshal(raw, &one) == nil && raw[0] == '"':
		many = strings.Split(one, ",")
	case json.Unmarshal(raw, &many) != nil || raw[0] != '[':
		said.Bad = true
		return said
	}
	said.Names = []byte(strings.Join(many, ","))
	if !slices.Contains(many, "*") {
		return said
	}
	members["fields"], _ = json.Marshal(strings.Join(slices.DeleteFunc(many, func(n string) bool { return n == "*" }), ","))
	said.Plain, _ = json.Marshal(members)
	return said
}
