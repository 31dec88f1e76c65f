package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process whose log is a pipe that is full, or one whose reader has died: what it logs delays and
// ends nothing, not a request, not a reload, not its own end.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
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

// Whatever a command waits for, a signal ends it at once.
func TestSignalsEndCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe") // without a writer: who opens it waits
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("audit.jsonl", "")
	logged := write("logged.yaml", "audit: {path: audit.jsonl}\n")
	stuck := write("stuck.yaml", "store: {kind: file, path: pipe}\n")
	for _, args := range [][]string{
		{"audit", "tail", "-f", "-c", logged}, {"check", "-c", pipe}, {"check", "-c", stuck}, {"serve", "-c", stuck}, {"explain", "-c", stuck, "GET", "/gw/devices/1"},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			cmd := exec.Command(binary, args...)
			cmd.Env = append(os.Environ(), childVariable+"=1")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // it waits by now; if not, it ends all the same
			cmd.Process.Signal(signal)
			gone := make(chan error, 1)
			go func() { gone <- cmd.Wait() }()
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				t.Errorf("%v goes on after %v", args, signal)
				cmd.Process.Kill()
			}
		}
	}
}

// A second SIGTERM ends a gateway that waits for its requests.
func TestSecondSignalHastens(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	asked := make(chan struct{}, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer backend.Close()
	c := newChild(t, childOptions{siteOptions: siteOptions{
		upstream: fmt.Sprintf("urls: [%q]", backend.URL), settings: "scope: {trust_header: true}\nshutdown: {delay: 1s, drain: 2m}\n",
	}})
	c.dial("GET /gw/channels/2025 HTTP/1.1\r\nHost: x\r\nAuthorization: FlespiToken " + validKey + "\r\n\r\n")
	<-asked
	c.cmd.Process.Signal(syscall.SIGTERM)
	time.Sleep(2 * time.Second)
	select {
	case err := <-c.gone:
		t.Fatalf("got %v after one signal, want it to wait", err)
	default:
	}
	c.cmd.Process.Signal(syscall.SIGTERM)
	if err := c.wait(); err == nil || !strings.Contains(c.stderr.String(), "hastened") {
		t.Errorf("got %v and %s, want an end that says that a request was cut", err, c.stderr.String())
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
