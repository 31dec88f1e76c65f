package platform

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// world is the store as one transaction sees it, for the law. It remembers accounts and limits, which
// the law asks again and again, until they are written. An error of the store makes every answer
// the one that permits less, and ends the call: see err.
type world struct {
	r        Reader
	api      *API
	now      int64
	accounts map[int64]record.Value // absent ones are Absent
	limits   map[int64]record.Value
	users    map[int64][]record.Value // of realms that were asked for; kept up to date by call.put
	roles    map[int64][]realm.Role   // by realm
	clients  map[int64][]int64        // by consultancy
	counts   map[counted]int64        // what InBranch has counted; kept up to date by grew and shrunk
	err      error                    // the first error of the store
}

var _ admin.World = (*world)(nil)

func (w *world) forget() {
	w.accounts, w.limits, w.roles, w.clients = map[int64]record.Value{}, map[int64]record.Value{}, map[int64][]realm.Role{}, nil
}

// failed notes an error of the store. That there is no row is none.
func (w *world) failed(err error) {
	if err != nil && w.err == nil && !errors.Is(err, store.ErrNoRow) {
		w.err = err
	}
}

// mark returns the mark of the last change of a record, zero if there is none.
func (w *world) mark(t store.Table, id int64) store.Mark {
	row, err := w.r.Get(t, id)
	w.failed(err)
	return row.Mark
}

// read returns the document of a record, Absent if there is none.
func (w *world) read(t store.Table, id int64) record.Value {
	doc, err := w.r.Doc(t, id)
	if err != nil {
		w.failed(err)
		return record.Value{}
	}
	return w.parse(store.Row{Table: t, ID: id, Doc: doc})
}

// parse reads a row. One that does not read is a broken one of a hand in the database: it is shown to
// nobody.
func (w *world) parse(row store.Row) record.Value {
	doc, err := record.Parse(row.Doc)
	if err != nil || doc.Shape != record.Object {
		return record.Value{}
	}
	if row.Table == store.Tokens {
		if used := w.api.store.LastUse(row.ID); used > 0 && record.NumberOf(doc, "ttl") > 0 {
			doc = doc.With("accessed", record.NewInt(used))
		}
	}
	return doc
}

func (w *world) cached(t store.Table, known map[int64]record.Value, id int64) (record.Value, bool) {
	doc, seen := known[id]
	if !seen {
		doc = w.read(t, id)
		known[id] = doc
	}
	return doc, doc.Shape != record.Absent
}

// Account implements admin.World.
func (w *world) Account(id int64) (admin.Account, bool) {
	if w.api.o.Tree != nil {
		a, found := w.api.o.Tree().Account(id)
		return admin.Account{ID: a.ID, Parent: a.Parent}, found
	}
	doc, found := w.cached(store.Accounts, w.accounts, id)
	return admin.AccountOf(doc), found
}

// Limit implements admin.World.
func (w *world) Limit(id int64) (admin.Limit, bool) {
	doc, found := w.cached(store.Limits, w.limits, id)
	return admin.LimitOf(doc), found
}

// TokenCID implements admin.World.
func (w *world) TokenCID(id int64) (int64, bool) {
	if id == 0 {
		return 0, false
	}
	doc := w.read(store.Tokens, id)
	return record.NumberOf(doc, "cid"), doc.Shape != record.Absent
}

// HasChildren implements admin.World.
func (w *world) HasChildren(cid int64) bool {
	has, err := w.r.Holds(store.Accounts, cid)
	w.failed(err)
	return has || err != nil
}

// Bearer implements admin.World.
func (w *world) Bearer(limit int64) (cid int64, found bool) {
	cid, err := w.r.Bearer(limit)
	w.failed(err)
	return cid, err == nil
}

// errEnough ends a walk over rows.
var errEnough = errors.New("enough")

func (w *world) ended(err error) {
	if !errors.Is(err, errEnough) {
		w.failed(err)
	}
}

// OtherMaster implements admin.World.
func (w *world) OtherMaster(cid, id, now int64) (other bool) {
	w.ended(w.r.EachOf(store.Tokens, cid, func(row store.Row) error {
		if row.ID == id {
			return nil
		}
		if t := admin.TokenOf(w.parse(row)); t.Usable(now) {
			other = true
			return errEnough
		}
		return nil
	}))
	return other
}

// kindTables are the tables of the kinds that a bound counts, by their words.
var kindTables = map[string]store.Table{
	"tokens": store.Tokens, "subaccounts": store.Accounts, "limits": store.Limits, "realms": store.Realms, "grants": store.Grants,
}

// isLogin reports whether a token is one that a login made: no token has made it, and it carries a
// user. Such tokens count as none (SPEC 12).
func isLogin(doc record.Value) bool {
	return record.NumberOf(doc, "user_id") != 0 && record.NumberOf(doc, "created_by") == 0
}

// manyAccounts is from where on a table is read whole rather than account by account.
const manyAccounts = 64

// branch returns an account and all below it; none for one that does not exist.
func (w *world) branch(top int64) (ids []int64) {
	if _, found := w.Account(top); !found {
		return nil
	}
	if w.api.o.Tree != nil {
		tree := w.api.o.Tree()
		for _, a := range tree.Accounts() {
			if tree.Contains(top, a.ID) {
				ids = append(ids, a.ID)
			}
		}
		return ids
	}
	ids = []int64{top}
	for i := 0; i < len(ids); i++ {
		if i == manyAccounts {
			return w.wholeBranch(top)
		}
		w.failed(w.r.EachOf(store.Accounts, ids[i], func(row store.Row) error {
			ids = append(ids, row.ID)
			return nil
		}))
	}
	return ids
}

// wholeBranch is branch from all accounts, read once.
func (w *world) wholeBranch(top int64) (ids []int64) {
	below := map[int64][]int64{}
	w.failed(w.r.Each(store.Accounts, func(row store.Row) error {
		up := belongsTo(store.Accounts, row.Doc)
		below[up] = append(below[up], row.ID)
		return nil
	}))
	ids = []int64{top}
	for i := 0; i < len(ids); i++ {
		ids = append(ids, below[ids[i]]...)
	}
	return ids
}

// inAccounts calls yield with the rows of a table that belong to one of these accounts.
func (w *world) inAccounts(t store.Table, accounts []int64, yield func(store.Row)) {
	each := func(row store.Row) error { yield(row); return nil }
	if len(accounts) <= manyAccounts {
		for _, cid := range accounts {
			w.failed(w.r.EachOf(t, cid, each))
		}
		return
	}
	in := make(map[int64]bool, len(accounts))
	for _, cid := range accounts {
		in[cid] = true
	}
	w.failed(w.r.Each(t, func(row store.Row) error {
		if in[belongsTo(t, row.Doc)] {
			yield(row)
		}
		return nil
	}))
}

// Realm implements admin.World.
func (w *world) Realm(id int64) (record.Value, bool) {
	doc := w.read(store.Realms, id)
	return doc, doc.Shape != record.Absent
}

// User implements admin.World.
func (w *world) User(id int64) (record.Value, bool) {
	doc := w.read(store.Users, id)
	return doc, doc.Shape != record.Absent
}

// UsersOf implements admin.World. Users live in the branch of the realm's account.
func (w *world) UsersOf(of int64) []record.Value {
	if known, found := w.users[of]; found {
		return known
	}
	all := []record.Value{}
	if r, found := w.Realm(of); found {
		for _, d := range w.usersIn([]int64{record.NumberOf(r, "cid")}) {
			if record.NumberOf(d.doc, "realm_id") == of {
				all = append(all, d.doc)
			}
		}
	}
	if w.users == nil {
		w.users = map[int64][]record.Value{}
	}
	w.users[of] = all
	return all
}

// usersIn returns the users who live in the branches of accounts; 0: everywhere.
func (w *world) usersIn(tops []int64) []document { return w.inBranches(store.Users, tops) }

// Roles implements admin.World.
func (w *world) Roles(of int64) (all []realm.Role) {
	if known, found := w.roles[of]; found {
		return known
	}
	defer func() { w.roles[of] = all }()
	w.failed(w.r.Each(store.Roles, func(row store.Row) error {
		if r := realm.RoleOf(w.parse(row)); r.ID != 0 && (r.RealmID == of || r.RealmID == 0) {
			all = append(all, r)
		}
		return nil
	}))
	return all
}

// Clients implements admin.World.
func (w *world) Clients(cid int64) []int64 {
	if w.clients == nil {
		w.clients = map[int64][]int64{}
		w.failed(w.r.Each(store.Accounts, func(row store.Row) error {
			if bytes.Contains(row.Doc, []byte("consultancy_account_id")) {
				by := record.NumberOf(w.parse(row), "consultancy_account_id")
				w.clients[by] = append(w.clients[by], row.ID)
			}
			return nil
		}))
	}
	return w.clients[cid]
}

// TakesTokens implements admin.World.
func (w *world) TakesTokens(issuer, audience string) (of int64) {
	w.failed(w.r.Each(store.Realms, func(row store.Row) error {
		r := realm.RealmOf(w.parse(row))
		if r.Audience == "" {
			r.Audience = w.api.o.Settings.Audiences[r.Issuer]
		}
		if r.Issuer == issuer && r.Audience == audience {
			of = r.ID
		}
		return nil
	}))
	return of
}

// Owners implements admin.World.
func (w *world) Owners(uri string, id int64) (cids []int64, kept bool) {
	if w.api.o.Owners == nil {
		return nil, false
	}
	return w.api.o.Owners(uri, id)
}

// ItemsOf implements admin.World.
func (w *world) ItemsOf(cid int64) int64 {
	has, err := w.r.Holds(store.Items, cid)
	w.failed(err)
	if has || err != nil {
		return 1 // at least
	}
	return 0
}

// belongsTo returns the account that a row of a table belongs to: of accounts the one right above, of
// roles the realm.
func belongsTo(t store.Table, text []byte) int64 {
	doc, err := record.Parse(text)
	if err != nil {
		return -1
	}
	switch t {
	case store.Accounts:
		return record.NumberOf(doc, "parent")
	case store.Roles:
		return record.NumberOf(doc, "realm_id")
	}
	return record.NumberOf(doc, "cid")
}

// inBranches returns the documents of a table that lie in the branches of accounts, by ascending id: of
// accounts those strictly below them; 0 is above all roots.
func (w *world) inBranches(t store.Table, tops []int64) (found []document) {
	add := func(row store.Row) {
		if doc := w.parse(row); doc.Shape != record.Absent {
			found = append(found, document{id: row.ID, doc: doc})
		}
	}
	if slices.Contains(tops, 0) {
		w.failed(w.r.Each(t, func(row store.Row) error { add(row); return nil }))
	} else {
		var accounts []int64
		for _, top := range tops {
			accounts = append(accounts, w.branch(top)...)
		}
		slices.Sort(accounts)
		w.inAccounts(t, slices.Compact(accounts), add)
	}
	slices.SortFunc(found, func(a, b document) int { return cmp.Compare(a.id, b.id) })
	return found
}

// document is one stored record.
type document struct {
	id  int64
	doc record.Value
}
