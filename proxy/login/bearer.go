package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/login/jwt"
)

// maxBearers is how many tokens from elsewhere are remembered of one user. Beyond, the oldest is
// forgotten, and verified again at its next use.
const maxBearers = 100

// Mark writes to d what a token from elsewhere is found by.
func (s *Service) Mark(token []byte, d *policy.Digest) { s.marker.Mark(token, (*[32]byte)(d)) }

// Bearer verifies a token from elsewhere (SPEC 10.10) that nobody here knows by d, its digest or mark,
// and reports whether it is known now. It is remembered until it ends, so that the next request with it costs what
// one with a token of ours does. Of one that is an issuer's and is refused all the same, it returns the user
// whom it is about, if there is one, for whoever asks why.
func (s *Service) Bearer(ctx context.Context, token []byte, d policy.Digest) (known bool, refused *policy.User) {
	if s.verifier == nil {
		return false, nil
	}
	now := time.Now()
	user, claims, err := s.subject(ctx, token, now, s.firstSight)
	s.counts.verification(err)
	if err != nil {
		s.o.Log.Debug("a token from elsewhere is not accepted", "digest", store.DigestOf(token).Short(), "error", err)
		return false, s.directory.refused(user, claims)
	}
	ends := s.ends(claims, now)
	sum := store.DigestOf(token)
	s.sessions.put(&session{
		digest: d, shown: [4]byte(sum[:]), user: user, created: claims.IssuedAt, ends: ends, issuer: claims.Issuer, kid: claims.KeyID,
		claims: claimsOf(s.marker, claims.All),
	}, now, maxBearers)
	return true, nil
}

// ends returns until when a token from elsewhere that was verified at now is good, in unix seconds. Where
// clocks differ, it may have ended already: it is good for the request that brought it.
func (s *Service) ends(claims *jwt.Claims, now time.Time) int64 {
	return max(min(claims.Expires, claims.IssuedAt+int64(s.o.MaxAge/time.Second)), now.Unix()+1)
}

// Found returns the digest or mark by which a token from elsewhere is known, if it is.
func (s *Service) Found(token []byte) (d policy.Digest, known bool) {
	s.Mark(token, &d)
	for _, d := range []policy.Digest{d, store.DigestOf(token)} {
		if s.sessions.find(d) != nil {
			return d, true
		}
	}
	return d, false
}

// errFirstSight says that a user would be made.
var errFirstSight = errors.New("the realm has no such user yet: the first request with the token makes one")

// Verified returns what a token from elsewhere that nobody knows here could do at this moment. It is not
// remembered, and no user is made for it. The error says why it is refused.
func (s *Service) Verified(ctx context.Context, token []byte, now time.Time) (*store.Record, error) {
	if s.verifier == nil {
		return nil, errNoIssuers
	}
	user, claims, err := s.subject(ctx, token, now, func(_ context.Context, r *realm.Realm, _ string) (int64, error) {
		if r.FirstSight && r.Enabled && s.o.Write != nil {
			return 0, errFirstSight
		}
		return 0, errNoUser
	})
	if u := s.directory.refused(user, claims); err != nil && u != nil {
		err = fmt.Errorf("%s: %w", u, err)
	}
	if err != nil {
		return nil, err
	}
	rec, _ := s.directory.session(user, s.ends(claims, now), claimsOf(s.marker, claims.All))
	return rec, nil
}

// refused returns what records say of a user whom a verified token is about; nil for 0.
func (d *directory) refused(user int64, claims *jwt.Claims) *policy.User {
	u := d.user(user)
	if u.ID == 0 {
		return nil
	}
	r := d.realm(u.RealmID)
	return policy.NewUser(policy.User{ID: u.ID, Name: u.Name, RealmID: r.ID, Realm: r.Name, Issuer: claims.Issuer})
}

var (
	errNoIssuers = errors.New("the settings name no issuers (realms.issuers)")
	errNoRealm   = errors.New("no realm takes tokens of this issuer for this audience")
	errNoUser    = errors.New("the realm has no such user, and makes none at first sight")
	errTooOld    = errors.New("the token was issued longer than realms.max_age ago")
	errNotLetIn  = errors.New("the user, the realm or the account is closed")
)

// subject returns the user that a token is about, with an error too where there is one who must not be let in.
// Whom nobody has made yet, unknown makes, or returns an error.
func (s *Service) subject(ctx context.Context, token []byte, now time.Time, unknown func(context.Context, *realm.Realm, string) (int64, error)) (int64, *jwt.Claims, error) {
	claims, err := s.verifier.Verify(ctx, token, now)
	if err != nil {
		return 0, nil, err
	}
	tooOld := now.Unix() >= claims.IssuedAt+int64(s.o.MaxAge/time.Second)
	r := s.realmOf(s.directory.current(), claims)
	if r.ID == 0 {
		return 0, nil, errNoRealm
	}
	u := s.directory.user(s.directory.userNamed(r.ID, claims.Subject))
	switch {
	case u.ID != 0 && u.Name != claims.Subject: // subjects that differ in case are two
		return 0, nil, errNoUser
	case tooOld:
		return u.ID, claims, errTooOld
	case u.ID == 0:
		if u.ID, err = unknown(ctx, &r, claims.Subject); err != nil {
			return 0, nil, err
		}
	}
	rights, in := s.directory.rights(u.ID)
	if !in || s.o.Blocked != nil && s.o.Blocked(rights.CID) {
		return u.ID, claims, errNotLetIn
	}
	return u.ID, claims, nil
}

// realmOf returns the realm that takes tokens of an issuer for an audience. The first audience that
// somebody has decides: a token for two realms is the first one's.
func (s *Service) realmOf(names *names, claims *jwt.Claims) realm.Realm {
	for _, aud := range claims.Audience {
		if id := names.audience[audience{claims.Issuer, aud}]; id > 0 {
			return s.directory.realm(id)
		}
	}
	return realm.Realm{}
}

// firstSight makes the user of a subject that nobody has seen, where the realm says so and has room.
func (s *Service) firstSight(ctx context.Context, r *realm.Realm, subject string) (id int64, err error) {
	if _, fault := record.Name.Read(record.NewText(subject)); fault != nil || !r.FirstSight || !r.Enabled || s.o.Write == nil {
		return 0, errNoUser
	}
	err = s.o.Write(ctx, "sign-in", func(tx *store.Tx) error {
		count := int64(0)
		err := tx.Each(store.Users, func(row store.Row) error {
			doc, err := record.Parse(row.Doc)
			if err != nil || record.NumberOf(doc, "realm_id") != r.ID {
				return nil // what does not read is no user
			}
			if count++; realm.Fold(doc.Get("name").Text) == realm.Fold(subject) {
				return errNoUser // made meanwhile, or another one by case: the next request finds out
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case r.MaxUsers >= 0 && count >= r.MaxUsers:
			return errNoUser
		}
		if id, err = tx.NewID(store.Users); err != nil {
			return err
		}
		home := r.HomeOf(&realm.User{})
		if r.Home.Type == realm.HomeOwn {
			if home, err = s.ownAccount(tx, r, subject); err != nil {
				return err
			}
		}
		doc := record.NewObject(
			record.Member{Name: "id", Value: record.NewInt(id)}, record.Member{Name: "realm_id", Value: record.NewInt(r.ID)},
			record.Member{Name: "cid", Value: record.NewInt(home)}, record.Member{Name: "name", Value: record.NewText(subject)},
			record.Member{Name: "registration", Value: record.NewText("first-sight")},
		)
		return tx.PutDoc(store.Users, id, doc.Append(nil))
	})
	if err == nil {
		s.o.Log.Info("a user was made at first sight", "realm", r.ID, "user", id)
	}
	return id, err
}

// ownAccount makes the account of a user.
func (s *Service) ownAccount(tx *store.Tx, r *realm.Realm, name string) (int64, error) {
	if !s.directory.tree().Contains(r.CID, r.Home.Subaccount) {
		return 0, errNoUser
	}
	if s.o.Fits != nil {
		if err := s.o.Fits(tx, r.Home.Subaccount); err != nil {
			return 0, errors.Join(errNoUser, err)
		}
	}
	id, err := tx.NewID(store.Accounts)
	if err != nil {
		return 0, err
	}
	doc := record.NewObject(
		record.Member{Name: "id", Value: record.NewInt(id)}, record.Member{Name: "parent", Value: record.NewInt(r.Home.Subaccount)},
		record.Member{Name: "name", Value: record.NewText(name)}, record.Member{Name: "created", Value: record.NewInt(time.Now().Unix())},
	)
	if r.Home.Limit != 0 {
		doc = doc.With("limit_id", record.NewInt(r.Home.Limit))
	}
	return id, tx.PutDoc(store.Accounts, id, doc.Append(nil))
}

// Run keeps the keys of issuers young, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	if s.verifier != nil {
		s.verifier.Run(ctx)
	}
}
