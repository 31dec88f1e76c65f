package cases

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/policy/topic"
)

// runTopic runs a case about a topic.
func (r *Result) runTopic(s *Suite, c *Case, tok *policy.Token, items *index, check *Check) {
	report := explain.Topic(topic.Options{Engine: r.world.Engine}, explain.TopicAsk{Action: c.Action, Topic: c.Topic, File: r.world.File, Input: policy.Input{
		Token: tok, At: s.Now, Source: c.Source, Origin: []byte(c.Origin), AskedCID: c.CID, Tree: r.world.Tree, Grants: r.world.Grants, Items: items,
	}})
	if r.used[c.Token] == nil {
		r.used[c.Token] = map[int]bool{}
	}
	for _, number := range report.UsedEntries() {
		r.used[c.Token][number] = true
	}
	if wrong := c.Want.differsTopic(report); wrong != "" {
		check.Failure = wrong + "; " + decisiveChoice(report)
	}
}

// differsTopic is differs for a topic.
func (w *Want) differsTopic(r *explain.TopicReport) string {
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
	if w.Entry != 0 && w.Entry != r.Entry {
		differ("the entry that decides", r.Entry, w.Entry)
	}
	if w.Denied != nil && !slices.Equal(w.Denied, r.Denied) {
		differ("what is denied", r.Denied, w.Denied)
	}
	if w.Printed != nil && !slices.Equal(w.Printed, r.Printed) {
		differ("what the broker is asked for", or(strings.Join(r.Printed, " | "), "nothing"), strings.Join(w.Printed, " | "))
	}
	return strings.Join(wrong, "; ")
}

// decisiveChoice names the line of the policy that decided about a topic.
func decisiveChoice(r *explain.TopicReport) string {
	for _, c := range r.Choices {
		for _, e := range c.Entries {
			if e.Chosen {
				return fmt.Sprintf("entry %d (%s) decides: %s", e.Number, e.Place, e.Says)
			}
		}
	}
	if r.Token != nil && r.Token.Place != "" {
		return "no entry decides; the token is " + r.Token.Place
	}
	return "no entry decides"
}
