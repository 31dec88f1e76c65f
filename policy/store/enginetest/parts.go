package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"aclgate/policy/store"
)

// parts: of a transaction, each stands or falls alone, in the name of its own actor, and sees what
// stands of those before it. What is in the database and in its history is what a plain map holds.
func parts(t *testing.T, e store.Engine) {
	write(t, e, "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, account(1, 0)) })
	m := model{random: rand.New(rand.NewPCG(11, 7)), docs: map[int64]string{}}
	at := since(t, e, 0).Head.Rev
	for round := range 40 {
		docs, said := maps.Clone(m.docs), len(m.said)
		_, err := e.Write(ctx, "the whole", func(w store.Writer) error {
			m.docs, m.said = maps.Clone(docs), m.said[:said] // it may be tried again
			for i := range m.random.IntN(6) {
				m.part(t, w, fmt.Sprintf("%d/%d", round, i))
			}
			if m.random.IntN(6) == 0 {
				return errBack
			}
			return nil
		})
		switch {
		case errors.Is(err, errBack):
			m.docs, m.said = docs, m.said[:said]
		case err != nil:
			t.Fatal(err)
		}
	}
	m.compare(t, e, at)
}

// model is what the database should hold.
type model struct {
	random *rand.Rand
	docs   map[int64]string
	said   []string // by whom which token was changed
	failed int
}

// part makes a few changes of tokens. Some have a key that another token has, some fail for no reason.
func (m *model) part(t *testing.T, w store.Writer, actor string) {
	t.Helper()
	docs, said := maps.Clone(m.docs), slices.Clone(m.said)
	var want error
	err := w.Part(actor, func() error {
		for range m.random.IntN(4) {
			id := 1 + m.random.Int64N(12)
			doc, found := docs[id]
			if got, err := w.Doc(store.Tokens, id); string(got) != doc || found == errors.Is(err, store.ErrNoRow) {
				t.Errorf("token %d: got %q, %v, want %q", id, got, err, doc)
			}
			switch m.random.IntN(8) {
			case 0:
				if want = w.Delete(store.Tokens, id); !found != errors.Is(want, store.ErrNoRow) {
					t.Errorf("token %d, found: %t, was deleted with %v", id, found, want)
				}
				if want != nil {
					return want
				}
				delete(docs, id)
			case 1:
				if other := 1 + m.random.Int64N(12); other != id && docs[other] != "" {
					want = store.ErrTaken
					return w.Put(store.Tokens, id, fmt.Appendf(nil, `{"id":%d,%s`, id, docs[other][len(fmt.Sprintf(`{"id":%d,`, other)):]))
				}
				want = errBack
				return want
			default:
				docs[id] = string(Token(id, 1, fmt.Sprintf("%s/%d", actor, len(said))))
				if err := w.Put(store.Tokens, id, []byte(docs[id])); err != nil {
					t.Errorf("token %d: %v", id, err)
				}
			}
			said = append(said, fmt.Sprintf("%s %d", actor, id))
		}
		return nil
	})
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("part %s: got %v, want %v", actor, err, want)
	}
	if want != nil {
		m.failed++
		return
	}
	m.docs, m.said = docs, said
}

// compare looks at every token and at the history after a revision.
func (m *model) compare(t *testing.T, e store.Engine, after int64) {
	t.Helper()
	found := map[int64]string{}
	head, _, err := e.All(ctx, func(r store.Row) error {
		if r.Table == store.Tokens {
			found[r.ID] = string(r.Doc)
		}
		return nil
	})
	if err != nil || !maps.Equal(found, m.docs) {
		t.Errorf("got %v, %v, want %v", found, err, m.docs)
	}
	var said []string
	err = e.Changes(ctx, store.ChangeQuery{After: after, Limit: 1 << 30}, func(c store.Change) error {
		if after++; c.Rev != after {
			t.Errorf("got revision %d, want %d", c.Rev, after)
		}
		for _, id := range c.IDs {
			said = append(said, fmt.Sprintf("%s %d", c.Actor, id))
		}
		return nil
	})
	if err != nil || after != head.Rev || !slices.Equal(said, m.said) {
		t.Errorf("the history ends at %d of %d with %v, and says\n%q, want\n%q", after, head.Rev, err, said, m.said)
	}
	if len(m.said) < 20 || m.failed < 10 {
		t.Errorf("%d changes stood and %d parts failed: too few to show anything", len(m.said), m.failed)
	}
}
