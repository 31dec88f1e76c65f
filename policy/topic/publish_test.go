package topic

import (
	"testing"

	"aclgate/policy"
)

func TestPublish(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	sender := w.token(t, "mqtt publish,subscribe fleet/#", "mqtt publish out/+", "mqtt subscribe in/+", "mqtt publish #", "gw/devices GET,POST,PUT -")
	narrow := w.token(t, "mqtt publish,subscribe fleet/#", "mqtt publish out/+", "mqtt subscribe in/+")
	for _, row := range []struct {
		tok   *policy.Token
		topic string
		cid   int64
		want  policy.Reason
	}{
		{narrow, "fleet/7", 0, policy.Permitted},
		{narrow, "fleet", 0, policy.Permitted},
		{narrow, "out/7", 11, policy.Permitted},
		{narrow, "in/7", 0, policy.NoTopicEntry},
		{narrow, "out/7/8", 0, policy.NoTopicEntry},
		{narrow, "fleet/7", 111, policy.ForeignAccount},
		{narrow, "fleet/7", 12, policy.ForeignAccount},
		{sender, "x", 0, policy.Permitted},
		{sender, "flespi/state/gw/devices/7/name", 0, policy.TopicClosed},
		{sender, "flespi", 0, policy.TopicClosed},
		{sender, "flespi/rest/put/gw/devices/7", 0, policy.TopicRest},
		{sender, "$SYS/x", 0, policy.TopicClosed},
		{sender, "$share/g/x", 0, policy.TopicClosed},
		{sender, "x/+", 0, policy.TopicSyntax},
		{sender, "", 0, policy.TopicSyntax},
		{w.plain(policy.Standard, 11), "x", 0, policy.Permitted},
		{w.plain(policy.Master, 1), "flespi/rest/get/gw/devices/all", 0, policy.TopicRest},
		{w.plain(policy.Master, 1), "flespi/state/platform/x", 0, policy.TopicClosed},
		{w.plain(policy.NoAPI, 11), "x", 0, policy.TokenNoAPI},
		{w.plain(policy.NoAccess, 11), "x", 0, policy.TokenNoAPI},
	} {
		if got := w.judge(row.tok).Publish([]byte(row.topic), row.cid); got != row.want {
			t.Errorf("%v %s of %d: got %v, want %v", row.tok.Access, row.topic, row.cid, got, row.want)
		}
	}
}

// Whoever answers may have more rights than who asked: the answer goes where the sender may listen.
func TestResponseTopics(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	j := w.judge(w.token(t, "mqtt publish out/+", "mqtt subscribe in/+", "gw/devices GET -"))
	for topic, want := range map[string]policy.Reason{
		"in/7": policy.Permitted, "out/7": policy.ResponseTopic, "other": policy.ResponseTopic, "flespi/state/gw/devices/7/name": policy.ResponseTopic,
		"flespi/rest/delete/gw/devices/7": policy.ResponseTopic, "$SYS": policy.ResponseTopic, "in/+": policy.TopicSyntax,
	} {
		if got := j.Response([]byte(topic)); got != want {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
	for _, row := range []struct {
		topic, response string
		cid             int64
		want            policy.Reason
	}{
		{"out/7", "", 0, policy.Permitted}, {"out/7", "in/7", 11, policy.Permitted}, {"out/7", "out/7", 0, policy.WillDenied}, {"in/7", "", 0, policy.WillDenied},
		{"flespi/rest/x", "", 0, policy.WillDenied}, {"$SYS/x", "", 0, policy.WillDenied}, {"out/7", "", 12, policy.WillDenied}, {"out/#", "", 0, policy.TopicSyntax},
	} {
		var response []byte
		if row.response != "" {
			response = []byte(row.response)
		}
		if got := j.Will([]byte(row.topic), response, row.cid); got != row.want {
			t.Errorf("will %s, %s: got %v, want %v", row.topic, row.response, got, row.want)
		}
	}
}

// A token under policy.enforce: false is judged as a standard one; what is closed stays closed.
func TestUnenforced(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	w.engine.Unenforced = true
	j := w.judge(w.token(t, "mqtt publish x"))
	for topic, want := range map[string]policy.Reason{
		"y": policy.Permitted, "flespi/state/gw/devices/7": policy.Permitted, "flespi/rest/x": policy.TopicRest, "flespi/log/mqtt/x": policy.ClosedMQTT,
		"flespi/state/platform/webhooks/1": policy.ClosedPlatform,
	} {
		if got := j.Deliver([]byte(topic), 0); got != want {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
}

// Everything that rights are made from changes the fingerprint; nothing else does.
func TestFingerprint(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	base := func() *policy.Token { return w.token(t, "gw/devices GET 7,9", "mqtt publish a") }
	prints := map[[32]byte]string{}
	add := func(name string, tok *policy.Token) {
		p := w.law.Permit(tok).Fingerprint(w.tree)
		if other, known := prints[p]; known {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		prints[p] = name
	}
	with := func(change func(*policy.Token)) *policy.Token {
		tok := base()
		change(tok)
		return tok
	}
	add("base", base())
	add("digest", with(func(tok *policy.Token) { tok.Digest[3] = 1 }))
	add("id", with(func(tok *policy.Token) { tok.ID = 18 }))
	add("access", with(func(tok *policy.Token) { tok.Access = policy.Standard }))
	add("account", with(func(tok *policy.Token) { tok.CID = 12 }))
	add("ids", w.token(t, "gw/devices GET 7", "mqtt publish a"))
	add("methods", w.token(t, "gw/devices GET,PUT 7,9", "mqtt publish a"))
	add("order", w.token(t, "mqtt publish a", "gw/devices GET 7,9"))
	add("topic", w.token(t, "gw/devices GET 7,9", "mqtt publish b"))
	add("actions", w.token(t, "gw/devices GET 7,9", "mqtt subscribe a"))
	add("entries", w.token(t, "gw/devices GET 7,9"))
	moved, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11}, {ID: 12, Parent: 1}}, 4)
	if w.law.Permit(base()).Fingerprint(moved) == w.law.Permit(base()).Fingerprint(w.tree) {
		t.Error("an account below another one has the same fingerprint")
	}
	same := with(func(tok *policy.Token) { tok.Expire, tok.Info, tok.Line = 1<<41, "other", 7 })
	if prints[w.law.Permit(same).Fingerprint(w.tree)] != "base" {
		t.Error("another expire or info is another fingerprint")
	}
}

// Matches is how a session finds the printed filter that a copy of a message is of.
func TestMatches(t *testing.T) {
	w := newWorld(t, policy.ModeHeader).lawOf(Flespi, ByCID)
	for _, row := range []struct {
		filter, topic string
		want          bool
	}{
		{"$share/g/$filter/cid=11/a/+", "a/b", true}, {"a/b,c", "a/c", true}, {"a/#", "a", true}, {"a/+", "a", false}, {"#", "$SYS", false}, {"a/#/b", "a", false},
		{"$filter/cid=12/a/+", "a/b", false},
	} {
		if got := w.law.Matches(row.filter, []byte(row.topic), 11); got != row.want {
			t.Errorf("%s, %s: got %v", row.filter, row.topic, got)
		}
	}
}
