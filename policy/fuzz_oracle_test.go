package policy_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

var long = flag.Bool("long", false, "the full number of generated worlds")

// FuzzOracle: engine and oracle agree on verdict, reason, printed target and denied items, whatever
// the world and whatever the request.
func FuzzOracle(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(spread(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}

// TestOracleAgrees is the same over a fixed row of worlds, so that every run of the tests has many
// of them.
func TestOracleAgrees(t *testing.T) {
	t.Parallel()
	worlds, reasons := uint64(10000), map[string]int{}
	if *long {
		worlds = 40000
	}
	for seed := range worlds {
		reasons[agree(t, spread(seed)).reason]++
		if t.Failed() {
			return
		}
	}
	t.Log(reasons)
	// The generator must reach every reason that a head can end in, or the agreement means little.
	for _, word := range []string{
		"permitted", "narrowed", "open-route", "public-route", "own-answer", "master-route", "bad-target", "bad-query", "bad-selector", "token-noapi",
		"foreign-account", "unknown-route", "unknown-method", "closed-credential", "closed-keys", "closed-platform", "closed-mqtt", "closed-topic",
		"closed-scope", "no-entry", "create-limited", "field-hidden", "match-unreadable", "match-denied", "link-no-entry", "link-messages", "too-many-ids",
		"linked-match", "denied-items", "nothing-left", "match-refused", "no-grant", "mixed-accounts",
	} {
		if reasons[word] == 0 {
			t.Errorf("no world ended in %v", word)
		}
	}
}

// TestOracleAgreesInParts is the same where both the backend and the index know accounts, several roots
// have granted all that they have, and much of what is asked for has no common account.
func TestOracleAgreesInParts(t *testing.T) {
	in := map[int]int{} // requests by their number of parts
	for seed := range uint64(8000) {
		d := newDice(spread(seed))
		w, a := d.world()
		w.settings.mode, a.method = "both", "GET"
		a.target = "/gw/devices/" + d.selector("gw/devices") + d.one("", "", "/telemetry", "/messages", "/settings/all") + d.one("", "", "?fields=id", "?limit=2", `?data={"count":1}`)
		for _, cid := range w.order {
			if w.parent[cid] == 0 {
				w.grants = append(w.grants, worldGrant{id: 90 + cid, cid: cid, to: []int64{w.tokens["t"].cid}, access: []worldAccess{{uri: "account", levels: []string{"view"}}}})
			}
		}
		in[len(agreeAbout(t, w, a).parts)]++
		if t.Failed() {
			return
		}
	}
	t.Log(in)
	if in[1] > 0 || in[2] < 100 || in[3] == 0 {
		t.Errorf("got requests by their number of parts %v: that shows little", in)
	}
}

// spread makes different bytes of near seeds.
func spread(seed uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, rand.New(rand.NewPCG(seed, 3)).Uint64())
}

func agree(t *testing.T, data []byte) answer {
	t.Helper()
	w, a := newDice(data).world()
	return agreeAbout(t, w, a)
}

func agreeAbout(t *testing.T, w *world, a ask) answer {
	t.Helper()
	got := newEngine(t, w).ask(a)
	if fault := differs(got, judge(w, a)); fault != "" {
		t.Errorf("%v: %v\n got %v %v %v %v\n%v", a, fault, got.verdict, got.reason, got.target, got.denied, w.describe())
	}
	return got
}

func (w *world) describe() string {
	tok := w.tokens["t"]
	return fmt.Sprintf("accounts %v\ntoken %+v\nlaw %+v\nindex %v\nunlisted %v\nmatches %v\nrefused %v\ndoubts %v\ngrants %+v\nblocked %v", w.parent, *tok, w.settings,
		w.index, w.unlisted, w.matches, w.refused, w.doubts, w.grants, w.blocked)
}
