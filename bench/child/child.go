// Package child runs the processes that the bench measures and reads what they use.
//
// Each child is pinned to a core before its first instruction, writes what it has to say into a
// buffer that an error shows, and is killed when the bench ends, however it ends. CPU time and
// memory are those of the process and all its descendants.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"aclgate/bench/sys"
)

const (
	// startTimeout bounds the time until a child listens; a million tokens take their time.
	startTimeout = 60 * time.Second
	// stopTimeout is how long a child may take to end before it is killed.
	stopTimeout = 3 * time.Second
	// maxOutput bounds what is kept of a child's output.
	maxOutput = 8 << 10
)

// Process is a running child.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
}

// Start starts argv, pinned to cores by this program's own hidden command. The child is killed if
// it outlives this process.
func Start(name string, cpus []int, argv []string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	args := append([]string{"bench", "pinned", cores(cpus), path}, argv[1:]...)
	p := &Process{name: name, cmd: exec.Command(self, args...), output: &output{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	sys.DieWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// cores prints a list of cores as `bench pinned` reads it.
func cores(cpus []int) string {
	words := make([]string, len(cpus))
	for i, cpu := range cpus {
		words[i] = strconv.Itoa(cpu)
	}
	return strings.Join(words, ",")
}

// WaitFor waits until a process listens on at. The error holds what the child printed.
func (p *Process) WaitFor(ctx context.Context, at netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("cannot connect to %s: it ended: %s", p.name, p.output)
		case <-ctx.Done():
			return fmt.Errorf("cannot connect to %s on %s: %w %s", p.name, at, ctx.Err(), p.output)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Stop asks the child to end and kills it if it does not. It returns when it is gone.
func (p *Process) Stop() {
	if p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.ended:
			return
		case <-time.After(stopTimeout):
		}
	}
	p.cmd.Process.Kill()
	<-p.ended
}

// PID returns the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what the child wrote so far.
func (p *Process) Output() string { return p.output.String() }

// CPU returns what the processes of a tree have used so far.
func CPU(pid int) time.Duration {
	sum := time.Duration(0)
	for _, pid := range tree(pid) {
		used, err := sys.CPUTime(pid)
		if err == nil {
			sum += used
		}
	}
	return sum
}

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every architecture that Go runs
// on.
const tick = 10 * time.Millisecond

// Split returns what the processes of a tree have used in user and in system mode, in hundredths of
// a second.
func Split(pid int) (user, system time.Duration) {
	for _, pid := range tree(pid) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The second field is the program's name and may hold anything but ends with the last ")".
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 12 {
			user += ticks(fields[11])
			system += ticks(fields[12])
		}
	}
	return user, system
}

func ticks(field string) time.Duration {
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n) * tick
}

// RSS returns the memory of a tree in bytes.
func RSS(pid int) int64 {
	sum := int64(0)
	for _, pid := range tree(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		fields := strings.Fields(string(text))
		if err != nil || len(fields) < 2 {
			continue
		}
		if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

// tree returns a process and its descendants.
func tree(pid int) []int {
	all := []int{pid}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return all
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, tree(child)...)
			}
		}
	}
	return all
}

// Idle returns how long a core has been idle since the system started.
func Idle(cpu int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	name := "cpu" + strconv.Itoa(cpu)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 5 && f[0] == name {
			return ticks(f[4]) + ticks(f[5]), nil // idle and iowait
		}
	}
	return 0, errors.New("/proc/stat does not name " + name)
}

// output keeps the beginning of what a child writes.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p[:min(len(p), maxOutput-len(o.text))]...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.text))
}
