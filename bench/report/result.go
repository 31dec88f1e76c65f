// Package report holds what a bench measured and shows it: as a table, as JSON, as one HTML page,
// and to a gate.
//
// Every number to rely on is a Figure: a median with the interval in which the true one is with 95
// %, taken from slices that both proxies ran through at once. A gate judges the interval: a limit
// is broken when the whole interval is beyond it, so noise alone does not fail a build, and a
// figure that was not measured fails, because then it is not known.
package report

import (
	"math"
	"slices"
	"time"

	"aclgate/bench/hist"
	"aclgate/bench/load"
)

// Schema is the version of the JSON.
const Schema = 1

// Result is everything a bench has measured.
type Result struct {
	Schema      int               `json:"schema"`
	Command     string            `json:"command"`
	Started     time.Time         `json:"started"`
	Took        time.Duration     `json:"took_ns"`
	Host        Host              `json:"host"`
	Seed        uint64            `json:"seed"`
	Competitors []Competitor      `json:"rivals"`
	Runs        []Run             `json:"runs"`
	Figures     map[string]Figure `json:"figures"`
	Notes       []string          `json:"notes"`
}

// Host says where it was measured.
type Host struct {
	Name     string `json:"name"`
	Kernel   string `json:"kernel"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	Go       string `json:"go"`
	Version  string `json:"version"` // of aclgate
	ProxyCPU int    `json:"proxy_cpu"`
	LoadCPU  int    `json:"load_cpu"`
}

// Competitor is a proxy that took part, or why it did not.
type Competitor struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Version string `json:"version,omitempty"`
	Missing string `json:"missing,omitempty"`
}

// Run is one measurement: the gateway compared with another proxy.
type Run struct {
	Mix     string  `json:"mix"`
	Rate    float64 `json:"rate"` // per lane and second; 0: closed loop
	Conns   int     `json:"conns"`
	Idle    float64 `json:"idle"`   // share of the time that the proxies' core had nothing to do
	Others  float64 `json:"others"` // share of that core's time that neither was idle nor went to the proxies
	Invalid string  `json:"invalid,omitempty"`
	Lanes   []Lane  `json:"lanes"`
}

// Lane is one proxy of a run.
type Lane struct {
	Name      string        `json:"name"`
	Counts    load.Counts   `json:"counts"`
	Slices    []load.Slice  `json:"slices"`
	User      time.Duration `json:"user_ns"`
	System    time.Duration `json:"system_ns"`
	RSS       int64         `json:"rss_bytes"`
	Corrected []hist.Bucket `json:"corrected,omitempty"` // from the planned time
	Service   []hist.Bucket `json:"service"`             // from the time of sending
	Late      []hist.Bucket `json:"late,omitempty"`
	Bad       string        `json:"bad,omitempty"`
}

// Figure is a median and its interval.
type Figure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Unit  string  `json:"unit,omitempty"`
}

// Exact returns the figure of something counted.
func Exact(v float64, unit string) Figure { return Figure{v, v, v, unit} }

// Median returns the median of values and the interval around it, by order statistics: it holds
// whatever the values' distribution is. Few values have a wide one.
func Median(values []float64, unit string) Figure {
	sorted := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	slices.Sort(sorted)
	n := len(sorted)
	if n == 0 {
		return Figure{Unit: unit}
	}
	// 1.96 standard deviations of a binomial with p = 1/2, around its middle.
	k := max(int((float64(n)-1.96*math.Sqrt(float64(n)))/2), 0)
	return Figure{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[k], sorted[n-1-k], unit}
}

// Ratio returns the figure of what one lane has per slice against the other.
func Ratio(a, b *Lane, of func(load.Slice) float64) Figure {
	var ratios []float64
	for i := range min(len(a.Slices), len(b.Slices)) {
		ratios = append(ratios, of(a.Slices[i])/of(b.Slices[i]))
	}
	return Median(ratios, "")
}

// Each returns the figure of what a lane has per slice.
func Each(l *Lane, unit string, of func(load.Slice) float64) Figure {
	var values []float64
	for _, s := range l.Slices {
		values = append(values, of(s))
	}
	return Median(values, unit)
}

// CPU returns the CPU time of a slice's request in microseconds.
func CPU(s load.Slice) float64 { return float64(s.CPU) / 1e3 / float64(s.Requests) }

// P50 returns the median latency of a slice in microseconds.
func P50(s load.Slice) float64 { return float64(s.P50) / 1e3 }

// P99 returns the 99th percentile of a slice in microseconds.
func P99(s load.Slice) float64 { return float64(s.P99) / 1e3 }

// Failed reports whether the oracle has found what fails a run.
func (r *Result) Failed() bool {
	return r.Figures["leaks"].Value > 0 || r.Figures["wrong_denials"].Value > 0
}
