package proxy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
)

// keeper keeps the records of requests.
type keeper struct {
	mu   sync.Mutex
	recs []record.Record
}

func (k *keeper) keep(o *Options, _ *policy.Engine, _ *head.Config) {
	o.Served = func(r *record.Record, _, _, _ []byte) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.recs = append(k.recs, *r)
	}
}

func (k *keeper) take() []record.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.recs
	k.recs = nil
	return taken
}

// effect is all that a connection led to, on both sides, as text.
func effect(p played) string {
	var b strings.Builder
	for _, a := range p.answers {
		fmt.Fprintf(&b, "answered %d %s\n", a.status, a.body)
	}
	for i := range p.sent {
		r := &p.sent[i]
		fmt.Fprintf(&b, "forwarded %s %q %q\n", r.line, r.all("x-flespi-cid"), r.body)
	}
	return b.String()
}

// staysClosed says which refusals of an acl token have nothing to do with its entries (SPEC 8):
// routes that nobody knows, and closed ones. /auth/info is the token's own record whatever is
// enforced.
func staysClosed(recs []record.Record) bool {
	return slices.ContainsFunc(recs, func(r record.Record) bool {
		switch r.Reason {
		case policy.UnknownRoute, policy.UnknownMethod, policy.ClosedCredential, policy.ClosedKeys, policy.ClosedPlatform,
			policy.ClosedMQTT, policy.ClosedTopic, policy.ClosedScope:
			return true
		}
		return r.Reason == policy.OwnAnswer && r.Status == 200
	})
}

// malformed reports whether everything was refused before anybody's rights were asked for.
func malformed(recs []record.Record) bool {
	return !slices.ContainsFunc(recs, func(r record.Record) bool {
		return r.Verdict != policy.Deny || r.Reason < policy.BadHead || r.Reason > policy.BadSelector && r.Reason != policy.BadBody
	})
}

// standards returns the cases with standard tokens in the place of acl tokens.
func standards(rows []rawCase) []rawCase {
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].TokenACL.Access == "acl" {
			rows[i].TokenACL.Access = "standard"
		}
	}
	return rows
}

// TestUnenforcedOpensEntriesAlone plays every raw case three times: enforced, with a standard
// token, and with policy.enforce: false. The last is the second where entries had the say, and the
// first where something else had it. Nothing malformed passes, and no scope but the token's own
// goes upstream.
func TestUnenforcedOpensEntriesAlone(t *testing.T) {
	rows := caseFiles(t)
	var seen keeper
	enforced := newCourt(t, rows, seen.keep)
	standard := newCourt(t, standards(rows))
	open := newCourt(t, rows, func(_ *Options, engine *policy.Engine, _ *head.Config) { engine.Unenforced = true })
	opened := 0
	for i := range rows {
		row := &rows[i]
		seen.take()
		was := effect(enforced.play(t, row.bytes(), methodOf(row.bytes()), false))
		want, p := was, open.play(t, row.bytes(), methodOf(row.bytes()), false)
		recs := seen.take()
		if !staysClosed(recs) {
			want = effect(standard.play(t, row.bytes(), methodOf(row.bytes()), false))
		}
		if got := effect(p); got != want {
			t.Errorf("%s: got\n%swant\n%s[%s]", row.ID, got, want, row.Why)
		}
		if fault := headersFault(row, p.sent); fault != "" {
			t.Errorf("%s: %s", row.ID, fault)
		}
		if want != was {
			opened++
		}
		// Lists of fields are looked at for the sake of entries alone.
		if malformed(recs) && !strings.HasPrefix(row.ID, "m-fld-") && len(p.sent) > 0 {
			t.Errorf("%s: forwarded %s", row.ID, p.sent[0].line)
		}
	}
	if opened == 0 {
		t.Error("no case was opened: the test compares nothing")
	}
	t.Logf("%d of %d cases were opened", opened, len(rows))
}

// What the entries would have done is counted and kept.
func TestUnenforcedCountsWhatEntriesWouldHaveDone(t *testing.T) {
	var seen keeper
	f := newShadowed(t, nil, seen.keep, func(_ *Options, engine *policy.Engine, _ *head.Config) { engine.Unenforced = true })
	for _, row := range []struct {
		method, target, body string
		would                policy.Verdict
		reason               policy.Reason
		recorded             policy.Reason
		status               int
	}{
		{"GET", "/gw/devices/101", "", policy.Allow, policy.Permitted, policy.Permitted, 200},
		{"GET", "/gw/devices/all", "", policy.Narrow, policy.Narrowed, policy.Unenforced, 200},
		{"GET", "/gw/devices/201", "", policy.Deny, policy.DeniedItems, policy.Unenforced, 200},
		{"GET", "/gw/channels/7", "", policy.Deny, policy.NoEntry, policy.Unenforced, 200},
		{"GET", "/gw/devices/name=truck-1", "", policy.Unresolved, policy.NotJudged, policy.Permitted, 200},
		{"PUT", "/gw/devices/101", `{"cid":501}`, policy.Deny, policy.MoveNoEntry, policy.Unenforced, 200},
		{"PUT", "/gw/devices/101", `{"cid":777}`, 0, 0, policy.BodyAccount, 403},
	} {
		a := f.call(shadowKey, row.method, row.target, row.body)
		r := seen.take()[0]
		given := row.would != policy.Deny || row.reason != policy.NotJudged
		want := record.Outcome{Known: given, Verdict: row.would, Reason: row.reason}
		if a.status != row.status || r.DryRun != want || r.Reason != row.recorded {
			t.Errorf("%s %s: got %d, %v, would %+v, want %d, %v, would %+v", row.method, row.target, a.status, r.Reason, r.DryRun,
				row.status, row.recorded, want)
		}
	}
	if got := f.count("aclgate_unenforced_decisions_total", "would", "deny"); got != 3 {
		t.Errorf("got %v denials that would have been, want 3", got)
	}
}

// What was wrong with one request is not shown to the next caller, whose head is refused before its
// target is read.
func TestRefusalShowsNothingOfAnotherRequest(t *testing.T) {
	f := newShadowed(t, nil)
	for range 50 {
		f.raw("GET /gw/devices/SECRETPATH HTTP/1.1\r\nHost: gw.test\r\nAuthorization: FlespiToken " + shadowKey + "\r\n\r\n")
		if a := f.raw("GET /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nX-HTTP-Method: PUT\r\n\r\n"); strings.Contains(a.body, "'") {
			t.Fatalf("got %s, which shows a piece of another request", a.body)
		}
	}
}
