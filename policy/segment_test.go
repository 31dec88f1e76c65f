package policy_test

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// put returns a target with its inset in its place.
func put(text []byte, in policy.Segment) string {
	return string(slices.Insert(slices.Clone(text), in.At, in.IDs.Bytes()...))
}

// TestAppendAround: with its inset put in, what was appended around it is the printed target; and
// only lists of an entry are left out.
func TestAppendAround(t *testing.T) {
	long, short := numbers(100000, 5000, 3), numbers(100, 9, 1)
	rows := []struct {
		name, ids, method, target string
		inset                     int // its length
	}{
		{"one id", long, "GET", "/gw/devices/100003", 0},
		{"all, few ids", short, "GET", "/gw/devices/all", 0},
		{"all, just too few", numbers(100, 256, 1), "GET", "/gw/devices/all", 0},
		{"all, just enough", numbers(100, 257, 1), "GET", "/gw/devices/all", 1027},
		{"all, many ids", long, "GET", "/gw/devices/all", len(long)},
		{"all with a query", long, "GET", "/gw/devices/all?fields=id", len(long)},
		{"all with a submodule", long, "GET", "/gw/devices/all/telemetry/all?fields=id", len(long)},
		{"all at a linked place", long, "GET", "/gw/calcs/1,2/devices/all", len(long)},
		{"a list, all permitted", long, "GET", "/gw/devices/" + long, 0},
		{"a list, narrowed", long, "GET", "/gw/devices/1," + long, 0},
	}
	for _, row := range rows {
		s := newScene(t, sceneRow{row.name, row.ids, row.method, row.target, ""})
		if s.run(); s.d.Verdict != policy.Narrow && s.d.Verdict != policy.Allow {
			t.Fatalf("%s: %v %v", row.name, s.d.Verdict, s.d.Reason)
		}
		want := string(policy.AppendTarget(nil, &s.r, &s.d))
		if got := put(s.out, s.inset); got != want {
			t.Errorf("%s: got %.80q, want %.80q", row.name, got, want)
		}
		if s.inset.IDs.Len() != row.inset || row.inset > 0 && s.inset.At < len("/gw/devices/") {
			t.Errorf("%s: got %d bytes at %d, want %d", row.name, s.inset.IDs.Len(), s.inset.At, row.inset)
		}
		before, in := policy.AppendTargetSegment([]byte("before"), &s.r, &s.d)
		if got := put(before, in); got != "before"+want {
			t.Errorf("%s: got %.80q behind other bytes", row.name, got)
		}
	}
}

// TestOneInset: a target has at most one inset, the rest is copied.
func TestOneInset(t *testing.T) {
	long := numbers(100000, 300, 1)
	s := newScene(t, sceneRow{"", long, "GET", "/gw/devices/all", ""})
	s.run()
	text := s.d.Selectors[0].Text
	s.r.Parse(&s.engine, policy.GET, []byte("/gw/calcs/1/devices/2"))
	s.engine.Decide(&s.d, &s.c)
	for i := range s.d.Selectors {
		s.d.Selectors[i].As, s.d.Selectors[i].Text = policy.AsIDs, text
	}
	out, in := policy.AppendTargetSegment(nil, &s.r, &s.d)
	if got, want := put(out, in), "/gw/calcs/"+long+"/devices/"+long; got != want || strings.Count(string(out), long) != 1 {
		t.Errorf("got %.200q, want %.200q", got, want)
	}
}
