package explain_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/policy/topic"
)

// messenger has entries for topics beside those for devices.
var messenger = []policy.Entry{
	{URI: "gw/devices", Methods: get, Rule: policy.IDsList, IDs: listOf(7, 9), HasSubmodules: true, Submodules: []policy.Submodule{sub("telemetry", policy.GET)}},
	{URI: "mqtt", Topic: "fleet/+/position", Actions: policy.Subscribe},
	{URI: "mqtt", Topic: "fleet/#", Actions: policy.Publish},
	{URI: "mqtt", Topic: "flespi/#", Actions: policy.Subscribe},
}

// topicSituations are what people ask about topics; each has its text in testdata.
var topicSituations = []topicSituation{
	{"topic-narrowed", "messenger", explain.ActionSubscribe, "flespi/state/gw/devices/+/telemetry/#"},
	{"topic-part-of-a-list", "messenger", explain.ActionSubscribe, "flespi/state/gw/devices/7,2024/telemetry/position"},
	{"topic-everything", "messenger", explain.ActionSubscribe, "#"},
	{"topic-own", "messenger", explain.ActionSubscribe, "fleet/#"},
	{"topic-share-wide", "root", explain.ActionSubscribe, "$share/g/$SYS/#"},
	{"topic-wide", "standard", explain.ActionSubscribe, "#"},
	{"topic-published", "messenger", explain.ActionPublish, "fleet/7/position"},
	{"topic-rest", "root", explain.ActionPublish, "flespi/rest/put/gw/devices/7"},
	{"topic-delivered", "messenger", explain.ActionDeliver, "flespi/state/gw/devices/7/telemetry/position"},
	{"topic-withheld", "messenger", explain.ActionDeliver, "flespi/message/gw/devices/7"},
	{"topic-linked", "viewer", explain.ActionDeliver, "flespi/interval/gw/calcs/5/devices/7/created"},
	{"topic-expired", "old", explain.ActionDeliver, "fleet/7"},
	{"topic-nobody", "nobody", explain.ActionDeliver, "fleet/7"},
	{"topic-syntax", "messenger", explain.ActionSubscribe, "fleet/#/\x1bposition"},
}

// Where the gateway keeps accounts apart, and no index is here.
var openTopics = []topicSituation{
	{"topic-open", "messenger", explain.ActionSubscribe, "flespi/state/gw/devices/+/telemetry/#"},
	{"topic-open-delivered", "messenger", explain.ActionDeliver, "flespi/state/gw/devices/7/telemetry/position"},
}

type topicSituation struct{ name, token, action, topic string }

func (s topicSituation) report(t *testing.T, mode policy.Mode) *explain.TopicReport {
	t.Helper()
	w := newWorld(t)
	w.engine.Mode = mode
	w.add("messenger", policy.ACLAccess, 11, messenger...)
	return explain.Topic(topic.Options{Engine: w.engine}, explain.TopicAsk{Action: s.action, Topic: s.topic, File: "policy.yaml",
		Input: policy.Input{Token: w.tokens[s.token], At: now, Tree: w.tree}})
}

// Of topics that no item has a part in, and of those that the entries deny, it is known without an index
// what becomes of them; of others it is not said that they are permitted.
func TestTopicsWithoutAnIndex(t *testing.T) {
	for _, s := range topicSituations {
		got, known := s.report(t, policy.ModeIDs), s.report(t, policy.ModeHeader)
		want := known.Verdict
		if want != "deny" && strings.HasPrefix(s.name, "topic-") && slices.ContainsFunc(got.Readings, func(r string) bool { return strings.Contains(r, " as GET") }) {
			want = "unresolved"
		}
		if got.Verdict != want || (got.Verdict == "unresolved") != (len(got.Open) > 0) {
			t.Errorf("%s: got %s with %q, want %s", s.name, got.Verdict, got.Open, want)
		}
	}
}

// An account that is blocked at this moment is why, whatever the entries say; a token that has ended comes
// first.
func TestTopicsOfTheBlocked(t *testing.T) {
	w := newWorld(t)
	for token, want := range map[string]string{"standard": "account-blocked", "old": "token-expired"} {
		r := explain.Topic(topic.Options{Engine: w.engine}, explain.TopicAsk{Action: explain.ActionPublish, Topic: "a",
			Input:   policy.Input{Token: w.tokens[token], At: now, Tree: w.tree},
			Blocked: func(*policy.Token) (policy.Reason, string) { return policy.AccountBlocked, "account 11 is not enabled" }})
		if r.Verdict != "deny" || r.Reason != want || (r.Detail == "account 11 is not enabled") != (token == "standard") {
			t.Errorf("%s: got %+v", token, r)
		}
	}
}

func TestGoldenTopics(t *testing.T) {
	for i, s := range slices.Concat(topicSituations, openTopics) {
		t.Run(s.name, func(t *testing.T) {
			mode := policy.ModeHeader
			if i >= len(topicSituations) {
				mode = policy.ModeIDs
			}
			got := s.report(t, mode).Text()
			for line := range strings.SplitSeq(got, "\n") {
				if n := utf8.RuneCountInString(line); n > 100 && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("a line has %d characters: %q", n, line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("a line holds a control character: %q", line)
				}
			}
			file := filepath.Join("testdata", s.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// What the entries say of a family is what decides: a delivery that is permitted has an entry chosen
// for each question, and one that is denied for want of an entry has none for some.
func TestTopicChoicesAgree(t *testing.T) {
	for _, name := range []string{
		"flespi/state/gw/devices/7", "flespi/state/gw/devices/7/telemetry/x", "flespi/state/gw/devices/7/settings/x", "flespi/message/gw/devices/9",
		"flespi/log/gw/devices/9/x", "flespi/state/gw/channels/3/name", "flespi/state/storage/containers/3", "flespi/interval/gw/calcs/5/devices/7/x",
		"fleet/7/position", "fleet/7/speed",
	} {
		for _, token := range []string{"messenger", "viewer", "linker", "empty"} {
			r := topicSituation{"", token, explain.ActionDeliver, name}.report(t, policy.ModeHeader)
			chosen := len(r.Choices) > 0 && !slices.ContainsFunc(r.Choices, func(c explain.Choice) bool { return c.Chosen == 0 })
			if r.Verdict == "allow" && !chosen || r.Reason == "no-entry" && chosen || r.Reason == "no-topic-entry" && chosen {
				t.Errorf("%s for %s: %s (%s), and the entries chosen are %+v", name, token, r.Verdict, r.Reason, r.Choices)
			}
		}
	}
}
