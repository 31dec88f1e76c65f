package proxy

import (
	"strings"
	"testing"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
)

// A long list that an entry keeps in print reaches the backend in its place, is counted in the
// length of the target, and is shown whole to who looks on.
func TestLongListInOneRequest(t *testing.T) {
	const n = 5000
	ids := numbered(1000, n)
	rows := []struct{ asked, sent string }{
		{"/gw/devices/all", "/gw/devices/" + ids},
		{"/gw/devices/all?fields=id", "/gw/devices/" + ids + "?fields=id"},
		{"/gw/devices/all/telemetry/all", "/gw/devices/" + ids + "/telemetry/all"},
		{"/gw/devices/1,1000,1002", "/gw/devices/1000,1002"},
		{"/gw/devices/1," + ids, "/gw/devices/" + ids},
	}
	shown := make(chan string, 1)
	show := func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Served = func(_ *record.Record, _, _, sent []byte) { shown <- string(sent) }
	}
	for name, change := range map[string][]setup{"unseen": nil, "shown": {show}} {
		b := startList(t)
		b.max = 64 << 10
		f := long(t, b, 1000, n, append(change, maxURL(64<<10))...)
		for _, row := range rows {
			f.call(longKey, "GET", row.asked, "")
			log := b.take()
			if len(log) != 1 || log[0].target() != row.sent {
				t.Errorf("%s, %.40s: got %d requests, want one for %.80s", name, row.asked, len(log), row.sent)
			}
			if len(change) > 0 {
				if got := <-shown; got != row.sent {
					t.Errorf("%.40s: got %.80s shown, want %.80s", row.asked, got, row.sent)
				}
			}
		}
	}
}

// The bound of a target counts the list that is not copied.
func TestLongListAtTheBound(t *testing.T) {
	const n = 1000
	target := "/gw/devices/" + numbered(1000, n) + "/logs"
	for past, want := range []string{target, ""} {
		b := startList(t)
		f := long(t, b, 1000, n, maxURL(len(target)-past))
		got := f.call(longKey, "GET", "/gw/devices/all/logs", "")
		log := b.take()
		switch {
		case want != "" && (len(log) != 1 || log[0].target() != want):
			t.Errorf("got %d requests and %d %.80s, want one for %.80s", len(log), got.status, got.body, want)
		case want == "" && (len(log) != 0 || got.status != 400 || !strings.Contains(got.body, "name fewer items")):
			t.Errorf("got %d requests and %d %.80s, want a refusal", len(log), got.status, got.body)
		}
	}
}
