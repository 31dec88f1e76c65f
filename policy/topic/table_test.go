package topic

import (
	"testing"

	"aclgate/policy"
)

// TestFamilies goes through the table of SPEC 16.4.1, row by row: for each a token that may and one
// that may not.
func TestFamilies(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	tokens := map[string]*policy.Token{
		"item 7":      w.token(t, "gw/devices GET 7 []", "gw/modems GET 7", "gw/calcs GET 5 []"),
		"all of 7":    w.token(t, "gw/devices GET 7", "gw/modems GET 7", "gw/calcs GET 5"),
		"telemetry 7": w.token(t, "gw/devices none 7 telemetry=GET messages=PUT", "gw/calcs none 5 devices=GET"),
		"messages":    w.token(t, "gw/devices none - messages=GET"),
		"logs":        w.token(t, "gw/devices none 7 logs=GET"),
		"writer":      w.token(t, "gw/devices PUT,POST,DELETE 7", "gw/calcs PUT 5"),
		"linked":      w.token(t, "gw/calcs GET 5", "gw/devices GET 7"),
		"calcs":       w.token(t, "gw/calcs GET 5"),
		"mqtt":        w.token(t, "mqtt publish,subscribe #", "mqtt publish,subscribe flespi/#", "mqtt publish,subscribe $SYS/#"),
		"standard":    w.plain(policy.Standard, 11),
		"master":      w.plain(policy.Master, 1),
		"noapi":       w.plain(policy.NoAPI, 1),
	}
	for _, row := range []struct{ topic, allowed, denied string }{
		{"flespi/state/gw/devices/7", "item 7|all of 7|standard|master", "telemetry 7|messages|writer|mqtt|noapi"},
		{"flespi/state/gw/devices/7/name", "item 7|all of 7|standard|master", "telemetry 7|messages|writer|mqtt|noapi"},
		{"flespi/state/gw/devices/7/cid", "item 7|all of 7|standard", "telemetry 7|messages"},
		{"flespi/state/gw/devices/8", "standard|master", "item 7|all of 7"},
		{"flespi/state/gw/devices/8/name", "standard|master", "item 7|all of 7"},
		{"flespi/state/gw/devices/07", "", "standard|master|all of 7"},
		{"flespi/state/gw/devices/0", "", "standard|master|all of 7"},
		{"flespi/state/gw/devices", "", "standard|master|all of 7"},
		{"flespi/state/gw/devices/7/name/x", "", "standard|master|all of 7"},
		{"flespi/state/gw/devices/7/telemetry", "telemetry 7|all of 7|standard|master", "item 7|messages|writer"},
		{"flespi/state/gw/devices/7/telemetry/position.speed", "telemetry 7|all of 7|standard|master", "item 7|messages|writer|noapi"},
		{"flespi/state/gw/devices/7/settings/a/b", "all of 7|standard", "telemetry 7|item 7"},
		{"flespi/state/gw/devices/7/connections/3", "all of 7|standard", "telemetry 7|item 7"},
		{"flespi/state/gw/devices/7/commands-queue/3", "all of 7|standard", "telemetry 7|item 7"},
		{"flespi/state/gw/devices/7/commands/3", "", "standard|master|all of 7"}, // no GET
		{"flespi/state/gw/channels/7/idents/abc", "standard|master", "all of 7"},
		{"flespi/message/gw/devices/7", "messages|all of 7|standard", "item 7|telemetry 7|writer|mqtt"},
		{"flespi/message/gw/devices/9/x/y", "messages|standard", "all of 7|item 7"},
		{"flespi/message/gw/modems/7", "item 7|all of 7|standard", "messages|telemetry 7"},
		{"flespi/message/gw/modems/7/sms", "item 7|standard", "messages"},
		{"flespi/message/gw/modems/8", "standard", "item 7"},
		{"flespi/message/gw/calcs/5", "", "standard|master|calcs"}, // no GET of messages
		{"flespi/log/gw/devices/7/created", "logs|all of 7|standard", "item 7|messages|telemetry 7"},
		{"flespi/log/gw/devices/7/commands-queue/3/sent", "logs|standard", "item 7|messages"},
		{"flespi/log/gw/devices/8/created", "standard", "logs|all of 7"},
		{"flespi/state/gw/calcs/5/devices/7/x", "linked|all of 7|standard", "item 7|telemetry 7|messages|writer"},
		{"flespi/state/gw/calcs/5/devices/7", "linked|standard", "item 7"},
		{"flespi/state/gw/calcs/5/devices/8/x", "calcs|standard", "linked|all of 7"},
		{"flespi/state/gw/calcs/6/devices/7/x", "standard", "linked|calcs"},
		{"flespi/state/gw/calcs/5/devices/x/y", "", "linked|calcs|standard|master"},
		{"flespi/state/gw/calcs/5/devices", "calcs|standard", "linked|all of 7|item 7"}, // of all linked items
		{"flespi/interval/gw/calcs/5/devices/7/created", "linked|all of 7|standard", "item 7|writer|messages"},
		{"flespi/interval/gw/calcs/5/devices/8/created", "calcs|standard", "linked"},
		{"flespi/interval/gw/calcs/6/devices/7/created", "standard", "linked|calcs"},
		{"flespi/interval/gw/calcs/5/devices/7", "", "standard|master|linked"},
		{"flespi/interval/gw/calcs/5/devices/7/a/b", "", "standard|master|linked"},
		{"flespi/interval/gw/calcs/5/geofences/7/created", "", "standard|master|linked"},
		{"flespi/interval/gw/streams/5/devices/7/created", "", "standard|master|linked"},
		{"flespi/state/platform/webhooks/3", "master", "standard|all of 7|mqtt|noapi"},
		{"flespi/log/platform/customer/x", "master", "standard|all of 7|mqtt"},
		{"flespi/message/platform/subaccounts/3/x", "master", "standard|mqtt"},
		{"flespi/interval/platform/subaccounts/3/x", "", "master|standard|mqtt"},
		{"flespi/state/platform/tokens/3", "", "master|standard"}, // would hand out keys of the backend
		{"flespi/state/platform/customer/tokens/3/x", "", "master|standard"},
		{"flespi/state/platform/unheard", "", "master|standard"},
		{"flespi/state/mqtt/sessions/3", "master|standard", "all of 7|mqtt|noapi"},
		{"flespi/log/mqtt/client/x", "master|standard", "all of 7|mqtt"},
		{"flespi/message/mqtt/client/x", "", "master|standard|mqtt"},
		{"flespi/rest/get/gw/devices/7", "", "master|standard|mqtt|all of 7"},
		{"flespi/rest", "", "master|standard|mqtt"},
		{"flespi/unheard/gw/devices/7", "", "master|standard|mqtt|all of 7"},
		{"flespi/state/gw/unheard/7", "", "master|standard|mqtt|all of 7"},
		{"flespi//gw/devices/7", "", "master|standard|mqtt"},
		{"flespi/", "", "master|standard|mqtt"},
		{"flespi", "", "master|standard|mqtt"},
		{"flespi/state/gw/devices/7,9", "", "master|standard|all of 7"},
		{"$SYS/broker/version", "", "master|standard|mqtt"},
		{"$CONTROL/x", "", "master|standard|mqtt"},
		{"$share/g/a", "", "master|standard|mqtt"},
		{"/flespi", "mqtt|standard|master", "all of 7|noapi"},
		{"Flespi/rest/x", "mqtt|standard|master", "all of 7|noapi"},
		{"a//b", "mqtt|standard|master", "all of 7|noapi"},
		{"a/+", "", "mqtt|standard|master"},
		{"a/#", "", "mqtt|standard|master"},
		{"a\x00b", "", "mqtt|standard|master"},
		{"", "", "mqtt|standard|master"},
	} {
		for names, want := range map[string]bool{row.allowed: true, row.denied: false} {
			for _, name := range fields(names) {
				tok := tokens[name]
				if tok == nil {
					t.Fatalf("no token is called %q", name)
				}
				reason := w.judge(tok).Deliver([]byte(row.topic), 0)
				if got := reason == policy.Permitted; got != want {
					t.Errorf("%s to %s: got %v, want permitted %v", row.topic, name, reason, want)
				}
			}
		}
	}
}

// Reasons that operators look for in metrics and explain.
func TestReasonsOfDeliveries(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	tok := w.token(t, "gw/devices GET 7 []", "mqtt subscribe a/#")
	for topic, want := range map[string]policy.Reason{
		"flespi/rest/get/gw/devices/7":  policy.TopicRest,
		"flespi/x":                      policy.TopicClosed,
		"$SYS/x":                        policy.TopicClosed,
		"b":                             policy.NoTopicEntry,
		"a":                             policy.Permitted,
		"a/+":                           policy.TopicSyntax,
		"flespi/state/gw/devices/8":     policy.DeniedItems,
		"flespi/state/gw/devices/7/sms": policy.NoEntry,
		"flespi/state/gw/channels/7":    policy.NoEntry,
		"flespi/state/platform/grants":  policy.ClosedPlatform,
		"flespi/state/mqtt/x":           policy.ClosedMQTT,
	} {
		if got := w.judge(tok).Deliver([]byte(topic), 0); got != want {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
	expired := *tok
	expired.Expire = 1
	if got := w.judge(&expired).Deliver([]byte("a"), 0); got != policy.TokenExpired {
		t.Errorf("expired: got %v", got)
	}
	if got := w.judge(w.plain(policy.Master, 99)).Deliver([]byte("a"), 0); got != policy.ForeignAccount {
		t.Errorf("an account that is not there: got %v", got)
	}
}

// Members of groups are remembered for a revision, and no longer.
func TestGroupsOfARevision(t *testing.T) {
	w := newWorld(t, policy.ModeIDs)
	items := &placed{
		of:      map[string]map[int64]int64{"gw/devices": {7: 11, 8: 11}, "gw/groups": {4: 11}},
		members: map[string]map[int64][]int64{"gw/devices": {4: {7}}}, tree: w.tree,
	}
	w.items = items
	j := w.judge(w.token(t, "gw/groups GET 4"))
	topic := []byte("flespi/state/gw/devices/8/name")
	for i, row := range []struct {
		revision uint64
		members  []int64
		want     policy.Reason
	}{
		{1, []int64{7}, policy.DeniedItems}, {2, []int64{7, 8}, policy.Permitted}, {3, []int64{7}, policy.DeniedItems}, {0, []int64{8}, policy.Permitted},
		{0, nil, policy.DeniedItems},
	} {
		items.members["gw/devices"][4] = row.members
		j.Revision = row.revision
		if got := j.Deliver(topic, 0); got != row.want {
			t.Errorf("step %d: got %v, want %v", i, got, row.want)
		}
	}
	j.Revision = 9
	items.members["gw/devices"][4] = []int64{8}
	if got := j.Deliver(topic, 0); got != policy.Permitted || j.Entry() != 1 {
		t.Errorf("got %v by entry %d", got, j.Entry())
	}
	j.SetPermit(w.law.Permit(w.token(t, "gw/groups GET 5"))) // at the same revision
	if got := j.Deliver(topic, 0); got != policy.DeniedItems {
		t.Errorf("another permit: got %v", got)
	}
}
