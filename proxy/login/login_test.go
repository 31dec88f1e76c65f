package login

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

const (
	anna = "correct horse battery"
	hash = "$aclgate1$2b$04$"
)

// world is a policy file with a realm.
func world(t *testing.T, users string) *store.Policy {
	t.Helper()
	p, faults := store.ReadPolicy("p.yaml", []byte(`accounts: [{id: 1}, {id: 11, parent: 1}, {id: 12, parent: 1}]
realms:
  - {id: 1, cid: 11, public_id: acme, name: ACME, public_info: {motd: hello}, token_params: {access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}, ips: 10.0.0.0/8}}
  - {id: 2, cid: 12, public_id: off, name: closed, enabled: false}
users:
`+users), nil, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func hashOf(t *testing.T, password string) string {
	t.Helper()
	v, err := Hash(password, bcrypt.MinCost)
	if err != nil || !strings.HasPrefix(v, hash) {
		t.Fatalf("got %s, %v", v, err)
	}
	return v
}

// service returns a service of a policy that may be replaced.
func service(p *store.Policy, log *bytes.Buffer) (*Service, *policyRecords) {
	r := &policyRecords{p}
	o := Options{Records: r, Tree: func() *policy.Tree { return r.Tree }, MaxAge: 6 * time.Hour, MaxSessions: 3, Hashers: 1, Cost: bcrypt.MinCost}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	return New(o), r
}

type policyRecords struct{ *store.Policy }

var here = netip.MustParseAddr("192.0.2.1")

func (s *Service) try(realm, name, password string, from netip.Addr) Answer {
	body := record.NewObject(record.Member{Name: "username", Value: record.NewText(name)}, record.Member{Name: "password", Value: record.NewText(password)})
	return s.Login(context.Background(), Attempt{PublicID: realm, Body: body.Append(nil), From: from, Began: time.Now()})
}

func key(t *testing.T, a Answer) string {
	t.Helper()
	v, err := record.Parse(a.Body)
	if a.Reason != policy.OwnAnswer || err != nil || len(v.Get("token").Text) != 64 {
		t.Fatalf("got %v %s, want a token", a.Reason, a.Body)
	}
	return v.Get("token").Text
}

const twoUsers = `  - {id: 5, realm_id: 1, name: Anna, password_hash: %q}
  - {id: 6, realm_id: 1, name: bert, enabled: false, password_hash: %q}
  - {id: 7, realm_id: 2, name: carl, password_hash: %q}
  - {id: 8, realm_id: 1, name: dora}
`

func twoUsersOf(t *testing.T) string {
	h := hashOf(t, anna)
	return fmt.Sprintf(twoUsers, h, h, h)
}

// A session has what user and realm say at each load, and ends when they say so.
func TestSession(t *testing.T) {
	p := world(t, twoUsersOf(t))
	var log bytes.Buffer
	s, records := service(p, &log)
	st := s.Store(fileStore{records})
	k := key(t, s.try("acme", "ANNA", anna, here))
	d := store.DigestOf([]byte(k))
	revision := st.Revision(d.Key())
	rec, err := st.Load(d)
	if err != nil {
		t.Fatal(err)
	}
	tok := &rec.Token
	if tok.UserID != 5 || tok.CID != 11 || tok.Access != policy.ACLAccess || len(rec.Entries) != 1 || !tok.Enabled || tok.Sources == nil {
		t.Errorf("got %+v with %d entries", tok, len(rec.Entries))
	}
	now := time.Now().Unix()
	if !tok.Alive(now) || tok.Alive(now+6*3600) {
		t.Errorf("it ends at %d, want in 6 hours", tok.Expire-now)
	}

	// The user gets rights of their own: the realm's do not count any more, not even the addresses.
	records.Policy = world(t, strings.Replace(twoUsersOf(t), "name: Anna", "name: anna, token_params: {access: {type: 1}, ttl: 60}", 1))
	s.Changed()
	if st.Revision(d.Key()) == revision {
		t.Error("nobody is told that the session has other rights")
	}
	rec, _ = st.Load(d)
	if tok = &rec.Token; tok.Access != policy.Master || tok.Sources != nil || len(rec.Entries) != 0 {
		t.Errorf("got %+v", tok)
	}
	tok.Touch(now + 50)
	if !tok.Alive(now+100) || tok.Alive(now+111) {
		t.Error("the ttl does not count from the last use")
	}
	tok.Touch(now + 6*3600 - 1)
	if tok.Alive(now + 6*3600) {
		t.Error("uses keep a session alive beyond max_age")
	}

	// A disabled user is out, and so is one that is gone.
	for _, users := range []string{strings.Replace(twoUsersOf(t), "name: Anna", "name: anna, enabled: false", 1), ""} {
		records.Policy = world(t, users)
		s.Changed()
		if rec, err = st.Load(d); err != nil || rec.Token.Enabled {
			t.Errorf("%+v is let in, %v", rec, err)
		}
	}
	if n, err := s.Logout(context.Background(), "test", 5); n != 1 || err != nil {
		t.Errorf("%d sessions were ended, %v", n, err)
	}
	if _, err = st.Load(d); err != store.ErrNotFound {
		t.Errorf("got %v after logout", err)
	}
	if strings.Contains(log.String(), k) || strings.Contains(log.String(), anna) {
		t.Errorf("a credential is in the log: %s", log.String())
	}
}

// fileStore is the store of a policy without tokens.
type fileStore struct{ *policyRecords }

func (fileStore) Revision(uint64) uint64                      { return 1 }
func (fileStore) Fresh(time.Time) bool                        { return true }
func (fileStore) Load(d policy.Digest) (*store.Record, error) { return nil, store.ErrNotFound }
func (f fileStore) Tree() *policy.Tree                        { return f.Policy.Tree }

// The oldest session goes where there are too many.
func TestMaxSessions(t *testing.T) {
	s, records := service(world(t, twoUsersOf(t)), new(bytes.Buffer))
	st := s.Store(fileStore{records})
	var keys []string
	ids := map[int64]bool{}
	for range 4 {
		keys = append(keys, key(t, s.try("acme", "anna", anna, here)))
		rec, _ := st.Load(store.DigestOf([]byte(keys[len(keys)-1])))
		ids[rec.Token.ID] = true
	}
	for i, k := range keys {
		if _, err := st.Load(store.DigestOf([]byte(k))); (err == nil) != (i > 0) {
			t.Errorf("session %d: %v", i, err)
		}
	}
	if len(ids) != 4 || s.Stats().Sessions != 3 || s.Stats().Logins[succeeded] != 4 {
		t.Errorf("got %d ids and %+v", len(ids), s.Stats())
	}
}

// Whatever is wrong with a login, answer and time are the same (SPEC 14, 10).
func TestFailuresAreAlike(t *testing.T) {
	p := world(t, twoUsersOf(t))
	synctest.Test(t, func(t *testing.T) {
		s, _ := service(p, new(bytes.Buffer))
		for i, c := range []struct{ realm, name, password string }{
			{"acme", "anna", "wrong wrong wrong"}, {"acme", "nobody", anna}, {"acme", "bert", anna}, {"off", "carl", anna},
			{"none", "anna", anna}, {"acme", "dora", anna}, {"acme", "carl", anna}, {"acme", "", ""},
		} {
			began := time.Now()
			a := s.try(c.realm, c.name, c.password, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
			if a.Reason != policy.LoginFailed || a.Body != nil || a.Text != "" {
				t.Errorf("%v: got %+v", c, a)
			}
			if took := time.Since(began); took != minFailure {
				t.Errorf("%v: answered after %v", c, took)
			}
		}
	})
}

// Failed tries are counted by address and by name and address; a lock keeps nobody out from
// elsewhere, and a name that nobody has is locked like one that somebody has.
func TestTriesAreLimited(t *testing.T) {
	p := world(t, twoUsersOf(t))
	synctest.Test(t, func(t *testing.T) {
		s, _ := service(p, new(bytes.Buffer))
		for _, name := range []string{"anna", "nobody"} {
			from := netip.MustParseAddr(map[string]string{"anna": "10.0.0.1", "nobody": "2001:db8::1"}[name])
			failed, limited := 0, Answer{}
			for range 400 {
				switch a := s.try("acme", name, "wrong wrong wrong", from); a.Reason {
				case policy.LoginFailed:
					failed++
				case policy.LoginLimited:
					limited = a
					time.Sleep(7 * time.Second)
				}
			}
			// 30 at once and one in two minutes, as far as ten a minute let them pass.
			if failed < 31 || failed > 60 || limited.Retry <= 0 || limited.Retry > 2*time.Minute {
				t.Errorf("%s: %d have failed, and then %+v", name, failed, limited)
			}
		}
		for s.try("acme", "anna", "wrong wrong wrong", netip.MustParseAddr("10.0.0.1")).Reason != policy.LoginLimited {
		}
		if a := s.try("acme", "anna", anna, netip.MustParseAddr("10.0.0.1")); a.Reason != policy.LoginLimited {
			t.Errorf("got %v, want a limit", a.Reason)
		}
		key(t, s.try("acme", "anna", anna, here))
		time.Sleep(time.Hour)
		for range 50 { // what succeeds is not counted
			key(t, s.try("acme", "anna", anna, netip.MustParseAddr("10.0.0.1")))
		}
	})
}

// TestBusy: few hash at one time, few wait, and the others are told at once.
func TestBusy(t *testing.T) {
	h := newHashers(2, queuePerHasher)
	hold, busy := make(chan bool), 0
	done := make(chan error)
	for range 40 {
		go func() { done <- h.do(func() { <-hold }) }()
	}
	for range 40 - 2*(1+queuePerHasher) {
		if <-done == errBusy {
			busy++
		}
	}
	close(hold)
	for range 2 * (1 + queuePerHasher) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if busy != 22 {
		t.Errorf("%d were turned away, want 22", busy)
	}
}

// Verifiers of other programs are understood, and ours differ behind the 72nd byte.
func TestVerifiers(t *testing.T) {
	const long = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	own := hashOf(t, long)
	plain, err := bcrypt.GenerateFromPassword([]byte(anna), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const argon = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" // of the reference implementation's tests
	for _, row := range []struct {
		verifier, password string
		want, renew        bool
	}{
		{own, long, true, false},
		{own, long + "x", false, false},
		{own, long[:72], false, false},
		{string(plain), anna, true, true},
		{"$2b$" + string(plain[4:]), anna, true, true},
		{"$2y$" + string(plain[4:]), anna, true, true},
		{"$2b$" + string(plain[4:]), "another password", false, true},
		{argon + "ZVrRXqxlLcWfcXCnMyv0m4Rpvh/bnCi7", "password", true, true},
		{argon + "ZVrRXqxlLcWfcXCnMyv0m4Rpvh/bnCi7", "Password", false, true},
		{argon + "ZVrRXqw", "password", false, true}, // too short a sum
		{strings.Replace(argon, "m=64", "m=4000000", 1) + "ZVrRXqxlLcWfcXCnMyv0m4Rpvh/bnCi7", "password", false, true}, // it would take all memory
		{"$1$md5", "x", false, true},
		{"", "", false, true},
		{nobodys(bcrypt.MinCost), anna, false, false},
	} {
		if got := matches(row.verifier, row.password, func() {}); got != row.want {
			t.Errorf("%s: got %v", row.verifier, got)
		}
		if got := renewable(row.verifier, bcrypt.MinCost); got != row.renew {
			t.Errorf("%s: renewable is %v", row.verifier, got)
		}
	}
	if !renewable(own, bcrypt.MinCost+1) {
		t.Error("a cheap verifier is not made anew")
	}
}

// What is no login is a fault in words, which names neither field values nor users.
func TestBodies(t *testing.T) {
	for body, want := range map[string]bool{
		`{"username":"a","password":"b"}`: true, `{"name":"a","password":"b"}`: true,
		`{"name":"a","username":"a","password":"b"}`: false, `{"name":"a"}`: false, `{"password":"b"}`: false, ``: false, `[]`: false,
		`{"name":1,"password":"b"}`: false, `{"name":"a","password":null}`: false, `{"name":"a","password":"b","x":1}`: false,
		`{"name":"a","name":"b","password":"b"}`: false, `{"name":"a","password":"b"} `: true, `{"name":"a","password":"b"}{}`: false,
	} {
		_, _, fault := readCredentials([]byte(body))
		if (fault == "") != want {
			t.Errorf("%s: %q", body, fault)
		}
	}
}

func TestInfo(t *testing.T) {
	s, _ := service(world(t, twoUsersOf(t)), new(bytes.Buffer))
	got, found := s.Info("acme")
	if want := `{"name":"ACME","public_info":{"motd":"hello"}}`; !found || string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, id := range []string{"off", "none", "", "ACME"} {
		if got, found := s.Info(id); found {
			t.Errorf("%s: got %s", id, got)
		}
	}
}
