package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

// counted is an engine whose transactions are counted and may be refused at their end.
type counted struct {
	store.Engine
	mu     sync.Mutex
	whole  []string // the actors of the transactions
	refuse func(tokens map[int64]bool) error
}

func (c *counted) Write(ctx context.Context, actor string, change func(store.Writer) error) (store.Head, error) {
	c.mu.Lock()
	c.whole = append(c.whole, actor)
	c.mu.Unlock()
	return c.Engine.Write(ctx, actor, func(w store.Writer) error {
		if err := change(w); err != nil || c.refuse == nil {
			return err
		}
		tokens := map[int64]bool{}
		err := w.Each(store.Tokens, func(r store.Row) error { tokens[r.ID] = true; return nil })
		return errors.Join(err, c.refuse(tokens))
	})
}

// queue holds a transaction up, has others wait for its end in their order, and lets it go on.
type queue struct {
	t       *testing.T
	live    *store.Live
	engine  *counted
	group   sync.WaitGroup
	mu      sync.Mutex
	results map[string]any // by actor: an error, what it panicked with, or nil
	goOn    chan struct{}
	waiting int
}

func newQueue(t *testing.T) *queue {
	e := &counted{Engine: memory.New()}
	q := &queue{t: t, live: newLive(t, e, nil), engine: e, results: map[string]any{}, goOn: make(chan struct{})}
	e.whole = nil
	begun := make(chan struct{})
	q.add(t.Context(), "first", q.live.Write, func(*store.Tx) error {
		close(begun)
		<-q.goOn
		return nil
	})
	<-begun
	return q
}

type writes func(context.Context, string, func(*store.Tx) error) (store.Head, error)

// add has a change made, after those that were added before.
func (q *queue) add(ctx context.Context, actor string, write writes, change func(*store.Tx) error) {
	q.group.Go(func() {
		var result any
		defer func() {
			if fault := recover(); fault != nil {
				result = fault
			}
			q.mu.Lock()
			q.results[actor] = result
			q.mu.Unlock()
		}()
		if _, err := write(ctx, actor, change); err != nil {
			result = err
		}
	})
	if actor == "first" {
		return
	}
	q.waiting++
	for end := time.Now().Add(30 * time.Second); q.live.Waiting() < q.waiting; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			q.t.Fatalf("%s does not wait", actor)
		}
	}
}

// token has a token made by an actor.
func (q *queue) token(actor string, id int64) {
	q.add(q.t.Context(), actor, q.live.Write, func(tx *store.Tx) error { return tx.PutDoc(store.Tokens, id, enginetest.Token(id, 1, "a")) })
}

// end lets the first transaction go on and waits for all.
func (q *queue) end() {
	close(q.goOn)
	q.group.Wait()
}

// want compares how a change ended, and whether its token is obeyed.
func (q *queue) want(actor string, err error, id int64) {
	q.t.Helper()
	got, _ := q.results[actor].(error)
	if !errors.Is(got, err) || q.results[actor] != nil && err == nil {
		q.t.Errorf("%s: got %v, want %v", actor, q.results[actor], err)
	}
	if err != nil {
		wantToken(q.t, q.live, digestOf(id, "a"), 0)
	} else if wantToken(q.t, q.live, digestOf(id, "a"), id); q.actorOf(id) != actor {
		q.t.Errorf("token %d was made by %q, want %q", id, q.actorOf(id), actor)
	}
}

func (q *queue) actorOf(id int64) (actor string) {
	_ = q.engine.Changes(q.t.Context(), store.ChangeQuery{Table: store.Tokens, ID: id, Limit: 1}, func(c store.Change) error { actor = c.Actor; return nil })
	return actor
}

// Changes that wait for a transaction share the next one. Those that fail, panic or are not wanted any
// more cost the others nothing, and a large one shares with nobody.
func TestWritesThatWaitShareATransaction(t *testing.T) {
	q := newQueue(t)
	errNo, ended := errors.New("no"), func() context.Context { ctx, cancel := context.WithCancel(t.Context()); cancel(); return ctx }()
	q.token("a", 11)
	q.add(t.Context(), "fails", q.live.Write, func(tx *store.Tx) error {
		return errors.Join(tx.PutDoc(store.Tokens, 12, enginetest.Token(12, 1, "a")), errNo)
	})
	q.add(t.Context(), "no account", q.live.Write, func(tx *store.Tx) error { return tx.PutDoc(store.Tokens, 13, enginetest.Token(13, 9, "a")) })
	q.add(t.Context(), "panics", q.live.Write, func(tx *store.Tx) error {
		_ = tx.PutDoc(store.Tokens, 14, enginetest.Token(14, 1, "a"))
		panic("on purpose")
	})
	q.token("b", 15)
	q.add(t.Context(), "large", q.live.WriteAlone, func(tx *store.Tx) error { return tx.PutDoc(store.Tokens, 16, enginetest.Token(16, 1, "a")) })
	q.token("c", 17)
	if _, err := q.live.Write(ended, "ended", func(*store.Tx) error { t.Error("a change was made whose context had ended"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	q.end()
	q.want("a", nil, 11)
	q.want("fails", errNo, 12)
	if err, _ := q.results["no account"].(error); !store.IsFault(err) {
		t.Errorf("a token without an account: got %v", err)
	}
	if text, _ := q.results["panics"].(string); !strings.Contains(text, "on purpose") || !strings.Contains(text, "group_test.go") {
		t.Errorf("who panicked: got %v", q.results["panics"])
	}
	q.want("b", nil, 15)
	q.want("large", nil, 16)
	q.want("c", nil, 17)
	wantToken(t, q.live, digestOf(14, "a"), 0)
	if got := strings.Join(q.engine.whole, ","); got != "first,,," {
		t.Errorf("transactions by %q, want the first, one of several parts, and one for each of the rest", got)
	}
}

// Nobody is told that a change was made whose transaction was not.
func TestWritesOfATransactionThatFails(t *testing.T) {
	q := newQueue(t)
	errDisk, errNo := errors.New("the disk is full"), errors.New("no")
	q.token("a", 11)
	q.add(t.Context(), "fails", q.live.Write, func(*store.Tx) error { return errNo })
	q.token("b", 12)
	q.engine.refuse = func(tokens map[int64]bool) error {
		if len(tokens) > 0 {
			return errDisk
		}
		return nil
	}
	q.end()
	q.want("a", errDisk, 11)
	q.want("fails", errDisk, 13) // what it rested on may have been of the others
	q.want("b", errDisk, 12)
}

// What the schema refuses at the end of a transaction is refused to who is to blame alone.
func TestWritesThatTheSchemaRefusesAtTheEnd(t *testing.T) {
	q := newQueue(t)
	for i := range int64(5) {
		q.token(fmt.Sprint(i), 11+i)
	}
	q.engine.refuse = func(tokens map[int64]bool) error {
		if tokens[13] {
			return store.ErrUnmet
		}
		return nil
	}
	q.end()
	for i := range int64(5) {
		var want error
		if i == 2 {
			want = store.ErrUnmet
		}
		q.want(fmt.Sprint(i), want, 11+i)
	}
}
