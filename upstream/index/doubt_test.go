package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/upstreamtest"
)

// wantDoubts checks which items in doubt the branch of an account may have.
func (x *indexTest) wantDoubts(name string, cid int64, want ...int64) {
	x.t.Helper()
	if got := x.View(x.tree).Doubtful(x.devices, cid); !slices.Equal(got, want) {
		x.t.Errorf("%s: account %d: got %v in doubt, want %v", name, cid, got, want)
	}
}

// Items in doubt are nobody's until they were read again, and whoever may have them reads them.
func TestDoubts(t *testing.T) {
	w := upstreamtest.Fleet(t, 5) // of 11
	s, tr := upstreamtest.Play(t, w, fake.Options{Key: upstreamtest.GatewayKey})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	x.Doubted(x.devices, []int64{4, 2, 2, 77}, 12)
	x.Doubted(x.devices, []int64{3}, 0)
	x.want("in doubt", "1:11 5:11")
	x.wantDoubts("moved", 11, 2, 3, 4)
	x.wantDoubts("moved", 12, 2, 4, 77)
	x.wantDoubts("all of them", 1, 2, 3, 4, 77)
	x.Doubted(x.devices, []int64{2}, 0)
	x.wantDoubts("again", 11, 2, 3, 4) // whoever may have had it may have it still
	x.wantDoubts("again", 12, 2, 4, 77)
	x.Doubted(x.devices, []int64{5}, 1)
	x.wantDoubts("to some account of a branch", 12, 2, 4, 5, 77)
	if err := x.LookUp(x.asks(17, 5)); err != nil {
		t.Fatal(err)
	}
	x.Created(x.devices, 77, 12)
	x.Deleted(x.devices, []int64{3})
	x.wantDoubts("known again", 1, 2, 4)
	if err := w.Move("gw/devices", 2, 12); err != nil {
		t.Fatal(err)
	}
	w.Delete("gw/devices", 4)
	s.Take()
	if err := x.LookUp(x.asks(17, 2, 4)); err != nil {
		t.Fatal(err)
	}
	x.want("read again", "1:11 2:12 5:11 77:12")
	x.wantDoubts("read again", 1)
	if sent := s.Take(); len(sent) != 1 || sent[0].Target != "/gw/devices/2,4?fields=id%2Ccid" {
		t.Errorf("sent %+v", sent)
	}
}

// Of items in doubt all are asked for, however often the token has asked, and a failure leaves them
// in doubt.
func TestDoubtsHaveNoBounds(t *testing.T) {
	x := newIndexTest(t, &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) { return 200, items() }}, policy.ModeIDs)
	x.prepare(subject{x.devices, false})
	for range 20 {
		x.lookUps.allow(17)
	}
	ids := upTo(500)
	x.Doubted(x.devices, ids, 11)
	if err := x.LookUp(x.asks(17, ids...)); err != nil {
		t.Fatal(err)
	}
	x.wantDoubts("read", 11)
	x.Doubted(x.devices, ids, 11)
	x.lister.Backend = &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) { return 500, "" }}
	if err := x.LookUp(x.asks(17, ids...)); !errors.Is(err, upstream.ErrBroken) {
		t.Errorf("got %v", err)
	}
	x.wantDoubts("not read", 11, ids...)
}

// A look-up under one root says nothing about what another root may have.
func TestDoubtOfAnotherRoot(t *testing.T) {
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 2}, {ID: 21, Parent: 2}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var under []string
	x := newIndexTest(t, &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) {
		_, cid, _ := strings.Cut(string(r.Head), "x-flespi-cid: ")
		under = append(under, strings.TrimSpace(cid))
		if !strings.HasPrefix(cid, "2") {
			return 404, ""
		}
		return 200, items(8, 21)
	}}, policy.ModeBoth)
	x.tree = tree
	x.prepare(subject{x.devices, false})
	x.Doubted(x.devices, []int64{8}, 21)
	for _, scope := range []int64{11, 21} {
		q := x.asks(scope, 8)
		q.Input.Scope = scope
		if err := x.LookUp(q); err != nil {
			t.Fatal(err)
		}
		if scope == 11 {
			x.wantDoubts("after a look-up under another root", 21, 8)
		}
	}
	x.want("known by its own root", "8:21")
	x.wantDoubts("known by its own root", 21)
	if !slices.Equal(under, []string{"1", "2"}) {
		t.Errorf("asked under %q", under)
	}
}

// A whole reading ends the doubts from before it, and no others.
func TestDoubtsEndByAReading(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{Key: upstreamtest.GatewayKey})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	x.Doubted(x.devices, []int64{2}, 0)
	began, release := make(chan struct{}, 8), make(chan struct{})
	s.SetFault(func(r *fake.Request) *fake.Canned {
		if isList(r) {
			began <- struct{}{}
			<-release
		}
		return nil
	})
	x.reread()
	<-began
	x.Doubted(x.devices, []int64{3}, 0)
	close(release)
	x.until("the reading", func() bool { _, known := x.View(x.tree).Account(x.devices, 2); return known })
	x.want("after the reading", "1:11 2:11 4:11 5:11")
	x.wantDoubts("after the reading", 11, 3)
}

// A look-up that began before a write was left open says nothing about it.
func TestDoubtOutlivesAnEarlierLookUp(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 3), fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	began, release := make(chan struct{}), make(chan struct{})
	s.SetFault(func(*fake.Request) *fake.Canned {
		began <- struct{}{}
		<-release
		return nil
	})
	done := make(chan error)
	go func() { done <- x.LookUp(x.asks(17, 2, 8)) }()
	<-began
	x.Doubted(x.devices, []int64{2, 8}, 11)
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	x.wantDoubts("in doubt still", 11, 2, 8)
}

// Settle reads what is in doubt in the scope, as long as it may.
func TestSettle(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{Key: upstreamtest.GatewayKey})
	x := newIndexTest(t, tr, policy.ModeBoth)
	x.load()
	in := &policy.Input{Tree: x.tree, Scope: 11}
	x.Doubted(x.devices, []int64{1, 2}, 0)
	x.Doubted(x.devices, []int64{99}, 12)
	s.Take()
	if err := x.Settle(t.Context(), x.devices, in); err != nil {
		t.Fatal(err)
	}
	x.wantDoubts("settled", 1, 99)
	if sent := s.Take(); len(sent) != 1 || strings.Join(sent[0].Get("x-flespi-cid"), ",") != "1" || !strings.Contains(sent[0].Target, "/1,2?") {
		t.Errorf("sent %+v", sent)
	}
	x.want("settled", "1:11 2:11 3:11 4:11 5:11")
	x.Doubted(x.devices, []int64{3}, 0)
	s.SetFault(func(*fake.Request) *fake.Canned { return &fake.Canned{Hang: true} })
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := x.Settle(ctx, x.devices, in); !errors.Is(err, upstream.ErrCanceled) {
		t.Errorf("got %v", err)
	}
	x.wantDoubts("given up", 11, 3)
	if err := x.Settle(t.Context(), x.cat.Collection("gw/assets"), in); err != nil {
		t.Errorf("what nobody needs: %v", err)
	}
}

// The engine, the resolver and the index together: `all` and a match have read again what was left
// open, and show neither too much nor too little.
func TestDoubtsEngine(t *testing.T) {
	w := upstreamtest.Fleet(t, 4)
	_, tr := upstreamtest.Play(t, w, fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	engine := &policy.Engine{Catalogue: x.cat, Mode: policy.ModeIDs}
	r := NewResolver(ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, Mode: engine.Mode, MaxTarget: 8000, Index: x.ItemIndex})
	for i, target := range []string{"/gw/devices/all", "/gw/devices/name=truck", "/gw/devices/cid=11", "/gw/devices/4,2,3,1,name=truck"} {
		if err := w.Move("gw/devices", int64(i+1), 12); err != nil {
			t.Fatal(err)
		}
		x.Doubted(x.devices, []int64{1, 2, 3, 4}, 0)
		var want []string
		for id := i + 2; id <= 4; id++ {
			want = append(want, fmt.Sprint(id))
		}
		got := x.judge(engine, r, target)
		if ids := "/gw/devices/" + strings.Join(want, ","); i < 3 && got != ids || i == 3 && !strings.HasPrefix(got, "/gw/devices/ [") {
			t.Errorf("%s: got %s, want %s", target, got, ids)
		}
	}
}
