package login

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Where there is a database, sessions are tokens in it, so that every gateway knows them and a restart
// ends none.

// keep makes a session of a user, and returns its id.
func (s *Service) keep(ctx context.Context, d policy.Digest, user int64, rights *realm.Rights, now time.Time) (id int64, err error) {
	if s.o.Write == nil {
		return s.sessions.add(d, user, now, s.o.MaxAge, s.o.MaxSessions).id, nil
	}
	err = s.o.Write(ctx, actor(user), func(tx *store.Tx) error {
		all, err := sessionsOf(tx, user, rights.CID)
		if err != nil {
			return err
		}
		// Those that have ended go, and the oldest where there are too many.
		ended := func(rec *store.Record) bool { return rec.Token.Expire <= now.Unix() }
		slices.SortStableFunc(all, func(a, b *store.Record) int { return order(!ended(a), !ended(b)) })
		for i, rec := range all {
			if !ended(rec) && len(all)-i < s.o.MaxSessions {
				break
			}
			if err := tx.Delete(store.Tokens, rec.Token.ID); err != nil {
				return err
			}
		}
		if id, err = tx.NewID(store.Tokens); err != nil {
			return err
		}
		doc := record.NewObject(
			record.Member{Name: "id", Value: record.NewInt(id)}, record.Member{Name: "key_sha256", Value: record.NewText(hex.EncodeToString(d[:]))},
			record.Member{Name: "cid", Value: record.NewInt(rights.CID)}, record.Member{Name: "info", Value: record.NewText(sessionInfo)},
			record.Member{Name: "created", Value: record.NewInt(now.Unix())}, record.Member{Name: "expire", Value: record.NewInt(now.Add(s.o.MaxAge).Unix())},
			record.Member{Name: "user_id", Value: record.NewInt(user)},
			record.Member{Name: "access", Value: record.NewObject(record.Member{Name: "type", Value: record.NewInt(3)})},
		)
		if rights.TTL > 0 { // its last use is counted
			doc = doc.With("ttl", record.NewInt(rights.TTL))
		}
		return tx.PutDoc(store.Tokens, id, doc.Append(nil))
	})
	return id, err
}

// order has false come before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// sessionsOf returns the sessions of a user in an account, the oldest first.
func sessionsOf(tx *store.Tx, user, cid int64) (all []*store.Record, err error) {
	err = tokensOf(tx, user, cid, func(rec *store.Record) {
		if isSession(rec) {
			all = append(all, rec)
		}
	})
	slices.SortFunc(all, func(a, b *store.Record) int { return cmp.Compare(a.Token.ID, b.Token.ID) })
	return all, err
}

// tokensOf yields the tokens of an account that carry a user. What does not read carries nobody: it is
// no token.
func tokensOf(tx *store.Tx, user, cid int64, yield func(*store.Record)) error {
	return tx.EachOf(store.Tokens, cid, func(row store.Row) error {
		if rec, _, err := tx.Read(row); err == nil && rec.Made.User == user {
			yield(rec)
		}
		return nil
	})
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
