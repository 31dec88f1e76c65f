package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/policy/cases"
)

// rollPolicy returns a policy of a few tokens with random rights, the same for the same seed. Keys
// are key-of-token-N.
func rollPolicy(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	b.WriteString("accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}, {id: 12, name: depot, parent: 1}]\ntokens:\n")
	for id := 1; id <= rollTokens; id++ {
		if r.IntN(10) == 0 {
			continue // this policy does not know the token
		}
		cid := []int{1, 1, 1, 11, 12}[r.IntN(5)]
		fmt.Fprintf(&b, "  - id: %d\n    key: key-of-token-%d\n    cid: %d\n    expire: 4102444800\n", id, id, cid)
		if kind := r.IntN(8); kind < 2 {
			fmt.Fprintf(&b, "    access: {type: %s}\n", []string{"master", "standard"}[kind])
			continue
		}
		b.WriteString("    access:\n      type: acl\n      acl:\n")
		for range 1 + r.IntN(3) {
			fmt.Fprintf(&b, "        - {uri: %s, methods: [%s]%s%s}\n", pick(r, "gw/channels", "gw", "storage/containers", "storage"),
				pick(r, "GET", "GET, PUT", "GET, POST, PUT, DELETE", "PUT"), pick(r, "", ", ids: [2024]", ", ids: [2025, 2026]", ", ids: all", ", ids: [5126]"),
				pick(r, "", "", ", submodules: []", ", submodules: [{name: logs, methods: [GET]}, {name: cid, methods: [PUT]}]"))
		}
	}
	return b.String()
}

const rollTokens = 24

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// rollRequest is one request; replays reports whether the audit log holds all of it that a decision
// depends on.
type rollRequest struct {
	token                int
	method, target, body string
	cid                  string
}

func (q *rollRequest) replays() bool { return q.body == "" && !strings.Contains(q.target, "=") }

func rollRequests(n int) (all []rollRequest) {
	r := rand.New(rand.NewPCG(3, 5))
	for range n {
		q := rollRequest{token: 1 + r.IntN(rollTokens), method: pick(r, "GET", "GET", "GET", "PUT", "DELETE", "POST")}
		q.target = "/" + pick(r, "gw/channels", "storage/containers", "gw/calcs", "platform/customer", "no/such")
		if q.method != "POST" {
			q.target += "/" + pick(r, "all", "2024", "2024,2025", "2025,2026,2024", "5126", "5126,9", "777", "name=*", "nonsense")
			q.target += pick(r, "", "", "", "/logs", "/messages", "/cid")
		}
		if q.method == "PUT" {
			q.body = pick(r, "", "{}", `{"cid":11}`, `{"cid":999}`, `{"id":2025}`)
		}
		q.cid = pick(r, "", "", "", "11", "12", "999")
		all = append(all, q)
	}
	return all
}

// startRoller starts a gateway whose audit log has every request.
func startRoller(t *testing.T, policy, settings string, files map[string]string) *gate {
	t.Helper()
	settings += "scope: {trust_header: true}\naudit: {path: audit.jsonl, allow_sample: 1}\n"
	return startGate(t, siteOptions{settings: settings, policy: policy, files: files})
}

// play sends the requests one after the other and returns what the audit log says of each.
func (g *gate) play(requests []rollRequest) []*record.Line {
	g.t.Helper()
	ids := make([]string, len(requests))
	for i, q := range requests {
		req, err := http.NewRequest(q.method, g.api+q.target, strings.NewReader(q.body))
		if err != nil {
			g.t.Fatal(err)
		}
		req.Header.Set("Authorization", fmt.Sprintf("FlespiToken key-of-token-%d", q.token))
		if q.cid != "" {
			req.Header.Set("x-flespi-cid", q.cid)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			g.t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		ids[i] = resp.Header.Get("X-Aclgate-Decision")
	}
	g.end()
	found := map[string]*record.Line{}
	if err := eachLineOf(filepath.Join(g.folder, "audit.jsonl"), 1<<40, func(l *record.Line, _ []byte) bool {
		found[l.Decision] = l
		return true
	}); err != nil {
		g.t.Fatal(err)
	}
	lines := make([]*record.Line, len(ids))
	for i, id := range ids {
		if lines[i] = found[id]; lines[i] == nil {
			g.t.Fatalf("request %d (%+v) is not in the audit log", i, requests[i])
		}
	}
	return lines
}

// policyDecides reports whether what became of a request was up to the policy: the rest ends alike
// under each.
func policyDecides(l *record.Line) bool {
	switch l.Reason {
	case "bad-head", "bad-target", "bad-query", "bad-selector", "bad-body", "own-answer", "backend-refused":
		return false
	}
	return !strings.HasPrefix(l.Reason, "upstream-")
}

// aboutBody reports whether the body of a request was what denied it.
func aboutBody(l *record.Line) bool {
	return strings.HasPrefix(l.Reason, "body-") || l.Reason == "move-no-entry"
}

// foretold compares what was said of requests with what became of them.
type foretold struct {
	t                                 *testing.T
	world                             cases.World
	differing, open, unread, replayed int
}

// shadow compares what policy.shadow said. A match that it could not have resolved is left open,
// and so is a body that was not read.
func (f *foretold) shadow(q *rollRequest, was, is *record.Line) {
	verdict, reason := was.Verdict, was.Reason
	if was.Shadow != "" {
		verdict, reason = was.Shadow, was.ShadowReason
		f.differing++
	}
	switch {
	case strings.Contains(q.target, "=") && was.Shadow == "":
		f.open++
	case q.body != "" && was.Verdict == "deny" && verdict != "deny" && aboutBody(is):
		f.unread++
	case verdict != is.Verdict || reason != is.Reason:
		f.t.Errorf("%+v: shadow says %s (%s), it became %s (%s)", *q, verdict, reason, is.Verdict, is.Reason)
	}
}

// diff compares what a replay says.
func (f *foretold) diff(q *rollRequest, was, is *record.Line) {
	ask, why := askOf(was)
	if !q.replays() || why != "" {
		return
	}
	f.replayed++
	if o := evaluate(&f.world, was, ask); o.Verdict != is.Verdict || o.Reason != is.Reason || o.Denied() != is.Denied {
		f.t.Errorf("%+v: diff says %s with %d denied, it became %s (%s) with %d", *q, o, o.Denied(), is.Verdict, is.Reason, is.Denied)
	}
}

// TestShadowAndDiffForetell: what policy.shadow says of a request, and what `diff` says when it is
// replayed, is what becomes of it once the new policy is enforced.
func TestShadowAndDiffForetell(t *testing.T) {
	t.Parallel()
	n := 1000
	if *long {
		n = 10000
	}
	requests, oldPolicy, newPolicy := rollRequests(n), rollPolicy(1), rollPolicy(2)
	before := startRoller(t, oldPolicy, "policy: {shadow: new.yaml}\n", map[string]string{"new.yaml": newPolicy})
	was := before.play(requests)
	is := startRoller(t, newPolicy, "", nil).play(requests)
	s, faults := config.Load(filepath.Join(before.folder, "aclgate.yaml"))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	w, err := readWorld(s, filepath.Join(before.folder, "new.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f := &foretold{t: t, world: w}
	for i := range requests {
		if policyDecides(was[i]) && policyDecides(is[i]) {
			f.shadow(&requests[i], was[i], is[i])
			f.diff(&requests[i], was[i], is[i])
		}
	}
	t.Logf("%d requests: %d differ, %d matches open, %d bodies unread, %d replayed", n, f.differing, f.open, f.unread, f.replayed)
	if f.differing < n/10 || f.replayed < n/4 {
		t.Errorf("%d of %d differ and %d were replayed: the test compares too little", f.differing, n, f.replayed)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	oldPolicy := fmt.Sprintf(gatePolicy, fmt.Sprintf(gateToken, 17, "key-of-token-17"))
	newPolicy := strings.Replace(oldPolicy, "ids: [2025]", "ids: [2024]", 1)
	g := startRoller(t, oldPolicy, "", map[string]string{"new.yaml": newPolicy})
	g.play([]rollRequest{
		{token: 17, method: "GET", target: "/gw/channels/2025"}, {token: 17, method: "GET", target: "/gw/channels/2025"},
		{token: 17, method: "GET", target: "/gw/channels/all"}, {token: 17, method: "GET", target: "/gw/calcs/all"},
		{token: 3, method: "GET", target: "/gw/channels/all"},
	})
	settings, changed := filepath.Join(g.folder, "aclgate.yaml"), filepath.Join(g.folder, "new.yaml")
	code, stdout, stderr := once(t, "diff", "-c", settings, "--new", changed, "--exit-code")
	for _, want := range []string{
		"4 requests replayed, 3 would be decided otherwise", "token 17", "2  allow (permitted) → deny (denied-items)",
		"1  narrow (narrowed) → narrow (narrowed) of other items", "such as GET /gw/channels/2025", "new.yaml:4",
		"1 could not be replayed: no token of the policy was recognised",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s%s", want, stdout, stderr)
		}
	}
	if code != exitFailed || strings.Contains(stdout, "key-of-token") {
		t.Errorf("got code %d: %s%s", code, stdout, stderr)
	}
	audit := filepath.Join(g.folder, "audit.jsonl")
	if code, stdout, _ := once(t, "diff", "-c", settings, "--old", changed, "--new", changed, "--replay", audit, "--exit-code"); code != 0 ||
		!strings.Contains(stdout, "4 requests replayed, 0 would") {
		t.Errorf("the same policy twice: got code %d: %s", code, stdout)
	}
	os.Remove(audit)
	for _, args := range [][]string{{"--new", changed}, {"--new", changed, "--replay", audit}} {
		if code, _, _ := once(t, append([]string{"diff", "-c", settings}, args...)...); code != exitFailed {
			t.Errorf("%v without a log: got code %d, want %d", args, code, exitFailed)
		}
	}
}
