package index

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/upstreamtest"
)

// accountsTest returns the tree of a backend below the roots 1, 2 and 4 of a policy.
func accountsTest(t *testing.T, s listing.Doer) *Accounts {
	t.Helper()
	named, faults := policy.NewTree([]policy.Account{{ID: 1, Name: "operator"}, {ID: 5, Parent: 1, Name: "five"}, {ID: 2}, {ID: 4}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return NewAccounts(AccountsOptions{
		Backend: s, Key: upstreamtest.OwnKey, Mode: policy.ModeIDs, Policy: func() *policy.Tree { return named }, MaxDepth: 3,
		Refresh: 1 << 40, MaxStaleness: 1 << 40, Log: upstreamtest.Quiet(),
	})
}

func (a *Accounts) text() string {
	var out []string
	for _, account := range a.Tree().Accounts() {
		out = append(out, fmt.Sprintf("%d<%d%s", account.ID, account.Parent, account.Name))
	}
	return strings.Join(out, " ")
}

func TestAccounts(t *testing.T) {
	const roots = "1<0operator 2<0 4<0"
	rows := []struct{ name, body, want string }{
		{"none", items(), roots},
		{"below", items(11, 1, 12, 1, 5, 11), roots + " 11<1 12<1 5<11five"},
		{"a root again", items(1, 0, 11, 1), roots + " 11<1"},
		{"a root below another", items(2, 1, 11, 2), roots + " 11<2"},
		{"below nobody", items(11, 99, 12, 0, 13, 12), roots},
		{"a ring", items(11, 12, 12, 11), roots},
		{"too deep", items(11, 1, 12, 11, 13, 12, 14, 13), roots + " 11<1 12<11"},
		{"twice", items(11, 1, 11, 1), roots + " 11<1"},
	}
	for _, row := range rows {
		b := &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) {
			if !strings.HasPrefix(string(r.Target), "/platform/subaccounts/all?fields=id%2Ccid&") {
				t.Errorf("asked for %s", r.Target)
			}
			return 200, row.body
		}}
		a := accountsTest(t, b)
		if a.Ready() == nil || !a.Stale() || a.text() != roots {
			t.Errorf("before anything was read: got %s", a.text())
		}
		if err := a.read(t.Context()); err != nil || a.text() != row.want {
			t.Errorf("%s: got %s, %v; want %s", row.name, a.text(), err, row.want)
		}
		before := a.Tree()
		if err := a.read(t.Context()); err != nil || a.Tree() != before || a.Stale() {
			t.Errorf("%s: the same accounts made another tree, %v", row.name, err)
		}
	}
}

// A tree that cannot be read whole is never used.
func TestAccountsUnreadable(t *testing.T) {
	var body atomic.Value
	body.Store(items(11, 1))
	b := &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) { return 200, body.Load().(string) }}
	a := accountsTest(t, b)
	if err := a.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := a.text()
	for _, bad := range []string{`{"result":[{"id":12,"cid":1}`, items(12, 1, 12, 2), `{"errors":[1],"result":[]}`, `{"result":[{}]}`} {
		body.Store(bad)
		if err := a.read(t.Context()); err == nil || a.text() != want {
			t.Errorf("%s: got %v, %s", bad, err, a.text())
		}
	}
}

// An account that is created while the tree is read counts at once and stays.
func TestAccountsCreated(t *testing.T) {
	var a *Accounts
	during := true
	b := &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) {
		if during {
			a.Created(12, 11)
		}
		return 200, items(11, 1)
	}}
	a = accountsTest(t, b)
	a.Created(11, 1)
	if !a.Tree().Contains(1, 11) {
		t.Error("a creation does not count at once")
	}
	if err := a.read(t.Context()); err != nil || !a.Tree().Contains(1, 12) {
		t.Errorf("a reading has undone a creation: %s, %v", a.text(), err)
	}
	during = false
	if err := a.read(t.Context()); err != nil || a.Tree().Contains(1, 12) {
		t.Errorf("an account that is not there any more has stayed: %s, %v", a.text(), err)
	}
}

// Accounts that are moved or deleted count at once, with what hangs below them, and a reading that
// began before it does not undo that.
func TestAccountsMoved(t *testing.T) {
	var during func(*Accounts)
	var a *Accounts
	b := &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) {
		if during != nil {
			during(a)
		}
		return 200, items(11, 1, 12, 11, 13, 2)
	}}
	for _, row := range []struct {
		name   string
		change func(*Accounts)
		want   string
	}{
		{"moved", func(a *Accounts) { a.Moved([]int64{11}, 2) }, "1<0operator 2<0 4<0 11<2 13<2 12<11"},
		{"moved twice", func(a *Accounts) { a.Moved([]int64{11}, 2); a.Moved([]int64{11}, 13) }, "1<0operator 2<0 4<0 13<2 11<13"},
		{"deleted", func(a *Accounts) { a.Deleted([]int64{11, 13}) }, "1<0operator 2<0 4<0"},
		{"below itself", func(a *Accounts) { a.Moved([]int64{11}, 12) }, "1<0operator 2<0 4<0 13<2"},
		{"a root", func(a *Accounts) { a.Deleted([]int64{2}) }, "1<0operator 2<0 4<0 11<1 13<2 12<11"},
	} {
		a, during = accountsTest(t, b), nil
		if err := a.read(t.Context()); err != nil {
			t.Fatal(err)
		}
		read := a.text()
		row.change(a)
		if a.text() != row.want {
			t.Errorf("%s: got %s, want %s", row.name, a.text(), row.want)
		}
		during = row.change
		if err := a.read(t.Context()); err != nil || a.text() != row.want {
			t.Errorf("%s while it is read: got %s, want %s, %v", row.name, a.text(), row.want, err)
		}
		during = nil
		if err := a.read(t.Context()); err != nil || a.text() != read {
			t.Errorf("%s: got %s when it is read again, want %s, %v", row.name, a.text(), read, err)
		}
	}
}

func TestAccountsRun(t *testing.T) {
	w := upstreamtest.Fleet(t, 0)
	_, tr := upstreamtest.Play(t, w, fake.Options{})
	a := accountsTest(t, tr)
	var told atomic.Int32
	a.opt.Changed = func() { told.Add(1) }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	eventually(t, "the tree", func() bool { return a.Ready() == nil && a.Tree().Contains(1, 12) })
	if err := w.Add("platform/subaccounts", fake.Item{ID: 13, CID: 12}); err != nil {
		t.Fatal(err)
	}
	a.PolicyLoaded()
	eventually(t, "another reading", func() bool { return a.Tree().Contains(1, 13) })
	stop()
	<-done
	if told.Load() != 2 || errors.Is(a.Ready(), ErrNotRead) {
		t.Errorf("told %d times", told.Load())
	}
}
