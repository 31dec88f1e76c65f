package explain_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// FuzzExplain holds a report against the engine: the same verdict, reason, entry and ids, whatever
// is asked; and a text that can be shown.
func FuzzExplain(f *testing.F) {
	f.Add(uint64(1), "")
	f.Add(uint64(2), "/gw/devices/all?x=\x00")
	f.Add(uint64(3), "/gw/devices/%E2%80%AE7")
	f.Add(uint64(4), "/gw/streams/1/groups/all")
	base := newWorld(f)
	f.Fuzz(func(t *testing.T, seed uint64, target string) { checkReport(t, base, seed, target) })
}

func TestReportsAgreeWithTheLaw(t *testing.T) {
	base := newWorld(t)
	for seed := range uint64(20000) {
		checkReport(t, base, seed, "")
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func checkReport(t *testing.T, w *world, seed uint64, target string) {
	t.Helper()
	name, ask := newDice(seed).world(w, target)
	r := w.ask(name, ask)
	checkText(t, r)
	checkChoices(t, r)
	if ask.Items == nil && r.Verdict == policy.Unresolved.String() {
		if len(r.Open) == 0 || r.Backend != nil {
			t.Errorf("%s %s: unresolved without a question, or forwarded", ask.Method, ask.Target)
		}
		return // what an index says is open, so there is nothing to compare with
	}
	indexMissing := ask.Items == nil
	if indexMissing { // what is said without an index holds with any
		ask.Items, ask.Resolved = anyIndex(w, seed), lookedUp(ask.Resolved)
	}
	l := &line{w: w, tok: w.tokens[name], ask: ask}
	verdict, reason := l.judge()
	if r.Verdict != verdict.String() || r.Reason != reason.String() {
		t.Fatalf("%s %s: got %s %s, want %s %s", ask.Method, ask.Target, r.Verdict, r.Reason, verdict, reason)
	}
	l.checkEntry(t, r)
	if !indexMissing {
		l.checkIDs(t, r)
	}
	if r.Backend != nil {
		if want := string(policy.AppendTarget(nil, &l.req, &l.dec)); r.Backend.Target != want {
			t.Errorf("got target %s, want %s", r.Backend.Target, want)
		}
	}
}

func anyIndex(w *world, seed uint64) *index {
	d := newDice(seed + 1)
	owners := map[int64]int64{}
	for id := int64(1); id < 10; id++ {
		owners[id] = pick[int64](d, 1, 11, 12, 111)
	}
	return &index{w.tree, owners, d.ids()}
}

func lookedUp(f *policy.Resolved) *policy.Resolved {
	if f == nil {
		f = &policy.Resolved{}
	}
	f.LookedUp = true
	return f
}

// line takes the steps of a request one by one, as the proxy does: Evaluate has to agree with it.
type line struct {
	w   *world
	tok *policy.Token
	ask explain.Ask
	req policy.Request
	dec policy.Decision
}

func (l *line) judge() (policy.Verdict, policy.Reason) {
	for i := range len(l.ask.Target) {
		if c := l.ask.Target[i]; c < 0x21 || c > 0x7e || c == '#' || c == '\\' {
			return policy.Deny, policy.BadHead
		}
	}
	if reason := l.req.Parse(l.w.engine, policy.ParseMethod([]byte(l.ask.Method)), []byte(l.ask.Target)); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	switch {
	case l.req.CID != 0 && l.ask.AskedCID != 0:
		return policy.Deny, policy.BadQuery
	case l.ask.Method == "OPTIONS", l.req.Route != nil && l.req.Route.Local == policy.LocalRegions:
		return policy.Allow, policy.OwnAnswer
	case l.req.Route != nil && l.req.Route.Public:
		return policy.Allow, policy.PublicRoute
	case l.tok == nil:
		return policy.Deny, policy.TokenUnknown
	}
	if reason := l.tok.Valid(now, l.ask.Source, nil); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	if l.tok.Access == policy.NoAPI {
		return policy.Deny, policy.TokenNoAPI
	}
	in := policy.Input{
		Request: &l.req, Token: l.tok, AskedCID: max(l.ask.AskedCID, l.req.CID), Tree: l.w.tree, Items: l.ask.Items, Resolved: l.ask.Resolved,
	}
	if reason := l.w.engine.Scope(&in); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	return l.decide(in)
}

func (l *line) decide(c policy.Input) (policy.Verdict, policy.Reason) {
	l.w.engine.Decide(&l.dec, &c)
	if l.dec.Verdict == policy.Deny || l.dec.Verdict == policy.Unresolved || l.req.Route == nil || !l.req.Method.Write() {
		return l.dec.Verdict, l.dec.Reason
	}
	for _, keys := range l.ask.Body {
		if reason := l.w.engine.JudgeElement(&l.dec, &c, keys); reason != policy.NotJudged {
			return policy.Deny, reason
		}
	}
	return l.dec.Verdict, l.dec.Reason
}

// checkEntry compares the entry that the words call the winner with the one that Decide chose: that
// of the first choice or, if it has none, of the groups.
func (l *line) checkEntry(t *testing.T, r *explain.Report) {
	t.Helper()
	want := 0
	if l.dec.Entry != nil {
		want = l.dec.Entry.Number
	}
	got := 0
	if len(r.Choices) > 0 {
		got = r.Choices[0].Chosen
	}
	if got == 0 && len(r.Choices) > 1 && strings.Contains(r.Choices[1].For, "that are members") {
		got = r.Choices[1].Chosen
	}
	if got != want || r.Entry != want {
		t.Errorf("%s %s: got entry %d and %d, want %d\n%s", l.ask.Method, l.ask.Target, got, r.Entry, want, r.Text())
	}
}

// checkIDs compares the fates of ids with the parts of the decision.
func (l *line) checkIDs(t *testing.T, r *explain.Report) {
	t.Helper()
	for i, s := range r.Selectors {
		for _, f := range s.Outcomes {
			p := &l.dec.Selectors[i]
			from := map[string][]int64{explain.Passes: p.IDs, explain.Refused: p.Denied, explain.Unknown: p.Unknown}[f.Outcome]
			if f.Outcome == explain.Unknown && p.Match { // of what is permitted the conditions are open
				from = slices.Concat(p.Unknown, p.IDs)
			}
			for _, id := range f.IDs {
				if f.Outcome != explain.Dropped && !slices.Contains(from, id) {
					t.Errorf("%s %s: %d is called %s", l.ask.Method, l.ask.Target, id, f.Outcome)
				}
				if f.Outcome == explain.Dropped && slices.Contains(p.IDs, id) {
					t.Errorf("%s %s: %d is permitted and called %s", l.ask.Method, l.ask.Target, id, f.Outcome)
				}
			}
			if f.Why == "" || f.Why == "not permitted" {
				t.Errorf("%s %s: a fate without why: %+v\n%s", l.ask.Method, l.ask.Target, f, r.Text())
			}
		}
	}
}

// checkChoices wants each entry once, with a reason, and at most one chosen.
func checkChoices(t *testing.T, r *explain.Report) {
	t.Helper()
	for _, c := range r.Choices {
		seen := map[int]bool{}
		for _, e := range c.Entries {
			if seen[e.Number] || e.Why == "" || e.Chosen != (e.Number == c.Chosen) {
				t.Errorf("%s: entry %d: twice, without why, or wrongly chosen (%d): %+v", c.For, e.Number, c.Chosen, e)
			}
			seen[e.Number] = true
		}
	}
}

func checkText(t *testing.T, r *explain.Report) {
	t.Helper()
	text := r.Text()
	if i := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }); i >= 0 {
		t.Errorf("the text holds %q", text[i:])
	}
	if r.Hint == "" || r.Meaning == "" {
		t.Errorf("no hint or meaning for %s", r.Reason)
	}
	if body, err := json.Marshal(r); err != nil || !bytes.Contains(body, []byte(`"verdict"`)) {
		t.Errorf("cannot marshal: %v", err)
	}
}
