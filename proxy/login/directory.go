package login

import (
	"bytes"
	"iter"
	"sync"
	"sync/atomic"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Records are the realms and users in force.
type Records interface {
	// Doc returns a record, or nil. It must not be changed.
	Doc(t store.Table, id int64) []byte
	// Docs yields the records of a table.
	Docs(t store.Table) iter.Seq2[int64, []byte]
	// Secret returns the verifier of a user's password, or store.ErrNoRow.
	Secret(user int64) (string, error)
}

// directory finds realms and users by name.
type directory struct {
	records Records
	tree    func() *policy.Tree
	issuer  func(name string) string // the audience of its tokens for realms that name none; nil: there is none
	changes atomic.Uint64            // grows with every change of anything but users alone
	making  sync.Mutex
	names   atomic.Pointer[names]
	people  people
}

// names is what the records say at one moment of all but users.
type names struct {
	changes  uint64
	realms   map[string]int64 // by public id
	roles    []realm.Role
	clients  map[int64][]int64  // accounts, by the one that consults them
	audience map[audience]int64 // realms that take tokens from elsewhere; -1: more than one, so none
}

// audience is whose tokens for whom a realm takes.
type audience struct{ issuer, aud string }

// changed says that anything may be another now.
func (d *directory) changed() {
	d.changes.Add(1)
	d.people.forget()
}

// current returns the names in force. They are read anew when the first asks after a change.
func (d *directory) current() *names {
	if n := d.names.Load(); n != nil && n.changes == d.changes.Load() {
		return n
	}
	d.making.Lock()
	defer d.making.Unlock()
	if n := d.names.Load(); n != nil && n.changes == d.changes.Load() {
		return n
	}
	n := &names{changes: d.changes.Load(), realms: map[string]int64{}, clients: map[int64][]int64{}, audience: map[audience]int64{}}
	for id, text := range d.records.Docs(store.Realms) {
		if doc, err := record.Parse(text); err == nil {
			n.realms[doc.Get("public_id").Text] = id
			r := realm.RealmOf(doc)
			if at := (audience{r.Issuer, d.audienceOf(&r)}); r.Issuer != "" && at.aud != "" {
				if n.audience[at] != 0 {
					id = -1
				}
				n.audience[at] = id
			}
		}
	}
	for _, text := range d.records.Docs(store.Roles) {
		if doc, err := record.Parse(text); err == nil {
			n.roles = append(n.roles, realm.RoleOf(doc))
		}
	}
	for id, text := range d.records.Docs(store.Accounts) {
		if !bytes.Contains(text, []byte(`"consultancy_account_id"`)) {
			continue
		}
		if doc, err := record.Parse(text); err == nil {
			by := record.NumberOf(doc, "consultancy_account_id")
			n.clients[by] = append(n.clients[by], id)
		}
	}
	d.names.Store(n)
	return n
}

// audienceOf returns for whom the tokens are that a realm takes: "" for none.
func (d *directory) audienceOf(r *realm.Realm) string {
	if r.Audience == "" && d.issuer != nil {
		return d.issuer(r.Issuer)
	}
	return r.Audience
}

// realm returns a realm; one with id 0 is none.
func (d *directory) realm(id int64) realm.Realm {
	if doc, ok := d.doc(store.Realms, id); ok {
		return realm.RealmOf(doc)
	}
	return realm.Realm{}
}

// user returns a user; one with id 0 is none.
func (d *directory) user(id int64) realm.User {
	if doc, ok := d.doc(store.Users, id); ok {
		return realm.UserOf(doc)
	}
	return realm.User{}
}

func (d *directory) doc(t store.Table, id int64) (record.Value, bool) {
	text := d.records.Doc(t, id)
	if text == nil {
		return record.Value{}, false
	}
	doc, err := record.Parse(text)
	return doc, err == nil
}

// rights returns what the tokens of a user may do now, and whether they may be used at all.
func (d *directory) rights(id int64) (realm.Rights, bool) {
	u := d.user(id)
	if u.ID == 0 {
		return realm.Rights{}, false
	}
	r := d.realm(u.RealmID)
	return r.RightsOf(&u, d.tree())
}

// rolesOf returns the roles of a user as a token with these claims carries them.
func (d *directory) rolesOf(rights *realm.Rights, said realm.Claims) (all []store.Role) {
	names := d.current()
	var accountRoles []string
	if doc, ok := d.doc(store.Accounts, rights.CID); ok {
		for _, role := range doc.Get("account_roles").Items {
			accountRoles = append(accountRoles, role.Text)
		}
	}
	for _, r := range rights.Realm.RolesOf(rights.User, said, names.roles, accountRoles, d.tree()) {
		role := store.Role{UserRole: policy.UserRole{Name: r.Name, Reach: r.Reach, Administers: len(r.Platform) > 0}, Entries: r.Entries}
		role.All = r.Access == policy.Standard || r.Access == policy.Master
		if r.Reach == policy.ReachClients {
			for _, cid := range names.clients[rights.CID] {
				// A realm's own role reaches at most the branch of the realm's account.
				if r.RealmID == 0 || d.tree().Contains(rights.Realm.CID, cid) {
					role.Clients = append(role.Clients, cid)
				}
			}
		}
		if role.All || r.Access == policy.ACLAccess {
			all = append(all, role)
		}
	}
	return all
}

// kinds yields what tokens of users there may be: the access of each realm, and of each user with one
// of their own.
func (d *directory) kinds(yield func(policy.Access, []policy.Entry) bool) {
	if d.needsRoles() {
		for _, r := range append(realm.BuiltIn(), d.current().roles...) {
			if !yield(r.Access, r.Entries) {
				return
			}
		}
	}
	for _, t := range []store.Table{store.Realms, store.Users} {
		for _, text := range d.records.Docs(t) {
			if !bytes.Contains(text, []byte(`"token_params"`)) {
				continue
			}
			doc, err := record.Parse(text)
			if err != nil {
				continue
			}
			if p := realm.ParamsOf(doc); p != nil && p.HasAccess && !yield(p.Access, p.Entries) {
				return
			}
		}
	}
}

// needsRoles reports whether there are users who have what their roles say.
func (d *directory) needsRoles() bool {
	for _, text := range d.records.Docs(store.Users) {
		if bytes.Contains(text, []byte(`"roles"`)) {
			return true
		}
	}
	for _, text := range d.records.Docs(store.Realms) {
		doc, err := record.Parse(text)
		if err != nil {
			continue
		}
		if r := realm.RealmOf(doc); r.Enabled && !r.Params.HasAccess {
			return true
		}
	}
	return false
}

// Kinds yields what tokens there are: those of the store, and those that users may have. They must not
// be changed.
func (s *Store) Kinds(of iter.Seq2[policy.Access, []policy.Entry]) iter.Seq2[policy.Access, []policy.Entry] {
	return func(yield func(policy.Access, []policy.Entry) bool) {
		for access, entries := range of {
			if !yield(access, entries) {
				return
			}
		}
		s.directory.kinds(yield)
	}
}
