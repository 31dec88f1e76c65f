package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
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

// silentBounds is after how many bounds of silence a gateway is forgotten.
const silentBounds = 10

// decidesNothing is how long a gateway has to be silent until it decides nothing, whatever it has
// read: its last question came at most a third of the bound after a beat, and is good for the bound.
func (o *LiveOptions) decidesNothing() time.Duration { return o.MaxStaleness + o.MaxStaleness/2 }

// waitFor is how long after a commit nobody can rest on what was before it.
func (o *LiveOptions) waitFor() time.Duration { return o.MaxStaleness + o.MaxStaleness/100 }

// Wait returns when every gateway that still decides obeys a revision, or when those that were not
// heard of can decide no more. It needs no register to be safe: a poll that began before the commit
// cannot carry a lease beyond the commit and the bound, so that it waits at most one hundredth
// longer than the bound (SPEC 15.5). heard is false when that was what ended it.
func (l *Live) Wait(ctx context.Context, rev int64) (all []Heard, heard bool, err error) {
	end := time.Now().Add(l.o.waitFor())
	for {
		replicas, err := l.replicas(ctx)
		if err == nil {
			if all, heard = l.silences.heard(replicas, rev, &l.o); heard {
				return all, true, nil
			}
		}
		if time.Now().After(end) {
			return all, false, nil
		}
		select {
		case <-ctx.Done():
			return all, false, ctx.Err()
		case <-time.After(waitEvery):
		}
	}
}

// beat tells the engine that this gateway is alive, and what it obeys. A lazy beat renews nothing: it
// costs no wait for a disk, after which this gateway would hear of the next change later.
func (l *Live) beat(ctx context.Context, lazy bool) error {
	now := l.o.Now()
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	if err := l.o.Engine.Beat(ctx, Beat{Replica: l.o.Replica, Version: l.o.Version, Applied: l.applied, Mark: l.mark, Lazy: lazy}); err != nil {
		return err
	}
	l.told = l.applied
	if !lazy {
		l.beaten = now
	}
	return nil
}

// register tells the engine that this gateway begins: whoever waits for a change that this one reads
// without having been heard of would not wait for it.
func (l *Live) register(ctx context.Context) error {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	return l.o.Engine.Beat(ctx, Beat{Replica: l.o.Replica, Version: l.o.Version})
}

func (l *Live) replicas(ctx context.Context) ([]Replica, error) {
	ctx, cancel := l.bounded(ctx)
	defer cancel()
	return l.o.Engine.Replicas(ctx)
}

// silences is what this gateway has seen of others. How long one has been silent is told by the
// clock of this one alone, from when it saw the last beat: no clock is compared with another.
type silences struct {
	mu    sync.Mutex
	of    map[string]silence
	until time.Time // while gateways that the database does not know may decide: it went back
}

// silence is since when a gateway was seen not to beat.
type silence struct {
	beats int64
	since time.Time
}

// see notes the beats of all, and returns how long each has stood still.
func (s *silences) see(replicas []Replica) map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, now := make(map[string]silence, len(replicas)), time.Now()
	still := make(map[string]time.Duration, len(replicas))
	for _, r := range replicas {
		was, known := s.of[r.Replica]
		if !known || was.beats != r.Beats {
			was = silence{r.Beats, now}
		}
		seen[r.Replica], still[r.Replica] = was, now.Sub(was.since)
	}
	s.of = seen
	return still
}

// distrust lets nobody be left out of a wait for a while, because the database may know older
// gateways than there are.
func (s *silences) distrust(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = until
}

// heard says of every gateway whether it obeys a revision, and whether none is left that may not.
func (s *silences) heard(replicas []Replica, rev int64, o *LiveOptions) (all []Heard, done bool) {
	still := s.see(replicas)
	s.mu.Lock()
	done = time.Now().After(s.until)
	s.mu.Unlock()
	for _, r := range replicas {
		h := Heard{Replica: r, Obeys: r.Applied >= rev, Ended: still[r.Replica] > o.decidesNothing()}
		done = done && (h.Obeys || h.Ended)
		all = append(all, h)
	}
	return all, done
}

// lookAround notes who beats, and forgets gateways that ended without a word.
func (l *Live) lookAround(ctx context.Context) {
	replicas, err := l.replicas(ctx)
	if err != nil {
		return // the poll says so
	}
	still := l.silences.see(replicas)
	for _, r := range replicas {
		if still[r.Replica] > silentBounds*l.o.MaxStaleness {
			_ = l.o.Engine.Forget(ctx, r.Replica, r.Beats) // the next time, then
		}
	}
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
