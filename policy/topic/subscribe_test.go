package topic

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// subscribeRow is one SUBSCRIBE: token, filter, reason and what is printed, with " | " between.
type subscribeRow struct {
	token   []string
	filter  string
	reason  policy.Reason
	printed string
	denied  string
}

func (row *subscribeRow) run(t *testing.T, w *world) {
	t.Helper()
	var s Subscription
	var tok *policy.Token
	switch row.token[0] {
	case "standard 11":
		tok = w.plain(policy.Standard, 11)
	case "master 1":
		tok = w.plain(policy.Master, 1)
	default:
		tok = w.token(t, row.token...)
	}
	reason := w.judge(tok).Subscribe(&s, []byte(row.filter), 0, 20)
	printed := printedOf(&s)
	if s.Wide {
		printed = "wide " + printed
	}
	if reason != row.reason || printed != row.printed || !slices.Equal(s.Denied, idsOf(row.denied)) {
		t.Errorf("%s, %s:\n got %v %q denied %v\nwant %v %q denied %s", strings.Join(row.token, "; "), row.filter, reason, printed, s.Denied,
			row.reason, row.printed, row.denied)
	}
}

// The tokens of the tables.
var (
	channels = []string{"gw/channels GET 10101"}
	devices  = []string{"gw/devices GET 7,9"}
	items    = []string{"gw/devices GET 7,9 []"}
	mixed    = []string{"gw/devices GET 7,9 telemetry=GET", "mqtt subscribe messages/+"}
	own      = []string{"mqtt subscribe messages/+", "mqtt publish secret/#"}
	anyone   = []string{"mqtt subscribe #"}
	calcs    = []string{"gw/calcs GET 5", "gw/devices GET 7,9"}
)

// TestChannelOfTheArticle is the vendor's own example: a token for gw/channels with ids [10101] gets
// what is below flespi/state/gw/channels/10101, and nothing of 10102, by wildcard or by name.
func TestChannelOfTheArticle(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	for _, row := range []subscribeRow{
		{channels, "flespi/state/gw/channels/10101/#", policy.Permitted, "flespi/state/gw/channels/10101/#", ""},
		{channels, "flespi/state/gw/channels/+/#", policy.Narrowed, "flespi/state/gw/channels/10101/#", ""},
		{channels, "flespi/state/gw/channels/#", policy.Narrowed, "flespi/state/gw/channels/10101/#", ""},
		{channels, "flespi/state/#", policy.Narrowed, "flespi/state/gw/channels/10101/#", ""},
		{channels, "+/state/gw/channels/+", policy.Narrowed, "flespi/state/gw/channels/10101", ""},
		{channels, "flespi/state/gw/channels/10101/+", policy.Permitted, "flespi/state/gw/channels/10101/+", ""},
		{channels, "flespi/state/gw/channels/10102/#", policy.DeniedItems, "", ""},
		{channels, "flespi/state/gw/channels/10102", policy.DeniedItems, "", ""},
		{channels, "flespi/state/gw/channels/10101,10102/#", policy.Narrowed, "flespi/state/gw/channels/10101/#", "10102"},
		{channels, "#", policy.Narrowed,
			"flespi/state/gw/channels/10101/# | flespi/message/gw/channels/10101/# | flespi/log/gw/channels/10101/#", ""},
	} {
		row.run(t, w)
	}
	j := w.judge(w.token(t, channels...))
	for topic, want := range map[string]policy.Reason{
		"flespi/state/gw/channels/10101/connections/1": policy.Permitted, "flespi/state/gw/channels/10101/name": policy.Permitted,
		"flespi/state/gw/channels/10102/connections/1": policy.DeniedItems, "flespi/state/gw/channels/10102/name": policy.DeniedItems,
	} {
		if got := j.Deliver([]byte(topic), 0); got != want {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
}

func TestSubscribe(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	for _, row := range []subscribeRow{
		{devices, "flespi/state/gw/devices/+/telemetry/#", policy.Narrowed,
			"flespi/state/gw/devices/7/telemetry/# | flespi/state/gw/devices/9/telemetry/#", ""},
		{items, "flespi/state/gw/devices/+/telemetry/#", policy.NoEntry, "", ""},
		{items, "flespi/state/gw/devices/7/#", policy.Narrowed, "flespi/state/gw/devices/7 | flespi/state/gw/devices/7/+", ""},
		{items, "flespi/state/gw/devices/+/id,name,telemetry", policy.Narrowed, "flespi/state/gw/devices/7/id | flespi/state/gw/devices/7/name |" +
			" flespi/state/gw/devices/9/id | flespi/state/gw/devices/9/name", ""},
		{mixed, "flespi/state/gw/devices/7/#", policy.Narrowed,
			"flespi/state/gw/devices/7 | flespi/state/gw/devices/7/+ | flespi/state/gw/devices/7/telemetry/+/#", ""},
		{mixed, "flespi/state/gw/devices/7/+", policy.Permitted, "flespi/state/gw/devices/7/+", ""},
		{mixed, "flespi/state/gw/devices/7/+/#", policy.Narrowed, "flespi/state/gw/devices/7/+ | flespi/state/gw/devices/7/telemetry/+/#", ""},
		{mixed, "flespi/message/gw/devices/7", policy.NoEntry, "", ""},
		{mixed, "messages/#", policy.Narrowed, "messages/+", ""},
		{own, "#", policy.Narrowed, "messages/+", ""},
		{own, "messages/+", policy.Permitted, "messages/+", ""},
		{own, "+/x", policy.Narrowed, "messages/x", ""},
		{own, "secret/x", policy.NoTopicEntry, "", ""},
		{own, "$share/g/#", policy.Narrowed, "$share/g/messages/+", ""},
		{anyone, "#", policy.Permitted, "wide #", ""},
		{anyone, "+/a", policy.Permitted, "+/a", ""},
		{anyone, "$share/g/#", policy.ShareWide, "", ""},
		{anyone, "$share/g/+/a/#", policy.Permitted, "$share/g/+/a/#", ""},
		{anyone, "flespi/#", policy.NoEntry, "", ""},
		{anyone, "$SYS/#", policy.TopicClosed, "", ""},
		{anyone, "$share/g/$SYS/#", policy.TopicClosed, "", ""},
		{anyone, "$share/g/$share/h/a", policy.TopicClosed, "", ""},
		{anyone, "$share//a", policy.TopicSyntax, "", ""},
		{anyone, "$share/g", policy.TopicSyntax, "", ""},
		{anyone, "$share/+/a", policy.TopicSyntax, "", ""},
		{anyone, "$share/g/", policy.TopicSyntax, "", ""},
		{anyone, "$filter/cid=11/a", policy.TopicSyntax, "", ""},
		{anyone, "a/#/b", policy.TopicSyntax, "", ""},
		{anyone, "a+", policy.TopicSyntax, "", ""},
		{anyone, "a,b/c", policy.Permitted, "a,b/c", ""},
		{anyone, "flespi/rest/#", policy.TopicRest, "", ""},
		{anyone, "flespi/x/#", policy.TopicClosed, "", ""},
		{anyone, "flespi/state/platform/#", policy.ClosedPlatform, "", ""},
		{anyone, "flespi/log/mqtt/#", policy.ClosedMQTT, "", ""},
		{[]string{"mqtt subscribe a/+", "mqtt subscribe +/b"}, "#", policy.Narrowed, "a/+ | +/b overlaps", ""},
		{[]string{"mqtt subscribe a/b", "mqtt subscribe a/+", "mqtt subscribe a/+"}, "a/#", policy.Narrowed, "a/+", ""},
		{calcs, "flespi/interval/gw/calcs/+/devices/+/+", policy.Narrowed,
			"flespi/interval/gw/calcs/5/devices/7/+ | flespi/interval/gw/calcs/5/devices/9/+", ""},
		{calcs, "flespi/interval/gw/calcs/5/devices/7,8/+", policy.Narrowed, "flespi/interval/gw/calcs/5/devices/7/+", "8"},
		{calcs, "flespi/interval/gw/calcs/5/devices/8/+", policy.DeniedItems, "", ""},
		{calcs, "flespi/state/gw/calcs/5/devices/#", policy.Narrowed,
			"flespi/state/gw/calcs/5/devices/7/# | flespi/state/gw/calcs/5/devices/9/#", ""},
		{calcs, "flespi/state/gw/devices/7,07/name", policy.Narrowed, "flespi/state/gw/devices/7/name", ""},
		{calcs, "flespi/state/gw/devices/07/name", policy.TopicClosed, "", ""},
		{[]string{"gw/devices GET none"}, "flespi/state/gw/devices/+/name", policy.NothingLeft, "", ""},
		{[]string{"standard 11"}, "#", policy.Permitted, "wide #", ""},
		{[]string{"standard 11"}, "flespi/message/gw/devices/+", policy.Permitted, "flespi/message/gw/devices/+", ""},
		{[]string{"standard 11"}, "$share/g/flespi/message/gw/devices/+", policy.Permitted, "$share/g/flespi/message/gw/devices/+", ""},
		{[]string{"standard 11"}, "$share/g/#", policy.ShareWide, "", ""},
		{[]string{"standard 11"}, "flespi/+/gw/devices/7/#", policy.Narrowed,
			"flespi/state/gw/devices/7/# | flespi/message/gw/devices/7/# | flespi/log/gw/devices/7/#", ""},
		{[]string{"standard 11"}, "flespi/state/gw/devices/+/#", policy.Permitted, "flespi/state/gw/devices/+/#", ""},
		{[]string{"master 1"}, "#", policy.Permitted, "#", ""},
		{[]string{"master 1"}, "flespi/state/platform/#", policy.Permitted, "flespi/state/platform/#", ""},
		{[]string{"gw/devices GET 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"}, "flespi/state/gw/devices/+/name",
			policy.TooManyFilters, "", ""},
		{[]string{"gw/devices GET 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"}, "flespi/state/gw/devices/+/#", policy.Narrowed,
			"flespi/state/gw/devices/1/#" + numberedFilters(2, 20), ""},
	} {
		row.run(t, w)
	}
}

func numberedFilters(from, to int64) (text string) {
	for id := from; id <= to; id++ {
		text += " | flespi/state/gw/devices/" + string(appendInt(nil, id)) + "/#"
	}
	return text
}
