package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/upstreamtest"
)

func TestIndexReads(t *testing.T) {
	rows := []struct {
		mode    policy.Mode
		options fake.Options
		items   int
		want    string // the requests
	}{
		{policy.ModeIDs, fake.Options{IgnoreCID: true}, 1100, "limit=1000&offset=0 limit=1000&offset=999 limit=1000&offset=1099"},
		{policy.ModeIDs, fake.Options{IgnoreCID: true, NoPaging: true}, 1100, "limit=1000&offset=0 limit=1000&offset=1099 limit=1&offset=2100"},
		{policy.ModeIDs, fake.Options{NoPaging: true}, 1000, "limit=1000&offset=0 limit=1000&offset=999 limit=1&offset=2000"},
		{policy.ModeBoth, fake.Options{Root: 1}, 1100, "1 limit=1000&offset=0 1 limit=1000&offset=999 1 limit=1000&offset=1099"},
		{policy.ModeIDs, fake.Options{}, 0, "limit=1000&offset=0"},
	}
	for _, row := range rows {
		t.Run(fmt.Sprint(row.mode, row.options.NoPaging, row.items), func(t *testing.T) {
			row.options.Key = upstreamtest.GatewayKey
			s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, row.items), row.options)
			x := newIndexTest(t, tr, row.mode)
			if x.Ready() == nil || !x.Stale(x.devices) {
				t.Error("ready before anything was read")
			}
			x.load()
			if n := len(x.View(x.tree).Of(x.devices, 1)); n != row.items || x.Stale(x.devices) {
				t.Errorf("got %d items, stale: %v", n, x.Stale(x.devices))
			}
			var got []string
			for _, r := range s.Take() {
				rest, ours := strings.CutPrefix(r.Target, "/gw/devices/all?fields=id%2Ccid&")
				if !ours {
					t.Errorf("asked for %s", r.Target)
				}
				got = append(got, append(r.Get("x-flespi-cid"), rest)...)
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// An index that cannot be read whole is never used: the old one stays.
func TestIndexBadReadings(t *testing.T) {
	rows := []struct {
		name  string
		fault fake.Fault
	}{
		{"down", upstreamtest.Canned(503, ``)},
		{"cut", func(*fake.Request) *fake.Canned { return &fake.Canned{Cut: 40} }},
		{"a row without id", upstreamtest.Canned(200, `{"result":[{"id":7,"cid":12},{"cid":12}]}`)},
		{"malformed", upstreamtest.Canned(200, `{"result":[{"id":7,"cid":12},`)},
		{"errors beside rows", upstreamtest.Canned(200, `{"errors":[{"code":1}],"result":[{"id":7,"cid":12}]}`)},
		{"two accounts of an item", upstreamtest.Canned(200, items(7, 11, 8, 11, 7, 12))},
		{"our key is refused", upstreamtest.Canned(401, `{}`)},
		{"not for us", upstreamtest.Canned(403, `{}`)},
		{"moved", upstreamtest.Canned(301, ``)},
		{"the second page is refused", secondPage(404, `{}`)},
		{"the second page is broken", secondPage(200, `{"result":`)},
		{"the same page for ever", func(r *fake.Request) *fake.Canned {
			if strings.Contains(r.Target, "limit=1&") {
				return &fake.Canned{Status: 200, Body: []byte(rowsOf(upTo(1)))}
			}
			return &fake.Canned{Status: 200, Body: []byte(rowsOf(upTo(1000)))}
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 2), fake.Options{})
			x := newIndexTest(t, tr, policy.ModeIDs)
			x.load()
			s.SetFault(row.fault)
			s.Take()
			x.reread()
			x.until("a second reading", func() bool { return len(s.Take()) > 0 })
			x.until("its end", func() bool { return x.ended(1) })
			x.want("after it", "1:11 2:11")
		})
	}
}

// secondPage answers the first page well and the second as it is told.
func secondPage(status int, body string) fake.Fault {
	return func(r *fake.Request) *fake.Canned {
		if strings.HasSuffix(r.Target, "offset=0") {
			return &fake.Canned{Status: 200, Body: []byte(rowsOf(upTo(1000)))}
		}
		return &fake.Canned{Status: status, Body: []byte(body)}
	}
}

func TestIndexGoodReadings(t *testing.T) {
	rows := []struct{ name, body, want string }{
		{"an item twice", items(7, 11, 8, 12, 7, 11), "7:11 8:12"},
		{"any order", items(9, 12, 8, 11), "8:11 9:12"},
		{"no account", items(7, 0, 8, 11), "7:0 8:11"},
		{"an account that is no id", `{"result":[{"id":7,"cid":"11"},{"id":8,"cid":-1}]}`, "7:0 8:0"},
		{"an account of nobody", items(7, 777), "7:777"},
		{"nothing", items(), ""},
	}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 2), fake.Options{})
		s.SetFault(upstreamtest.Canned(200, row.body))
		x := newIndexTest(t, tr, policy.ModeIDs)
		x.load()
		x.want(row.name, row.want)
		for _, id := range x.View(x.tree).Of(x.devices, 1) {
			if cid, _ := x.View(x.tree).Account(x.devices, id); cid != 11 && cid != 12 {
				t.Errorf("%s: %d is in the branch", row.name, id)
			}
		}
	}
}

// A root that is hidden has no items, a collection that is not there is empty; but when every root
// is hidden something else is wrong.
func TestIndexRoots(t *testing.T) {
	tree, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 2}}, 4)
	refuse := func(status int, cids ...string) fake.Fault {
		return func(r *fake.Request) *fake.Canned {
			if slices.Contains(cids, r.Get("x-flespi-cid")[0]) {
				return &fake.Canned{Status: status, Body: []byte(`{"errors":[{"code":6}],"result":[]}`)}
			}
			return nil
		}
	}
	rows := []struct {
		name  string
		fault fake.Fault
		ready error
	}{
		{"one is hidden", refuse(403, "2"), nil},
		{"one is missing", refuse(404, "2"), nil},
		{"none has the collection", refuse(404, "1", "2"), nil},
		{"all are hidden", refuse(403, "1", "2"), ErrNotRead},
		{"one is broken", refuse(500, "2"), ErrNotRead},
	}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 2), fake.Options{})
		s.SetFault(row.fault)
		x := newIndexTest(t, tr, policy.ModeBoth)
		x.tree = tree
		x.run()
		x.until("a reading", func() bool { return x.ended(0) || x.Ready() == nil })
		if err := x.Ready(); !errors.Is(err, row.ready) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
}

// What passes through the gateway while a reading is under way must not be undone by it.
func TestIndexChangesOutliveReading(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 4), fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	x.want("first", "1:11 2:11 3:11 4:11")
	began, release := make(chan struct{}, 1), make(chan struct{})
	s.SetFault(func(r *fake.Request) *fake.Canned {
		if !isList(r) {
			return nil
		}
		began <- struct{}{}
		<-release
		return &fake.Canned{Status: 200, Body: []byte(items(1, 11, 2, 11, 3, 11, 4, 11))}
	})
	x.Moved(x.devices, []int64{4}, 12)
	x.reread()
	<-began
	before := x.View(x.tree)
	x.Created(x.devices, 9, 12)
	x.Moved(x.devices, []int64{2, 1}, 12)
	x.Deleted(x.devices, []int64{3})
	x.want("at once", "1:12 2:12 4:12 9:12")
	if _, known := before.Account(x.devices, 9); known || len(before.Of(x.devices, 11)) != 3 {
		t.Error("a view that was taken before has changed")
	}
	first := before.state.overlays[x.devices.Index].began
	release <- struct{}{}
	x.until("the end of the reading", func() bool { return x.View(x.tree).state.overlays[x.devices.Index].began != first })
	// The reading began after 4 was moved and shows it in 11: somebody else has moved it back.
	x.want("after it", "1:12 2:12 4:11 9:12")
	close(release)
	s.SetFault(nil)
	x.reread()
	x.until("the next reading", func() bool { return len(x.View(x.tree).state.overlays[x.devices.Index].deltas) == 0 })
	x.want("after the next", "1:11 2:11 3:11 4:11")
}

// Ensure that only what is needed is read, and that what is not known is too old to judge by. Who
// names ids that nobody has heard of makes the index remember only so many of them, and what it
// knows is forgotten all the same.
func TestIndexForgetsABoundedNumber(t *testing.T) {
	_, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 10), fake.Options{IgnoreCID: true})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	known := x.View(x.tree).Of(x.devices, 1)[3]
	ids := make([]int64, 1000)
	for n := range int64(200) {
		for i := range ids {
			ids[i] = 1e9 + n*1000 + int64(i)
		}
		x.Deleted(x.devices, ids)
	}
	x.Deleted(x.devices, []int64{2e9, known})
	if n := x.state.Load().overlays[x.devices.Index].changes(); n > maxForgotten+1000 {
		t.Errorf("got %d changes kept", n)
	}
	if _, yes := x.View(x.tree).Account(x.devices, known); yes {
		t.Error("an item that is known was not forgotten")
	}
}

func TestIndexNeed(t *testing.T) {
	w := upstreamtest.Fleet(t, 2)
	if err := w.Add("gw/channels", fake.Item{ID: 7, CID: 12}); err != nil {
		t.Fatal(err)
	}
	s, tr := upstreamtest.Play(t, w, fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	channels := x.cat.Collection("gw/channels")
	if !x.Stale(channels) || x.Stale(x.cat.Collection("gw/protocols")) {
		t.Error("channels are known, or protocols have accounts")
	}
	x.need.Store(&Demand{Collections: []*policy.Collection{channels}})
	x.PolicyLoaded()
	x.until("channels", func() bool { return !x.Stale(channels) })
	if cid, known := x.View(x.tree).Account(channels, 7); !known || cid != 12 {
		t.Errorf("got %d, %v", cid, known)
	}
	if !x.Stale(x.devices) || x.Ready() != nil {
		t.Error("devices are still known, or the index is not ready any more")
	}
	x.want("devices", "")
	x.Created(x.devices, 9, 12)
	s.Take()
	x.tree = chain(t)
	x.PolicyLoaded()
	if time.Sleep(20 * time.Millisecond); len(s.Take()) != 0 {
		t.Error("read again for nothing")
	}
}

// A collection that the backend hides must not keep the others from being served.
func TestIndexHidden(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 2), fake.Options{})
	s.SetFault(func(r *fake.Request) *fake.Canned {
		if isList(r) {
			return nil
		}
		return &fake.Canned{Status: 403, Body: []byte(`{"errors":[{"code":8}],"result":[]}`)}
	})
	x := newIndexTest(t, tr, policy.ModeIDs)
	limits := x.cat.Collection("platform/limits")
	x.need.Store(&Demand{Collections: []*policy.Collection{limits}})
	x.run()
	x.until("a refusal", func() bool { return len(s.Take()) > 0 })
	if time.Sleep(10 * time.Millisecond); x.Ready() == nil {
		t.Error("ready with nothing to show")
	}
	x.need.Store(&Demand{Collections: []*policy.Collection{limits, x.devices}})
	x.PolicyLoaded()
	x.until("ready", func() bool { return x.Ready() == nil })
	if !x.Stale(limits) || x.Stale(x.devices) {
		t.Error("what is hidden counts as known")
	}
}

// Ensure that readings follow each other by the clock, and that old ones do not count.
func TestIndexClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		b := &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) {
			if down.Load() {
				return 500, ``
			}
			time.Sleep(10 * time.Second) // a slow backend
			return 200, items(7, 11)
		}}
		x := newIndexTest(t, b, policy.ModeIDs)
		x.opt.Refresh, x.opt.MaxStaleness = 30*time.Second, 2*time.Minute
		x.run()
		steps := []struct {
			after time.Duration
			asked int64
			stale bool
		}{
			{9 * time.Second, 1, true}, {2 * time.Second, 1, false}, {28 * time.Second, 1, false}, {2 * time.Second, 2, false},
			{40 * time.Second, 3, false},
		}
		for i, step := range steps {
			time.Sleep(step.after)
			synctest.Wait()
			if b.Asked.Load() != step.asked || x.Stale(x.devices) != step.stale {
				t.Errorf("step %d: asked %d times, stale: %v", i, b.Asked.Load(), x.Stale(x.devices))
			}
			if _, known := x.Fresh(x.tree).Account(x.devices, 7); known == step.stale {
				t.Errorf("step %d: the fresh view knows the item: %v", i, known)
			}
		}
		version := x.Fresh(x.tree).Version()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if f := x.Fresh(x.tree); f.Version() != version || version == 0 || f.Old(time.Now()) {
			t.Errorf("version %d after %d though nothing has changed, old: %v", f.Version(), version, f.Old(time.Now()))
		}
		down.Store(true)
		defer func() {
			down.Store(false)
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if f := x.Fresh(x.tree); f.Version() == version || f.Old(time.Now()) {
				t.Errorf("version %d after a time without readings, old: %v", f.Version(), f.Old(time.Now()))
			}
		}()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if f := x.Fresh(x.tree); f.Version() != version || !f.Old(time.Now()) {
			t.Errorf("version %d after %d, old: %v", f.Version(), version, f.Old(time.Now()))
		}
		if !x.Stale(x.devices) || b.Asked.Load() < 30 {
			t.Errorf("asked %d times, stale: %v", b.Asked.Load(), x.Stale(x.devices))
		}
		x.want("old", "7:11")
		if ids := x.Fresh(x.tree).Of(x.devices, 11); len(x.View(x.tree).Of(x.devices, 11)) != 1 || len(ids) != 0 {
			t.Errorf("the fresh view shows what is too old: %v", ids)
		}
	})
}

// Ensure that requests, changes and readings do not meet: each view is one moment, in which an item
// is either in both ordinals that tell of it or in none.
func TestIndexConcurrent(t *testing.T) {
	_, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 50), fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.opt.Refresh = time.Millisecond
	x.load()
	var work sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := x.View(x.tree)
				_, listed := slices.BinarySearch(v.Of(x.devices, 12), 500)
				if cid, known := v.Account(x.devices, 500); listed != (known && cid == 12) {
					t.Errorf("listed: %v, account %d, known: %v", listed, cid, known)
					return
				}
			}
		})
	}
	for i := range 300 {
		x.Created(x.devices, 500, 12)
		x.Moved(x.devices, []int64{500}, 11+int64(i%2))
		x.Deleted(x.devices, []int64{500})
	}
	close(stop)
	work.Wait()
}
