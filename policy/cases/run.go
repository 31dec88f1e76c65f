package cases

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// Check is one case that was run.
type Check struct {
	File    string
	Line    int
	Suite   string
	Name    string // of the case, with its request and token
	Failure string // what was wrong, with the line of the policy that decided; "": nothing
}

// Result is what came of one or more suites.
type Result struct {
	Checks []Check
	world  World
	used   map[int64]map[int]bool // token → entries that were chosen
}

// NewResult returns an empty result about a policy.
func NewResult(w World) *Result { return &Result{world: w, used: map[int64]map[int]bool{}} }

// Failed returns how many cases failed.
func (r *Result) Failed() (n int) {
	for _, c := range r.Checks {
		if c.Failure != "" {
			n++
		}
	}
	return n
}

// Run runs a suite and adds what came of it.
func (r *Result) Run(s *Suite) {
	all := slices.Clone(s.Cases)
	for i := range s.Matrices {
		all = append(all, s.Matrices[i].cases()...)
	}
	items := &index{r.world.Tree, s.Items}
	for i := range all {
		r.Checks = append(r.Checks, r.run(s, &all[i], items))
	}
}

func (r *Result) run(s *Suite, c *Case, items *index) Check {
	check := Check{File: s.File, Line: c.Line, Suite: s.Name, Name: fmt.Sprintf("%s: %s as %s", c.Name, c.Request, c.As)}
	tok := r.world.Token(c.Token)
	if tok == nil && c.Token < 0 {
		check.Failure = fmt.Sprintf("the policy %s has no user %d", r.world.File, -c.Token)
		return check
	}
	if tok == nil {
		check.Failure = fmt.Sprintf("the policy %s has no token %d", r.world.File, c.Token)
		return check
	}
	if c.Action != "" {
		r.runTopic(s, c, tok, items, &check)
		return check
	}
	method, target, _ := strings.Cut(c.Request, " ")
	resolved := &policy.Resolved{LookedUp: true}
	if c.Match != nil {
		resolved.Matches = []policy.ResolvedMatch{{IDs: c.Match}}
	}
	report := explain.Explain(r.world.Engine, explain.Ask{Method: method, Target: target, File: r.world.File, Input: policy.Input{
		Token: tok, At: s.Now, Source: c.Source, Origin: []byte(c.Origin), AskedCID: c.CID,
		Tree: r.world.Tree, Grants: r.world.Grants, Items: items, Resolved: resolved, Body: c.Body,
	}})
	r.note(c.Token, report)
	if wrong := c.Want.differs(report); wrong != "" {
		check.Failure = wrong + "; " + decisive(report)
	}
	return check
}

// note remembers which entries were chosen.
func (r *Result) note(token int64, report *explain.Report) {
	if r.used[token] == nil {
		r.used[token] = map[int]bool{}
	}
	r.used[token][report.Entry] = true
	for _, c := range report.Choices {
		r.used[token][c.Chosen] = true
	}
}

// differs says what is not as it should be, "" when all is.
func (w *Want) differs(r *explain.Report) string {
	status, backend := r.Answer.Status, ""
	if status == 0 {
		status = 200
	}
	if r.Backend != nil {
		backend = r.Backend.Method + " " + r.Backend.Target
	}
	var wrong []string
	differ := func(what string, got, want any) {
		wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, got, want))
	}
	if w.Verdict != "" && w.Verdict != r.Verdict {
		differ("verdict", fmt.Sprintf("%s (%s)", r.Verdict, r.Reason), w.Verdict)
	}
	if w.Reason != "" && w.Reason != r.Reason {
		differ("reason", r.Reason, w.Reason)
	}
	if w.Status != 0 && w.Status != status {
		differ("status", status, w.Status)
	}
	if w.Backend != "" && w.Backend != backend {
		differ("what the backend gets", or(backend, "nothing"), w.Backend)
	}
	if w.Entry != 0 && w.Entry != r.Entry {
		differ("the entry that decides", r.Entry, w.Entry)
	}
	if denied := denied(r); w.Denied != nil && !slices.Equal(w.Denied, denied) {
		differ("what is denied", denied, w.Denied)
	}
	return strings.Join(wrong, "; ")
}

func or(text, empty string) string {
	if text == "" {
		return empty
	}
	return text
}

// denied returns the ids that the report says are denied, in its order.
func denied(r *explain.Report) (ids []int64) {
	for _, s := range r.Selectors {
		for _, f := range s.Outcomes {
			if f.Outcome == explain.Refused {
				ids = append(ids, f.IDs...)
			}
		}
	}
	return ids
}

// decisive names the line of the policy that decided.
func decisive(r *explain.Report) string {
	for _, c := range r.Choices {
		for _, e := range c.Entries {
			if e.Number == r.Entry && r.Entry != 0 {
				return fmt.Sprintf("entry %d (%s) decides: %s", e.Number, e.Place, e.Says)
			}
		}
	}
	if r.Token != nil && r.Token.Place != "" {
		return "no entry decides; the token is " + r.Token.Place
	}
	return "no entry decides"
}
