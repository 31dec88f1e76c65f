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
var topicSituations = []struct{ name, token, action, topic string }{
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

func topicReport(t *testing.T, token, action, name string) *explain.TopicReport {
	t.Helper()
	w := newWorld(t)
	w.add("messenger", policy.ACLAccess, 11, messenger...)
	return explain.Topic(topic.Options{Engine: w.engine}, explain.TopicAsk{Action: action, Topic: name, File: "policy.yaml",
		Input: policy.Input{Token: w.tokens[token], At: now, Tree: w.tree}})
}

func TestGoldenTopics(t *testing.T) {
	for _, s := range topicSituations {
		t.Run(s.name, func(t *testing.T) {
			got := topicReport(t, s.token, s.action, s.topic).Text()
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
			r := topicReport(t, token, explain.ActionDeliver, name)
			chosen := len(r.Choices) > 0 && !slices.ContainsFunc(r.Choices, func(c explain.Choice) bool { return c.Chosen == 0 })
			if r.Verdict == "allow" && !chosen || r.Reason == "no-entry" && chosen || r.Reason == "no-topic-entry" && chosen {
				t.Errorf("%s for %s: %s (%s), and the entries chosen are %+v", name, token, r.Verdict, r.Reason, r.Choices)
			}
		}
	}
}
