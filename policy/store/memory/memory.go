// Package memory is an engine in the memory of the process. It forgets everything at the end, and
// is there for tests, and as the shortest complete example of an engine.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"aclgate/policy/store"
)

// maxChanges is how many changes one answer of Since holds.
const maxChanges = 1000

// Engine is a database of maps. The zero value is not ready: New makes one.
type Engine struct {
	mu sync.Mutex
	state

	// Fault, if it is not nil, is what every call ends with. Hold mu to change it: see Break.
	fault    error
	uses     map[int64]int64
	replicas map[string]*replica
}

// state is what a snapshot holds.
type state struct {
	rows    map[store.Table]map[int64][]byte
	next    map[store.Table]int64
	sealed  map[int64][]byte
	secrets map[int64]string
	deleted map[store.Table]map[int64]store.Deleted
	changes []store.Change // the first has the revision floor, unless it is 0
	head    store.Head
}

type replica struct {
	store.Beat
	beats int64
	at    time.Time
}

var _ store.Engine = (*Engine)(nil)

// New returns an empty engine.
func New() *Engine {
	e := &Engine{uses: map[int64]int64{}, replicas: map[string]*replica{}}
	e.state = state{rows: map[store.Table]map[int64][]byte{}, next: map[store.Table]int64{}, head: store.Head{Version: 1}}
	e.sealed, e.secrets, e.deleted = map[int64][]byte{}, map[int64]string{}, map[store.Table]map[int64]store.Deleted{}
	return e
}

// Break makes every call end with this error, until Break(nil).
func (e *Engine) Break(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = err
}

// Snapshot returns a copy of the database as it is, for Restore.
func (e *Engine) Snapshot() any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state.clone()
}

// Restore makes the database what it was: it goes back.
func (e *Engine) Restore(snapshot any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := snapshot.(state)
	e.state = s.clone()
}

func (s *state) clone() state {
	c := state{rows: map[store.Table]map[int64][]byte{}, next: maps.Clone(s.next), changes: slices.Clone(s.changes), head: s.head}
	for t, rows := range s.rows {
		c.rows[t] = maps.Clone(rows)
	}
	c.sealed, c.secrets, c.deleted = maps.Clone(s.sealed), maps.Clone(s.secrets), map[store.Table]map[int64]store.Deleted{}
	for t, rows := range s.deleted {
		c.deleted[t] = maps.Clone(rows)
	}
	return c
}

// Name implements store.Engine.
func (e *Engine) Name() string { return "memory" }

// Close implements store.Engine.
func (e *Engine) Close() error { return nil }

// lock begins a call.
func (e *Engine) lock(ctx context.Context) (unlock func(), err error) {
	e.mu.Lock()
	if err := cmp.Or(e.fault, ctx.Err()); err != nil {
		e.mu.Unlock()
		return nil, err
	}
	return e.mu.Unlock, nil
}

func (s *state) mark(rev int64) (m store.Mark) {
	i, found := slices.BinarySearchFunc(s.changes, rev, func(c store.Change, rev int64) int { return cmp.Compare(c.Rev, rev) })
	if found {
		return s.changes[i].Mark
	}
	return m
}

// Since implements store.Engine.
func (e *Engine) Since(ctx context.Context, after int64) (*store.Batch, error) {
	unlock, err := e.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	b := &store.Batch{Head: e.head, At: e.mark(after)}
	seen := map[store.Table]map[int64]bool{}
	for _, c := range e.changes {
		if c.Rev <= after {
			continue
		}
		if len(b.Changes) == maxChanges {
			break
		}
		b.Changes = append(b.Changes, store.Change{Rev: c.Rev, Mark: c.Mark, Table: c.Table, IDs: c.IDs, At: c.At, Actor: c.Actor})
		for _, id := range c.IDs {
			if seen[c.Table] == nil {
				seen[c.Table] = map[int64]bool{}
			}
			if !seen[c.Table][id] {
				seen[c.Table][id] = true
				b.Rows = append(b.Rows, store.Row{Table: c.Table, ID: id, Doc: e.rows[c.Table][id]})
			}
		}
	}
	return b, nil
}

// All implements store.Engine.
func (e *Engine) All(ctx context.Context, yield func(store.Row) error) (store.Head, store.Mark, error) {
	unlock, err := e.lock(ctx)
	if err != nil {
		return store.Head{}, store.Mark{}, err
	}
	snapshot := e.state.clone()
	unlock()
	for _, t := range store.Tables() {
		if err := snapshot.Each(t, yield); err != nil {
			return store.Head{}, store.Mark{}, err
		}
	}
	return snapshot.head, snapshot.mark(snapshot.head.Rev), nil
}

// Beat implements store.Engine.
func (e *Engine) Beat(ctx context.Context, b store.Beat) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r := e.replicas[b.Replica]
	if r == nil {
		r = &replica{}
		e.replicas[b.Replica] = r
	}
	r.Beat, r.at = b, time.Now()
	r.beats++
	return nil
}

// Replicas implements store.Engine.
func (e *Engine) Replicas(ctx context.Context) (all []store.Replica, err error) {
	unlock, err := e.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, r := range e.replicas {
		all = append(all, store.Replica{Beat: r.Beat, Beats: r.beats, Age: time.Since(r.at)})
	}
	slices.SortFunc(all, func(a, b store.Replica) int { return cmp.Compare(a.Beat.Replica, b.Beat.Replica) })
	return all, nil
}

// Leave implements store.Engine.
func (e *Engine) Leave(ctx context.Context, name string) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	delete(e.replicas, name)
	return nil
}

// Forget implements store.Engine.
func (e *Engine) Forget(ctx context.Context, name string, beats int64) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if r := e.replicas[name]; r != nil && r.beats == beats {
		delete(e.replicas, name)
	}
	return nil
}

// View implements store.Engine.
func (e *Engine) View(ctx context.Context, read func(store.Reader) error) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	snapshot := e.state.clone()
	unlock()
	return read(&snapshot)
}

// Write implements store.Engine.
func (e *Engine) Write(ctx context.Context, actor string, change func(store.Writer) error) (store.Head, error) {
	unlock, err := e.lock(ctx)
	if err != nil {
		return store.Head{}, err
	}
	defer unlock()
	w := &writer{state: e.state.clone(), actor: actor}
	if err := change(w); err != nil {
		return e.head, err
	}
	e.state = w.state
	return e.head, nil
}

// Changes implements store.Engine.
func (e *Engine) Changes(ctx context.Context, q store.ChangeQuery, yield func(store.Change) error) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	changes := slices.Clone(e.changes)
	unlock()
	for _, c := range changes {
		if c.Rev <= q.After || q.Table != 0 && c.Table != q.Table || q.ID != 0 && !slices.Contains(c.IDs, q.ID) {
			continue
		}
		if q.Limit--; q.Limit < 0 {
			return nil
		}
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

// Uses implements store.Engine.
func (e *Engine) Uses(ctx context.Context, yield func(store.Use) error) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	uses := maps.Clone(e.uses)
	unlock()
	for id, at := range uses {
		if err := yield(store.Use{Token: id, At: at}); err != nil {
			return err
		}
	}
	return nil
}

// SaveUses implements store.Engine.
func (e *Engine) SaveUses(ctx context.Context, uses []store.Use) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, u := range uses {
		if _, known := e.rows[store.Tokens][u.Token]; known {
			e.uses[u.Token] = max(e.uses[u.Token], u.At)
		}
	}
	return nil
}

// Prune implements store.Engine.
func (e *Engine) Prune(ctx context.Context, before time.Time) (int64, error) {
	unlock, err := e.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for _, rows := range e.deleted {
		maps.DeleteFunc(rows, func(_ int64, d store.Deleted) bool { return time.Since(d.At) > store.KeepDeleted })
	}
	kept := slices.IndexFunc(e.changes, func(c store.Change) bool { return !c.At.Before(before) })
	if kept < 0 {
		kept = len(e.changes) - 1 // the last one says where the database is
	}
	if kept <= 0 {
		return 0, nil
	}
	e.changes = slices.Clone(e.changes[kept:])
	e.head.Floor = e.changes[0].Rev
	return int64(kept), nil
}
