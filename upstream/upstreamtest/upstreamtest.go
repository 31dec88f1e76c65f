// Package upstreamtest is for the tests of what asks the backend: a backend, a transport to it, a world
// of accounts and devices.
package upstreamtest

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/upstream"
)

// GatewayKey is the key that the backend of Play takes where its options name it.
const GatewayKey = "GATEWAY-KEY-0123456789"

// OwnKey returns GatewayKey.
func OwnKey() string { return GatewayKey }

// NoKey returns no key.
func NoKey() string { return "" }

// Quiet returns a log that nobody reads.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Play starts a fake backend of w and a transport to it.
func Play(t testing.TB, w *fake.World, o fake.Options) (*fake.Server, *upstream.Transport) {
	t.Helper()
	o.Record = 4096
	s := fake.New(w, o)
	t.Cleanup(s.Close)
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := upstream.New(upstream.Options{
		URLs: []string{url}, Dial: 5 * time.Second, FirstByte: 10 * time.Second, Silence: 10 * time.Second, Idle: 10 * time.Second,
		MaxConns: 8, QueueMax: 8, QueueFor: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return s, tr
}

// Fleet is a world with n devices, 1 to n, all named the same, in account 11 of the tree 1 → 11,
// 12.
func Fleet(t testing.TB, n int) *fake.World {
	t.Helper()
	w := fake.NewWorld(fake.Account{ID: 1}, fake.Account{ID: 11, Parent: 1}, fake.Account{ID: 12, Parent: 1})
	for i := range n {
		if err := w.Add("gw/devices", fake.Item{ID: int64(i + 1), CID: 11, Fields: fake.Fields{"name": "truck"}}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TwoFleets is the tree of the world Fleet.
func TwoFleets(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

// Catalogue returns the catalogue that comes with the program.
func Catalogue(t testing.TB) *policy.Catalogue {
	t.Helper()
	c, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Canned makes the backend answer everything with one status and body.
func Canned(status int, body string, more ...fake.Header) fake.Fault {
	return func(*fake.Request) *fake.Canned {
		return &fake.Canned{Status: status, Header: more, Body: []byte(body)}
	}
}

// Bubble is a backend without a socket, for tests in which time is fake.
type Bubble struct {
	Answer func(*upstream.Request) (status int, body string) // status 0: it cannot be reached
	Asked  atomic.Int64                                      // requests so far
}

// Do answers a request.
func (b *Bubble) Do(r *upstream.Request, a *upstream.Answer) error {
	b.Asked.Add(1)
	a.Close()
	status, body := b.Answer(r)
	if status == 0 {
		return &upstream.Error{Kind: upstream.ErrDial}
	}
	a.Fill(status, []byte(body))
	return nil
}
