package topic

import (
	"fmt"
	"strings"
	"testing"

	"aclgate/policy"
)

// hotRow is one judgement of the hot path.
type hotRow struct {
	name, topic string
	token       []string
	mode        policy.Mode
	want        policy.Reason
}

func hotRows() []hotRow {
	thousand := "gw/devices GET 1"
	for id := 2; id <= 1000; id++ {
		thousand += fmt.Sprintf(",%d", id)
	}
	return []hotRow{
		{"telemetry of one of 2", "flespi/state/gw/devices/7/telemetry/position.speed", []string{"gw/devices GET 7,9"}, policy.ModeHeader, policy.Permitted},
		{"telemetry of one of 1000", "flespi/state/gw/devices/777/telemetry/position.speed", []string{thousand}, policy.ModeHeader, policy.Permitted},
		{"item by the index", "flespi/state/gw/devices/7/name", []string{"gw/devices GET all"}, policy.ModeIDs, policy.Permitted},
		{"foreign item", "flespi/message/gw/devices/8", []string{"gw/devices GET 7,9"}, policy.ModeHeader, policy.DeniedItems},
		{"interval", "flespi/interval/gw/calcs/5/devices/7/created", []string{"gw/calcs GET 5", "gw/devices GET 7"}, policy.ModeHeader, policy.Permitted},
		{"own topic", "fleet/7/position", []string{"mqtt subscribe x/#", "mqtt publish,subscribe fleet/+/position"}, policy.ModeHeader, policy.Permitted},
		{"foreign own topic", "fleet/7/secret", []string{"mqtt subscribe fleet/+/position"}, policy.ModeHeader, policy.NoTopicEntry},
		{"by groups", "flespi/state/gw/devices/7/name", []string{"gw/groups GET 4"}, policy.ModeIDs, policy.Permitted},
		{"rest", "flespi/rest/get/gw/devices/7", []string{"gw/devices GET 7"}, policy.ModeHeader, policy.TopicRest},
	}
}

func (row *hotRow) judge(t testing.TB) (*Judge, []byte) {
	w := newWorld(t, row.mode)
	w.items = &placed{
		of:      map[string]map[int64]int64{"gw/devices": {7: 11}, "gw/groups": {4: 11}},
		members: map[string]map[int64][]int64{"gw/devices": {4: {7, 8}}}, tree: w.tree,
	}
	j := w.judge(w.token(t, row.token...))
	j.Revision = 1
	return j, []byte(row.topic)
}

// TestNoAllocs: to judge a delivery, or a publish, allocates nothing.
func TestNoAllocs(t *testing.T) {
	for _, row := range hotRows() {
		j, topic := row.judge(t)
		if got := j.Deliver(topic, 0); got != row.want {
			t.Fatalf("%s: got %v, want %v", row.name, got, row.want)
		}
		if n := testing.AllocsPerRun(100, func() { j.Deliver(topic, 0) }); n != 0 {
			t.Errorf("deliver %s: got %v allocations, want 0", row.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { j.Publish(topic, 0); j.Response(topic) }); n != 0 {
			t.Errorf("publish %s: got %v allocations, want 0", row.name, n)
		}
	}
}

func BenchmarkDeliver(b *testing.B) {
	for _, row := range hotRows() {
		b.Run(strings.ReplaceAll(row.name, " ", "-"), func(b *testing.B) {
			j, topic := row.judge(b)
			b.ReportAllocs()
			for b.Loop() {
				j.Deliver(topic, 0)
			}
		})
	}
}

// BenchmarkSubscribe narrows a wildcard to 1000 ids.
func BenchmarkSubscribe(b *testing.B) {
	for _, filter := range []string{"flespi/state/gw/devices/+/telemetry/#", "flespi/state/gw/devices/+/#", "flespi/state/gw/devices/7/telemetry/+"} {
		b.Run(strings.ReplaceAll(filter, "/", "-"), func(b *testing.B) {
			j, _ := (&hotRows()[1]).judge(b)
			var s Subscription
			b.ReportAllocs()
			for b.Loop() {
				j.Subscribe(&s, []byte(filter), 0, 1000)
			}
		})
	}
}
