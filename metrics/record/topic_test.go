package record

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
)

// A topic is a client's text: whatever it holds, the line is one line that can be read again.
func TestTopicLine(t *testing.T) {
	rows := []struct{ topic, want string }{
		{"a/+/#", "a/+/#"},
		{"a\"b\\\n\x1b[2Jü\x00", "a%22b%5C%0A%1B[2J%C3%BC%00"},
		{strings.Repeat("x", 300), strings.Repeat("x", maxTopic) + "…"},
		{strings.Repeat("x", maxTopic-1) + "\n", strings.Repeat("x", maxTopic-1) + "…"},
		{"", ""},
	}
	for _, row := range rows {
		r := Topic{
			Time: time.Unix(1700000000, 0), Action: Subscribe, Verdict: policy.Deny, Reason: policy.NoTopicEntry, Code: 0x87,
			Caller: CallerOf(&policy.Token{ID: 17, CID: 11, Digest: policy.Digest{0xab}}), Source: netip.MustParseAddr("::ffff:192.0.2.1"),
			Printed: 3, Denied: 2, Withheld: 9,
		}
		r.SetTopic([]byte(row.topic))
		text := r.AppendJSON(nil)
		l, err := ParseLine(text)
		if err != nil || strings.ContainsFunc(string(text), func(c rune) bool { return c < ' ' }) {
			t.Errorf("%q: got %q, %v", row.topic, text, err)
		}
		want := Line{
			Time: l.Time, Action: "subscribe", Verdict: "deny", Reason: "no-topic-entry", Code: 0x87, Topic: row.want, Printed: 3, Denied: 2,
			Withheld: 9, Token: 17, Digest: "ab000000", CID: 11, Source: "192.0.2.1",
		}
		if !reflect.DeepEqual(l, want) || l.Time.Unix() != 1700000000 {
			t.Errorf("%q: got %+v, want %+v", row.topic, l, want)
		}
	}
	for _, text := range []string{`{"action":"end","event":"start"}`, `{"action":"end","decision":"x"}`, `{"topic":"a"}`} {
		if _, err := ParseLine([]byte(text)); err != ErrLine {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// Every action has a word of its own.
func TestActions(t *testing.T) {
	for a, word := range map[Action]string{Connect: "connect", Will: "will", Subscribe: "subscribe", Publish: "publish", Deliver: "deliver", End: "end", 99: ""} {
		if got := a.String(); got != word {
			t.Errorf("%d: got %q, want %q", a, got, word)
		}
	}
}
