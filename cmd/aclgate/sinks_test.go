package main

import (
	"os"
	"syscall"
	"testing"
)

// A process whose log is a pipe that is full, or one whose reader has died: what it logs delays and
// ends nothing, not a request, not a reload, not its own end.
func TestLogThatNobodyReads(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rows := map[string]struct {
		spoil func(read, write *os.File)
		lost  bool
	}{
		"full":             {func(_, write *os.File) { fill(t, write) }, false}, // what is logged here waits
		"without a reader": {func(read, _ *os.File) { read.Close() }, true},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			defer write.Close()
			c := newChild(t, childOptions{log: write})
			row.spoil(read, write)
			for want := 2.0; want < 5; want++ {
				c.cmd.Process.Signal(syscall.SIGHUP)
				c.until("a reload", func() bool { return c.metric(`aclgate_policy_reloads_total{result="succeeded"}`) >= want })
				if got := c.get(); got != 200 {
					t.Errorf("got %d, want 200", got)
				}
			}
			if row.lost {
				c.until("losses are counted", func() bool { return c.metric(`aclgate_sink_lost_total{sink="log"}`) > 0 })
			}
			if err := c.end(); err != nil {
				t.Errorf("got %v, want an end in order", err)
			}
		})
	}
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, write *os.File) {
	raw, err := write.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		syscall.SetNonblock(int(fd), true) // giving it to a process has made it block
		defer syscall.SetNonblock(int(fd), false)
		for size := 4096; size > 0; {
			if _, err := syscall.Write(int(fd), make([]byte, size)); err != nil {
				size /= 2
			}
		}
	})
}
