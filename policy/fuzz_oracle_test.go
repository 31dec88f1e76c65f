package policy_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

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
	reasons := map[string]int{}
	for seed := range uint64(40000) {
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

// spread makes different bytes of near seeds.
func spread(seed uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, rand.New(rand.NewPCG(seed, 3)).Uint64())
}

func agree(t *testing.T, data []byte) answer {
	t.Helper()
	w, a := newDice(data).world()
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
