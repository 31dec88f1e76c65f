package index

import (
	"aclgate/upstream/upstreamtest"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream/listing"
)

// An index plays with devices and groups of the tree 1 → 11, 12 and, for the members of groups,
// with devices.
type indexTest struct {
	*ItemIndex
	t       testing.TB
	cat     *policy.Catalogue
	tree    *policy.Tree
	devices *policy.Collection
	need    atomic.Pointer[Demand]
}

func newIndexTest(t testing.TB, s listing.Doer, mode policy.Mode) *indexTest {
	t.Helper()
	x := &indexTest{t: t, cat: upstreamtest.Catalogue(t), tree: upstreamtest.TwoFleets(t)}
	x.devices = x.cat.Collection("gw/devices")
	x.need.Store(&Demand{Collections: []*policy.Collection{x.devices}})
	x.ItemIndex = New(Options{
		Backend: s, Key: upstreamtest.OwnKey, Mode: mode, Catalogue: x.cat, Log: upstreamtest.Quiet(), MaxTarget: 8000,
		Tree: func() *policy.Tree { return x.tree }, Demand: func() Demand { return *x.need.Load() },
		Refresh: time.Hour, MaxStaleness: 2 * time.Hour,
	})
	return x
}

// run starts the index until the test ends.
func (x *indexTest) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); x.Run(ctx) }()
	x.t.Cleanup(func() { stop(); <-done })
}

// load starts the index and waits for its first reading.
func (x *indexTest) load() {
	x.t.Helper()
	x.run()
	x.until("ready", func() bool { return x.Ready() == nil })
}

func (x *indexTest) until(what string, ok func() bool) { x.t.Helper(); eventually(x.t, what, ok) }

// want checks what is known now: "101:11 102:12", ascending.
func (x *indexTest) want(name, want string) {
	x.t.Helper()
	v := x.View(x.tree)
	var got []string
	for id := range int64(1200) {
		if cid, known := v.Account(x.devices, id); known {
			got = append(got, fmt.Sprintf("%d:%d", id, cid))
		}
	}
	if text := strings.Join(got, " "); text != want {
		x.t.Errorf("%s: got %q, want %q", name, text, want)
	}
}

// ended reports whether a reading of devices has failed after so many have worked.
func (x *indexTest) ended(worked int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.refreshers[subject{x.devices, false}]
	if r == nil {
		return false
	}
	ok, err := r.outcome()
	return ok == (worked > 0) && err != nil
}

// reread makes the refreshers read now and waits until they have begun.
func (x *indexTest) reread() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.refreshers {
		r.wake.Wake()
	}
}

// items makes a whole listing of ids and accounts, alternating; no account for 0.
func items(rows ...int64) string {
	var b strings.Builder
	for i := 0; i < len(rows); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		if fmt.Fprintf(&b, `{"id":%d`, rows[i]); rows[i+1] != 0 {
			fmt.Fprintf(&b, `,"cid":%d`, rows[i+1])
		}
		b.WriteByte('}')
	}
	return fmt.Sprintf(`{"result":[%s],"pagination":{"limit":1000,"offset":0,"count":%d}}`, b.String(), len(rows)/2)
}

func isList(r *fake.Request) bool { return strings.Contains(r.Target, "/gw/devices/all?") }
