package login

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/login/jwt"
)

// Options are what a Service is made of.
type Options struct {
	Records Records
	Tree    func() *policy.Tree
	Blocked func(cid int64) bool // whether an account is blocked; nil: none is
	// Write makes changes in the store; nil: it is a file, which nobody here writes.
	Write func(ctx context.Context, actor string, change func(*store.Tx) error) error

	// Fits returns an error unless one more account fits below another one; nil: any number does.
	Fits func(tx *store.Tx, parent int64) error

	MaxAge      time.Duration  // realms.max_age
	MaxSessions int            // realms.max_sessions
	Hashers     int            // realms.hashers; 0: half of the cores
	Cost        int            // realms.bcrypt_cost
	Issuers     []jwt.Issuer   // realms.issuers
	Roots       *x509.CertPool // whom they have their certificates from; nil: the system's
	Log         *slog.Logger
}

// Service lets users in. It is safe for concurrent use.
type Service struct {
	o         Options
	directory directory
	sessions  *sessions
	hashers   *hashers
	held      *hashers // of those that are held back
	flood     flood
	addresses *tries
	users     *tries
	verifier  *jwt.Verifier // nil: there are no issuers
	marker    *jwt.Marker
	nobody    string // a verifier that no password matches
	counts    counts
}

// New returns a Service.
func New(o Options) *Service {
	if o.Hashers <= 0 {
		o.Hashers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	s := &Service{o: o, sessions: newSessions(), hashers: newHashers(o.Hashers, queuePerHasher), held: newHashers(o.Hashers, queueHeldBack), marker: jwt.NewMarker(), nobody: nobodys(o.Cost)}
	s.directory.records, s.directory.tree = o.Records, o.Tree
	s.flood.known = map[uint64]time.Time{}
	if len(o.Issuers) > 0 {
		s.verifier = jwt.New(jwt.Options{Issuers: o.Issuers, Roots: o.Roots, Log: o.Log, Withdrawn: s.sessions.withdraw})
		s.directory.issuer = s.verifier.Audience
	}
	s.addresses = newTries(triesPerAddress, addressWindow)
	s.users = newTries(triesPerUser, userWindow)
	return s
}

// Store returns st with the sessions of users in front.
func (s *Service) Store(st store.Store) *Store { return &Store{st, s.sessions, &s.directory} }

// Beside returns the store of another policy with the same sessions in front, whose users may do
// what its records say.
func (s *Service) Beside(st store.Store, r Records, tree func() *policy.Tree) *Store {
	return &Store{st, s.sessions, &directory{records: r, tree: tree, issuer: s.directory.issuer}}
}

// Changed says that realms, users or accounts are others now. When it returns, every token of a user
// that is looked up has what they say.
func (s *Service) Changed() { changed(&s.directory, s.sessions) }

func changed(d *directory, s *sessions) {
	d.changed()
	s.moveAll()
}

// UsersChanged says that these users are others now, or gone, and nothing else is. When it returns, every
// token of theirs that is looked up has what their records say. Those of others stay known.
func (s *Service) UsersChanged(ids []int64) {
	s.directory.usersChanged(ids)
	s.sessions.moveUsers(ids)
}

// minFailure is after what time a failed login answers, at the earliest: what kind of hash was
// checked must not be seen.
const minFailure = 500 * time.Millisecond

// Attempt is one login.
type Attempt struct {
	PublicID string // of the realm
	Body     []byte
	From     netip.Addr
	Began    time.Time
}

// Answer is what becomes of a request here.
type Answer struct {
	Reason policy.Reason // OwnAnswer: Body holds the result
	Body   []byte        // the element of result, as JSON
	Text   string        // of BadBody: what is wrong
	Retry  time.Duration // of LoginLimited: when the next try would pass
	User   int64         // who it is about; 0: nobody that there is
}

// Login checks a password and makes a session. It sleeps where it fails.
func (s *Service) Login(ctx context.Context, a Attempt) Answer {
	name, password, fault := readCredentials(a.Body)
	if fault != "" {
		return Answer{Reason: policy.BadBody, Text: fault}
	}
	address := s.addresses.key(a.From, 0, "")
	tried, wait := s.addresses.take(address, a.Began)
	if wait > 0 {
		return s.counts.answer(Answer{Reason: policy.LoginLimited, Retry: wait})
	}
	heldBack := s.flood.holdsBack(address, tried, a.Began)
	if s.hashersFor(heldBack).full() { // before anything is looked up: of a flood nearly all end here
		s.addresses.giveBack(address)
		return s.counts.answer(Answer{Reason: policy.LoginBusy})
	}
	r := s.directory.realm(s.directory.current().realms[a.PublicID])
	ofUser := s.users.key(a.From, r.ID, realm.Fold(name))
	if _, wait := s.users.take(ofUser, a.Began); wait > 0 {
		return s.counts.answer(Answer{Reason: policy.LoginLimited, Retry: wait})
	}
	u, verifier, err := s.check(&r, name, password, heldBack)
	answer, in := Answer{}, false
	if err == nil && u != 0 {
		answer, in, err = s.admit(ctx, u, verifier)
	}
	if err == nil && !in {
		s.noteFailure(time.Now())
		s.pause(ctx, a.Began)
		return s.counts.answer(Answer{Reason: policy.LoginFailed, User: u})
	}
	if in {
		s.flood.succeeded(address, a.Began)
	}
	s.addresses.giveBack(address)
	s.users.giveBack(ofUser)
	switch {
	case errors.Is(err, errBusy):
		answer = Answer{Reason: policy.LoginBusy}
	case err != nil:
		s.o.Log.Error("a login could not be judged", "error", err)
		answer = Answer{Reason: policy.StoreStale}
	}
	return s.counts.answer(answer)
}

// noteFailure counts a failed login.
func (s *Service) noteFailure(now time.Time) {
	if s.flood.failed(now) {
		s.o.Log.Warn("logins flood in: from addresses that nobody has logged in from they are held back")
	}
}

// pause waits until a failure may be answered.
func (s *Service) pause(ctx context.Context, began time.Time) {
	timer := time.NewTimer(time.Until(began.Add(minFailure)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// check returns the user of a realm with this name and password, 0 for none, and the verifier that
// the password matches. Whether there is one takes the same work.
func (s *Service) check(r *realm.Realm, name, password string, heldBack bool) (id int64, verifier string, err error) {
	id = s.directory.userNamed(r.ID, name)
	verifier, err = s.o.Records.Secret(id) // nobody has the id 0, and the question takes its time
	switch {
	case err != nil && !errors.Is(err, store.ErrNoRow):
		return 0, "", err
	case id == 0 || realm.FormOf(verifier) == realm.NoForm:
		verifier = s.nobody
	}
	right := false
	err = s.hashersFor(heldBack).do(func() {
		if right = matches(verifier, password, newPacer(heldBack).rest); right && s.o.Write != nil && renewable(verifier, s.o.Cost) {
			verifier = s.renew(id, verifier, password)
		}
	})
	if err != nil || !right {
		return 0, "", err
	}
	return id, verifier, nil
}

func (s *Service) hashersFor(heldBack bool) *hashers {
	if heldBack {
		return s.held
	}
	return s.hashers
}

// renew makes the verifier of a password anew, and returns the one in force. What fails is tried
// again at the next login.
func (s *Service) renew(user int64, before, password string) string {
	verifier, err := s.hash(password)
	if err == nil {
		err = s.o.Write(context.Background(), "login", func(tx *store.Tx) error {
			if now, err := tx.Secret(user); err != nil || now != before {
				return err // somebody has written another one meanwhile
			}
			return tx.SetSecret(user, verifier)
		})
	}
	if err != nil {
		s.o.Log.Warn("the hash of a password was not renewed", "user", user, "error", err)
		return before
	}
	return verifier
}

// admit makes a session of a user who has shown the password, unless the user must not be let in.
func (s *Service) admit(ctx context.Context, user int64, verifier string) (Answer, bool, error) {
	rights, in := s.directory.rights(user)
	if !in || s.o.Blocked != nil && s.o.Blocked(rights.CID) {
		return Answer{}, false, nil
	}
	key, digest := store.NewKey()
	id, err := s.keep(ctx, digest, user, verifier, &rights, time.Now())
	if errors.Is(err, errClosed) {
		return Answer{}, false, nil
	}
	if err != nil {
		return Answer{}, false, err
	}
	// Whoever changes a password ends the sessions after it. This one may have come in between.
	if now, err := s.o.Records.Secret(user); err != nil || now != verifier {
		return Answer{}, false, s.endOne(ctx, user, id)
	}
	s.o.Log.Info("login", "user", user, "token", id)
	body := record.NewObject(record.Member{Name: "token", Value: record.NewText(key)}).Append(nil)
	return Answer{Reason: policy.OwnAnswer, Body: body, User: user}, true, nil
}

// readCredentials reads the body of a login, and returns a fault in words.
func readCredentials(text []byte) (name, password, fault string) {
	const expected = "expected an object with username (or name) and password"
	v, err := record.Parse(text)
	if err != nil || v.Shape != record.Object {
		return "", "", expected
	}
	user, alias, secret := v.Get("username"), v.Get("name"), v.Get("password")
	if user.Shape == record.Absent {
		user, alias = alias, record.Value{}
	}
	if user.Shape != record.Text || alias.Shape != record.Absent || secret.Shape != record.Text || len(v.Members) != 2 {
		return "", "", expected
	}
	return user.Text, secret.Text, ""
}

// Info returns what everybody may know of a realm, as JSON, and whether there is one.
func (s *Service) Info(publicID string) ([]byte, bool) {
	r := s.directory.realm(s.directory.current().realms[publicID])
	if r.ID == 0 || !r.Enabled {
		return nil, false
	}
	info := r.PublicInfo
	if info.Shape != record.Object {
		info = record.NewObject()
	}
	return record.NewObject(record.Member{Name: "name", Value: record.NewText(r.Name)}, record.Member{Name: "public_info", Value: info}).Append(nil), true
}

// Logout ends all sessions of a user, and the tokens made with them. When it returns none is accepted
// any more.
func (s *Service) Logout(ctx context.Context, actor string, user int64) (int, error) {
	return s.end(ctx, actor, user, 0)
}
