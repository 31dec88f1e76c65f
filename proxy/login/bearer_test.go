package login

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/login/jwt"
	"aclgate/proxy/login/jwt/jwttest"
)

// signIn is a gateway on a database with an issuer, whose realm makes users at first sight.
func signIn(t *testing.T, realm string) (*followed, *jwttest.Issuer) {
	t.Helper()
	i := jwttest.New(t)
	f := follow(t, database(t))
	roots := x509.NewCertPool()
	roots.AddCert(i.Certificate())
	o := f.o
	o.Roots, o.Issuers = roots, []jwt.Issuer{jwt.NewIssuer("corp", i.URL, "", []string{"RS256"}, time.Minute)}
	f.Service = New(o)
	f.st = f.Store(f.live)
	f.write(t, func(tx *store.Tx) error { return tx.PutDoc(store.Realms, 1, []byte(realm)) })
	return f, i
}

const (
	jwtRealm  = `{"id":1,"cid":11,"public_id":"acme","name":"ACME","audience":"aclgate","claims":{"issuer":"corp"},"registration":"first-sight","max_users":2,"token_params":{"access":{"type":0}}}`
	jwtHeader = `{"alg":"RS256","kid":"rsa"}`
)

func token(t *testing.T, i *jwttest.Issuer, sub string, age, lasts time.Duration) []byte {
	now := time.Now()
	return []byte(jwttest.Sign(t, i.RSA, jwtHeader, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":["x","aclgate"],"iat":%d,"exp":%d}`,
		i.URL, sub, now.Add(-age).Unix(), now.Add(lasts).Unix())))
}

func (f *followed) bearer(token []byte) (*store.Record, bool) {
	d := store.DigestOf(token)
	if known, _ := f.Bearer(context.Background(), token, d); !known {
		return nil, false
	}
	rec, err := f.st.Load(d)
	return rec, err == nil
}

// Who signs in from elsewhere is made at first sight, as far as the realm has room; a token is
// remembered until it ends, and what the records say counts at once.
func TestFirstSight(t *testing.T) {
	f, i := signIn(t, jwtRealm)
	rec, ok := f.bearer(token(t, i, "client-7", 0, time.Hour))
	if !ok {
		t.Fatal("it is not accepted")
	}
	tok := &rec.Token
	now := time.Now().Unix()
	if !tok.Enabled || tok.CID != 11 || tok.Access != policy.Standard || tok.Info != "from corp" || !tok.Alive(now+3590) || tok.Alive(now+3601) {
		t.Errorf("got %+v", tok)
	}
	doc, _ := record.Parse(f.live.Doc(store.Users, tok.UserID))
	if doc.Get("name").Text != "client-7" || doc.Get("registration").Text != "first-sight" || record.NumberOf(doc, "cid") != 11 {
		t.Errorf("got %s", doc)
	}
	again, ok := f.bearer(token(t, i, "client-7", time.Minute, 100*time.Hour))
	if !ok || again.Token.UserID != tok.UserID || again.Token.Alive(now+6*3600) {
		t.Errorf("a second token: %v %+v", ok, again)
	}
	if _, ok := f.bearer(token(t, i, "Client-7", 0, time.Hour)); ok {
		t.Error("subjects that differ in case are one user")
	}
	if _, ok := f.bearer(token(t, i, "client-8", 0, time.Hour)); ok {
		t.Error("there is one user too many") // anna is the other one
	}
	if _, ok := f.bearer(token(t, i, "client-7", 7*time.Hour, time.Hour)); ok {
		t.Error("one that is older than max_age is accepted")
	}
	if rec, ok := f.bearer(token(t, i, "anna", 0, time.Hour)); !ok || rec.Token.UserID != 5 {
		t.Errorf("a user who is there: %v", ok)
	}

	f.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Users, tok.UserID, doc.With("enabled", record.NewBool(false)).Append(nil))
	})
	f.Changed()
	if rec, _ := f.st.Load(tok.Digest); rec.Token.Enabled {
		t.Error("a disabled user is let in by a token that is remembered")
	}
	if _, ok := f.bearer(token(t, i, "client-7", 0, time.Hour)); ok {
		t.Error("a disabled user is let in")
	}
	st := f.Stats()
	if st.Verified[0] != 3 || st.Verified[1] != 4 || st.Sessions != 0 || st.Failing["corp"] {
		t.Errorf("got %+v", st)
	}
}

// Each user of a realm whose homes are accounts of their own gets one.
func TestFirstSightWithAnAccount(t *testing.T) {
	f, i := signIn(t, strings.Replace(jwtRealm, `"audience"`, `"home":{"type":2,"subaccount_id":11},"audience"`, 1))
	rec, ok := f.bearer(token(t, i, "driver", 0, time.Hour))
	if !ok || rec.Token.CID <= 11 || !rec.Token.Enabled {
		t.Fatalf("got %v %+v", ok, rec)
	}
	if a, found := f.live.Tree().Account(rec.Token.CID); !found || a.Parent != 11 || a.Name != "driver" {
		t.Errorf("got %+v", a)
	}
}

// An account of their own is made where limits have room for it: else nobody is made.
func TestFirstSightObeysLimits(t *testing.T) {
	f, i := signIn(t, strings.Replace(jwtRealm, `"audience"`, `"home":{"type":2,"subaccount_id":11},"audience"`, 1))
	f.o.Fits = func(_ *store.Tx, parent int64) error { return fmt.Errorf("no room below %d", parent) }
	if _, ok := f.bearer(token(t, i, "driver", 0, time.Hour)); ok {
		t.Error("a user was made beyond a limit")
	}
	f.o.Fits = nil
	if _, ok := f.bearer(token(t, i, "driver", 0, time.Hour)); !ok {
		t.Error("no user was made")
	}
}

// A realm that does not say so makes nobody, and takes nothing for another audience or issuer.
func TestRealmsThatTakeNoToken(t *testing.T) {
	for _, change := range [][2]string{
		{`"registration":"first-sight",`, ""}, {`"audience":"aclgate"`, `"audience":"other"`}, {`"issuer":"corp"`, `"issuer":"other"`},
		{`"audience":"aclgate",`, ""}, {`"cid":11`, `"cid":11,"enabled":false`},
	} {
		f, i := signIn(t, strings.Replace(jwtRealm, change[0], change[1], 1))
		if _, ok := f.bearer(token(t, i, "client-7", 0, time.Hour)); ok {
			t.Errorf("%s: accepted", change)
		}
	}
	// Two realms with one audience take none: whose a user would be is not clear.
	f, i := signIn(t, jwtRealm)
	f.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Realms, 2, []byte(strings.NewReplacer(`"id":1`, `"id":2`, "acme", "copy").Replace(jwtRealm)))
	})
	f.Changed()
	if _, ok := f.bearer(token(t, i, "client-7", 0, time.Hour)); ok {
		t.Error("an audience of two realms is accepted")
	}
}

// A key that leaves the JWKS takes what it has signed with it.
func TestWithdrawnKey(t *testing.T) {
	f, i := signIn(t, jwtRealm)
	rec, ok := f.bearer(token(t, i, "client-7", 0, time.Hour))
	if !ok {
		t.Fatal("it is not accepted")
	}
	i.SetKeys(jose.JSONWebKey{Key: i.EC.Public(), KeyID: "ec"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { f.Run(ctx); close(done) }() // begins with a reading
	for range 5000 {
		if f.sessions.find(rec.Token.Digest) == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if _, err := f.st.Load(rec.Token.Digest); err != store.ErrNotFound {
		t.Errorf("got %v", err)
	}
}

// To ask what a token from elsewhere could do makes no user, and remembers nothing; why one is refused is said, and
// of whom, to the operator alone.
func TestVerifiedChangesNothing(t *testing.T) {
	f, i := signIn(t, jwtRealm)
	verified := func(token []byte) (*store.Record, error) { return f.Verified(context.Background(), token, time.Now()) }
	anna, stranger := token(t, i, "anna", 0, time.Hour), token(t, i, "client-7", 0, time.Hour)
	rec, err := verified(anna)
	if err != nil || rec.Token.UserID != 5 || rec.Token.User.Name != "anna" || rec.Token.User.Issuer != "corp" || rec.Token.Alive(time.Now().Unix()+3601) {
		t.Fatalf("got %+v, %v", rec, err)
	}
	if _, err := verified(stranger); !errors.Is(err, errFirstSight) {
		t.Errorf("a stranger: got %v", err)
	}
	if _, err := verified(token(t, i, "anna", 7*time.Hour, time.Hour)); !errors.Is(err, errTooOld) || !strings.Contains(err.Error(), `user 5 "anna" of realm 1 "ACME"`) {
		t.Errorf("an old one: got %v", err)
	}
	if _, err := verified(anna[:len(anna)-8]); err == nil || strings.Contains(err.Error(), "anna") {
		t.Errorf("one with another signature: got %v", err)
	}
	now := time.Now()
	late := token(t, i, "anna", time.Hour, -5*time.Second) // within what clocks may differ
	if rec, err := f.Verified(context.Background(), late, now); err != nil || !rec.Token.Alive(now.Unix()) {
		t.Errorf("one that requests are still let in with: got %+v, %v", rec, err)
	}
	if _, ok := f.bearer(late); !ok {
		t.Error("no request is let in with it")
	}
	if _, known := f.Found(anna); known {
		t.Error("it is remembered")
	}
	if f.directory.userNamed(1, "client-7") != 0 {
		t.Error("a user was made")
	}
	if _, ok := f.bearer(anna); !ok {
		t.Fatal("it is not accepted")
	}
	if d, known := f.Found(anna); !known || d != store.DigestOf(anna) {
		t.Error("it is not found")
	}
}

// Of a token that is an issuer's and is refused, whoever keeps a record learns the user; of any other nothing.
func TestRefusedNamesTheUser(t *testing.T) {
	f, i := signIn(t, jwtRealm)
	refused := func(token []byte) *policy.User {
		t.Helper()
		known, user := f.Bearer(context.Background(), token, store.DigestOf(token))
		if known {
			t.Error("it is accepted")
		}
		return user
	}
	old := token(t, i, "anna", 7*time.Hour, time.Hour)
	if u := refused(old); u == nil || u.ID != 5 || u.Name != "anna" || u.RealmID != 1 || u.Issuer != "corp" {
		t.Errorf("an old one: got %v", u)
	}
	for name, token := range map[string][]byte{"a signature": old[:len(old)-8], "nobody": token(t, i, "client-7", 7*time.Hour, time.Hour), "by case": token(t, i, "Anna", 0, time.Hour)} {
		if u := refused(token); u != nil {
			t.Errorf("%s: got %v", name, u)
		}
	}
}
