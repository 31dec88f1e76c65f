package store

import "time"

// pacer lets requests through while a policy is read beside them. A processor is taken away from
// who works without a break after 10 ms, by Go as by the system, and with only one of them the
// network is looked at no sooner. So the reader works a little and rests as long. To yield would
// not do: the reader would be the next to run again, before the network is looked at (100,000
// tokens on one processor: the longest answer takes 42 ms without a pacer, 22 ms with
// runtime.Gosched, 3 ms with this). A second processor helps only as long as no other process wants
// it.
//
// A nil pacer never rests: at a start nobody waits.
type pacer struct {
	steps int
	since time.Time // the last rest
}

// Shares of work and rest. The network is waited for in whole milliseconds, so a shorter rest would
// be no shorter.
const (
	stepsPerLook = 16
	workFor      = time.Millisecond
	restFor      = time.Millisecond
)

// newPacer returns a pacer for a reload.
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

// rest stands after some more work, and rests if it is time to.
func (p *pacer) rest() {
	if p != nil && time.Since(p.since) >= workFor {
		time.Sleep(restFor)
		p.since = time.Now()
	}
}
