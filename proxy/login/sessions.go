package login

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/store"
)

// revisionCount is how many revisions sessions have: a login, a logout or a user who changes makes one
// token in so many be looked up again.
const revisionCount = 1 << 10

// sweepEvery is how often sessions that have ended are forgotten.
const sweepEvery = time.Minute

// session is one login.
type session struct {
	id      int64
	digest  policy.Digest
	user    int64
	created int64 // unix seconds
	ends    int64 // unix seconds, whatever is used in between
	used    *atomic.Int64

	// Of a token from elsewhere; else zero.
	issuer, kid string
	shown       [4]byte // of its digest
	claims      *claims
}

// said returns what the token says of its bearer; nil: it is none from elsewhere.
func (n *session) said() realm.Claims {
	if n.claims == nil {
		return nil
	}
	return n.claims
}

// sessions are those that live in memory.
type sessions struct {
	mu       sync.RWMutex
	byDigest map[policy.Digest]*session
	byUser   map[int64][]*session // the oldest first
	lastID   int64
	swept    time.Time

	revisions [revisionCount]atomic.Uint64

	carrying sync.Mutex
	carried  map[int64]*slots // by user
}

// slots are those of revisions that tokens of a user have which were looked up.
type slots [revisionCount / 64]uint64

func newSessions() *sessions {
	return &sessions{byDigest: map[policy.Digest]*session{}, byUser: map[int64][]*session{}, carried: map[int64]*slots{}}
}

func (s *sessions) move(d *policy.Digest) { s.revisions[d.Key()%revisionCount].Add(1) }

// carry notes that a token of a user is being looked up. It comes before the user's record is read: a
// change of it that this look-up does not see moves the token then.
func (s *sessions) carry(user int64, d *policy.Digest) {
	slot := d.Key() % revisionCount
	s.carrying.Lock()
	defer s.carrying.Unlock()
	of := s.carried[user]
	if of == nil {
		of = new(slots)
		s.carried[user] = of
	}
	of[slot/64] |= 1 << (slot % 64)
}

// moveUsers has the tokens of these users be looked up again, and one of others in so many.
func (s *sessions) moveUsers(ids []int64) {
	s.carrying.Lock()
	defer s.carrying.Unlock()
	for _, id := range ids {
		of := s.carried[id]
		if of == nil {
			continue
		}
		delete(s.carried, id)
		for slot := range uint64(revisionCount) {
			if of[slot/64]&(1<<(slot%64)) != 0 {
				s.revisions[slot].Add(1)
			}
		}
	}
}

// moveAll has every token be looked up again.
func (s *sessions) moveAll() {
	s.carrying.Lock()
	defer s.carrying.Unlock()
	clear(s.carried)
	for i := range s.revisions {
		s.revisions[i].Add(1)
	}
}

// find returns the session with this digest, or nil.
func (s *sessions) find(d policy.Digest) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byDigest[d]
}

// add makes a session of a user. Where there are more than most the oldest go.
func (s *sessions) add(d policy.Digest, user int64, now time.Time, age time.Duration, most int) *session {
	n := &session{digest: d, user: user, created: now.Unix(), ends: now.Add(age).Unix(), used: new(atomic.Int64)}
	s.put(n, now, most)
	return n
}

// put adds a session, which gets its id. Of those of its kind only so many stay.
func (s *sessions) put(n *session, now time.Time, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if before := s.byDigest[n.digest]; before != nil {
		s.drop(before)
	}
	// Ids follow the clock, so that none is given again after a start.
	s.lastID = max(s.lastID+1, store.FirstSession+now.UnixMicro())
	n.id = s.lastID
	s.byDigest[n.digest] = n
	s.byUser[n.user] = append(s.byUser[n.user], n)
	var alike []*session
	for _, other := range s.byUser[n.user] {
		if (other.issuer == "") == (n.issuer == "") {
			alike = append(alike, other)
		}
	}
	for ; len(alike) > most; alike = alike[1:] {
		s.drop(alike[0])
	}
	s.move(&n.digest)
}

// withdraw ends what a key has signed.
func (s *sessions) withdraw(issuer, kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.byDigest {
		if n.issuer == issuer && n.kid == kid && issuer != "" {
			s.drop(n)
		}
	}
}

// drop forgets a session; the caller holds the lock.
func (s *sessions) drop(n *session) {
	delete(s.byDigest, n.digest)
	s.byUser[n.user] = slices.DeleteFunc(s.byUser[n.user], func(other *session) bool { return other == n })
	if len(s.byUser[n.user]) == 0 {
		delete(s.byUser, n.user)
	}
	s.move(&n.digest)
}

// sweep forgets sessions that have ended, now and then; the caller holds the lock.
func (s *sessions) sweep(now time.Time) {
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	for _, n := range s.byDigest {
		if n.ends <= now.Unix() {
			s.drop(n)
		}
	}
}

// end ends the sessions of a user, but for the one with the id keep. When it returns, none of them
// is accepted any more.
func (s *sessions) end(user, keep int64) (ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range slices.Clone(s.byUser[user]) {
		if n.id != keep {
			s.drop(n)
			ended++
		}
	}
	return ended
}

// endOne ends one session of a user.
func (s *sessions) endOne(user, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range slices.Clone(s.byUser[user]) {
		if n.id == id {
			s.drop(n)
		}
	}
}

// digestOf returns what a session of a user is found by.
func (s *sessions) digestOf(user, id int64) (d policy.Digest, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.byUser[user] {
		if n.id == id {
			return n.digest, true
		}
	}
	return d, false
}

// count returns how many sessions there are.
func (s *sessions) count(now int64) (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, session := range s.byDigest {
		if session.issuer == "" && session.ends > now {
			n++
		}
	}
	return n
}

// Store is a store of tokens with the sessions of users in front. It implements store.Store, and
// gives every token that carries a user what that user may do now.
type Store struct {
	store.Store
	sessions  *sessions
	directory *directory
}

// Changed says of a store beside the one in force what Service.Changed says of that.
func (s *Store) Changed() { changed(s.directory, s.sessions) }

// Revision implements store.Store.
func (s *Store) Revision(key uint64) uint64 {
	return s.Store.Revision(key) + s.sessions.revisions[key%revisionCount].Load()
}

// Load implements store.Store.
func (s *Store) Load(d policy.Digest) (*store.Record, error) {
	if n := s.sessions.find(d); n != nil {
		rec := &store.Record{Made: store.Made{User: n.user}}
		rec.Token = policy.Token{
			ID: n.id, Digest: n.digest, Access: policy.NoAPI, Enabled: true, Info: store.SessionName, Created: n.created, Expire: n.ends, Used: n.used,
		}
		if n.issuer != "" {
			rec.Token.Info, rec.Token.Shown = "from "+n.issuer, n.shown
		}
		s.sessions.carry(n.user, &d)
		rights := s.directory.bound(rec, n.said())
		if rec.Token.Enabled && n.claims != nil && !s.directory.about(n, &rights) {
			return nil, store.ErrNotFound // it is verified anew, perhaps as another one's
		}
		return rec, nil
	}
	rec, err := s.Store.Load(d)
	if err == nil && rec.Made.User != 0 {
		s.sessions.carry(rec.Made.User, &d)
		s.directory.bound(rec, nil)
	}
	return rec, err
}

// SessionOf returns what a session of a user could do at this moment, by records without a running gateway:
// with claims one that a token from elsewhere makes, nil: a login. It has no digest, so nobody logs in with
// it; false: there is no such user.
func SessionOf(r Records, tree *policy.Tree, user, ends int64, said realm.Claims) (*store.Record, bool) {
	d := &directory{records: r, tree: func() *policy.Tree { return tree }}
	return d.session(user, ends, said)
}

// Bound returns a token that carries a user as it may be used at this moment, by records without a running
// gateway: as Load of a Store does.
func Bound(r Records, tree *policy.Tree, rec *store.Record) *store.Record {
	d := &directory{records: r, tree: func() *policy.Tree { return tree }}
	bound := *rec
	d.bound(&bound, nil)
	return &bound
}

// SessionOf returns what a session of a user could do at this moment, as the function of this name does.
func (s *Service) SessionOf(user, ends int64, said realm.Claims) (*store.Record, bool) {
	return s.directory.session(user, ends, said)
}

// Session returns what one session of a user is found by, if it lives in memory.
func (s *Service) Session(user, id int64) (policy.Digest, bool) { return s.sessions.digestOf(user, id) }

func (d *directory) session(user, ends int64, said realm.Claims) (*store.Record, bool) {
	if d.user(user).ID == 0 {
		return nil, false
	}
	rec := &store.Record{Made: store.Made{User: user}}
	rec.Token = policy.Token{Access: policy.NoAPI, Enabled: true, Info: store.SessionName, Expire: ends}
	d.bound(rec, said)
	return rec, true
}

// isSession reports whether a token is a login's: it has no access of its own. One that a token made
// has, or is for nobody.
func isSession(rec *store.Record) bool {
	return rec.Made.User != 0 && rec.Made.By == 0 && rec.Token.Access == policy.NoAPI
}

// bound gives a token that carries a user what the user may do now, and what its claims give. One whose user must not be let in
// is disabled, and so is one that was made by a session where what is left of both cannot be said.
func (d *directory) bound(rec *store.Record, said realm.Claims) realm.Rights {
	rights := d.bind(rec, said)
	rec.Token.User = named(rec, &rights, said)
	return rights
}

// named returns what records say of the user whom a token carries. One that there is not any more has its id alone.
func named(rec *store.Record, rights *realm.Rights, said realm.Claims) *policy.User {
	u := policy.User{ID: rec.Made.User}
	if rights.User != nil {
		u.Name, u.RealmID, u.Realm = rights.User.Name, rights.Realm.ID, rights.Realm.Name
		if said != nil {
			u.Issuer = rights.Realm.Issuer
		}
	}
	if rec.Token.IsUser {
		u.Roles = make([]string, 0, len(rec.Roles))
		for i := range rec.Roles {
			u.Roles = append(u.Roles, rec.Roles[i].Name)
		}
	}
	return policy.NewUser(u)
}

// bind does what bound does, but for the names.
func (d *directory) bind(rec *store.Record, said realm.Claims) realm.Rights {
	rights, in := d.rights(rec.Made.User)
	t := &rec.Token
	t.UserID = rec.Made.User
	if !isSession(rec) {
		t.Enabled = t.Enabled && in && d.within(t, &rights)
		if t.Sources == nil {
			t.Sources = rights.Sources
		}
		if t.Origins == nil {
			t.Origins = rights.Origins
		}
		return rights
	}
	rec.Entries = rights.Entries
	t.Enabled = t.Enabled && in
	t.CID, t.Access = rights.CID, rights.Access
	d.narrow(t, &rights)
	if in && rights.ByRoles() { // roles alone permit, and the token has no entry of its own
		t.Access, t.IsUser, rec.Entries, rec.Roles = policy.ACLAccess, true, nil, d.rolesOf(&rights, said)
	}
	if rights.TTL > 0 { // which can only end it sooner
		t.Expire, t.Deadline, t.TTL = 0, t.Expire, rights.TTL
	} else {
		t.TTL, t.Used = 0, nil
	}
	return rights
}

// narrow has a session come from where its user may. One that a master made is bound as the master was,
// where the user was not; if both are bound now, nobody says what is left.
func (d *directory) narrow(t *policy.Token, user *realm.Rights) {
	t.Enabled = t.Enabled && (t.Sources == nil || user.Sources == nil) && (t.Origins == nil || user.Origins == nil)
	if t.Sources == nil {
		t.Sources = user.Sources
	}
	if t.Origins == nil {
		t.Origins = user.Origins
	}
}

// within reports whether all that a token may do lies within what its user may do: of two lists of
// entries, or of addresses, nobody says which is the smaller one.
func (d *directory) within(t *policy.Token, user *realm.Rights) bool {
	rank := map[policy.Access]int{policy.ACLAccess: 1, policy.Standard: 2, policy.Master: 3}
	return d.tree().Contains(user.CID, t.CID) && !user.ByRoles() && user.Access != policy.ACLAccess && rank[t.Access] <= rank[user.Access] &&
		(user.Sources == nil || t.Sources == nil) && (user.Origins == nil || t.Origins == nil)
}
