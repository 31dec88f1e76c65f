package bench

import (
	"context"
	"fmt"
	"time"

	"aclgate/bench/child"
	"aclgate/bench/load"
	"aclgate/bench/report"
	"aclgate/bench/workload"
)

const (
	// mostIdle is the share of the time that the proxies' core may be idle under a closed loop.
	// Above it the generator or the backend was the limit.
	mostIdle = 0.05
	// mostLate is how much of the faster proxy's p99 the generator may be late itself, in an open
	// loop.
	mostLate = 0.5
)

// measure drives proxies side by side and returns what came of it.
func (s *rig) measure(ctx context.Context, w *workload.Workload, proxies ...*proxy) (report.Run, error) {
	run := report.Run{Mix: w.Mix.Name, Rate: s.Rate, Conns: s.Conns}
	lanes := make([]*load.Lane, len(proxies))
	splits := make([]report.Lane, len(proxies))
	for i, p := range proxies {
		lanes[i] = p.lane(w)
	}
	var idle idleMeter
	err := load.Run(ctx, lanes, load.Options{
		Conns: s.Conns, Rate: s.Rate, Warmup: s.Warmup, Slice: s.Slice, Slices: s.Slices,
		Tick: func(slice int) {
			switch slice {
			case 0:
				idle.begin(s.proxyCPU)
				split(proxies, splits, -1)
			case s.Slices:
				run.Idle = idle.end(s.proxyCPU)
				split(proxies, splits, +1)
			}
		},
	})
	if err != nil {
		return run, err
	}
	for i, l := range lanes {
		run.Lanes = append(run.Lanes, s.laneOf(l, proxies[i], splits[i]))
	}
	run.Others = others(&run)
	run.Invalid = s.invalid(&run, lanes)
	return run, nil
}

// others returns what share of the proxies' core went to neither of them: interrupts, and other
// programs on this machine. It disturbs both equally, but the more there is the wider the intervals
// are.
func others(run *report.Run) float64 {
	used, took := time.Duration(0), time.Duration(0)
	for _, l := range run.Lanes {
		took = 0
		for _, slice := range l.Slices {
			used += slice.CPU
			took += slice.Took
		}
	}
	return max(1-run.Idle-float64(used)/float64(max(took, 1)), 0)
}

// lane returns the lane that loads a proxy.
func (p *proxy) lane(w *workload.Workload) *load.Lane {
	l := &load.Lane{Name: p.name, Addr: p.addr, Calls: w.Calls}
	if p.checks {
		l.Judge = load.Judged
	}
	if p.process != nil {
		pid := p.process.PID()
		l.CPU = func() time.Duration { return child.CPU(pid) }
	}
	return l
}

// split adds what the proxies have used in user and system mode, with a sign: what was used between
// two calls is left.
func split(proxies []*proxy, into []report.Lane, sign time.Duration) {
	for i, p := range proxies {
		if p.process != nil {
			user, system := child.Split(p.process.PID())
			into[i].User += sign * user
			into[i].System += sign * system
		}
	}
}

func (s *rig) laneOf(l *load.Lane, p *proxy, split report.Lane) report.Lane {
	lane := report.Lane{
		Name: l.Name, Counts: l.Counts, Slices: l.Slices, Bad: l.Bad, User: split.User, System: split.System,
		Service: l.Service.Buckets(),
	}
	if p.process != nil {
		lane.RSS = child.RSS(p.process.PID())
	}
	if s.Rate > 0 {
		lane.Corrected, lane.Late = l.Corrected.Buckets(), l.Late.Buckets()
	}
	return lane
}

// invalid says why a run does not count, if it does not: what was measured is then the generator.
func (s *rig) invalid(run *report.Run, lanes []*load.Lane) string {
	if s.Rate == 0 {
		if run.Idle > mostIdle && s.Against == "" {
			return fmt.Sprintf("the generator was the limit: the proxies' core was idle for %.0f %% of the time", 100*run.Idle)
		}
		return ""
	}
	for _, l := range lanes {
		late, whole := l.Late.Quantile(0.99), l.Corrected.Quantile(0.99)
		if float64(late) > mostLate*float64(whole) && l.Counts.Unsent == 0 {
			return fmt.Sprintf("the generator was late by %v at p99, of %v in all for %s", late, whole, l.Name)
		}
	}
	return ""
}

// idleMeter measures what share of a time a core was idle.
type idleMeter struct {
	idle  time.Duration
	since time.Time
}

func (m *idleMeter) begin(cpu int) {
	m.since = time.Now()
	m.idle, _ = child.Idle(cpu) // a core that cannot be read is never idle: nothing is called invalid
}

func (m *idleMeter) end(cpu int) float64 {
	idle, err := child.Idle(cpu)
	if err != nil {
		return 0
	}
	return float64(idle-m.idle) / float64(time.Since(m.since))
}
