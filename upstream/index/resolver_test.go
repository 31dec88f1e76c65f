package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/upstreamtest"
)

// unresolved returns the request for a target as the engine leaves it: its matches wait.
func unresolved(t testing.TB, target string) *Question {
	t.Helper()
	engine := &policy.Engine{Catalogue: upstreamtest.Catalogue(t)}
	q := &Question{Input: &policy.Input{Request: new(policy.Request)}, Decision: new(policy.Decision), Resolved: new(policy.Resolved)}
	if reason := q.Input.Request.Parse(engine, policy.GET, []byte(target)); reason != policy.NotJudged {
		t.Fatal(reason)
	}
	for i := range q.Input.Request.Selectors {
		q.Decision.Selectors = append(q.Decision.Selectors, policy.SelectorDecision{Match: q.Input.Request.Selectors[i].Match()})
	}
	q.Input.Scope = 11
	return q
}

func resolver(tr *upstream.Transport, key func() string, mode policy.Mode) *Resolver {
	return NewResolver(ResolverOptions{Backend: tr, Key: key, Mode: mode, MaxTarget: 8000})
}

func upTo(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	return ids
}

func TestResolvePages(t *testing.T) {
	rows := []struct {
		items, requests int
		noPaging        bool
	}{
		{0, 1, false}, {1, 2, false}, {999, 2, false}, {1000, 2, false}, {1001, 3, false}, {2500, 4, false},
		{0, 1, true}, {999, 3, true}, {1000, 3, true}, {1001, 3, true}, {2500, 3, true},
	}
	for _, row := range rows {
		t.Run(fmt.Sprint(row.items, row.noPaging), func(t *testing.T) {
			s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, row.items), fake.Options{Key: upstreamtest.GatewayKey, NoPaging: row.noPaging})
			q := unresolved(t, "/gw/devices/name=truck?fields=name&limit=3")
			if err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(q); err != nil {
				t.Fatal(err)
			}
			m := q.Resolved.Matches
			if len(m) != 1 || m[0].Selector != 0 || !slices.Equal(m[0].IDs, upTo(row.items)) {
				t.Errorf("got %d facts", len(m))
			}
			if got := len(s.Take()); got != row.requests {
				t.Errorf("got %d requests, want %d", got, row.requests)
			}
		})
	}
}

// What goes to the backend is all that it may learn, and under the scope of the request.
func TestResolveWire(t *testing.T) {
	rows := []struct {
		target string
		mode   policy.Mode
		key    func() string
		want   string
	}{
		{"/gw/devices/name=a%20b,x=1?cid=11", policy.ModeHeader, upstreamtest.OwnKey,
			"GET /gw/devices/name=a%20b,x=1?fields=id&limit=1000&offset=0 Authorization: FlespiToken GATEWAY-KEY-0123456789|x-flespi-cid: 11"},
		{"/gw/channels/%7Bid%3E1%7D/messages?data=%7B%7D", policy.ModeBoth, upstreamtest.OwnKey,
			"GET /gw/channels/%7Bid%3E1%7D?fields=id&limit=1000&offset=0 Authorization: FlespiToken GATEWAY-KEY-0123456789|x-flespi-cid: 11"},
		{"/gw/devices/name=a", policy.ModeIDs, upstreamtest.NoKey,
			"GET /gw/devices/name=a?fields=id&limit=1000&offset=0 Authorization: FlespiToken CALLERS-KEY"},
	}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 0), fake.Options{})
		q := unresolved(t, row.target)
		q.CallersKey = []byte("CALLERS-KEY")
		if err := resolver(tr, row.key, row.mode).Resolve(q); err != nil {
			t.Fatal(err)
		}
		sent := s.Take()
		if len(sent) != 1 {
			t.Fatalf("%s: got %d requests", row.target, len(sent))
		}
		var lines []string
		for _, h := range sent[0].Header {
			if h.Name == "Authorization" || h.Name == "x-flespi-cid" {
				lines = append(lines, h.Name+": "+h.Value)
			}
		}
		got := sent[0].Method + " " + sent[0].Target + " " + strings.Join(lines, "|")
		if got != row.want {
			t.Errorf("got %s\nwant %s", got, row.want)
		}
	}
}

func TestResolveFails(t *testing.T) {
	rows := []struct {
		name  string
		fault fake.Fault
		want  error
	}{
		{"a row without id", upstreamtest.Canned(200, `{"result":[{"id":1},{"name":"x"}]}`), listing.ErrRows},
		{"no object", upstreamtest.Canned(200, `[1]`), listing.ErrRows},
		{"nothing", upstreamtest.Canned(200, ``), listing.ErrRows},
		{"html", upstreamtest.Canned(200, `<html>`), listing.ErrRows},
		{"moved", upstreamtest.Canned(302, ``, fake.Header{Name: "Location", Value: "/"}), listing.ErrRedirect},
		{"our key is refused", upstreamtest.Canned(401, `{}`), listing.ErrUnauthorized},
		{"broken", upstreamtest.Canned(500, `{"result":[]}`), upstream.ErrBroken},
		{"a part", upstreamtest.Canned(206, `{"result":[]}`), upstream.ErrBroken},
		{"cut", func(*fake.Request) *fake.Canned { return &fake.Canned{Cut: 20} }, upstream.ErrBroken},
		{"no http", func(*fake.Request) *fake.Canned { return &fake.Canned{Raw: []byte("SSH-2.0\r\n")} }, upstream.ErrBroken},
		{"a long refusal", upstreamtest.Canned(400, strings.Repeat("x", 64<<10+1)), upstream.ErrBroken},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{})
			s.SetFault(row.fault)
			q := unresolved(t, "/gw/devices/name=truck")
			if err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(q); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if len(q.Resolved.Matches) != 0 {
				t.Errorf("resolved of a failure: %v", q.Resolved.Matches)
			}
		})
	}
}

// What the backend says to a match over items that are not the caller's counts as an empty result.
func TestResolveRefused(t *testing.T) {
	body := `{"errors":[{"code":2,"reason":"unknown field"}],"result":[{"id":3}]}`
	for _, status := range []int{400, 403, 404, 405, 422} {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{})
		s.SetFault(upstreamtest.Canned(status, body))
		q := unresolved(t, "/gw/devices/nme=truck")
		if err := resolver(tr, upstreamtest.OwnKey, policy.ModeBoth).Resolve(q); err != nil {
			t.Errorf("%d: %v", status, err)
			continue
		}
		m := q.Resolved.Matches
		if len(m) != 1 || len(m[0].IDs) != 0 || !m[0].Refused || q.Refused == nil || q.Refused.Status != status || string(q.Refused.Body) != body {
			t.Errorf("%d: got %+v and %+v", status, m, q.Refused)
		}
	}
}

// Where nothing but the scope limits the caller, the backend's refusal is the answer; and so it is,
// for everybody, where it is about no item.
func TestResolveRefusedForTheClient(t *testing.T) {
	body := `{"errors":[{"code":2,"reason":"unknown field"}],"result":[]}`
	rows := []struct {
		status int
		alone  bool
		key    func() string
	}{{400, true, upstreamtest.OwnKey}, {403, true, upstreamtest.OwnKey}, {404, true, upstreamtest.OwnKey}, {429, true, upstreamtest.OwnKey}, {429, false, upstreamtest.OwnKey}, {401, false, upstreamtest.NoKey}}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{})
		s.SetFault(upstreamtest.Canned(row.status, body))
		q := unresolved(t, "/gw/devices/nme=truck")
		q.CallersKey, q.Decision.Selectors[0].Alone = []byte("CALLERS-KEY"), row.alone
		var refused *listing.AnswerError
		if err := resolver(tr, row.key, policy.ModeHeader).Resolve(q); !errors.As(err, &refused) {
			t.Errorf("%d: got %v", row.status, err)
			continue
		}
		if refused.Status != row.status || refused.ContentType != "application/json" || string(refused.Body) != body {
			t.Errorf("got %+v", refused)
		}
		if strings.Contains(refused.Error(), "unknown field") {
			t.Error("the body is in the text for logs")
		}
	}
}

// A backend that honours limit but not offset shows one page for ever: nobody can know the rest, so
// nothing is known.
func TestResolveEndless(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 3000), fake.Options{})
	s.SetFault(func(r *fake.Request) *fake.Canned {
		n := 1000
		if strings.Contains(r.Target, "limit=1&") {
			n = 1
		}
		return &fake.Canned{Status: 200, Body: []byte(rowsOf(upTo(n)))}
	})
	err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(unresolved(t, "/gw/devices/name=truck"))
	if !errors.Is(err, upstream.ErrBroken) || len(s.Take()) != 3 {
		t.Errorf("got %v", err)
	}
}

func rowsOf(ids []int64) string {
	var b strings.Builder
	b.WriteString(`{"result":[`)
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d}`, id)
	}
	b.WriteString(`]}`)
	return b.String()
}

func TestResolveOrder(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 0), fake.Options{})
	s.SetFault(upstreamtest.Canned(200, rowsOf([]int64{9, 3, 9, 1, 3})))
	q := unresolved(t, "/gw/devices/name=truck")
	if err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(q); err != nil || !slices.Equal(q.Resolved.Matches[0].IDs, []int64{1, 3, 9}) {
		t.Errorf("got %v, %v", q.Resolved.Matches, err)
	}
}

// Whether the backend knows conditions behind a list or not: it is asked for what is permitted where
// it does and that fits, and for every item else.
func TestResolveConditions(t *testing.T) {
	rows := []struct {
		target     string
		ask        []int64
		conditions bool
		want       string
		partial    bool
	}{
		{"/gw/devices/7,9,name=a%2Bb", []int64{7, 9}, false, "/gw/devices/name=a%2Bb?fields=id", false},
		{"/gw/devices/7,9,3,name=a", []int64{7, 9}, true, "/gw/devices/7,9,name=a?fields=id", true},
		{"/gw/devices/all,name=a", []int64{7, 9}, true, "/gw/devices/7,9,name=a?fields=id", true},
		{"/gw/devices/name=a", nil, true, "/gw/devices/name=a?fields=id", false},
		{"/gw/devices/name=a", upTo(3000), true, "/gw/devices/name=a?fields=id", false},
		{"/gw/devices/name=a", upTo(300_000), true, "/gw/devices/name=a?fields=id", false},
	}
	for _, row := range rows {
		s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 0), fake.Options{})
		q := unresolved(t, row.target)
		q.Decision.Selectors[0].Ask = row.ask
		r := NewResolver(ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, MaxTarget: 8000, Conditions: row.conditions})
		if err := r.Resolve(q); err != nil {
			t.Fatal(err)
		}
		got, _, _ := strings.Cut(s.Take()[0].Target, "&limit")
		if got != row.want || q.Resolved.Matches[0].Partial != row.partial {
			t.Errorf("%s: got %.80s %v, want %s", row.target, got, q.Resolved.Matches[0].Partial, row.want)
		}
	}
}

// A match that names more items of the scope than it may is refused; what is outside does not count.
func TestResolveTooWide(t *testing.T) {
	w := upstreamtest.Fleet(t, 1500)
	for id := int64(1001); id <= 1500; id++ {
		if err := w.Move("gw/devices", id, 12); err != nil {
			t.Fatal(err)
		}
	}
	_, tr := upstreamtest.Play(t, w, fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	rows := []struct {
		mode policy.Mode
		most int
		want error
	}{
		{policy.ModeHeader, 1500, nil}, {policy.ModeHeader, 1499, policy.MatchTooWide}, {policy.ModeHeader, 0, nil},
		{policy.ModeIDs, 1000, nil}, {policy.ModeIDs, 999, policy.MatchTooWide}, {policy.ModeIDs, 0, nil},
	}
	for _, row := range rows {
		o := ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, Mode: row.mode, MaxTarget: 8000, MaxResolved: row.most}
		q := x.asks(17, 1)
		parsed := unresolved(t, "/gw/devices/name=truck")
		q.Input.Request, q.Decision = parsed.Input.Request, parsed.Decision
		q.Input.Request.Selectors[0].Collection = x.devices
		if row.mode == policy.ModeHeader { // the simulator is told no scope by header here
			q.Input.Scope = 1
		}
		if err := NewResolver(o).Resolve(q); err != row.want {
			t.Errorf("%v %d: got %v, want %v", row.mode, row.most, err, row.want)
		}
	}
}

// A client that goes away ends the question that is asked for it.
func TestResolveCanceled(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{})
	s.SetFault(func(*fake.Request) *fake.Canned { return &fake.Canned{Hang: true} })
	q := unresolved(t, "/gw/devices/name=truck")
	q.Answer = new(upstream.Answer)
	time.AfterFunc(20*time.Millisecond, q.Answer.Cancel)
	if err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(q); !errors.Is(err, upstream.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}

func TestResolveLongMatch(t *testing.T) {
	s, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 5), fake.Options{})
	q := unresolved(t, "/gw/devices/%7B"+strings.Repeat("%22%22", 2000)+"%7D")
	if err := resolver(tr, upstreamtest.OwnKey, policy.ModeHeader).Resolve(q); err != policy.BadSelector || len(s.Take()) != 0 {
		t.Errorf("got %v", err)
	}
}

// finder stands for the index.
type finder struct{ err error }

func (s finder) LookUp(*Question) error { return s.err }

func TestResolveUnknown(t *testing.T) {
	rows := []struct {
		index Finder
		want  error
		known bool
	}{{nil, nil, true}, {finder{}, nil, true}, {finder{policy.IndexStale}, policy.IndexStale, false}}
	for _, row := range rows {
		_, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 0), fake.Options{})
		r := NewResolver(ResolverOptions{Backend: tr, Key: upstreamtest.OwnKey, Index: row.index})
		q := unresolved(t, "/gw/devices/5,6")
		q.Decision.Selectors[0].Unknown = []int64{5}
		if err := r.Resolve(q); err != row.want || q.Resolved.LookedUp != row.known {
			t.Errorf("got %v, %v", err, q.Resolved.LookedUp)
		}
	}
}
