package proxy

import (
	"log/slog"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
)

// A public route is asked for as nobody (SPEC 3): whatever a caller shows, the backend gets neither
// a credential nor an account, and nobody gets a 401.
func TestPublicRoutes(t *testing.T) {
	ownKey := func(key string) setup {
		return func(o *Options, engine *policy.Engine, _ *head.Config) {
			o.Key, engine.CallersKey = func() string { return key }, key == ""
		}
	}
	for _, key := range []string{upstreamKey, ""} {
		w := textWired(t, plain(`{"result":[{"open":1}]}`), ownKey(key))
		w.token("public-noapi", "noapi", 11, "")
		for _, caller := range []string{"", "short", "nobody-has-this-key", allKey, readerKey, "public-noapi"} {
			for _, target := range []string{"/const/values?names=a", "/gw/api.json", "/storage/api.json", "/platform/api.json?cid=77"} {
				var more []string
				if !strings.Contains(target, "cid=") {
					more = []string{"x-flespi-cid: 77"}
				}
				got := w.call(caller, "GET", target, "", more...)
				if got.status != 200 || got.body != `{"result":[{"open":1}]}` {
					t.Errorf("%q %s: got %d %s", caller, target, got.status, got.body)
				}
				for _, r := range w.backend.take() {
					if r.all("authorization") != nil || r.all("x-flespi-cid") != nil || strings.Contains(r.line, "cid") {
						t.Errorf("%q %s: the backend got %s %v", caller, target, r.line, r)
					}
				}
			}
		}
		for _, row := range [][2]string{{"POST", "/const/values"}, {"GET", "/const/unheard"}, {"GET", "/gw/api.json/x"}} {
			if got := w.call("", row[0], row[1], ""); got.status != 401 || len(w.backend.take()) != 0 {
				t.Errorf("%v without a token: got %d, want 401", row, got.status)
			}
		}
	}
}

// A backend that wants a token for what the catalogue calls public has refused nobody's credential:
// no alarm, and no 401 that logs clients out.
func TestPublicRouteThatTheBackendRefuses(t *testing.T) {
	var log strings.Builder
	w := textWired(t, reply("401 Unauthorized", "{}"), func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	if got := w.call("", "GET", "/const/values", ""); got.status != 502 {
		t.Errorf("got %d, want 502", got.status)
	}
	if strings.Contains(log.String(), "credential") {
		t.Errorf("an alarm was raised: %s", log.String())
	}
}

// Strangers are limited by address at public routes too, and a valid key is not.
func TestPublicRoutesAreLimitedByAddress(t *testing.T) {
	f := newLimited(t, limit.Options{Source: perMinute(2)}, startText(t, plain("{}")))
	for i, want := range []int{200, 200, 429} {
		if got := f.call("", "GET", "/gw/api.json", ""); got.status != want {
			t.Errorf("request %d: got %d, want %d", i+1, got.status, want)
		}
	}
	if got := f.call("limits-a", "GET", "/gw/api.json", ""); got.status != 200 {
		t.Errorf("with a valid key: got %d", got.status)
	}
}
