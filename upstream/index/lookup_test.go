package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/upstreamtest"
)

// asks returns a request of a token in the scope of 11 for devices, all of them unknown.
func (x *indexTest) asks(token int64, ids ...int64) *Question {
	x.t.Helper()
	var text []string
	for _, id := range ids {
		text = append(text, fmt.Sprint(id))
	}
	q := unresolved(x.t, "/gw/devices/"+strings.Join(text, ","))
	q.Input.Request.Selectors[0].Collection = x.devices
	q.Input.Token = &policy.Token{ID: token}
	q.Input.Scope, q.Input.Tree, q.Input.Items = 11, x.tree, x.View(x.tree)
	q.Decision.Selectors[0].Unknown = ids
	q.CallersKey, q.Answer = []byte("CALLERS-KEY"), new(upstream.Answer)
	return q
}

// resolve resolves a request and returns what its case knows then.
func (x *indexTest) resolve(r *Resolver, q *Question) string {
	x.t.Helper()
	if err := r.Resolve(q); err != nil {
		x.t.Fatal(err)
	}
	return x.placed(q)
}

// placed returns what the case of a request knows of the ids that were unknown.
func (x *indexTest) placed(q *Question) string {
	var got []string
	for _, id := range q.Decision.Selectors[0].Unknown {
		if cid, known := q.Input.Items.Account(x.devices, id); known {
			got = append(got, fmt.Sprintf("%d:%d", id, cid))
		}
	}
	return strings.Join(got, " ")
}

func TestLookUp(t *testing.T) {
	rows := []struct {
		mode policy.Mode
		cid  string
	}{{policy.ModeIDs, ""}, {policy.ModeBoth, "1"}}
	for _, row := range rows {
		w := upstreamtest.Fleet(t, 3)
		s, tr := upstreamtest.Play(t, w, fake.Options{Key: upstreamtest.GatewayKey})
		x := newIndexTest(t, tr, row.mode)
		r := NewResolver(ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, Mode: row.mode, Index: x.ItemIndex})
		x.load()
		for id, cid := range map[int64]int64{8: 11, 9: 12} {
			if err := w.Add("gw/devices", fake.Item{ID: id, CID: cid}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Move("gw/devices", 2, 12); err != nil {
			t.Fatal(err)
		}
		s.Take()
		if got := x.resolve(r, x.asks(17, 8, 2, 9, 77)); got != "8:11 2:12 9:12" {
			t.Errorf("got %q", got)
		}
		sent := s.Take()
		if len(sent) != 1 || sent[0].Target != "/gw/devices/8,2,9,77?fields=id%2Ccid" ||
			strings.Join(sent[0].Get("x-flespi-cid"), ",") != row.cid {
			t.Errorf("sent %+v", sent)
		}
		// Now nothing is asked again: neither for the missing nor for the foreign ones.
		if x.resolve(r, x.asks(17, 77, 9, 2)); len(s.Take()) != 0 {
			t.Error("asked again")
		}
		if x.resolve(r, x.asks(17, 78)); len(s.Take()) != 1 {
			t.Error("did not ask for another one")
		}
		x.want("for all", "1:11 2:12 3:11 8:11 9:12")
		x.Deleted(x.devices, []int64{8})
		if got := x.resolve(r, x.asks(17, 8)); got != "8:11" || len(s.Take()) != 1 {
			t.Errorf("an item of the scope that was lost is not looked up again: got %q", got)
		}
		x.Doubted(x.devices, []int64{9}, 0)
		if got := x.resolve(r, x.asks(17, 9)); got != "9:12" || len(s.Take()) != 1 {
			t.Errorf("an item in doubt is not looked up: got %q", got)
		}
		if x.resolve(r, x.asks(17, 9)); len(s.Take()) != 0 {
			t.Error("an item that is in doubt no more is looked up")
		}
	}
}

// A refusal of a look-up means that the items are not there; a backend that fails is no reason to
// deny.
func TestLookUpRefused(t *testing.T) {
	rows := []struct {
		name   string
		status int
		body   string
		want   string
		err    error
	}{
		{"all are missing", 404, `{"errors":[{"code":6}],"result":[]}`, "", nil},
		{"not for us", 403, `nothing`, "", nil},
		{"some in spite of it", 403, items(8, 11), "8:11", nil},
		{"what nobody asked for", 200, items(8, 11, 50, 11), "8:11", nil},
		{"the account is not told", 200, items(8, 0), "8:0", nil},
		{"down", 502, ``, "", upstream.ErrBroken},
		{"broken", 200, `{"result":[{}]}`, "", listing.ErrRows},
		{"our key is refused", 401, ``, "", listing.ErrUnauthorized},
	}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 3), fake.Options{})
		x := newIndexTest(t, tr, policy.ModeIDs)
		x.load()
		s.SetFault(upstreamtest.Canned(row.status, row.body))
		q := x.asks(17, 8, 9)
		if err := x.LookUp(q); !errors.Is(err, row.err) {
			t.Errorf("%s: got %v", row.name, err)
		}
		if got := x.placed(q); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
		if _, known := x.View(x.tree).Account(x.devices, 50); known {
			t.Errorf("%s: an item that nobody asked for is known", row.name)
		}
	}
}

// What a look-up has seen before an item was moved must not give it back.
func TestLookUpLosesAgainstMove(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 3), fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	began, release := make(chan struct{}), make(chan struct{})
	s.SetFault(func(*fake.Request) *fake.Canned {
		began <- struct{}{}
		<-release
		return &fake.Canned{Status: 200, Body: []byte(items(8, 11, 9, 11, 10, 11))}
	})
	q := x.asks(17, 8, 9, 10)
	done := make(chan error)
	go func() { done <- x.LookUp(q) }()
	<-began
	x.Moved(x.devices, []int64{8}, 12)
	x.Deleted(x.devices, []int64{9})
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	x.want("after it", "1:11 2:11 3:11 8:12 10:11")
}

// lookUpBounds counts what is asked of a backend that has nothing.
type lookUpBounds struct {
	*indexTest
	asked []string
}

// step looks up ids for a token and checks what that took.
func (b *lookUpBounds) step(name string, token int64, ids []int64, requests, total int) {
	b.t.Helper()
	b.asked = nil
	if err := b.LookUp(b.asks(token, ids...)); err != nil {
		b.t.Fatal(err)
	}
	count := 0
	for _, target := range b.asked {
		count += strings.Count(target, ",") + 1
		if len(target) > b.opt.MaxTarget {
			b.t.Errorf("%s: a target of %d bytes", name, len(target))
		}
	}
	if len(b.asked) != requests || count != total {
		b.t.Errorf("%s: got %d requests for %d ids, want %d for %d", name, len(b.asked), count, requests, total)
	}
}

func TestLookUpBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b lookUpBounds
		b.indexTest = newIndexTest(t, &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) {
			b.asked = append(b.asked, string(r.Target))
			return 200, items()
		}}, policy.ModeIDs)
		b.opt.MaxTarget = 1000
		b.lookUps = newLookupCache(30 * time.Second)
		b.step("at most 100", 17, upTo(1000), 1, 100)
		b.step("the next 100", 17, upTo(1000), 1, 100)
		large := slices.Repeat([]int64{1 << 62}, 100)
		for i := range large {
			large[i] += int64(i)
		}
		b.step("as many as fit", 17, large, 1, 48)
		for i := range int64(7) {
			b.step("up to 10 a second", 17, []int64{5000 + i}, 1, 1)
		}
		b.step("no more than 10", 17, []int64{6000}, 0, 0)
		b.step("another token", 18, []int64{6000}, 1, 1)
		time.Sleep(200 * time.Millisecond)
		b.step("later", 17, []int64{6001}, 1, 1)
		b.step("remembered", 17, upTo(200), 0, 0)
		b.step("another token remembers for itself", 18, upTo(100), 1, 100)
		time.Sleep(30 * time.Second)
		b.step("forgotten", 18, upTo(50), 1, 50)
	})
}

// Ensure that guessing ids, with however many tokens, takes no more memory than it may.
func TestLookUpMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newIndexTest(t, &upstreamtest.Bubble{}, policy.ModeIDs)
		for i := range int64(3 * maxLookUpTokens) {
			x.lookUps.allow(100 + i)
			x.lookUps.add(asker{100 + i, 11}, x.devices, []int64{10 * i, 10*i + 1, 10*i + 2, 10*i + 3, 10*i + 4, 10*i + 5})
			time.Sleep(time.Millisecond)
		}
		if n := len(x.lookUps.recent) + len(x.lookUps.before); n > 2*maxRecent || len(x.lookUps.buckets) > maxLookUpTokens {
			t.Errorf("%d ids and %d tokens are remembered", n, len(x.lookUps.buckets))
		}
	})
}

// groupsTest is an index that knows the groups 12 (1, 2) and 66 (3).
func groupsTest(t *testing.T) (*indexTest, *fake.Server, *fake.World) {
	w := upstreamtest.Fleet(t, 3)
	for _, id := range []int64{12, 66} {
		if err := w.Add("gw/groups", fake.Item{ID: id, CID: 11}); err != nil {
			t.Fatal(err)
		}
	}
	w.Link("gw/groups", 12, "devices", 1, 2)
	w.Link("gw/groups", 66, "devices", 3)
	s, tr := upstreamtest.Play(t, w, fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.need.Store(&Demand{Collections: []*policy.Collection{x.devices}, Members: []*policy.Collection{x.devices}})
	x.load()
	return x, s, w
}

func (x *indexTest) wantMembers(name string, group int64, want ...int64) {
	x.t.Helper()
	if got := x.View(x.tree).Members(x.devices, []int64{group}); !slices.Equal(got, want) {
		x.t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

func TestGroups(t *testing.T) {
	x, s, w := groupsTest(t)
	x.wantMembers("first", 12, 1, 2)
	targets := map[string]bool{}
	for _, r := range s.Take() {
		targets[r.Target] = true
	}
	for _, want := range []string{"/gw/groups/all/devices/all?fields=group_id%2Cdevice_id&limit=1000&offset=0",
		"/gw/groups/all?fields=id%2Ccid&limit=1000&offset=0"} {
		if !targets[want] {
			t.Errorf("nobody asked for %s", want)
		}
	}
	w.Unlink("gw/groups", 12, "devices", 1)
	w.Link("gw/groups", 12, "devices", 3)
	if err := x.GroupsChanged(t.Context(), x.devices, []int64{12}); err != nil {
		t.Fatal(err)
	}
	x.wantMembers("after a link", 12, 2, 3)
	if err := x.GroupsChanged(t.Context(), x.cat.Collection("gw/assets"), []int64{12}); err != nil {
		t.Errorf("what nobody needs: %v", err)
	}
}

// When the members cannot be read after a link, those from before must not go on; other groups keep
// theirs.
func TestGroupsUnreadable(t *testing.T) {
	x, s, _ := groupsTest(t)
	s.SetFault(upstreamtest.Canned(500, ``))
	if err := x.GroupsChanged(t.Context(), x.devices, []int64{12}); !errors.Is(err, upstream.ErrBroken) {
		t.Fatalf("got %v", err)
	}
	x.wantMembers("after a failure", 12)
	x.wantMembers("another group", 66, 3)
	s.SetFault(nil)
	if err := x.GroupsChanged(t.Context(), x.devices, []int64{12}); err != nil {
		t.Errorf("got %v", err)
	}
	x.wantMembers("again", 12, 1, 2)
}

// Of the groups that were linked, a reading that began before must not count once nobody waits for a
// better one. A backend that is always slow costs other groups nothing.
func TestGroupsGiveUp(t *testing.T) {
	x, s, w := groupsTest(t)
	began, release := make(chan struct{}, 8), make(chan struct{})
	s.SetFault(func(r *fake.Request) *fake.Canned {
		if strings.Contains(r.Target, "/groups/all/devices/all") {
			began <- struct{}{}
			<-release
			return &fake.Canned{Status: 200, Body: []byte(`{"result":[{"group_id":12,"device_id":1},{"group_id":66,"device_id":2}],` +
				`"pagination":{"limit":1000,"offset":0,"count":2}}`)}
		}
		return nil
	})
	x.reread()
	<-began
	w.Unlink("gw/groups", 12, "devices", 1)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := x.GroupsChanged(ctx, x.devices, []int64{12}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	x.wantMembers("given up", 12)
	x.wantMembers("given up, another group", 66, 3)
	release <- struct{}{}
	<-began // the reading that was asked for
	x.wantMembers("after the reading from before", 12)
	x.wantMembers("after the reading from before, another group", 66, 2)
	s.SetFault(nil)
	close(release)
	x.reread()
	x.until("a reading that counts", func() bool { return slices.Equal(x.View(x.tree).Members(x.devices, []int64{66}), []int64{3}) })
	x.wantMembers("in the end", 12, 2)
}

// The engine, the resolver and the index together: what is denied, and what is not.
func TestLookUpEngine(t *testing.T) {
	w := upstreamtest.Fleet(t, 2)
	_, tr := upstreamtest.Play(t, w, fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	for id, cid := range map[int64]int64{8: 11, 9: 12} {
		if err := w.Add("gw/devices", fake.Item{ID: id, CID: cid, Fields: fake.Fields{"name": "truck"}}); err != nil {
			t.Fatal(err)
		}
	}
	engine := &policy.Engine{Catalogue: x.cat, Mode: policy.ModeIDs}
	r := NewResolver(ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, Mode: engine.Mode, MaxTarget: 8000, Index: x.ItemIndex})
	rows := []struct{ target, want string }{
		{"/gw/devices/name=truck", "/gw/devices/1,2"}, // the index was not asked for those it did not know
		{"/gw/devices/2,8,77,9", "/gw/devices/2,8 [77 9]"},
		{"/gw/devices/all", "/gw/devices/1,2,8"},
		{"/gw/devices/name=truck", "/gw/devices/1,2,8"},
	}
	for _, row := range rows {
		got := x.judge(engine, r, row.target)
		if got != row.want {
			t.Errorf("%s: got %s, want %s", row.target, got, row.want)
		}
	}
}

// judge returns what a standard token of 11 may send for a target, and the denied ids.
func (x *indexTest) judge(engine *policy.Engine, r *Resolver, target string) string {
	x.t.Helper()
	c := &policy.Input{Request: new(policy.Request), Token: &policy.Token{ID: 17, CID: 11, Access: policy.Standard}}
	if reason := c.Request.Parse(engine, policy.GET, []byte(target)); reason != policy.NotJudged {
		x.t.Fatal(reason)
	}
	c.Scope, c.Tree, c.Items = 11, x.tree, x.View(x.tree)
	var d policy.Decision
	if engine.Decide(&d, c); d.Verdict == policy.Unresolved {
		c.Resolved = new(policy.Resolved)
		if err := r.Resolve(&Question{Input: c, Decision: &d, Resolved: c.Resolved}); err != nil {
			x.t.Fatal(err)
		}
		engine.Decide(&d, c)
	}
	out := string(policy.AppendTarget(nil, c.Request, &d))
	if denied := d.Selectors[0].Denied; len(denied) > 0 {
		out += fmt.Sprint(" ", denied)
	}
	return out
}
