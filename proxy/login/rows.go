package login

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Where there is a database, sessions are tokens in it, so that every gateway knows them and a restart
// ends none.

// errClosed says that a user may not be let in any more: another gateway has closed the record, or
// written another password, and this one has not heard of it yet.
var errClosed = errors.New("the user was closed meanwhile")

// keep makes a session of a user who has shown the password of a verifier, and returns its id. What was
// judged is looked at once more where the session is written: one that is made beside the end of all
// sessions would come to life when the user is opened again.
func (s *Service) keep(ctx context.Context, d policy.Digest, user int64, verifier string, rights *realm.Rights, now time.Time) (id int64, err error) {
	if s.o.Write == nil {
		return s.sessions.add(d, user, now, s.o.MaxAge, s.o.MaxSessions).id, nil
	}
	err = s.o.Write(ctx, actor(user), func(tx *store.Tx) (err error) {
		if err := stillOpen(tx, user, verifier); err != nil {
			return err
		}
		id, err = store.PutSession(tx, &store.Session{
			User: user, CID: rights.CID, Digest: hex.EncodeToString(d[:]), Now: now.Unix(), Ends: now.Add(s.o.MaxAge).Unix(), TTL: rights.TTL, Most: s.o.MaxSessions,
		})
		return err
	})
	return id, err
}

// stillOpen returns an error unless a user is there, enabled, and has the password of a verifier.
func stillOpen(tx *store.Tx, user int64, verifier string) error {
	row, err := tx.Get(store.Users, user)
	if err == nil {
		doc, parsed := record.Parse(row.Doc)
		now, secret := tx.Secret(user)
		if u := realm.UserOf(doc); parsed == nil && secret == nil && u.Enabled && now == verifier {
			return nil
		}
		err = errClosed
	}
	if errors.Is(err, store.ErrNoRow) {
		err = errClosed
	}
	return err
}

// tokensOf yields the tokens that carry a user: they lie in the branch of the home account, as the
// transaction sees it. What does not read carries nobody: it is no token.
func tokensOf(tx *store.Tx, user, cid int64, yield func(*store.Record)) error {
	branch := []int64{cid}
	for i := 0; i < len(branch); i++ {
		err := tx.EachOf(store.Accounts, branch[i], func(row store.Row) error { branch = append(branch, row.ID); return nil })
		if err != nil {
			return err
		}
		err = tx.EachOf(store.Tokens, branch[i], func(row store.Row) error {
			if rec, _, err := tx.Read(row); err == nil && rec.Made.User == user {
				yield(rec)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// end ends the sessions of a user, and the tokens that were made with them, but for the token called
// keep. When it returns, none of them is accepted any more.
func (s *Service) end(ctx context.Context, actor string, user, keep int64) (ended int, err error) {
	if s.o.Write == nil {
		return s.sessions.end(user, keep), nil
	}
	rights, _ := s.directory.rights(user)
	err = s.o.Write(ctx, actor, func(tx *store.Tx) error {
		var gone []int64
		err := tokensOf(tx, user, rights.CID, func(rec *store.Record) {
			if rec.Token.ID != keep {
				gone = append(gone, rec.Token.ID)
			}
		})
		for _, id := range gone {
			if err == nil {
				err = tx.Delete(store.Tokens, id)
			}
		}
		ended = len(gone)
		return err
	})
	return ended, err
}

// endOne ends one session.
func (s *Service) endOne(ctx context.Context, user, id int64) error {
	if s.o.Write == nil {
		s.sessions.endOne(user, id)
		return nil
	}
	return s.o.Write(ctx, actor(user), func(tx *store.Tx) error { return tx.Delete(store.Tokens, id) })
}
