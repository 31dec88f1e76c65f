package proxy

import (
	"testing"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
)

// shadowKey is the key of a token that may GET and PUT the devices 101 and 102.
const shadowKey = "SHADOWssssssssssssssssssssssssss"

// newShadowed starts a gateway with one acl token; side, if any, is a second policy.
func newShadowed(t *testing.T, side ShadowPolicy, change ...setup) *fixture {
	t.Helper()
	b := startWorld(t)
	f := newFixture(t, b.url, append([]setup{withResolver}, change...)...)
	f.gateway.shadow.policy = side
	f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}, [2]int64{777, 0})
	f.token(shadowKey, "acl", 500, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[101,102]}]`)
	return f
}

// count adds up the samples of a counter that have this label.
func (f *fixture) count(name, label, value string) (sum float64) {
	f.t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label && pair.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// newSide returns a second policy with one token for shadowKey.
func newSide(t *testing.T, access string, cid int64, acl string) *fixture {
	t.Helper()
	side := newFixture(t, "http://127.0.0.1:1")
	side.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}, [2]int64{777, 0})
	if access != "" {
		side.token(shadowKey, access, cid, acl)
	}
	return side
}

// shadowRow is a second policy, a request, and what it would have done otherwise.
type shadowRow struct {
	name                 string
	access               string
	cid                  int64
	acl                  string
	method, target, body string
	want                 record.Outcome
}

func shadowRows() []shadowRow {
	const narrower = `[{"uri":"gw/devices","methods":["GET"],"ids":[101]}]`
	none := record.Outcome{}
	return []shadowRow{
		{"same", "acl", 500, narrower, "GET", "/gw/devices/101", "", none},
		{"same ids", "acl", 500, `[{"uri":"gw/devices","methods":["GET"],"ids":[102,101]}]`, "GET", "/gw/devices/all", "", none},
		{"other ids", "acl", 500, narrower, "GET", "/gw/devices/all", "", record.Outcome{Known: true, Verdict: policy.Narrow, Reason: policy.Narrowed}},
		{"denied", "acl", 500, narrower, "GET", "/gw/devices/102", "", record.Outcome{Known: true, Reason: policy.DeniedItems}},
		{"no method", "acl", 500, narrower, "PUT", "/gw/devices/101", `{"name":"x"}`, record.Outcome{Known: true, Reason: policy.NoEntry}},
		{"allowed", "standard", 500, "", "GET", "/gw/devices/9", "", record.Outcome{Known: true, Verdict: policy.Allow, Reason: policy.Permitted}},
		{"unknown", "", 0, "", "GET", "/gw/devices/101", "", record.Outcome{Known: true, Reason: policy.TokenUnknown}},
		{"noapi", "noapi", 500, "", "GET", "/gw/devices/101", "", record.Outcome{Known: true, Reason: policy.TokenNoAPI}},
		{"other account", "acl", 501, narrower, "GET", "/gw/devices/101", "", record.Outcome{Known: true, Verdict: policy.Allow, Reason: policy.Permitted}},
		{"body", "acl", 500, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[101],"submodules":[{"name":"cid","methods":["PUT"]}]}]`,
			"PUT", "/gw/devices/101", `{"cid":501}`, record.Outcome{Known: true, Verdict: policy.Allow, Reason: policy.Permitted}},
		{"match resolved", "acl", 500, narrower, "GET", "/gw/devices/name=truck-1", "", none},
		{"match unresolved", "acl", 501, narrower, "GET", "/gw/devices/name=truck-1", "", none},
		{"malformed", "", 0, "", "GET", "/gw//devices", "", none},
	}
}

// The second policy is asked about every request, and what it would have done otherwise is counted
// and kept; what is done is the first one's.
func TestShadowSeesDifferences(t *testing.T) {
	for _, row := range shadowRows() {
		t.Run(row.name, func(t *testing.T) {
			var seen, plain keeper
			f := newShadowed(t, newSide(t, row.access, row.cid, row.acl), seen.keep)
			alone := newShadowed(t, nil, plain.keep)
			got, want := f.call(shadowKey, row.method, row.target, row.body), alone.call(shadowKey, row.method, row.target, row.body)
			if got.status != want.status || got.body != want.body {
				t.Errorf("got %d %s, without a second policy %d %s", got.status, got.body, want.status, want.body)
			}
			if r := seen.take()[0]; r.Shadow != row.want {
				t.Errorf("got %+v, want %+v", r.Shadow, row.want)
			}
			counted := f.count("aclgate_shadow_differences_total", "shadow", row.want.Verdict.String())
			if (counted == 1) != row.want.Known {
				t.Errorf("got %v differences counted, want %v", counted, row.want.Known)
			}
		})
	}
}

// A token that only the second policy knows is denied all the same.
func TestShadowGrantsNothing(t *testing.T) {
	var seen keeper
	side := newSide(t, "master", 400, "")
	side.token("ANOTHERaaaaaaaaaaaaaaaaaaaaaaaaa", "master", 400, "")
	f := newShadowed(t, side, seen.keep)
	if a := f.call("ANOTHERaaaaaaaaaaaaaaaaaaaaaaaaa", "GET", "/gw/devices/101", ""); a.status != 401 {
		t.Errorf("got %d, want 401", a.status)
	}
	if r := seen.take()[0]; r.Shadow.Verdict != policy.Allow || r.Verdict != policy.Deny {
		t.Errorf("got %v, shadow %+v, want a denial that the shadow would allow", r.Verdict, r.Shadow)
	}
}

// panicking is a second policy that is broken.
type panicking struct{}

func (panicking) Lookup(policy.Digest, time.Time) (*policy.Token, error) { panic("broken") }
func (panicking) Revision(uint64) uint64                                 { panic("broken") }
func (panicking) Fresh(time.Time) bool                                   { panic("broken") }
func (panicking) Tree() *policy.Tree                                     { panic("broken") }
func (panicking) Grants() *policy.Grants                                 { panic("shadow") }

// A second policy that panics costs nobody anything.
func TestShadowPanicsAlone(t *testing.T) {
	f := newShadowed(t, panicking{})
	for range 3 {
		if a := f.call(shadowKey, "GET", "/gw/devices/101", ""); a.status != 200 {
			t.Errorf("got %d, want 200", a.status)
		}
	}
}

// Judging twice allocates nothing where nothing differs.
func TestShadowAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const same = `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[101,102]}]`
	g := newShadowed(t, newSide(t, "acl", 500, same)).gateway
	x := newExchange(g)
	x.head, x.began = new(head.Head), time.Now()
	x.auth.digest = digestOf(shadowKey)
	x.eval.in.Token, _ = g.Tokens.Lookup(x.auth.digest, x.began)
	x.eval.in.At = x.began.Unix()
	if r := x.req.Parse(g.Engine, policy.GET, []byte("/gw/devices/101,102")); r != policy.NotJudged {
		t.Fatal(r)
	}
	if r := g.authorizer.scope(&x.call, &x.eval); r != policy.NotJudged {
		t.Fatal(r)
	}
	g.Engine.Decide(&x.eval.dec, &x.eval.in)
	if n := testing.AllocsPerRun(200, func() { g.shadow.evaluate(&x.call, &x.eval, &x.body, &x.again) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
	if x.rec.Shadow.Known {
		t.Errorf("got %+v, want no difference", x.rec.Shadow)
	}
}
