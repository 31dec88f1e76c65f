package login

import (
	"runtime"
	"time"
)

// A hash takes a quarter of a second of a core. What a hasher works without a look at who else wants it
// is what others wait for, so it works in slices.
const (
	// sliceShared is how long it works before it lets others go first. They wait for no longer; where
	// nobody wants the core it goes on at once. Where all cores are always wanted, whoever gives way waits
	// for the slices of all others, of 1.4 ms and more: with shorter slices of its own a login would take many seconds then.
	sliceShared = 500 * time.Microsecond

	// Of those that are held back a hasher works for one tenth of the time. The kernel would do the same
	// for a thread of low priority, and let the garbage collector, which has to stop it first, wait with it.
	// A round takes 60 to 100 µs, and Go rests in whole milliseconds. Where a rest takes longer, on a busy
	// machine, the next slice is longer too, up to sliceShared: else a login would take ten seconds there.
	sliceHeld = 100 * time.Microsecond
	restHeld  = 1 * time.Millisecond
	restShare = 9 // rests to one of work

	// With one processor whoever lets others go first is the next to run again, before Go looks at the
	// network. Only a rest helps, and Go rests in whole milliseconds.
	sliceAlone = time.Millisecond
	restAlone  = sliceAlone
)

// pacer ends slices of work.
type pacer struct {
	now          func() time.Time
	sleep        func(time.Duration)
	giveWay      func()
	slice, pause time.Duration // pause is 0: it gives way in its place
	heldBack     bool
	began        time.Time // of the slice
}

func newPacer(heldBack bool) *pacer {
	p := &pacer{now: time.Now, sleep: time.Sleep, giveWay: giveWay, slice: sliceShared, heldBack: heldBack, began: time.Now()}
	switch {
	case heldBack:
		p.slice, p.pause = sliceHeld, restHeld
	case runtime.GOMAXPROCS(0) == 1:
		p.slice, p.pause = sliceAlone, restAlone
	}
	return p
}

// rest gives way or sleeps if the slice is over.
func (p *pacer) rest() {
	worked := p.now()
	if worked.Sub(p.began) < p.slice {
		return
	}
	if p.pause == 0 {
		p.giveWay()
		p.began = p.now()
		return
	}
	p.sleep(p.pause)
	p.began = p.now()
	if p.heldBack {
		p.slice = min(max(p.began.Sub(worked)/restShare, sliceHeld), sliceShared)
	}
}
