// Package load sends requests and measures answers. One thread drives all targets of a run at once,
// its lanes, over keep-alive connections with one request each under way, so that what disturbs one
// lane disturbs the other as well.
//
// Closed loop: every connection sends its next call when the last one is answered. That finds what
// a proxy can do and what it costs, and says nothing about latency, because a slow answer keeps the
// next request from being sent.
//
// Open loop: call i of a lane is due at i/rate, whatever became of those before. Latency counts
// from that planned time, not from the time of sending, so a stall is seen by every request that it
// would have met ("coordinated omission"). If no connection is free the call waits, and its time
// runs.
//
// A run is cut into slices, whose requests and CPU time are taken at the same instant. What comes
// back is judged by the lane's judge; the verdict on an answer whose bytes were seen before for the
// same call is remembered by a sum, which makes checking each answer cheap enough to do it always.
package load

import (
	"net/netip"
	"time"

	"aclgate/bench/hist"
	"aclgate/bench/oracle"
	"aclgate/bench/workload"
)

// Answer is one answer as a judge sees it. Its body is valid during the call only.
type Answer struct {
	Call   *workload.Call
	Status int
	Body   []byte
	Sent   time.Time
	Done   time.Time
}

// Lane is one target of a run and what was measured of it.
type Lane struct {
	Name  string
	Addr  netip.AddrPort
	Calls []workload.Call
	// Judge says what an answer is; nil accepts any 2xx, for a target that checks nothing.
	Judge func(*Answer) oracle.Finding
	// Afresh has every answer judged, even one whose bytes were right before.
	Afresh bool
	// CPU returns what the target has used so far; nil if that is not known.
	CPU func() time.Duration

	Slices []Slice
	Counts Counts
	// Corrected counts from the planned time, Service from the time of sending. A closed loop has
	// no planned times; there both are the same.
	Corrected, Service hist.Histogram
	// Late is how late the generator itself sent what was due while a connection was free.
	Late hist.Histogram
	// Bad shows the first answer that was not ok: no credential is in it.
	Bad string
}

// Counts are the findings of a lane.
type Counts struct {
	Requests     int64 `json:"requests"`
	Leaks        int64 `json:"leaks"`
	WrongDenials int64 `json:"wrong_denials"`
	Faults       int64 `json:"faults"`
	Reconnects   int64 `json:"reconnects"`
	Unsent       int64 `json:"unsent"` // due, but no connection was free before the end
	Served       int64 `json:"served"` // 2xx
	Denied       int64 `json:"denied"` // 401, 403
}

// Slice is what was measured in one part of a run.
type Slice struct {
	Took     time.Duration `json:"took_ns"`
	Requests int64         `json:"requests"`
	CPU      time.Duration `json:"cpu_ns"` // 0 if not known
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Max      time.Duration `json:"max_ns"`
}

// Options say how to drive the lanes of a run.
type Options struct {
	Conns  int           // per lane
	Rate   float64       // requests per second and lane; 0: closed loop
	Warmup time.Duration // not measured
	Slice  time.Duration // length of one
	Slices int
	// Tick is called when measuring begins (0) and after each slice (1 …), between two requests.
	Tick func(slice int)
}

// Judged is the judge of a target that enforces the workload's policy.
func Judged(a *Answer) oracle.Finding { return oracle.Judge(&a.Call.Expect, a.Status, a.Body) }
