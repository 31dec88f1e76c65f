package store

import (
	"runtime"
	"time"
)

// pacer lets requests through while a policy is read beside them. A core that
// works without a break is taken away from it after 10 ms at the earliest, and
// whoever waits for it that long misses its deadline. So the reader works a
// little and rests a little. A nil pacer never rests: nobody waits at a start.
type pacer struct {
	steps          int
	since          time.Time // the last rest
	worked, rested time.Duration
}

// Shares of work and rest. To sleep, other than to yield, lets the scheduler
// look at the network, and at other processes.
const (
	stepsPerLook = 16
	workFor      = 200 * time.Microsecond
	restFor      = 200 * time.Microsecond
)

func newPacer() *pacer { return &pacer{since: time.Now()} }

// step stands after every few microseconds of work.
func (p *pacer) step() {
	if p == nil {
		return
	}
	if p.steps++; p.steps%stepsPerLook == 0 {
		p.rest()
	}
}

// rest stands after some more work, and rests if it is time to. On a busy
// machine a sleep is longer than it was meant to be: then more than half of the
// time would be rest, and the reload would never end.
func (p *pacer) rest() {
	if p == nil {
		return
	}
	now := time.Now()
	worked := now.Sub(p.since)
	if worked < workFor {
		return
	}
	if p.worked += worked; p.rested < p.worked {
		time.Sleep(restFor)
	} else {
		runtime.Gosched()
	}
	p.since = time.Now()
	p.rested += p.since.Sub(now)
}
