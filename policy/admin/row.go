package admin

import "aclgate/policy/record"

// Row returns what a caller sees of a stored document that is in its scope. What names a record that
// is not in scope is null, so that no row, and no match over rows, says what lies above or beside.
// Fields that are not in the document are null until the caller of Row sets them.
func (l *Law) Row(k *record.Kind, doc record.Value) record.Value {
	row := k.Row(doc)
	null := record.Value{Shape: record.Null}
	switch k {
	case record.Tokens, record.LegacyTokens:
		row = row.With("blocked", record.NewInt(int64(l.State(record.NumberOf(doc, "cid")))))
		by := record.NumberOf(doc, "created_by")
		if cid, found := l.World.TokenCID(by); by != 0 && (!found || !l.InScope(cid)) {
			row = row.With("created_by", null)
		}
		if id := record.NumberOf(doc, "user_id"); id != 0 {
			row = l.withUser(row, id)
		}
	case record.Realms:
		if !l.SeesRealm(doc) { // that of users in scope: no more than its names (SPEC 13)
			for _, m := range row.Members {
				if m.Name != "id" && m.Name != "name" && m.Name != "public_id" {
					row = row.With(m.Name, null)
				}
			}
			return row
		}
		home := row.Get("home")
		limit, found := l.World.Limit(record.NumberOf(home, "limit_id"))
		if home.Get("limit_id").Shape != record.Absent && (!found || !l.SeesLimit(&limit)) {
			row = row.With("home", home.With("limit_id", null))
		}
	case record.Subaccounts, record.Customer:
		a := AccountOf(doc)
		row = row.With("blocked", record.NewInt(int64(l.State(a.ID))))
		if k == record.Customer {
			if !l.InScope(a.Parent) {
				row = row.With("cid", null)
			}
			return row.With("limits", l.limits(a.ID))
		}
		if limit, found := l.World.Limit(a.LimitID); a.LimitID != 0 && (!found || !l.SeesLimit(&limit)) {
			row = row.With("limit_id", null)
		}
		if a.Consultancy != 0 && !l.InScope(a.Consultancy) {
			row = row.With("consultancy_account_id", null)
		}
	}
	return row
}

// limits returns the effective bounds of an account as an object.
func (l *Law) limits(cid int64) record.Value {
	all := record.NewObject()
	for i, n := range l.Effective(cid) {
		all.Members = append(all.Members, record.Member{Name: record.Bounds()[i].Name, Value: record.NewInt(n)})
	}
	return all
}

// withUser gives the row of a token the realm of its user; of a user out of scope it says neither.
func (l *Law) withUser(row record.Value, id int64) record.Value {
	doc, found := l.World.User(id)
	if !found {
		return row
	}
	if !l.SeesUser(doc) {
		null := record.Value{Shape: record.Null}
		return row.With("user_id", null).With("realm_id", null)
	}
	return row.With("realm_id", record.NewInt(record.NumberOf(doc, "realm_id")))
}
