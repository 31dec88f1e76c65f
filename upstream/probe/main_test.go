package probe

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gatewayKey = "GATEWAY-KEY-0123456789"

func ownKey() string { return gatewayKey }
func noKey() string  { return "" }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// play starts a fake backend of w and a transport to it.
func play(t testing.TB, w *fake.World, o fake.Options) (*fake.Server, *upstream.Transport) {
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

// fleet is a world with n devices, 1 to n, all named the same, in account 11 of the tree 1 → 11,
// 12.
func fleet(t testing.TB, n int) *fake.World {
	t.Helper()
	w := fake.NewWorld(fake.Account{ID: 1}, fake.Account{ID: 11, Parent: 1}, fake.Account{ID: 12, Parent: 1})
	for i := range n {
		if err := w.Add("gw/devices", fake.Item{ID: int64(i + 1), CID: 11, Fields: fake.Fields{"name": "truck"}}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// twoFleets is the tree of the world fleet.
func twoFleets(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

func catalogue(t testing.TB) *policy.Catalogue {
	t.Helper()
	c, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// canned makes the backend answer everything with one status and body.
func canned(status int, body string, more ...fake.Header) fake.Fault {
	return func(*fake.Request) *fake.Canned {
		return &fake.Canned{Status: status, Header: more, Body: []byte(body)}
	}
}

// bubble is a backend without a socket, for tests in which time is fake.
type bubble struct {
	answer func(*upstream.Request) (int, string)
	asked  atomic.Int64
}

func (b *bubble) Do(r *upstream.Request, a *upstream.Answer) error {
	b.asked.Add(1)
	a.Close()
	status, body := b.answer(r)
	if status == 0 {
		return &upstream.Error{Kind: upstream.ErrDial}
	}
	a.Fill(status, []byte(body))
	return nil
}
