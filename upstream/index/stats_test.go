package index

import (
	"aclgate/upstream/upstreamtest"
	"testing"

	fake "aclgate/bench/backend"
	"aclgate/policy"
)

func TestIndexStats(t *testing.T) {
	_, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 30), fake.Options{Key: upstreamtest.GatewayKey, IgnoreCID: true})
	x := newIndexTest(t, tr, policy.ModeIDs)
	if s := x.Stats(); len(s.Collections) != 0 || s.Worked+s.Failed != 0 {
		t.Errorf("before the first reading: got %+v", s)
	}
	x.load()
	s := x.Stats()
	if len(s.Collections) != 1 || s.Worked != 1 || s.Failed != 0 {
		t.Fatalf("got %+v, want one collection that was read once", s)
	}
	if p := s.Collections[0]; p.Collection != "gw/devices" || p.Members || p.Items != 30 || p.Age < 0 || p.Stale {
		t.Errorf("got %+v, want fresh devices", p)
	}
}
