package sys

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// What measures has shorter slices than what is measured, so that it does not wait for it.
func TestPrompt(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	before, err := unix.SchedGetAttr(c.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	if before.Runtime == 0 {
		t.Skip("this kernel knows no slices: they are of Linux 6.12")
	}
	if err := Prompt(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	after, err := unix.SchedGetAttr(c.Process.Pid, 0)
	if err != nil || after.Runtime >= before.Runtime || after.Nice != before.Nice {
		t.Errorf("got %+v after %+v, %v, want shorter slices and the same priority", after, before, err)
	}
}
