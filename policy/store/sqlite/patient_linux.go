package sqlite

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Policies of sched(7) that know slices.
const (
	schedNormal = 0
	schedBatch  = 3
)

// patientFor is a slice in nanoseconds, longer than the 3 ms or so of others. With the 100 ms that Linux gives at most,
// who writes waited as long for a processor on a busy machine.
const patientFor = 10_000_000

// patient makes the caller's thread one that whoever wakes up may interrupt, until the function is called
// that it returns. A transaction is 1 or 2 ms of work without a break. Linux lets a thread finish its
// slice before another one that wakes up has the processor, so that a request that arrives meanwhile waited
// as long where all processors were busy. Since Linux 6.12 a thread may say how long its slices are, and one
// with shorter ones does not wait for one with longer ones (sched_setattr(2), sched_runtime). The share of
// the processor stays the same: a busy machine does not starve who writes, as a lower priority would. Older
// kernels know no slices, and nothing changes there.
func patient() (restore func()) {
	runtime.LockOSThread()
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Runtime == 0 || a.Policy != schedNormal && a.Policy != schedBatch {
		runtime.UnlockOSThread()
		return func() {}
	}
	slice := a.Runtime
	a.Runtime = patientFor
	if unix.SchedSetAttr(0, a, 0) != nil { // a sandbox may forbid it
		runtime.UnlockOSThread()
		return func() {}
	}
	return func() {
		a.Runtime = slice
		if unix.SchedSetAttr(0, a, 0) == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with the goroutine, rather than serve others so
	}
}
