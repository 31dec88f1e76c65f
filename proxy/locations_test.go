package proxy

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// A URL in a head that names the backend names the gateway; one that names another address is left
// out; the rest passes (SPEC 5).
func TestLocations(t *testing.T) {
	backends := func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Backends = []string{"http://10.0.0.5:9000", "https://api.internal"}
		o.PublicURL = "https://gw.example"
	}
	for _, row := range []struct {
		sent string
		want []string // of that header
	}{
		{"Location: http://10.0.0.5:9000/gw/devices/1?x=1#y", []string{"https://gw.example/gw/devices/1?x=1#y"}},
		{"Location: HTTPS://API.internal:443", []string{"https://gw.example"}},
		{"Location: https://user:pw@api.internal/x", []string{"https://gw.example/x"}},
		{"Location: //10.0.0.5:9000/x", []string{"https://gw.example/x"}},
		{"Location: //10.0.0.9:9000/x", nil},
		{"Content-Location: http://10.0.0.5:9000/x", []string{"https://gw.example/x"}},
		{"Location: /gw/devices/1", []string{"/gw/devices/1"}},
		{"Location: ?x=http://10.0.0.5:9000/", []string{"?x=http://10.0.0.5:9000/"}},
		{"Location: https://elsewhere.example/x", []string{"https://elsewhere.example/x"}},
		{"Location: http://10.0.0.5/x", nil},
		{"Location: http://10.0.0.9:9000/x", nil},
		{"Location: http://[fe80::1]:9000/x", nil},
		{"Location: http://[2001:db8::1]/x", nil},
		{`Location: http:\\10.0.0.9/x`, nil},
		{`Link: <http://10.0.0.5:9000/a>; rel="next", </b>; rel=prev`, []string{`<https://gw.example/a>; rel="next", </b>; rel=prev`}},
		{`Link: <http://10.0.0.9/a>; title="a, <b>", <https://x.example/>; rel=x`, []string{`<https://x.example/>; rel=x`}},
		{`Link: <http://10.0.0.9/a>; rel=next`, nil},
		{`Link: <https://x.example/>; title="open`, nil},
		{`Link: nonsense`, nil},
	} {
		w := textWired(t, plain("{}", row.sent), backends)
		header := w.call(allKey, "GET", "/gw/devices/1", "").header
		name, _, _ := strings.Cut(row.sent, ":")
		if got := header.Values(name); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.sent, got, row.want)
		}
	}
	for _, line := range []string{"CDN-Cache-Control: x", "surrogate-control: x", "X-Accel-Redirect: /x", "X-Accel-Expires: 1"} {
		name, _, _ := strings.Cut(line, ":")
		w := textWired(t, plain("{}", line))
		if header := w.call(allKey, "GET", "/gw/devices/1", "").header; len(header.Values(name)) > 0 {
			t.Errorf("%s passes", line)
		}
	}
}
