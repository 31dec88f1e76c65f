package login

import (
	"runtime"
	"syscall"
)

// giveWay lets whoever is ready run first: goroutines, and other threads on this core. Go's own yield
// knows nothing of those, and a thread that has just begun to work keeps its core for some milliseconds.
// It is a call that Go may take the processor away from: the collector does not wait for it.
func giveWay() {
	runtime.Gosched()
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) // sched_yield(2) never fails
}
