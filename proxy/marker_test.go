package proxy

import (
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

const (
	ownMarker   = "00112233445566778899aabb"
	otherMarker = "ffeeddccbbaa998877665544"
)

// A request that was here before is stopped whatever else is wrong with it; ids of other gateways go
// on, and nothing else of the header does.
func TestHopMarker(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) { o.Marker = ownMarker })
	many := strings.Repeat(otherMarker+",", maxMarkers)
	rows := []struct {
		name, key string
		fields    []string
		status    int
		passed    string // ids that the backend sees
	}{
		{"none", readerKey, nil, 200, ""},
		{"own", readerKey, []string{"x-aclgate-via: " + ownMarker}, 508, ""},
		{"own, of a stranger", "nobody-knows-me", []string{"X-Aclgate-Via:" + ownMarker}, 508, ""},
		{"own among others", readerKey, []string{"x-aclgate-via: " + otherMarker + " ,\t" + ownMarker}, 508, ""},
		{"own in a second line", readerKey, []string{"x-aclgate-via: " + otherMarker, "x-aclgate-via: " + ownMarker}, 508, ""},
		{"another", readerKey, []string{"x-aclgate-via: " + otherMarker}, 200, otherMarker},
		{"as many as may be", readerKey, []string{"x-aclgate-via: " + many[:len(many)-1]}, 200, strings.TrimSuffix(many, ",")},
		{"too many", readerKey, []string{"x-aclgate-via: " + many + otherMarker}, 508, ""},
		{"no ids", readerKey, []string{"x-aclgate-via: a, " + ownMarker + "0, " + strings.ToUpper(ownMarker) + ", ,"}, 200, ""},
		{"another spelling", readerKey, []string{"x_aclgate_via: " + ownMarker}, 200, ""},
	}
	for _, row := range rows {
		w.backend.take()
		got := w.raw(request(row.key, "GET", "/gw/devices/1", "", row.fields...))
		if got.status != row.status {
			t.Errorf("%s: got %d, want %d", row.name, got.status, row.status)
			continue
		}
		sent := w.backend.take()
		if want := (row.status == 200); want != (len(sent) == 1) {
			t.Errorf("%s: got %d requests to the backend", row.name, len(sent))
			continue
		}
		var ids []string
		for _, r := range sent {
			for _, f := range r.fields {
				if strings.Contains(strings.ToLower(f[0]), "aclgate") {
					ids = append(ids, f[1])
				}
			}
		}
		if got := strings.Join(ids, ","); got != row.passed {
			t.Errorf("%s: the backend sees %q, want %q", row.name, got, row.passed)
		}
	}
}

// NewMarker makes ids that are taken for such, and never the same.
func TestNewMarker(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id := NewMarker()
		if !isMarker([]byte(id)) || seen[id] {
			t.Fatalf("got %q", id)
		}
		seen[id] = true
	}
}
