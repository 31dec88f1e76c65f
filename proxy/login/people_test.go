package login

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

// cached is a gateway on a database with users 100, 101 …, each of whom has a session, and a cache in
// front.
func cached(t *testing.T, users int) (*followed, *cache.Cache) {
	t.Helper()
	f := follow(t, database(t))
	f.write(t, func(tx *store.Tx) error {
		now := time.Now().Unix()
		for i := range int64(users) {
			digest := store.DigestOf([]byte(fmt.Sprint(100 + i)))
			err := tx.PutDoc(store.Users, 100+i, userDoc(100+i, fmt.Sprint("user", i), 0))
			if err == nil {
				_, err = store.PutSession(tx, &store.Session{User: 100 + i, CID: 11, Digest: fmt.Sprintf("%x", digest), Now: now, Ends: now + 3600, Most: 3})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(f.st, cat, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return f, c
}

// userDoc is the record of a user, whose sessions last ttl seconds after each use.
func userDoc(id int64, name string, ttl int64) []byte {
	return fmt.Appendf(nil, `{"id":%d,"realm_id":1,"name":%q,"token_params":{"access":{"type":0},"ttl":%d}}`, id, name, ttl)
}

func lookUp(t *testing.T, c *cache.Cache, user int64) *policy.Token {
	t.Helper()
	tok, err := c.Lookup(store.DigestOf([]byte(fmt.Sprint(user))))
	if err != nil {
		t.Fatal(user, err)
	}
	return tok
}

// A user who changes has their own tokens be looked up again, and at most one of others in so many; a
// realm, a role or an account all of them.
func TestOneUserMakesOneStale(t *testing.T) {
	const users = 300
	f, c := cached(t, users)
	misses := func() (n uint64) {
		before := c.Stats().Misses
		for i := range int64(users) {
			lookUp(t, c, 100+i)
		}
		return c.Stats().Misses - before
	}
	misses()
	for range 2 { // what was looked up again is known again, and moves again
		f.write(t, func(tx *store.Tx) error { return tx.PutDoc(store.Users, 107, userDoc(107, "user7", 60)) })
		if got := misses(); got < 1 || got > 5 {
			t.Errorf("a changed user makes %d of %d tokens be looked up again, want one", got, users)
		}
		if got := lookUp(t, c, 107).TTL; got != 60 {
			t.Errorf("a ttl of %d after the change, want 60", got)
		}
	}
	f.write(t, func(tx *store.Tx) error { return tx.Delete(store.Users, 108) })
	if lookUp(t, c, 108).Enabled {
		t.Error("a user who is gone is let in")
	}
	for table, doc := range map[store.Table]string{
		store.Realms: `{"id":1,"cid":11,"public_id":"acme","name":"ACME"}`, store.Roles: `{"id":1,"name":"r"}`, store.Accounts: `{"id":1,"name":"x"}`,
	} {
		f.write(t, func(tx *store.Tx) error { return tx.PutDoc(table, 1, []byte(doc)) })
		if got := misses(); got != users {
			t.Errorf("table %v: %d tokens were looked up again, want all", table, got)
		}
	}
}

// While users change, no look-up that begins after a change was answered finds what was before.
func TestUsersChangeAgainstLookups(t *testing.T) {
	const users, rounds = 4, 400
	f, c := cached(t, users)
	var version [users]atomic.Int64
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := 0; ; i = (i + 1) % users {
				select {
				case <-stop:
					return
				default:
				}
				least := version[i].Load()
				tok, err := c.Lookup(store.DigestOf([]byte(fmt.Sprint(100 + i))))
				if err != nil || tok.TTL < least {
					t.Errorf("user %d: got %+v, %v, want version %d", i, tok, err, least)
					return
				}
			}
		})
	}
	for n := int64(1); n <= rounds; n++ {
		i := n % users
		f.write(t, func(tx *store.Tx) error {
			return tx.PutDoc(store.Users, 100+i, userDoc(100+i, fmt.Sprint("user", i), n))
		})
		version[i].Store(n)
	}
	close(stop)
	readers.Wait()
}

// Users who come, go, and take each other's names are found by the names that they have now.
func TestNamesFollowUsers(t *testing.T) {
	f := follow(t, database(t))
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"anna", "Bea", "CARL", "dora", "ém", "K", "x1", "x2"}
	for round := range 200 {
		f.write(t, func(tx *store.Tx) error {
			for id := range f.live.Docs(store.Users) { // so that nobody takes a name that another one still has
				if err := tx.Delete(store.Users, id); err != nil {
					return err
				}
			}
			for i, at := range r.Perm(len(names))[:r.IntN(len(names)+1)] {
				if err := tx.PutDoc(store.Users, int64(10+i), userDoc(int64(10+i), names[at], 0)); err != nil {
					return err
				}
			}
			return nil
		})
		want := map[string]int64{}
		for id, text := range f.live.Docs(store.Users) {
			doc, err := record.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			want[realm.Fold(doc.Get("name").Text)] = id
		}
		for _, name := range names {
			if got := f.directory.userNamed(1, name); got != want[realm.Fold(name)] {
				t.Fatalf("round %d: %s is user %d, want %d", round, name, got, want[realm.Fold(name)])
			}
			if got := f.directory.userNamed(2, name); got != 0 {
				t.Fatalf("round %d: %s of another realm is user %d", round, name, got)
			}
		}
	}
}
