package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/policy"
	"aclgate/policy/routes"
)

func TestIDs(t *testing.T) {
	a, b := NewID(), NewID()
	if a == b {
		t.Errorf("got %v twice", a)
	}
	got, err := ParseID(a.String())
	if err != nil || got != a {
		t.Errorf("got %v, %v, want %v", got, err, a)
	}
	for _, text := range []string{"", "00", strings.Repeat("g", 24), strings.Repeat("0", 23), strings.Repeat("0", 26)} {
		if id, err := ParseID(text); err != ErrID || id != (ID{}) {
			t.Errorf("%q: got %v, %v, want %v", text, id, err, ErrID)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0123456789abcdefABCDEF00")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err == nil && id.String() != strings.ToLower(text) {
			t.Errorf("%q: printed as %q", text, id)
		}
	})
}

func TestSetRefused(t *testing.T) {
	for target, want := range map[string]string{
		"/gw/devices/1,2":                           "/gw/devices/1,2",
		"/gw/devices/1?token=secret":                "/gw/devices/1",
		"/gw/devices/name=secret,x=y/messages":      "/gw/devices/name=*/messages",
		"/platform/tokens/key%3Dsecret":             "/platform/tokens/key=*",
		"/platform/tokens/{key==\"secret\"}/logs":   "/platform/tokens/{*/logs",
		"/platform/tokens/%7bkey%3d%22secret%22%7D": "/platform/tokens/{*",
		"/a\x1b[31m\"\\\x7f\xff":                    "/a%1B[31m%22%5C%7F%FF",
		strings.Repeat("/a", 128):                   strings.Repeat("/a", 128),
		strings.Repeat("/a", 128) + "b":             strings.Repeat("/a", 128) + "…",
		strings.Repeat("a", 254) + "\x01z":          strings.Repeat("a", 254) + "…",
		"//a//":                                     "//a/", "": "", "?x": "",
	} {
		var r Record
		r.SetRefused([]byte(target))
		if got := string(r.AppendTarget(nil)); got != want {
			t.Errorf("%q: got %q, want %q", target, got, want)
		}
	}
}

func parsed(t testing.TB, target string) *policy.Request {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	var q policy.Request
	if reason := q.Parse(&policy.Engine{Catalogue: cat}, policy.GET, []byte(target)); reason != policy.NotJudged {
		t.Fatalf("%s: %v", target, reason)
	}
	return &q
}

// Ids are remembered as they were read, never as an escape hides them, and never in part.
func TestSetRequest(t *testing.T) {
	digest := func(list string) string {
		sum := sha256.Sum256([]byte(list))
		return hex.EncodeToString(sum[:8])
	}
	list := func(n int) string {
		var ids []string
		for i := range n {
			ids = append(ids, strconv.Itoa(1000000+i))
		}
		return strings.Join(ids, ",")
	}
	for target, want := range map[string]string{
		"/gw/devices/%31,%32?fields=id":     "/gw/devices/1,2",
		"/gw/devices/1%2C2":                 "/gw/devices/1,2",
		"/gw/devices/%61ll":                 "/gw/devices/all",
		"/gw/devices/name=secret/messages":  "/gw/devices/name=*/messages",
		"/gw/devices/{name==\"secret\"}":    "/gw/devices/{*",
		"/gw/devices/7,8,7":                 "/gw/devices/7,8",
		"/gw/devices/" + list(20):           "/gw/devices/" + list(20),
		"/gw/devices/" + list(5000):         "/gw/devices/(5000-ids-sha256-" + digest(list(5000)) + ")",
		"/gw/devices/" + list(50) + "/logs": "/gw/devices/(50-ids-sha256-" + digest(list(50)) + ")/logs",
		"/gw/calcs/" + list(90) + "/devices/" + list(80) + "/intervals/all": "/gw/calcs/(90-ids-sha256-" + digest(list(90)) +
			")/devices/(80-ids-sha256-" + digest(list(80)) + ")/intervals/all",
		"/nowhere/%31/a%20b": "/nowhere/1/a%20b",
	} {
		var r Record
		r.SetRequest(parsed(t, target))
		if got := string(r.AppendTarget(nil)); got != want {
			t.Errorf("%.60q: got %q, want %q", target, got, want)
		}
	}
}

// A string selector of a route that deals in keys may be one.
func TestTargetOfAClosedRouteIsNotKept(t *testing.T) {
	var r Record
	r.SetRefused([]byte("/x"))
	r.SetRequest(&policy.Request{Route: &policy.Route{Closed: policy.ByKeys}})
	if got := r.AppendTarget(nil); len(got) != 0 {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestSetFault(t *testing.T) {
	for _, row := range []struct {
		name   string
		header bool
		want   string
	}{
		{"revers e\"", false, `,"parameter":"revers%20e%22"`},
		{"Host", true, `,"header":"Host"`},
		{strings.Repeat("x", 100), false, `,"parameter":"` + strings.Repeat("x", 64) + `"`},
		{"", false, ""},
	} {
		var r Record
		r.SetFault([]byte(row.name), row.header)
		line := string(r.AppendJSON(nil))
		if row.want == "" && strings.Contains(line, "parameter") || !strings.Contains(line, row.want) {
			t.Errorf("%q: got %s, want %s in it", row.name, line, row.want)
		}
		if _, err := ParseLine([]byte(line)); err != nil {
			t.Error(err)
		}
	}
}

// Of the backend's words to a match no value is kept that the path does not keep.
func TestSetRefusal(t *testing.T) {
	for _, row := range []struct{ target, answer, want string }{
		{"/gw/devices/nme=van", `{"errors":[{"code":2,"reason":"unknown field 'nme'"}]}`, "404 unknown field 'nme'"},
		{"/gw/devices/nme=van", `{"errors":[{"reason" : "no\/such \"field\""}]}`, "404 no/such %22field%22"},
		{"/gw/devices/nme=van", `{"errors":[{"reason":"cannot read nme=van"}]}`, "404 cannot read nme"},
		{"/gw/devices/password=ze%20bra*", `{"errors":[{"reason":"nothing like ze bra"}]}`, "404"},
		{"/gw/devices/a==b,password==zebra", `{"errors":[{"reason":"nothing like zebra"}]}`, "404"},
		{"/gw/devices/{password~%22zebra%22}", `{"errors":[{"reason":"nothing like zebra"}]}`, "404"},
		{"/gw/devices/{password~%22zebra%22}", `{"errors":[{"reason":"no field password"}]}`, "404 no field password"},
		{"/gw/devices/x=van", `<html>`, "404"},
		{"/gw/devices/x=van", `{"reason":7}`, "404"},
		{"/gw/devices/x=van", `{"reason":"` + strings.Repeat("y", 100), "404 " + strings.Repeat("y", 60)},
	} {
		var r Record
		r.SetRefusal(404, []byte(row.answer), parsed(t, row.target))
		if got := string(r.AppendFault(nil)); got != row.want {
			t.Errorf("%s, %.60s: got %q, want %q", row.target, row.answer, got, row.want)
		}
		if l, err := ParseLine(r.AppendJSON(nil)); err != nil || l.Backend != row.want {
			t.Errorf("%s: read %q, %v", row.target, l.Backend, err)
		}
	}
}

// Whatever a client sends: what is remembered is bounded, printable, without query and compared
// values, and makes a line of valid JSON that says the same.
func FuzzSetRefused(f *testing.F) {
	f.Add([]byte("/gw/devices/name=x/messages?data={}"), []byte(trace))
	f.Add([]byte("/\"\\\n%3d"), []byte("00-\"}"))
	f.Fuzz(func(t *testing.T, target, traceparent []byte) {
		var r Record
		r.SetRefused(target)
		r.SetTrace(traceparent)
		r.SetFault(traceparent, len(target)%2 == 0)
		kept := strings.TrimSuffix(string(r.AppendTarget(nil)), "…")
		if len(kept) > maxTarget || strings.ContainsAny(kept, "?\"\\ ") {
			t.Fatalf("%q: kept %q", target, kept)
		}
		for segment := range strings.SplitSeq(kept, "/") {
			if _, after, found := strings.Cut(segment, "="); found && strings.Trim(after, "*") != "" {
				t.Fatalf("%q: kept the value %q", target, after)
			}
		}
		line := r.AppendJSON(nil)
		var back struct{ Target, Trace string }
		if err := json.Unmarshal(line, &back); err != nil || bytes.ContainsAny(line, "\r\n") {
			t.Fatalf("%q: %v in %s", target, err, line)
		}
		if want := string(r.AppendTarget(nil)); back.Target != want || back.Trace != string(r.AppendTrace(nil)) {
			t.Fatalf("got %q, want %q", back, want)
		}
	})
}

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestSetTrace(t *testing.T) {
	for text, want := range map[string]string{
		trace: trace, "": "", trace + "0": "", trace[:54]: "",
		strings.ToUpper(trace): "", "01" + trace[2:]: "", trace[:54] + "\"": "",
	} {
		var r Record
		r.SetTrace([]byte(trace))
		r.SetTrace([]byte(text))
		if got := string(r.AppendTrace(nil)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// route returns /gw/kind-0s/{} of a catalogue.
func route(t testing.TB) *policy.Route {
	t.Helper()
	c := &policy.Collection{
		URI: "gw/kind-0s", IDs: policy.IDInt, Scoped: true,
		Routes: []*policy.Route{{Path: "/{}", Methods: policy.Methods(policy.GET, policy.PUT)}},
	}
	if _, err := policy.NewCatalogue([]*policy.Collection{c}); err != nil {
		t.Fatal(err)
	}
	return c.Routes[0]
}

// full is a record that says everything.
func full(t testing.TB) *Record {
	t.Helper()
	r := &Record{Facts: Facts{
		ID: ID{1, 2, 3}, Start: time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC), Verdict: policy.Narrow,
		Reason: policy.Narrowed, Method: policy.GET, Status: 200, Scope: 12,
		Source: netip.MustParseAddr("::ffff:10.0.0.7"), Denied: 2, Entry: 1, EntryLine: 8,
		Total: time.Second, Own: 41 * time.Microsecond, Upstream: time.Millisecond, BytesIn: 3, BytesOut: 1<<53 + 1,
	}}
	r.SetToken(&policy.Token{ID: 17, CID: 11, Digest: policy.Digest{0x6c, 0xa1, 0x3d, 0x52, 0xca}})
	r.SetRefused([]byte("/gw/kind-0s/1,2"))
	r.Route = route(t)
	r.SetTrace([]byte(trace))
	return r
}

func TestAppendJSON(t *testing.T) {
	for _, row := range []struct {
		r    *Record
		want string
	}{
		{full(t), `{"time":"2026-11-22T01:02:03.000004Z","decision":"010203000000000000000000","verdict":"narrow",` +
			`"reason":"narrowed","method":"GET","status":200,"route":"/gw/kind-0s/{}","target":"/gw/kind-0s/1,2",` +
			`"trace":"` + trace + `","entry":1,"line":8,"denied":2,"token":17,"digest":"6ca13d52","cid":11,"scope":12,` +
			`"source":"10.0.0.7","bytes_in":3,"bytes_out":9007199254740993,"total_us":1000000,"own_us":41,"upstream_us":1000}`},
		{&Record{Facts: Facts{Verdict: 9, Reason: 250, Method: 9}}, `{"time":"0001-01-01T00:00:00.000000Z",` +
			`"decision":"000000000000000000000000","verdict":"deny","reason":"not-judged","method":""}`},
	} {
		if got := string(row.r.AppendJSON(nil)); got != row.want {
			t.Errorf("got  %s\nwant %s", got, row.want)
		}
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	r := full(t)
	dst := make([]byte, 0, 2048)
	q, tp := parsed(t, "/gw/devices/"+strings.Repeat("1234567,", 100)+"1"), []byte(trace)
	for name, f := range map[string]func(){
		"fill": func() { r.Reset(); r.SetRequest(q); r.SetTrace(tp); r.ID = NewID() },
		"json": func() { dst = r.AppendJSON(dst[:0]) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}
