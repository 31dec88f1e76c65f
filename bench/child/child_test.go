package child

import (
	"os"
	"testing"
	"time"

	"aclgate/bench/sys"
)

// TestCPUSeesWork: the clock of this process goes on by about what it works, and both sources
// agree.
func TestCPUSeesWork(t *testing.T) {
	if _, err := sys.CPUs(); err != nil {
		t.Skip(err)
	}
	before := CPU(os.Getpid())
	if before == 0 {
		t.Fatal("this process has used nothing")
	}
	for CPU(os.Getpid())-before < 30*time.Millisecond {
	}
	user, system := Split(os.Getpid())
	if got, want := user+system, CPU(os.Getpid()); got > want+2*tick || got < want/2-2*tick {
		t.Errorf("/proc says %v, the clock %v", got, want)
	}
}

func TestRSS(t *testing.T) {
	if _, err := sys.CPUs(); err != nil {
		t.Skip(err)
	}
	if got := RSS(os.Getpid()); got < 1<<20 || got > 1<<32 {
		t.Errorf("got %d bytes", got)
	}
	if got := RSS(1 << 30); got != 0 {
		t.Errorf("a process that does not exist has %d bytes", got)
	}
}

func TestIdle(t *testing.T) {
	cpus, err := sys.CPUs()
	if err != nil {
		t.Skip(err)
	}
	if idle, err := Idle(cpus[0]); err != nil || idle <= 0 {
		t.Errorf("got %v, %v", idle, err)
	}
	if _, err := Idle(1 << 20); err == nil {
		t.Error("a core that does not exist is idle")
	}
}

func TestWordsAreBounded(t *testing.T) {
	var w output
	for range 100 {
		if n, err := w.Write(make([]byte, 1000)); n != 1000 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if got := len(w.text); got != maxOutput {
		t.Errorf("got %d bytes, want %d", got, maxOutput)
	}
}
