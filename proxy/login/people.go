package login

import (
	"sync"

	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// people finds users by the names that they log in with. Reading them all takes a second where there
// are a million, so a user who changes is read alone.
type people struct {
	mu     sync.Mutex
	whole  bool // nothing has changed that was not told since all were read
	byName map[userName]int64
	names  map[int64]userName
}

type userName struct {
	realm  int64
	folded string
}

// forget has all users be read anew by whoever asks next.
func (p *people) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole = false
}

// userNamed returns the id of a user of a realm, or 0.
func (d *directory) userNamed(in int64, name string) int64 {
	p := &d.people
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole {
		p.byName, p.names, p.whole = map[userName]int64{}, map[int64]userName{}, true
		for id, text := range d.records.Docs(store.Users) {
			p.put(id, text)
		}
	}
	return p.byName[userName{in, realm.Fold(name)}]
}

// usersChanged says that these users are others now, or gone.
func (d *directory) usersChanged(ids []int64) {
	p := &d.people
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole {
		return
	}
	for _, id := range ids {
		if was, found := p.names[id]; found && p.byName[was] == id { // else another one has the name already
			delete(p.byName, was)
		}
		delete(p.names, id)
		p.put(id, d.records.Doc(store.Users, id))
	}
}

// put takes a user's name from the record; the caller holds the lock. What does not read is no user.
func (p *people) put(id int64, text []byte) {
	if text == nil {
		return
	}
	if doc, err := record.Parse(text); err == nil {
		name := userName{record.NumberOf(doc, "realm_id"), realm.Fold(doc.Get("name").Text)}
		p.byName[name], p.names[id] = id, name
	}
}
