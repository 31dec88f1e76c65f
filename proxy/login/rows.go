package login

import (
	"context"
	"encoding/hex"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/store"
)

// Where there is a database, sessions are tokens in it, so that every gateway knows them and a restart
// ends none.

// keep makes a session of a user, and returns its id.
func (s *Service) keep(ctx context.Context, d policy.Digest, user int64, rights *realm.Rights, now time.Time) (id int64, err error) {
	if s.o.Write == nil {
		return s.sessions.add(d, user, now, s.o.MaxAge, s.o.MaxSessions).id, nil
	}
	err = s.o.Write(ctx, actor(user), func(tx *store.Tx) (err error) {
		id, err = store.PutSession(tx, &store.Session{
			User: user, CID: rights.CID, Digest: hex.EncodeToString(d[:]), Now: now.Unix(), Ends: now.Add(s.o.MaxAge).Unix(), TTL: rights.TTL, Most: s.o.MaxSessions,
		})
		return err
	})
	return id, err
}

// tokensOf yields the tokens that carry a user: they lie in the branch of the home account. What does
// not read carries nobody: it is no token.
func (s *Service) tokensOf(tx *store.Tx, user, cid int64, yield func(*store.Record)) error {
	for _, a := range s.directory.tree().Accounts() {
		if !s.directory.tree().Contains(cid, a.ID) {
			continue
		}
		err := tx.EachOf(store.Tokens, a.ID, func(row store.Row) error {
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
		err := s.tokensOf(tx, user, rights.CID, func(rec *store.Record) {
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
