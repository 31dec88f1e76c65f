package platform

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// param returns a parameter of the query, "" if it is not there.
func (x *call) param(name string) string {
	for _, p := range x.Request.Query {
		if p.Name == name {
			return string(p.Value)
		}
	}
	return ""
}

// kind is that of the rows of the answer.
func (x *call) kind() *record.Kind {
	if x.logs {
		return record.Changes
	}
	return x.col.route.Kind
}

// shows reports whether keys are asked for, and could be shown.
func (x *call) shows() bool {
	return x.api.o.Ring != nil && x.Request.Method == policy.GET && x.col.table == store.Tokens && !x.logs &&
		slices.Contains(strings.Split(x.asked(), ","), "key")
}

// asked returns the names of fields that are asked for: by the query, or by the data of a GET.
func (x *call) asked() string {
	if x.Request.Method != policy.GET || x.Request.Data == nil {
		return x.param("fields")
	}
	data, err := record.Parse(x.Request.Data)
	if err != nil {
		return x.param("fields")
	}
	fields := data.Get("fields")
	names := []string{fields.Text}
	if fields.Shape == record.List {
		names = names[:0]
		for _, item := range fields.Items {
			names = append(names, item.Text)
		}
	}
	return cmp.Or(x.param("fields"), strings.Join(names, ","))
}

// readQuery reads which fields and which page are asked for.
func (x *call) readQuery() (fault *record.Fault) {
	if fault = x.judgeData(); fault != nil {
		return fault
	}
	if x.fields, fault = x.kind().ReadFields(x.asked()); fault != nil {
		return fault
	}
	x.cut = -1
	if x.Request.Method != policy.GET {
		return nil
	}
	for name, to := range map[string]*int64{"limit": &x.cut, "offset": &x.from} {
		text := x.param(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || name == "limit" && n > maxRows {
			return &record.Fault{Class: record.BadField, Path: name, Text: "expected a whole number, and a limit of at most " + strconv.Itoa(maxRows)}
		}
		*to, x.paged = n, true
	}
	return nil
}

// judgeData refuses data of a GET that mean something else than fields.
func (x *call) judgeData() *record.Fault {
	if x.Request.Method != policy.GET || x.Request.Data == nil {
		return nil
	}
	bad := &record.Fault{Class: record.BadField, Path: "data", Text: "expected an object with fields", Hint: []string{"fields"}}
	data, err := record.Parse(x.Request.Data)
	if err != nil || data.Shape != record.Object && data.Shape != record.Null {
		return bad
	}
	for _, m := range data.Members {
		if m.Name != "fields" || m.Value.Shape != record.Text && m.Value.Shape != record.List {
			return bad
		}
	}
	return nil
}

// pick returns the records that the call names and the caller sees, by ascending id; those that it
// names by id and does not see become errors.
func (x *call) pick() ([]document, *record.Fault) {
	if x.col.single() {
		return x.pickOwn()
	}
	s, fault := x.selector()
	if fault != nil {
		return nil, fault
	}
	if x.col.realm {
		if fault := x.pickRealms(); fault != nil {
			return nil, fault
		}
	}
	var conditions []record.Condition
	if s.Match() {
		if conditions, fault = x.col.named().ReadMatch(string(s.Text)); fault != nil {
			return nil, fault
		}
	}
	var found []document
	if s.Kind == policy.SelectIDs || s.Kind == policy.SelectConditions {
		found = x.pickIDs(s.IDs)
	} else {
		found = slices.DeleteFunc(x.candidates(), func(d document) bool { return !x.sees(d.doc) })
	}
	if conditions == nil {
		return found, nil
	}
	counted := slices.ContainsFunc(conditions, func(c record.Condition) bool { return c.Path[0] == "counters" })
	return slices.DeleteFunc(found, func(d document) bool { return !record.Match(x.row(d, counted), conditions) }), nil
}

// selector returns the one that names the records of the call.
func (x *call) selector() (s policy.Selector, fault *record.Fault) {
	if !x.col.realm {
		return x.Request.Selectors[0], nil
	}
	return readSelector(string(x.Request.Selectors[1].Text))
}

// candidates returns the records that may be in scope.
func (x *call) candidates() []document {
	switch x.col.route.Kind {
	case record.Roles:
		return x.rolesOfRealms()
	case record.Realms:
		return x.knownRealms()
	}
	return x.view.inBranches(x.col.table, x.law.Tops())
}

// sees reports whether the call may be about a record.
func (x *call) sees(doc record.Value) bool {
	switch {
	case x.col.route.Kind == record.Realms && x.Request.Method == policy.GET && !x.logs:
		return x.law.KnowsRealm(doc)
	case x.col.realm && !slices.ContainsFunc(x.realms, func(d document) bool { return d.id == record.NumberOf(doc, "realm_id") }):
		return false
	}
	return x.col.sees(x.law, doc)
}

// pickOwn returns the acting account.
func (x *call) pickOwn() ([]document, *record.Fault) {
	cid, fault := x.law.ChangeCustomer()
	if fault != nil {
		return nil, fault
	}
	doc := x.view.read(x.col.table, cid)
	if doc.Shape == record.Absent {
		return nil, record.DeniedRecord("accounts", cid)
	}
	return []document{{cid, doc}}, nil
}

func (x *call) pickIDs(ids []int64) (found []document) {
	for _, id := range ids {
		doc := x.view.read(x.col.table, id)
		if doc.Shape == record.Absent || !x.sees(doc) {
			x.denied = append(x.denied, record.DeniedRecord(x.col.route.Kind.Word, id))
			continue
		}
		found = append(found, document{id, doc})
	}
	slices.SortFunc(found, func(a, b document) int { return cmp.Compare(a.id, b.id) })
	return found
}

// row returns what the caller sees of a record, with the fields that no document has. counted asks
// for the counters, which cost a reading of the branch.
func (x *call) row(d document, counted bool) record.Value {
	row := x.law.Row(x.col.named(), d.doc)
	cid := d.id
	if x.col.table == store.Tokens {
		row = row.With("accessed", record.NewInt(record.NumberOf(d.doc, "accessed")))
		cid = record.NumberOf(d.doc, "cid")
	}
	if x.api.o.Usage == nil || x.col.table == store.Limits || x.col.table == store.Grants {
		if counted {
			row = row.With("counters", x.counters(cid, nil))
		}
		return row
	}
	used, blocked := x.api.o.Usage(cid)
	if record.NumberOf(row, "blocked") == admin.NotBlocked {
		row = row.With("blocked", record.NewInt(int64(blocked)))
	}
	if counted {
		row = row.With("counters", x.counters(cid, used))
	}
	return row
}

// counters returns what the branch of an account uses now, by the names of the bounds.
func (x *call) counters(cid int64, used map[string]int64) record.Value {
	all := record.NewObject()
	for _, b := range record.Bounds() {
		n, known := used[b.Name]
		if _, ours := kindTables[b.Of]; b.Counted == record.Records && ours {
			n, known = x.view.InBranch(b.Of, cid), true
		}
		if known {
			all = all.With(b.Name, record.NewInt(n))
		}
	}
	return all
}

// counts reports whether the fields that are asked for have counters among them.
func (x *call) counts() bool {
	return slices.ContainsFunc(x.fields, func(path []string) bool { return path[0] == "counters" })
}

// get answers with rows.
func (x *call) get() error {
	found, fault := x.pick()
	if fault != nil {
		return fault
	}
	if found, fault = page(x, found); fault != nil {
		return fault
	}
	for _, d := range found {
		row := x.row(d, x.counts())
		if x.shows() && x.w != nil {
			shown, err := x.reveal(d)
			if err != nil {
				return err
			}
			row = row.With("key", shown)
		}
		x.rows = append(x.rows, x.kind().Choose(row, x.fields))
	}
	x.tag(found)
	return nil
}

// page cuts the page out that is asked for.
func page[T any](x *call, all []T) ([]T, *record.Fault) {
	x.count = len(all)
	if !x.paged && len(all) > maxRows {
		return nil, &record.Fault{Class: record.BadField, Path: "limit", Text: "there are " + strconv.Itoa(len(all)) + " rows: ask for pages of at most " + strconv.Itoa(maxRows)}
	}
	all = all[min(x.from, int64(len(all))):]
	if x.cut >= 0 {
		all = all[:min(x.cut, int64(len(all)))]
	}
	return all, nil
}

// tag notes the ETag of an answer with one record: the mark of its last change.
func (x *call) tag(found []document) {
	if len(found) != 1 {
		return
	}
	if mark := x.view.mark(x.col.table, found[0].id); mark != (store.Mark{}) {
		x.etag = `"` + mark.String() + `"`
	}
}

// ifMatch obeys If-Match, so that who was slower does not undo what somebody else has changed.
func (x *call) ifMatch(found []document) error {
	switch {
	case x.IfMatch == "":
		return nil
	case len(found) != 1:
		return errManyMarks
	case strings.TrimSpace(x.IfMatch) == "*":
		return nil
	}
	mark := x.view.mark(x.col.table, found[0].id)
	for tag := range strings.SplitSeq(x.IfMatch, ",") {
		if strings.TrimSpace(tag) == `"`+mark.String()+`"` {
			return nil
		}
	}
	return store.ErrChanged
}

// body reads the body, or the data of the query, which counts as one.
func (x *call) body() (record.Value, error) {
	text := x.Body
	if text == nil {
		text = x.Request.Data
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return record.Value{Shape: record.Null}, nil
	}
	v, err := record.Parse(text)
	if err != nil {
		return v, &badJSON{err}
	}
	return v, nil
}
