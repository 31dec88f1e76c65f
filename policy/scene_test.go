package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"aclgate/policy"
)

// scene is one request on the hot path, with everything that is reused from request to request.
type scene struct {
	engine policy.Engine
	c      policy.Input
	r      policy.Request
	d      policy.Decision
	method policy.Method
	target []byte
	out    []byte
	inset  policy.Segment
}

// sceneRow is a scene as text: the entry's ids, "" for none, and a request.
type sceneRow struct {
	name, ids, method, target, want string
}

// numbers writes from … from+n-1, or every step-th of them.
func numbers(from, n, step int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d", from+i*step)
	}
	return b.String()[1:]
}

// sceneRows are the cases that DESIGN.md wants without allocation.
func sceneRows() []sceneRow {
	const thousand = 100000
	return []sceneRow{
		{"one id", "7,9", "GET", "/gw/devices/7", "permitted"},
		{"all to 2 ids", "7,9", "GET", "/gw/devices/all", "narrowed"},
		{"all to 5000 ids", numbers(thousand, 5000, 3), "GET", "/gw/devices/all", "narrowed"},
		{"list all permitted", numbers(thousand, 1000, 1), "GET", "/gw/devices/" + numbers(thousand, 1000, 1), "permitted"},
		{"list partly denied", numbers(thousand, 1000, 2), "GET", "/gw/devices/" + numbers(thousand, 1000, 1), "narrowed"},
		{"list denied", "7,9", "GET", "/gw/devices/" + numbers(thousand, 1000, 1), "denied-items"},
		{"list out of order with duplicates", numbers(1, 9, 1), "GET", "/gw/devices/9,1,8,1,2,9,7", "permitted"},
		{"match forwarded", "all", "GET", "/gw/devices/configuration.ident=123,name=van", "permitted"},
		{"conditions forwarded", "all", "GET", "/gw/devices/7,9,configuration.ident=123,name=van", "permitted"},
		{"expression forwarded", "all", "GET", "/gw/devices/{name==%22van%22}", "permitted"},
		{"linked selectors", "7,9", "GET", "/gw/calcs/1,2/devices/7,8,9/intervals/all", "narrowed"},
		{"link carrying messages", "7,9", "POST", "/gw/streams/1/devices/all", "narrowed"},
		{"query with data", "7,9", "GET", `/gw/devices/7/messages?data={"from":1,"to":2}&fields=id,name`, "permitted"},
		{"encoded path and query", "7,9", "GET", "/gw/%64evices/7%2C9/settings/a%20b?fields=id%2Cname", "permitted"},
		{"unknown route", "7,9", "GET", "/gw/unheard/7", "unknown-route"},
		{"PUT with a body", "7,9", "PUT", "/gw/devices/7,9", "permitted"},
		{"POST create", "", "POST", "/gw/devices", "permitted"},
		{"405", "7,9", "POST", "/gw/devices/7", "unknown-method"},
		{"no entry", "7,9", "DELETE", "/gw/devices/7", "no-entry"},
		{"bad target", "7,9", "GET", "/gw/devices/../7", "bad-target"},
		{"bad query", "7,9", "GET", "/gw/devices/7?fields=1&fields=1", "bad-query"},
	}
}

func newScene(t testing.TB, row sceneRow) *scene {
	t.Helper()
	tok := &worldToken{access: "acl", cid: 11, entries: []worldEntry{
		{uri: "gw/calcs", methods: []string{"GET"}}, {uri: "gw/streams", methods: []string{"POST"}},
		{uri: "gw/devices", methods: []string{"GET", "POST", "PUT"}, rule: row.ids},
	}}
	if e := &tok.entries[2]; row.ids != "" && row.ids != "all" {
		e.rule = "list"
		for _, word := range strings.Split(row.ids, ",") {
			id, _ := policy.ParseID([]byte(word))
			e.ids = append(e.ids, id)
		}
	}
	tree, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}}, 4)
	s := &scene{method: policy.ParseMethod([]byte(row.method)), target: []byte(row.target)}
	s.engine = policy.Engine{Catalogue: catalogue(t), MaxIDs: 10000}
	s.c = policy.Input{Request: &s.r, Token: tok.compile(s.engine.Catalogue), Tree: tree}
	if s.method == policy.PUT {
		s.c.Body = []policy.Keys{{ID: 9}, {ID: 7}}
	}
	return s
}

// run is what becomes of each request: parse, evaluate, print.
func (s *scene) run() policy.Reason {
	if reason := s.r.Parse(&s.engine, s.method, s.target); reason != policy.NotJudged {
		return reason
	}
	s.engine.Evaluate(&s.d, &s.c)
	if s.d.Verdict == policy.Narrow || s.d.Verdict == policy.Allow {
		s.out, s.inset = policy.AppendTargetSegment(s.out[:0], &s.r, &s.d)
	}
	return s.d.Reason
}

func TestNoAllocs(t *testing.T) {
	for _, row := range sceneRows() {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t, row)
			if got := s.run().String(); got != row.want {
				t.Fatalf("got %v, want %v", got, row.want)
			}
			if got := testing.AllocsPerRun(100, func() { s.run() }); got != 0 {
				t.Errorf("got %v allocations, want 0", got)
			}
		})
	}
}
