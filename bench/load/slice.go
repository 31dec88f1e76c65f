package load

import (
	"bytes"
	"time"

	"aclgate/bench/hist"
	"aclgate/bench/oracle"
)

// sliceHist is the latency of the slice under way.
type sliceHist struct{ hist.Histogram }

// cut ends a slice of every lane and begins the next. The lanes are cut at the same instant.
func (r *run) cut(slice int) {
	for _, l := range r.lanes {
		used := time.Duration(0)
		if l.CPU != nil {
			used = l.CPU()
		}
		if r.timed {
			l.endSlice(r.now, used)
		}
		l.slice, l.cpu, l.began = Slice{}, used, r.now
		l.latency.Reset()
		if slice == r.Slices && r.Rate > 0 && l.due < r.now {
			l.Counts.Unsent = int64((r.now - l.due) / l.pause)
		}
	}
	r.timed = true
	if r.Tick != nil {
		r.Tick(slice)
	}
}

func (l *laneRun) endSlice(now, used time.Duration) {
	s := &l.slice
	s.Took, s.CPU = now-l.began, used-l.cpu
	s.P50, s.P99, s.Max = l.latency.Quantile(0.5), l.latency.Quantile(0.99), l.latency.Max()
	l.Slices = append(l.Slices, *s)
}

// count adds one finding.
func (l *laneRun) count(f oracle.Finding, status int) {
	l.slice.Requests++
	c := &l.Counts
	c.Requests++
	switch f {
	case oracle.Leak:
		c.Leaks++
	case oracle.WrongDenial:
		c.WrongDenials++
	case oracle.Fault:
		c.Faults++
	}
	switch {
	case status >= 200 && status < 300:
		c.Served++
	case status == 401 || status == 403:
		c.Denied++
	}
}

// measure records the time of one answer.
func (l *laneRun) measure(c *conn, done time.Duration, open bool) {
	service := done - c.sent
	l.Service.Record(service)
	if !open {
		l.Corrected.Record(service)
		l.latency.Record(service)
		return
	}
	l.Corrected.Record(done - c.planned)
	l.latency.Record(done - c.planned)
	l.Late.Record(c.sent - c.planned)
}

// firstLine returns the request line of a call, which holds no credential.
func firstLine(call []byte) []byte {
	line, _, _ := bytes.Cut(call, []byte("\r\n"))
	return line[:min(len(line), 120)]
}
