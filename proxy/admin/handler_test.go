package admin

import (
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
)

func TestHealth(t *testing.T) {
	_, addr := start(t, Options{Checks: []Check{{Name: "store", Func: func() error { return errors.New("down") }}}})
	resp, text := ask(t, "GET", "http://"+addr+"/healthz")
	if want := `{"result":[{"state":"ok"}]}` + "\n"; resp.StatusCode != 200 || text != want {
		t.Errorf("got %d %q, want 200 %q", resp.StatusCode, text, want)
	}
}

func TestReady(t *testing.T) {
	holds := func() error { return nil }
	fails := func() error { return errors.New("no \"tree\"\n") }
	for _, row := range []struct {
		checks []Check
		status int
		want   string
	}{
		{nil, 200, `{"result":[]}`},
		{[]Check{{Name: "policy", Func: holds}, {Name: "scope", Func: holds}}, 200, `{"result":[{"name":"policy","state":"ok"},{"name":"scope","state":"ok"}]}`},
		{[]Check{{Name: "broker", Func: fails, Advisory: true}}, 200, `{"result":[{"name":"broker","state":"degraded","reason":"no \"tree\"\n"}]}`},
		{[]Check{{Name: "policy", Func: holds}, {Name: "scope", Func: fails}}, 503,
			`{"errors":[{"code":503,"reason":"scope: no \"tree\"\n"}],"result":[{"name":"policy","state":"ok"},{"name":"scope","state":"failed","reason":"no \"tree\"\n"}]}`},
	} {
		_, addr := start(t, Options{Checks: row.checks})
		resp, text := ask(t, "GET", "http://"+addr+"/readyz")
		if resp.StatusCode != row.status || text != row.want+"\n" {
			t.Errorf("got %d %s, want %d %s", resp.StatusCode, text, row.status, row.want)
		}
	}
}

// The answer to a reload says that it is done, not that it began.
func TestReload(t *testing.T) {
	var done atomic.Bool
	var fault error
	_, addr := start(t, Options{Key: adminKey, Reload: func() error { done.Store(true); return fault }})
	for _, row := range []struct {
		fault  error
		status int
		want   string
	}{
		{nil, 200, `{"result":[{"state":"reloaded"}]}`},
		{errors.Join(errors.New("policy.yaml:3:5: bad id"), errors.New("policy.yaml:9:1: unknown key")), 422,
			`{"errors":[{"code":422,"reason":"policy.yaml:3:5: bad id"},{"code":422,"reason":"policy.yaml:9:1: unknown key"}],"result":[]}`},
		{errors.New("\n"), 422, `{"errors":[{"code":422,"reason":"reload failed"}],"result":[]}`},
	} {
		done.Store(false)
		fault = row.fault
		resp, text := ask(t, "POST", "http://"+addr+"/reload", "Authorization", adminKey)
		if !done.Load() {
			t.Error("answered before the reload was done")
		}
		if resp.StatusCode != row.status || text != row.want+"\n" {
			t.Errorf("got %d %s, want %d %s", resp.StatusCode, text, row.status, row.want)
		}
	}
}

// However long a reload takes, its answer is not lost: here every other answer would come too late.
func TestReloadKnowsNoDeadline(t *testing.T) {
	s := New(Options{Gatherer: prometheus.NewRegistry(), Key: adminKey, Reload: func() error { return nil }})
	s.http.WriteTimeout = 1
	addr := serve(t, s)
	if resp, _ := ask(t, "POST", "http://"+addr+"/reload", "Authorization", adminKey); resp.StatusCode != 200 {
		t.Errorf("got %d, want 200", resp.StatusCode)
	}
}

func TestWhy(t *testing.T) {
	ring := record.NewRing(64)
	r := record.Record{Facts: record.Facts{ID: record.NewID(), Start: time.Unix(0, 0), Reason: policy.NoEntry, Method: policy.GET, Status: 403}}
	ring.Add(&r)
	_, addr := start(t, Options{Key: adminKey, Ring: ring})
	for _, row := range []struct {
		id     string
		status int
		want   string
	}{
		{r.ID.String(), 200, `"reason":"no-entry"`},
		{strings.ToUpper(r.ID.String()), 200, `"decision":"` + r.ID.String() + `"`},
		{record.NewID().String(), 404, "not remembered"},
		{strings.Repeat("0", 24), 404, "not remembered"},
		{"x", 400, "24 hex digits"}, {"", 400, "24 hex digits"}, {"%2e%2e/x", 400, "24 hex digits"},
	} {
		resp, text := ask(t, "GET", "http://"+addr+"/why/"+row.id, "Authorization", adminKey)
		if resp.StatusCode != row.status || !strings.Contains(text, row.want) {
			t.Errorf("%q: got %d %s, want %d and %s", row.id, resp.StatusCode, text, row.status, row.want)
		}
	}
}

// broken is a collector that cannot collect.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("broken"))
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	cat, err := policy.NewCatalogue(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(reg, cat)
	m.Observe(&record.Record{Facts: record.Facts{Status: 200, Own: time.Millisecond}})
	reg.MustRegister(broken{prometheus.NewDesc("broken", "Never there.", nil, nil)})
	_, addr := start(t, Options{Gatherer: reg})
	const classic = `aclgate_requests_total{class="2xx",collection="unknown",method="other"} 1`
	for _, row := range []struct{ accept, kind, want string }{
		{"", "text/plain", classic},
		{"application/openmetrics-text; version=1.0.0", "application/openmetrics-text", classic + ".0"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
			"application/vnd.google.protobuf", "aclgate_own_duration_seconds"},
	} {
		resp, text := ask(t, "GET", "http://"+addr+"/metrics", "Accept", row.accept)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(got, row.kind) {
			t.Errorf("%q: got %d %s, want 200 %s", row.accept, resp.StatusCode, got, row.kind)
		}
		if !strings.Contains(text, row.want) {
			t.Errorf("%q: want %s in %.300q", row.accept, row.want, text)
		}
	}
}

// An answer that is no JSON is a 500, whole and valid; bytes that are no UTF-8 do not make it one.
func TestAnswersAreAlwaysJSON(t *testing.T) {
	for _, row := range []struct {
		result any
		status int
		want   string
	}{
		{make(chan int), 500, `{"errors":[{"code":500,"reason":"internal error"}]}`},
		{"a\xff", 200, `{"result":["a\ufffd"]}`},
	} {
		w := httptest.NewRecorder()
		Answer(w, row.result)
		if got := w.Body.String(); w.Code != row.status || got != row.want+"\n" {
			t.Errorf("got %d %s, want %d %s", w.Code, got, row.status, row.want)
		}
	}
}

// What is no HTTP, or too much of it, ends the connection and nothing else.
func TestHostileHeads(t *testing.T) {
	_, addr := start(t, everything())
	for head, want := range map[string]string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 2*maxHeaderBytes) + "\r\n\r\n": "HTTP/1.1 431",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n":                                            "HTTP/1.1 400",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                                "HTTP/1.1 200",
		"GET http://other/healthz HTTP/1.0\r\n\r\n":                                                    "HTTP/1.0 200",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                                   "HTTP/1.1 404",
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("%.60q: got %q, %v, want %q", head, got, err, want)
		}
		c.Close()
	}
}
