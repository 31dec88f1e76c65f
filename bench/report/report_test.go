package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/hist"
	"aclgate/bench/load"
)

// synthetic returns a result in which the gateway needs factor times what the bare proxy does, with
// a noise of 15 % that both share and one of 2 % that they do not.
func synthetic(factor float64, rate float64) *Result {
	random := rand.New(rand.NewPCG(1, 1))
	own, bare := Lane{Name: Subject, RSS: 50 << 20}, Lane{Name: "bare", RSS: 16 << 20}
	var h hist.Histogram
	for range 20 {
		shared := 20 * (1 + 0.15*random.NormFloat64())
		for lane, scale := range map[*Lane]float64{&own: factor, &bare: 1} {
			us := shared * scale * (1 + 0.02*random.Float64())
			lane.Slices = append(lane.Slices, load.Slice{
				Took: time.Second, Requests: 10_000, CPU: time.Duration(us * 1e3 * 10_000),
				P50: time.Duration(100e3 * scale), P99: time.Duration(400e3 * scale), Max: time.Millisecond,
			})
		}
		h.Record(time.Duration(random.ExpFloat64() * 1e6))
	}
	own.Service, bare.Service, own.Corrected, bare.Corrected = h.Buckets(), h.Buckets(), h.Buckets(), h.Buckets()
	own.Counts = load.Counts{Requests: 200_000, Served: 150_000, Denied: 50_000}
	r := &Result{Schema: Schema, Seed: 1, Competitors: []Competitor{{Name: "bare", Version: "1"}, {Name: "nginx", Missing: `"<gone>"`}}}
	r.Add(Run{Mix: "one-id", Rate: rate, Lanes: []Lane{own, bare}})
	return r
}

// TestGateCatchesASlowedBuild: 10 % more is found, though each slice alone moves by 15 %; the build
// that made the baseline passes.
func TestGateCatchesASlowedBuild(t *testing.T) {
	gate, err := ParseGate("g.yaml", []byte("- one-id/bare/cpu_ratio <= baseline * 1.05\n- one-id/bare/cpu_ratio <= 1.10\n- leaks == 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	base := synthetic(1.04, 0)
	if got := gate.Check(synthetic(1.04, 0), base); got != nil {
		t.Errorf("the same build: got %v, want nothing broken", got)
	}
	got := gate.Check(synthetic(1.15, 0), base)
	if len(got) != 2 || !strings.HasPrefix(got[0], "one-id/bare/cpu_ratio <= baseline * 1.05: it is 1.1") {
		t.Errorf("10 %% slower: got %q, want both lines broken", got)
	}
}

func TestGateKnowsNoExcuse(t *testing.T) {
	gate, err := ParseGate("g.yaml", []byte("[leaks == 0, soak/rss <= 1, one-id/aclgate/cpu_us <= baseline * 2, one-id/aclgate/cpu_us > 1e9]"))
	if err != nil {
		t.Fatal(err)
	}
	r := synthetic(1, 0)
	r.Runs[0].Lanes[0].Counts.Leaks = 1
	r.find(&r.Runs[0].Lanes[0])
	if got := gate.Check(r, nil); len(got) != 4 {
		t.Errorf("got %q, want 4 lines broken: a leak, not measured, no baseline, too small", got)
	}
	if !r.Failed() {
		t.Error("a leak does not fail the run")
	}
}

func TestParseGateNamesFaults(t *testing.T) {
	_, err := ParseGate("g.yaml", []byte("- leaks = 0\n- leaks <= none\n- leaks\n- leaks <= baseline + 1\n"))
	for _, want := range []string{"g.yaml:1", "g.yaml:2", "g.yaml:3", "g.yaml:4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a fault at %s", err, want)
		}
	}
	if _, err := ParseGate("g.yaml", []byte("[]")); err == nil {
		t.Error("an empty gate is taken")
	}
}

// TestInvalidRunsMakeNoFigures: what the generator limited says nothing about the gateway, but a
// leak counts in it too.
func TestInvalidRunsMakeNoFigures(t *testing.T) {
	var r Result
	r.Add(Run{Mix: "one-id", Invalid: "x", Lanes: []Lane{{Name: Subject, Counts: load.Counts{Leaks: 2}}}})
	if _, ok := r.Figures["one-id/aclgate/cpu_us"]; ok || !r.Failed() {
		t.Errorf("got %v", r.Figures)
	}
}

// TestForeignProcessHasNoCPU: the CPU time of a gateway that we did not start is not known, so a
// limit on it is broken, not kept.
func TestForeignProcessHasNoCPU(t *testing.T) {
	run := synthetic(1, 1000).Runs[0]
	run.Lanes[0].RSS = 0
	var r Result
	r.Add(run)
	gate := Gate{{Text: "x", Figure: "one-id@1000/bare/cpu_ratio", Op: "<=", Number: 9}}
	if gate.Check(&r, nil) == nil {
		t.Error("what was not measured keeps a limit")
	}
}

func TestMedian(t *testing.T) {
	var values []float64
	for i := range 101 {
		values = append(values, float64((i*37)%101))
	}
	if got := Median(values, ""); got.Value != 50 || got.Low < 38 || got.Low > 42 || got.High < 58 || got.High > 62 {
		t.Errorf("got %+v, want 50 within about 40 to 60", got)
	}
	if got := Median(nil, "x"); got.Value != 0 {
		t.Errorf("got %+v of nothing", got)
	}
}

// TestHTMLIsWellFormed: the page is XML, holds each plot, needs nothing from elsewhere and escapes
// what it shows.
func TestHTMLIsWellFormed(t *testing.T) {
	r := synthetic(1.04, 0)
	r.Add(synthetic(1.1, 5000).Runs[0])
	r.Notes = []string{`first bad answer: GET /<script>alert("1")</script>&`}
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	d := xml.NewDecoder(&page)
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	for _, want := range []string{"<svg", "CPU per request", "Latency", "Over time", "Verdicts", "prefers-color-scheme: dark", "&lt;script&gt;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, not := range []string{"http://", "https://", "<script", "NaN", "Inf"} {
		if strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/", ""), not) {
			t.Errorf("the page has %q", not)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	r := synthetic(1, 0)
	path := filepath.Join(t.TempDir(), "report.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.WriteJSON(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	back, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := back.Figures["one-id/bare/cpu_ratio"], r.Figures["one-id/bare/cpu_ratio"]; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	r.Schema++
	if err := os.WriteFile(path, []byte(`{"schema": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil {
		t.Error("a report of another version is read")
	}
}

func FuzzParseLimit(f *testing.F) {
	f.Add("one-id/bare/cpu_ratio <= 1.10")
	f.Add("a >= baseline * 2")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLimit(text)
		if err != nil {
			return
		}
		// A limit that was read is decided: it holds or is broken by the figure it names, never by
		// another.
		r := &Result{Figures: map[string]Figure{l.Figure: Exact(l.Number, "")}}
		if why := l.broken(r, r); !l.Based && (why == "") != strings.Contains(l.Op, "=") {
			t.Fatalf("%q: got %q for a figure that equals the bound", text, why)
		}
	})
}
