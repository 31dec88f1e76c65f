package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"aclgate/bench/load"
)

// Title names a run in figures and tables: its mix, and the rate of an open loop.
func (r *Run) Title() string {
	if r.Rate > 0 {
		return fmt.Sprintf("%s@%.0f", r.Mix, r.Rate)
	}
	return r.Mix
}

// Add takes a run in and makes its figures. Those of an invalid run are not made; its findings
// count all the same.
func (r *Result) Add(run Run) {
	if r.Figures == nil {
		r.Figures = map[string]Figure{}
	}
	r.Runs = append(r.Runs, run)
	for i := range run.Lanes {
		r.find(&run.Lanes[i])
	}
	if run.Invalid != "" || len(run.Lanes) == 0 {
		return
	}
	own := &run.Lanes[0]
	title := run.Title() + "/" + own.Name
	r.use(title, own)
	r.Figures[title+"/p50_us"] = Each(own, "µs", P50)
	r.Figures[title+"/p99_us"] = Each(own, "µs", P99)
	for i := range run.Lanes[1:] {
		r.compare(&run, own, &run.Lanes[1+i])
	}
}

// use makes the figures of what a lane's process uses. A process that we did not start has none: a
// zero would keep every limit.
func (r *Result) use(name string, l *Lane) {
	if l.RSS > 0 {
		r.Figures[name+"/cpu_us"] = Each(l, "µs", CPU)
		r.Figures[name+"/rss_mib"] = Exact(float64(l.RSS)/(1<<20), "MiB")
	}
}

// find adds up what the oracle found about the gateway, which is the lane of that name. What it
// finds about competitors is in the table: it says how far they can do the job.
func (r *Result) find(l *Lane) {
	if l.Name != Subject {
		return
	}
	for name, n := range map[string]int64{
		"leaks": l.Counts.Leaks, "wrong_denials": l.Counts.WrongDenials, "errors": l.Counts.Faults, "requests": l.Counts.Requests,
	} {
		r.Figures[name] = Exact(r.Figures[name].Value+float64(n), "")
	}
	if l.Bad != "" {
		r.Notes = append(r.Notes, "first bad answer: "+l.Bad)
	}
}

// Subject is the name of the lane that decides.
const Subject = "aclgate"

// compare makes the ratios of the gateway to one competitor.
func (r *Result) compare(run *Run, own, competitor *Lane) {
	name := run.Title() + "/" + competitor.Name
	r.use(name, competitor)
	if own.RSS > 0 && competitor.RSS > 0 {
		r.Figures[name+"/cpu_ratio"] = Ratio(own, competitor, CPU)
	}
	if run.Rate > 0 {
		r.Figures[name+"/p50_ratio"] = Ratio(own, competitor, P50)
		r.Figures[name+"/p99_ratio"] = Ratio(own, competitor, P99)
		r.Figures[name+"/p99_us"] = Each(competitor, "µs", P99)
	}
}

// WriteJSON writes the whole result.
func (r *Result) WriteJSON(w io.Writer) error {
	return json.NewEncoder(w).Encode(r)
}

// ReadFile reads a result that WriteJSON wrote.
func ReadFile(path string) (*Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, errors.New(path + " is not of this program's version of the report")
	}
	return &r, nil
}

// TableHead is the head of the table whose lines Line makes.
const TableHead = "mix                  rival       aclgate       rival   ratio  95 %           p99 µs          RSS MiB     idle  others  leaks  wrong  errors\n"

// Line shows a run in one line: what both need per request, the ratio and how sure it is.
func (r *Run) Line() string {
	own := &r.Lanes[0]
	var b strings.Builder
	competitor := &Lane{Name: "–"}
	if len(r.Lanes) > 1 {
		competitor = &r.Lanes[1]
	}
	ratio := Ratio(own, competitor, CPU)
	fmt.Fprintf(&b, "%-20s %-8s %8s µs %8s µs  %6.3f  %.3f–%.3f  %6.0f / %-6.0f %5d / %-5d %4.0f %%  %4.0f %%  %5d  %5d  %6d", r.Title(), competitor.Name,
		perRequest(own), perRequest(competitor), ratio.Value, ratio.Low, ratio.High, Each(own, "", P99).Value, Each(competitor, "", P99).Value,
		own.RSS>>20, competitor.RSS>>20, 100*r.Idle, 100*r.Others, own.Counts.Leaks, own.Counts.WrongDenials, own.Counts.Faults)
	if bad := findings(competitor.Counts); bad != "" {
		b.WriteString("  " + competitor.Name + ": " + bad)
	}
	if r.Invalid != "" {
		b.WriteString("  INVALID: " + r.Invalid)
	}
	return b.String()
}

// perRequest shows the CPU time per request, or that it is not known.
func perRequest(l *Lane) string {
	f := Each(l, "", CPU)
	if f.Value == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", f.Value)
}

// findings says what was wrong with a competitor's answers.
func findings(c load.Counts) string {
	var parts []string
	for _, f := range []struct {
		n    int64
		what string
	}{{c.Leaks, "leaks"}, {c.WrongDenials, "wrong denials"}, {c.Faults, "errors"}} {
		if f.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return strings.Join(parts, ", ")
}
