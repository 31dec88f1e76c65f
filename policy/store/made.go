package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// madeTokens counts tokens that were made, and those that got another access type, by the type that they
// have since. Those that carry a user are not among them, nor what a reading of everything brought.
type madeTokens [policy.NoAPI + 1]atomic.Uint64

// count counts a token that is now as is says. was is the access type before; known says whether it
// had one.
func (m *madeTokens) count(was policy.Access, known bool, is *Record) {
	if is.Token.UserID == 0 && (!known || was != is.Token.Access) {
		m[is.Token.Access].Add(1)
	}
}

func (m *madeTokens) counts() map[policy.Access]uint64 {
	all := map[policy.Access]uint64{}
	for access := policy.Standard; access <= policy.NoAPI; access++ {
		all[access] = m[access].Load()
	}
	return all
}

// errFound ends a walk over rows that has found what it looked for.
var errFound = errors.New("found")

// Masterless returns how many root accounts have no master that can be used at a moment to come: none
// that is enabled, carries no user and lives until then. Nobody but the operator administers them then.
func (l *Live) Masterless(ctx context.Context, at time.Time) (n int, err error) {
	err = l.View(ctx, func(tx *Tx) error {
		for _, a := range l.Tree().Accounts() {
			if a.Parent != 0 {
				continue
			}
			err := tx.EachOf(Tokens, a.ID, func(row Row) error {
				rec, _, err := tx.Read(row)
				if err == nil && l.keepsRoot(&rec.Token, at) {
					return errFound
				}
				return nil // a row that does not read is no token
			})
			switch {
			case err == nil:
				n++
			case !errors.Is(err, errFound):
				return err
			}
		}
		return nil
	})
	return n, err
}

// keepsRoot reports whether a token is a master that can be used at a moment to come. One that lives by
// its use is taken to go on being used.
func (l *Live) keepsRoot(t *policy.Token, at time.Time) bool {
	return t.Enabled && t.Access == policy.Master && t.UserID == 0 && (t.TTL > 0 && max(t.Created, l.LastUse(t.ID))+t.TTL > l.o.Now().Unix() || t.Expire > at.Unix())
}
