package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aclgate/bench/report"
	"aclgate/bench/workload"
)

// Quick compares the gateway with the bare proxy for a minute and reports the result in one line.
func Quick(ctx context.Context, o Options) (*report.Result, error) {
	o.Mixes, o.Competitors, o.Rate = []string{"one-id", "all-rewrite", "telematics"}, []string{"bare"}, 0
	say := o.Say
	o.Say = func(string, ...any) {}
	result, err := Run(ctx, o)
	if err != nil {
		return result, err
	}
	var parts []string
	for _, mix := range o.Mixes {
		f, ok := result.Figures[mix+"/bare/cpu_ratio"]
		if !ok {
			parts = append(parts, mix+" does not count ("+whyInvalid(result, mix)+")")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %.2f (%.2f–%.2f)", mix, f.Value, f.Low, f.High))
	}
	say("CPU per request against the bare proxy: %s; %.0f leaks, %.0f wrong denials, %.0f errors in %.0f answers\n", strings.Join(parts, ", "),
		result.Figures["leaks"].Value, result.Figures["wrong_denials"].Value, result.Figures["errors"].Value, result.Figures["requests"].Value)
	return result, nil
}

// whyInvalid says why no run of a mix counts.
func whyInvalid(r *report.Result, mix string) string {
	for _, run := range r.Runs {
		if run.Mix == mix && run.Invalid != "" {
			return run.Invalid
		}
	}
	return "it was not measured"
}

const (
	firstRate = 1000
	growth    = 1.5
	// mostSteps bounds the way up; 1000 × 1.5^15 is 437,000.
	mostSteps  = 16
	bisections = 6
	stepTime   = 2 * time.Second
	stepWarmup = 500 * time.Millisecond
	// mostUnsent is the share of calls that may be waiting at the end of a step which holds.
	mostUnsent = 0.001
)

// Capacity raises the rate until p99 exceeds limit, answers fail or calls are left over, and finds
// the highest rate that holds: the knee. It measures the gateway alone, one mix.
func Capacity(ctx context.Context, o Options, limit time.Duration) (*report.Result, error) {
	o.Slice, o.Slices, o.Warmup = stepTime, 1, stepWarmup
	mix := "telematics"
	if len(o.Mixes) > 0 {
		mix = o.Mixes[0]
	}
	return alone(ctx, o, "capacity", mix, func(s *rig, w *workload.Workload, gateway *proxy, result *report.Result) error {
		knee, err := climb(func(rate float64) (bool, error) {
			at := *s
			at.Rate = rate
			run, err := at.measure(ctx, w, gateway)
			if err != nil {
				return false, err
			}
			result.Add(run)
			ok := held(&run, limit)
			s.Say("%8.0f/s  p99 %8.0f µs  core idle %3.0f %%  held: %v\n", rate, report.P99(run.Lanes[0].Slices[0]), 100*run.Idle, ok)
			return ok, nil
		})
		if err != nil {
			return err
		}
		result.Figures["capacity/knee"] = report.Exact(knee, "1/s")
		s.Say("the knee is at %.0f requests per second (p99 up to %v)\n", knee, limit)
		s.blame(result)
		return nil
	})
}

// climb returns the highest rate that holds: up in steps, then by halves between the last that held
// and the first that did not.
func climb(holds func(rate float64) (bool, error)) (float64, error) {
	low, high := 0.0, float64(firstRate)
	for range mostSteps {
		ok, err := holds(high)
		if err != nil {
			return low, err
		}
		if !ok {
			break
		}
		low, high = high, high*growth
	}
	for range bisections {
		middle := (low + high) / 2
		ok, err := holds(middle)
		if err != nil {
			return low, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// held reports whether a step was answered whole, right and in time.
func held(run *report.Run, limit time.Duration) bool {
	l := &run.Lanes[0]
	return len(l.Slices) > 0 && l.Slices[0].P99 <= limit && l.Counts.Faults == 0 &&
		float64(l.Counts.Unsent) <= mostUnsent*float64(l.Counts.Requests)
}

// blame notes that the knee is the generator's own if the gateway's core was idle at it.
func (s *rig) blame(result *report.Result) {
	const unused = 0.25
	for _, run := range result.Runs {
		if run.Idle > unused && run.Lanes[0].Counts.Unsent > 0 {
			result.Notes = append(result.Notes, fmt.Sprintf("at %.0f/s the generator was the limit: the gateway's core was idle for %.0f %% of the time", run.Rate, 100*run.Idle))
		}
	}
}
