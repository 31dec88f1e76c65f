package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"aclgate/policy"
)

// Heard says of one gateway whether it obeys a change.
type Heard struct {
	Replica
	Obeys bool // it has applied the change; else its lease has run out, or may last
	Ended bool // it has been silent for longer than the bound, so that it decides nothing
}

// waitEvery is how often Wait looks.
const waitEvery = 20 * time.Millisecond

// Wait returns when every gateway that still decides obeys a revision, or when those that were not
// heard of can decide no more. It needs no register to be safe: a poll that began before the commit
// cannot carry a lease beyond the commit and the bound, so that it waits at most one hundredth
// longer than the bound (SPEC 15.5). heard is false when that was what ended it.
func (l *Live) Wait(ctx context.Context, rev int64) (all []Heard, heard bool, err error) {
	end := time.Now().Add(l.o.MaxStaleness + l.o.MaxStaleness/100)
	still := map[string]silence{}
	for {
		replicas, err := l.o.Engine.Replicas(ctx)
		if err == nil {
			if all, heard = l.heard(replicas, rev, still); heard {
				return all, true, nil
			}
		}
		if time.Now().After(end) {
			return all, false, err
		}
		select {
		case <-ctx.Done():
			return all, false, ctx.Err()
		case <-time.After(waitEvery):
		}
	}
}

// silence is since when a gateway was seen not to beat, by the clock of this one.
type silence struct {
	beats int64
	since time.Time
}

// heard says of every gateway whether it obeys a revision, and whether none is left that may not.
func (l *Live) heard(replicas []Replica, rev int64, still map[string]silence) (all []Heard, done bool) {
	done = true
	for _, r := range replicas {
		s := still[r.Replica]
		if s.since.IsZero() || s.beats != r.Beats {
			s = silence{r.Beats, time.Now()}
			still[r.Replica] = s
		}
		h := Heard{Replica: r, Obeys: r.Applied >= rev, Ended: r.Age > l.o.MaxStaleness+l.o.MaxStaleness/100 && time.Since(s.since) > 0}
		done = done && (h.Obeys || h.Ended)
		all = append(all, h)
	}
	return all, done
}

// Sum is a count and a checksum of tokens and accounts, the same for the same records in whatever
// order.
type Sum struct {
	Tokens   int    `json:"tokens"`
	Accounts int    `json:"accounts"`
	Checksum string `json:"checksum"`
}

// summer adds records up.
type summer struct {
	Sum
	words [4]uint64
	room  []byte
}

func (s *summer) token(rec *Record) {
	s.Tokens++
	s.room = AppendDoc(s.room[:0], rec, nil)
	s.add('t')
}

func (s *summer) account(a policy.Account) {
	s.Accounts++
	s.room = AppendAccountDoc(s.room[:0], a)
	s.add('a')
}

func (s *summer) add(kind byte) {
	sum := sha256.Sum256(append(s.room, kind))
	for i := range s.words {
		s.words[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
}

func (s *summer) sum() Sum {
	var b []byte
	for _, w := range s.words {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	s.Checksum = hex.EncodeToString(b)
	return s.Sum
}

// Verification compares what is in the engine with what is obeyed.
type Verification struct {
	Revision int64    `json:"revision"`
	Engine   Sum      `json:"engine"` // of the rows that read
	Obeyed   Sum      `json:"obeyed"`
	BadRows  []string `json:"bad_rows"` // why rows do not read
}

// Same reports whether what is obeyed is what is in the engine.
func (v *Verification) Same() bool { return v.Engine == v.Obeyed }

// Verify reads everything in the engine and compares it with what is obeyed. Changes wait
// meanwhile.
func (l *Live) Verify(ctx context.Context) (Verification, error) {
	l.following.Lock()
	defer l.following.Unlock()
	if err := l.poll(ctx); err != nil {
		return Verification{}, err
	}
	v, head, err := VerifyEngine(ctx, l.o.Engine, l.o.MaxDepth)
	if err != nil {
		return v, err
	}
	if head.Rev != l.applied { // a change came between
		if err := l.poll(ctx); err != nil {
			return v, err
		}
	}
	var s summer
	l.tokens.each(s.token)
	for _, a := range l.accounts {
		s.account(a)
	}
	v.Obeyed = s.sum()
	return v, nil
}

// VerifyEngine reads everything in an engine.
func VerifyEngine(ctx context.Context, e Engine, maxDepth int) (Verification, Head, error) {
	v, rows := Verification{BadRows: []string{}}, rowReader{maxDepth: maxDepth}
	var s summer
	head, _, err := e.All(ctx, func(row Row) error {
		var bad error
		switch row.Table {
		case Accounts:
			var a policy.Account
			if a, bad = rows.account(row.ID, row.Doc); bad == nil {
				s.account(a)
			}
		case Tokens:
			var rec *Record
			if rec, _, _, bad = rows.token(row.ID, row.Doc); bad == nil {
				s.token(rec)
			}
		}
		if bad != nil {
			v.BadRows = append(v.BadRows, bad.Error())
		}
		return nil
	})
	v.Revision, v.Engine = head.Rev, s.sum()
	return v, head, err
}
