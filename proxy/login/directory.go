package login

import (
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
	changes atomic.Uint64 // grows with every change of realms and users
	making  sync.Mutex
	names   atomic.Pointer[names]
}

// names is what the records say at one moment.
type names struct {
	changes  uint64
	realms   map[string]int64 // by public id
	users    map[userName]int64
	audience map[string]int64 // realms, by the aud of tokens from elsewhere
}

type userName struct {
	realm  int64
	folded string
}

// changed says that realms or users are others now.
func (d *directory) changed() { d.changes.Add(1) }

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
	n := &names{changes: d.changes.Load(), realms: map[string]int64{}, users: map[userName]int64{}, audience: map[string]int64{}}
	for id, text := range d.records.Docs(store.Realms) {
		if doc, err := record.Parse(text); err == nil {
			n.realms[doc.Get("public_id").Text] = id
			if aud := doc.Get("audience").Text; aud != "" {
				n.audience[aud] = id
			}
		}
	}
	for id, text := range d.records.Docs(store.Users) {
		if doc, err := record.Parse(text); err == nil {
			n.users[userName{record.NumberOf(doc, "realm_id"), realm.Fold(doc.Get("name").Text)}] = id
		}
	}
	d.names.Store(n)
	return n
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
