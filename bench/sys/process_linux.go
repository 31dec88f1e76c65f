package sys

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxCPUs is how many cores an affinity mask here can name.
const maxCPUs = 1024

type mask [maxCPUs / 64]uint64

// CPUs returns the cores that this process may run on, ascending.
func CPUs() ([]int, error) {
	var m mask
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return nil, os.NewSyscallError("sched_getaffinity", errno)
	}
	var cpus []int
	for cpu := range maxCPUs {
		if m[cpu/64]>>(cpu%64)&1 == 1 {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// Pin keeps the calling thread on the given cores, and with it what the thread starts or becomes.
func Pin(cpus []int) error { return pin(0, cpus) }

// PinAll keeps every thread of this process, and those they will start, on one core.
func PinAll(cpu int) error {
	return eachThread("self", func(tid int) error { return pin(tid, []int{cpu}) })
}

// eachThread calls do with each thread of a process. One that ends meanwhile is left out.
func eachThread(pid string, do func(tid int) error) error {
	tasks, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = do(tid)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

func pin(tid int, cpus []int) error {
	var m mask
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= maxCPUs {
			return syscall.EINVAL
		}
		m[cpu/64] |= 1 << (cpu % 64)
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return os.NewSyscallError("sched_setaffinity", errno)
	}
	return nil
}

// CPUTime returns what all threads of a process, ended ones too, have used of any core, user and
// system together. /proc/PID/stat says the same in hundredths of a second, too coarse for a slice.
func CPUTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) makes it
	clock := uintptr(int32(^pid<<3 | schedClock))
	var at syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&at)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("clock_gettime", errno)
	}
	return time.Duration(at.Nano()), nil
}

// ExactTimers asks the kernel not to delay the calling thread's timers, by default up to 50 µs, to
// save wake-ups.
func ExactTimers() {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
}

// Prompt has all threads of a process, and those that they start, interrupt whoever has their processor when
// they wake up, as far as their share allows: what measures must not wait for what is measured. It does
// nothing on kernels before Linux 6.12, which know no slices (sched_setattr(2)).
func Prompt(pid int) error {
	const shortest = 100_000 // ns
	return eachThread(strconv.Itoa(pid), func(tid int) error {
		a, err := unix.SchedGetAttr(tid, 0)
		if err != nil {
			return os.NewSyscallError("sched_getattr", err)
		}
		a.Runtime = shortest
		return os.NewSyscallError("sched_setattr", unix.SchedSetAttr(tid, a, 0))
	})
}

// DieWithParent has the kernel kill the command's process when this one ends in any way, and gives
// it a session of its own: where the kernel groups by session (sched_autogroup_enabled) two
// processes on one core then get the same share of it, however many threads they have. Else the one
// with more threads gets more requests, handles more of them at each turn, and each of them costs
// less.
func DieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
}

// Become replaces this process by another program, on the given cores from its first instruction: a
// Go program counts its cores when it starts. What DieWithParent has asked for holds for a
// process's first thread only, and the one that goes on may be another, so it is asked for again.
func Become(cpus []int, path string, args []string) error {
	const setParentDeathSignal = 1 // PR_SET_PDEATHSIG
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := Pin(cpus); err != nil {
		return err
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return syscall.Exec(path, args, os.Environ())
}
