package probe

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/upstreamtest"
)

func newProbe(t testing.TB, s listing.Doer) *Probe {
	t.Helper()
	tree := upstreamtest.TwoFleets(t)
	return New(Options{
		Backend: s, Key: upstreamtest.OwnKey, Tree: func() *policy.Tree { return tree }, Catalogue: upstreamtest.Catalogue(t), Log: upstreamtest.Quiet(),
	})
}

func TestProbeCheck(t *testing.T) {
	rows := []struct {
		name    string
		item    fake.Item // in storage/containers
		options fake.Options
		want    Support
		foreign int64
	}{
		{"obeyed", fake.Item{ID: 5, CID: 12}, fake.Options{}, Honoured, 0},
		{"ignored", fake.Item{ID: 5, CID: 12}, fake.Options{IgnoreCID: true}, Ignored, 12},
		{"ignored, but the first leaf has all rows", fake.Item{ID: 5, CID: 11}, fake.Options{IgnoreCID: true}, Ignored, 11},
		{"rows of the parent", fake.Item{ID: 5, CID: 1}, fake.Options{IgnoreCID: true}, Ignored, 1},
		{"rows of nobody we know", fake.Item{ID: 5, CID: 777}, fake.Options{IgnoreCID: true}, Ignored, 777},
		{"rows without cid", fake.Item{ID: 5, CID: 11}, fake.Options{NoCIDField: true}, Unknown, 0},
		{"rows without cid, ignored", fake.Item{ID: 5, CID: 11}, fake.Options{NoCIDField: true, IgnoreCID: true}, Ignored, 0},
		{"nothing to see", fake.Item{ID: 5, CID: 1}, fake.Options{}, Unknown, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := upstreamtest.Fleet(t, 0)
			if err := w.Add("storage/containers", row.item); err != nil {
				t.Fatal(err)
			}
			s, tr := upstreamtest.Play(t, w, row.options)
			f, err := newProbe(t, tr).Check(t.Context())
			if err != nil || f.Support != row.want || f.Foreign != row.foreign {
				t.Fatalf("got %+v, %v; want %v", f, err, row.want)
			}
			if row.want != Unknown && f.Collection != "storage/containers" {
				t.Errorf("got rows of %q", f.Collection)
			}
			for _, r := range s.Take() {
				if cid := r.Get("x-flespi-cid"); len(cid) != 1 || cid[0] != "11" && cid[0] != "12" {
					t.Errorf("asked under %v", cid)
				}
				if !strings.HasSuffix(r.Target, "/all?fields=id%2Ccid&limit=1000&offset=0") {
					t.Errorf("asked for %s", r.Target)
				}
			}
		})
	}
}

// leafRows is a probe of a backend of devices by account: rows under each leaf, "id:cid".
func leafRows(t *testing.T, tree *policy.Tree, by map[int64]string) *Probe {
	b := &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) {
		_, text, _ := strings.Cut(string(r.Head), "x-flespi-cid: ")
		cid, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		rows, is := by[cid]
		if !is {
			rows = by[0]
		}
		if !strings.HasPrefix(string(r.Target), "/gw/devices/") {
			rows = ""
		}
		var out []string
		for _, pair := range strings.Fields(rows) {
			id, account, _ := strings.Cut(pair, ":")
			out = append(out, `{"id":`+id+`,"cid":`+account+`}`)
		}
		return 200, `{"result":[` + strings.Join(out, ",") + `]}`
	}}
	return New(Options{
		Backend: b, Key: upstreamtest.OwnKey, Tree: func() *policy.Tree { return tree }, Catalogue: upstreamtest.Catalogue(t), Log: upstreamtest.Quiet(),
	})
}

// Ensure that no single tenant can make the gateway believe that the header is ignored, by a new
// account, an item without one or an item that is shared, and that a backend which does ignore it
// is found by whatever it shows. Key 0 is every other leaf.
func TestProbeVerdicts(t *testing.T) {
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}, {ID: 13, Parent: 1}, {ID: 14, Parent: 1}}, 4)
	single, more := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}}, 4)
	if len(faults)+len(more) > 0 {
		t.Fatal(faults, more)
	}
	rows := []struct {
		name string
		tree *policy.Tree
		by   map[int64]string
		want Support
	}{
		{"obeyed", tree, map[int64]string{11: "1:11", 12: "2:12"}, Honoured},
		{"an account made a moment ago", tree, map[int64]string{11: "7:4242 1:11", 12: "2:12"}, Honoured},
		{"a leaf with nothing of its own", tree, map[int64]string{11: "7:4242", 12: "2:12"}, Honoured},
		{"one such leaf and nothing else", tree, map[int64]string{11: "7:4242"}, Unknown},
		{"an item without account", tree, map[int64]string{11: "7:null", 12: "2:12"}, Honoured},
		{"an item shared with one leaf", tree, map[int64]string{11: "2:12", 12: "2:12", 13: "3:13"}, Honoured},
		{"an item shared, and own ones", tree, map[int64]string{11: "2:12 1:11", 12: "2:12"}, Honoured},
		{"everything everywhere", tree, map[int64]string{0: "1:11 2:12 7:4242"}, Ignored},
		{"the last leaf's everywhere", tree, map[int64]string{0: "4:14"}, Ignored},
		{"the parent's everywhere", tree, map[int64]string{0: "4:1"}, Ignored},
		{"of unknown accounts everywhere", tree, map[int64]string{0: "4:4242"}, Ignored},
		{"without account everywhere", tree, map[int64]string{0: "4:null"}, Ignored},
		{"one leaf, its own", single, map[int64]string{11: "1:11"}, Honoured},
		{"one leaf, the parent's", single, map[int64]string{11: "1:11 2:1"}, Ignored},
		{"one leaf, unknown accounts alone", single, map[int64]string{11: "1:4242"}, Ignored},
		{"one leaf, unknown accounts too", single, map[int64]string{11: "1:4242 2:11"}, Unknown},
	}
	for _, row := range rows {
		if f, err := leafRows(t, row.tree, row.by).Check(t.Context()); err != nil || f.Support != row.want {
			t.Errorf("%s: got %+v, %v, want %v", row.name, f, err, row.want)
		}
	}
}

// A page that ignores everything must not be read to its end, nor a failure be taken for a verdict.
func TestProbeFailures(t *testing.T) {
	rows := []struct {
		name  string
		fault fake.Fault
		want  Support
		err   error
	}{
		{"down", upstreamtest.Canned(503, ``), Unknown, upstream.ErrBroken},
		{"our key is refused", upstreamtest.Canned(401, ``), Unknown, listing.ErrUnauthorized},
		{"too many questions", upstreamtest.Canned(429, ``), Unknown, &listing.AnswerError{Status: 429}},
		{"no such account", upstreamtest.Canned(403, ``), Unknown, nil},
		{"no such collection", upstreamtest.Canned(404, ``), Unknown, nil},
		{"another protocol", upstreamtest.Canned(400, ``), Unknown, &listing.AnswerError{Status: 400}},
		{"a fault of its own", upstreamtest.Canned(500, ``), Unknown, upstream.ErrBroken},
		{"no listing", upstreamtest.Canned(200, `{"result":[{"cid":11}`), Unknown, listing.ErrRows},
		{"foreign, then broken", upstreamtest.Canned(200, `{"result":[{"cid":12},x`), Unknown, listing.ErrRows},
		{"a list without end", upstreamtest.Canned(200, `{"result":[`+strings.Repeat(`{"cid":11},`, 5000)), Ignored, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 3), fake.Options{})
			s.SetFault(row.fault)
			f, err := newProbe(t, tr).Check(t.Context())
			var refused *listing.AnswerError
			if f.Support != row.want || !errors.Is(err, row.err) && !errors.As(err, &refused) {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}

// Ensure that a large tree is looked through in rounds, each where the last one ended.
func TestProbeRounds(t *testing.T) {
	accounts := []policy.Account{{ID: 1}}
	for i := range 300 {
		accounts = append(accounts, policy.Account{ID: int64(1000 + i), Parent: 1})
	}
	tree, _ := policy.NewTree(accounts, 4)
	b := &upstreamtest.Bubble{}
	w := New(Options{
		Backend: b, Key: upstreamtest.OwnKey, Tree: func() *policy.Tree { return tree }, Catalogue: upstreamtest.Catalogue(t), Log: upstreamtest.Quiet(),
	})
	asked := map[string]bool{}
	b.Answer = func(r *upstream.Request) (int, string) {
		asked[string(r.Target)+string(r.Head)] = true
		return 200, `{"result":[]}`
	}
	for round := 1; round <= 3; round++ {
		if f, err := w.Check(t.Context()); err != nil || f.Probes != maxPages || len(asked) != round*maxPages {
			t.Fatalf("round %d: got %+v, %v, %d pages", round, f, err, len(asked))
		}
	}
}

// probeStep is what the backend answers from now on, and what is known a while later.
type probeStep struct {
	name   string
	status int
	body   string
	after  time.Duration // within which the next look has to come
	want   Support
	ready  error
}

// Ensure that what was seen decides until something else is seen, and when the next look is.
func TestProbeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[probeStep]
		b := &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) {
			step := now.Load()
			if step.name == "own rows" && !strings.Contains(string(r.Head), "x-flespi-cid: 11\r\n") {
				return 200, `{"result":[]}`
			}
			return step.status, step.body
		}}
		w := newProbe(t, b)
		told := Unknown
		w.Changed = func(o Support) { told = o }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		for i, step := range []probeStep{
			{"the backend is down", 0, ``, time.Second, Unknown, ErrNotProbed},
			{"no rows", 200, `{"result":[]}`, 2 * time.Second, Unknown, nil}, // requests wait for the first check

			{"foreign rows", 200, `{"result":[{"cid":1}]}`, 61 * time.Second, Ignored, ErrHeaderIgnored},
			{"no rows again", 200, `{"result":[]}`, time.Hour + time.Minute, Ignored, ErrHeaderIgnored},
			{"down again", 500, ``, time.Minute, Ignored, ErrHeaderIgnored},
			{"own rows", 200, `{"result":[{"id":1,"cid":11}]}`, time.Minute, Honoured, nil},
			{"down, late", 500, ``, time.Hour, Honoured, nil},
		} {
			now.Store(&step)
			before := b.Asked.Load()
			if i == 0 {
				go func() { defer close(done); w.Run(ctx) }()
			}
			time.Sleep(step.after)
			synctest.Wait()
			if b.Asked.Load() == before || w.State() != step.want || told != step.want || !errors.Is(w.Ready(), step.ready) {
				t.Errorf("%s: asked %d times, %v, told %v, %v", step.name, b.Asked.Load()-before, w.State(), told, w.Ready())
			}
		}
		stop()
		<-done
	})
}

// Ensure that a policy load makes the watch look at once.
func TestProbePolicyLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) { return 200, `{"result":[{"cid":11}]}` }}
		w := newProbe(t, b)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		synctest.Wait()
		before := b.Asked.Load()
		w.PolicyLoaded()
		w.PolicyLoaded()
		synctest.Wait()
		if b.Asked.Load() == before {
			t.Error("nobody looked")
		}
		stop()
		<-done
	})
}

func TestProbeWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newProbe(t, &upstreamtest.Bubble{Answer: func(*upstream.Request) (int, string) { return 401, "{}" }})
		w.lister.Key = upstreamtest.NoKey
		if w.check(t.Context()); w.Ready() != nil || w.State() != Unknown {
			t.Errorf("got %v, %v", w.State(), w.Ready())
		}
	})
}
