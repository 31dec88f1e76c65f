package metrics

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"aclgate/metrics/record"
	"aclgate/policy"
)

var update = flag.Bool("update", false, "write testdata anew")

// traffic counts the same requests every time.
func traffic(m *Metrics, cat *policy.Catalogue) {
	rnd := rand.New(rand.NewPCG(5, 6))
	statuses := []int{200, 201, 204, 400, 403, 404, 418, 502, 599, 0}
	for i := range 5000 {
		own := time.Duration(rnd.Int64N(1 << (10 + rnd.IntN(20))))
		r := record.Record{Facts: record.Facts{
			Method: policy.Method(rnd.IntN(7)), Verdict: policy.Verdict(rnd.IntN(4)),
			Reason: policy.Reason(rnd.IntN(70)), Status: statuses[rnd.IntN(len(statuses))],
			Denied: rnd.IntN(3), BytesIn: rnd.Int64N(5000), BytesOut: rnd.Int64N(50000), Own: own, Total: own,
		}}
		if i%3 > 0 {
			r.Upstream = time.Duration(rnd.Int64N(1 << (15 + rnd.IntN(20))))
			r.Total += r.Upstream
			r.Route = cat.Collections[rnd.IntN(len(cat.Collections))].Routes[0]
		}
		m.Observe(&r)
	}
	m.Set(BodyBytes, 70000)
	m.Add(SilentFault, 1, FaultUpstreamTLS)
	m.Add(HeadFaults, 7, code(499))
}

var (
	sums    = regexp.MustCompile(`(?m)^(aclgate_\w+_sum\S*) (\S+)$`)
	foreign = regexp.MustCompile(`(?m)^(# (HELP|TYPE|UNIT) )?(go|process)_.*\n`)
)

// expose returns /metrics without what others export. Sums are rounded: they depend on the order in
// which floats were added up.
func expose(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	req, rec := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, req)
	text := foreign.ReplaceAllString(rec.Body.String(), "")
	text = strings.ReplaceAll(text, runtime.Version(), "GOVERSION")
	return sums.ReplaceAllStringFunc(text, func(line string) string {
		name, number, _ := strings.Cut(line, " ")
		sum, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %.9g", name, sum)
	})
}

// native prints what only protobuf carries: the native buckets.
func native(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	var text strings.Builder
	live := gather(t, reg)
	for _, f := range []Family{Duration, OwnDuration, UpstreamDuration} {
		for _, sample := range live[table[f].Name].GetMetric() {
			h := sample.GetHistogram()
			line, err := json.Marshal(struct {
				Schema        int32
				ZeroThreshold float64
				ZeroCount     uint64
				Spans         []*dto.BucketSpan
				Deltas        []int64
			}{h.GetSchema(), h.GetZeroThreshold(), h.GetZeroCount(), h.GetPositiveSpan(), h.GetPositiveDelta()})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "%s%v %s\n", table[f].Name, named(sample, table[f].Labels), line)
		}
	}
	return text.String()
}

// TestExposition holds /metrics to what was scraped once: dashboards and alerts hang on every name,
// label, bucket and help.
func TestExposition(t *testing.T) {
	reg, m, cat := fresh(t, 3)
	busy := int64(0)
	m.CollectInFlight(func() int64 { return busy })
	before := expose(t, reg)
	busy = 10
	everything(m, cat)
	traffic(m, cat)
	for file, got := range map[string]string{
		"start.txt":   before,
		"traffic.txt": expose(t, reg),
		"native.txt":  native(t, reg),
	} {
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}
