package policy_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// targetSeeds are targets of every kind, good and bad.
func targetSeeds() []string {
	seeds := []string{
		"/gw/devices/all", "/gw/devices/3,1,3?fields=id&limit=1", "/gw/devices/name=a%3fb", "/gw/devices/3,1,3,name=a%2Bb", "/gw/devices/all,cid=1", "/gw/devices/{a[1]==\"x\"}/messages?data={\"from\":1}",
		"/mqtt/messages/a%2f%23?cid=5", "/gw/calcs/all/devices/1,2/intervals/last", "/auth/info", "/gw/unheard/a%20b?fields=a+b", "/const/values?names=a,b",
	}
	for _, s := range strange {
		seeds = append(seeds, "/gw/devices/"+s, "/mqtt/messages/"+s, "/gw/devices/1/settings/"+s, "/gw/devices/1?data="+s)
	}
	return seeds
}

// sameRequest compares two readings as typed values. The cid of the query is consumed and never
// printed.
func sameRequest(t *testing.T, a, b *policy.Request) {
	t.Helper()
	if a.Method != b.Method || a.Route != b.Route || a.Allow != b.Allow || !bytes.Equal(a.Data, b.Data) {
		t.Errorf("got %v %v %v %q, want %v %v %v %q", b.Method, b.Route, b.Allow, b.Data, a.Method, a.Route, a.Allow, a.Data)
	}
	sameSelector := func(x, y policy.Selector) bool {
		return x.Kind == y.Kind && x.Collection == y.Collection && slices.Equal(x.IDs, y.IDs) && bytes.Equal(x.Text, y.Text)
	}
	if !slices.EqualFunc(a.Selectors, b.Selectors, sameSelector) {
		t.Errorf("selectors: got %+v, want %+v", b.Selectors, a.Selectors)
	}
	sameParam := func(x, y policy.Param) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) }
	if !slices.EqualFunc(a.Query, b.Query, sameParam) {
		t.Errorf("query: got %+v, want %+v", b.Query, a.Query)
	}
	if b.CID != 0 {
		t.Errorf("cid %v was printed", b.CID)
	}
}

// FuzzRoundTrip: what was printed is read as the same typed request, and printed again it is the
// same bytes.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range targetSeeds() {
		f.Add(uint8(policy.GET), []byte(s))
	}
	engine := &policy.Engine{Catalogue: catalogue(f), Query: []string{"reverse"}}
	f.Fuzz(func(t *testing.T, method uint8, target []byte) {
		var once, twice policy.Request
		m := policy.Method(method % 6)
		if once.Parse(engine, m, target) != policy.NotJudged {
			return
		}
		printed := policy.AppendTarget(nil, &once, nil)
		if reason := twice.Parse(engine, m, printed); reason != policy.NotJudged {
			t.Fatalf("%q was printed as %q, which is refused: %v %v", target, printed, reason, twice.Detail)
		}
		sameRequest(t, &once, &twice)
		if again := policy.AppendTarget(nil, &twice, nil); !bytes.Equal(again, printed) {
			t.Errorf("%q was printed as %q and then as %q", target, printed, again)
		}
		if path, query, _ := strings.Cut(string(printed), "?"); !uriChars(path, "/") || !uriChars(query, "/?") {
			t.Errorf("%q was printed as %q, which is no target", target, printed)
		}
	})
}

// FuzzNarrowedRoundTrip: read again, what was printed by a decision asks for the permitted ids and
// for nothing else.
func FuzzNarrowedRoundTrip(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(spread(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { narrowedRoundTrip(t, data) })
}

func TestNarrowedRoundTrip(t *testing.T) {
	for seed := range uint64(5000) {
		narrowedRoundTrip(t, spread(seed))
	}
}

func narrowedRoundTrip(t *testing.T, data []byte) {
	t.Helper()
	w, a := newDice(data).world()
	e := newEngine(t, w)
	got := e.ask(a)
	if got.target == "" {
		return
	}
	var again policy.Request
	if reason := again.Parse(&e.engine, e.r.Method, []byte(got.target)); reason != policy.NotJudged {
		t.Fatalf("%v was printed as %v, which is refused: %v %v", a, got.target, reason, again.Detail)
	}
	want := e.r
	want.CID, want.Selectors = 0, slices.Clone(e.r.Selectors)
	for i, part := range e.d.Selectors {
		if part.As == policy.AsIDs {
			want.Selectors[i] = policy.Selector{Kind: policy.SelectIDs, Collection: want.Selectors[i].Collection, IDs: part.IDs}
		}
	}
	// What is left out of the fields is left out of what they are compared with, whether or not it
	// had to be: the oracle says that.
	for _, r := range []*policy.Request{&want, &again} {
		r.Query, r.Data = slices.Clone(r.Query), nil
		r.Query = slices.DeleteFunc(r.Query, func(p policy.Param) bool { return p.Name == "fields" || p.Name == "data" })
	}
	sameRequest(t, &want, &again)
	if reason := again.Parse(&e.engine, e.r.Method, []byte(got.target)); reason != policy.NotJudged {
		t.Fatalf("%v: %v", got.target, reason)
	}
	if printed := policy.AppendTarget(nil, &again, nil); string(printed) != got.target {
		t.Errorf("%v was printed as %v and then as %s", a, got.target, printed)
	}
}
