package mqtt

import (
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// revocations returns how many sessions were counted that ended after their rights, and how long that
// took, all together.
func (w *world) revocations() (n uint64, took time.Duration) {
	w.t.Helper()
	all, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "aclgate_mqtt_revocation_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), time.Duration(h.GetSampleSum() * float64(time.Second))
		}
	}
	w.t.Fatal("there is no such metric")
	return 0, 0
}

// TestRevocationTimed: what is measured begins with the change, or with the second in which the token
// expired, and an end that has nothing to do with rights is not measured.
func TestRevocationTimed(t *testing.T) {
	const ago = time.Hour
	expiring := func(w *world) {
		t := w.acl(17, policy.Publish|policy.Subscribe, "a/#", 7, 9)
		t.Expire = time.Now().Unix() + 1
		w.set("acl-key-1", t)
	}
	for _, row := range []struct {
		name          string
		before, after func(*world)
		want          string
		n             uint64
		least, most   time.Duration
	}{
		{"token gone", nil, func(w *world) { w.set("acl-key-1", nil) }, "DISCONNECT 0x87 <nil>", 1, 0, time.Minute},
		{"other rights", nil, func(w *world) { w.set("acl-key-1", w.acl(17, policy.Subscribe, "a/#", 7)) }, "DISCONNECT 0x98 <nil>", 1, 0, time.Minute},
		{"noticed late", nil, func(w *world) {
			w.set("acl-key-1", nil)
			w.mu.Lock()
			w.changed = time.Now().Add(-ago)
			w.mu.Unlock()
		}, "DISCONNECT 0x87 <nil>", 1, ago, ago + time.Minute},
		{"expired, long after the change", func(w *world) {
			expiring(w)
			w.mu.Lock()
			w.changed = time.Now().Add(-ago)
			w.mu.Unlock()
		}, func(*world) {}, "DISCONNECT 0x87 <nil>", 1, 0, time.Minute},
		{"by the broker", nil, func(w *world) { w.server.all()[0].broker.Load().Cut() }, "DISCONNECT 0x89 <nil>", 0, 0, 0},
	} {
		w, _ := fakeWorld(t, nil)
		if row.before != nil {
			row.before(w)
		}
		p := w.dial(wire.V5, "acl-key-1", nil)
		p.want("CONNACK 0x00 <nil>")
		row.after(w)
		p.want(row.want)
		p.want("error: EOF")
		if n, took := w.revocations(); n != row.n || took < row.least || took > row.most {
			t.Errorf("%s: %d were measured, %v", row.name, n, took)
		}
	}
}
