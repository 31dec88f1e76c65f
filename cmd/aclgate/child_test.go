package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the full runs of .ci/hostile change.
var (
	long = flag.Bool("long", false, "the full number of rounds and connections")
	soak = flag.Duration("soak", 2*time.Second, "how long the soak takes")
)

// childVariable makes a run of the test binary the program itself.
const childVariable = "ACLGATE_TEST_CHILD"

// backendVariable makes a run of the test binary a backend at the address that it holds.
const backendVariable = "ACLGATE_TEST_BACKEND"

// TestMain lets tests have the program as a process of its own: with its own limits, its own
// memory, and a death that is not the test's.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		return
	}
	if address := os.Getenv(backendVariable); address != "" {
		serveBackend(address)
		return
	}
	if config := os.Getenv(floodVariable); config != "" {
		serveFlood(config)
		return
	}
	// Tests wait for processes far longer than they compute: more of them run at once than there
	// are cores, unless the command line says how many.
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "6")
	}
	remove := trustTestIssuers()
	code := m.Run()
	remove()
	os.Exit(code)
}

// child is `serve` as a process, on a site whose backend is in the test's process.
type child struct {
	*site
	cmd            *exec.Cmd
	gone           chan error
	stdout, stderr *safeBuffer
}

// childOptions are what a test may change about a child.
type childOptions struct {
	siteOptions
	prefix string   // of the command line, such as a ulimit
	env    []string // further environment
	log    *os.File // its standard error; nil: child.stderr
}

func newChild(t *testing.T, o childOptions) *child {
	t.Helper()
	c := &child{site: newSite(t, o.siteOptions), stdout: new(safeBuffer), stderr: new(safeBuffer)}
	c.start(o)
	return c
}

// start starts the process and waits until it is ready. It ends with the test.
func (c *child) start(o childOptions) {
	c.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	script := o.prefix + "\nexec \"$0\" serve -c \"$1\""
	c.cmd = exec.Command("/bin/sh", "-c", script, binary, c.file())
	c.cmd.Env = append(append(os.Environ(), childVariable+"=1"), o.env...)
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	if o.log != nil {
		c.cmd.Stderr = o.log
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	gone, cmd := make(chan error, 1), c.cmd
	c.gone = gone
	go func() { gone <- cmd.Wait() }()
	c.t.Cleanup(func() { cmd.Process.Kill() })
	c.ready()
}

func (c *child) ready() {
	c.t.Helper()
	for range 400 {
		if resp, err := http.Get(c.admin + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	c.t.Fatalf("the child never gets ready: %s", c.stderr.String())
}

// end sends SIGTERM and waits for the process.
func (c *child) end() error {
	c.t.Helper()
	c.cmd.Process.Signal(syscall.SIGTERM)
	return c.wait()
}

func (c *child) wait() error {
	c.t.Helper()
	select {
	case err := <-c.gone:
		return err
	case <-time.After(30 * time.Second):
		c.t.Fatalf("the child does not end: %s", c.stderr.String())
		return nil
	}
}

// metric returns the value of a series, -1 if it is not there.
func (c *child) metric(name string) float64 {
	c.t.Helper()
	value, err := strconv.ParseFloat(c.series(name), 64)
	if err != nil {
		return -1
	}
	return value
}

// rss returns the resident memory in KiB.
func (c *child) rss() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Skipf("this system does not tell the memory of a process: %v", err)
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	var n int
	fmt.Sscanf(string(rest), "%d", &n)
	return n
}

// descriptors returns how many are open.
func (c *child) descriptors() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid))
	if err != nil {
		c.t.Skipf("this system does not tell the descriptors of a process: %v", err)
	}
	return len(entries)
}

// dial opens a connection to the API and sends text.
func (c *child) dial(text string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	io.WriteString(conn, text)
	return conn
}

// get asks for one item over a fresh connection and returns the status, 0 if there was no answer
// within some seconds.
func (c *child) get() int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, _ := http.NewRequest("GET", c.api+"/gw/channels/2025?fields=id", nil)
	req.Header.Set("Authorization", "FlespiToken "+validKey)
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// until waits until ok, and fails the test if that takes too long.
func (c *child) until(what string, ok func() bool) {
	c.t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("never: %s; the child wrote %s", what, c.stderr.String())
}
