package isolation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"aclgate/bench/sys"
)

// Settings are those of the gateway under test that a test may choose.
type Settings struct {
	Mode                  string
	Refresh, MaxStaleness time.Duration
	Backend               string // its url
}

// settingsText is what `serve` reads. Ports are the system's to choose.
const settingsText = `listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
upstream: {urls: [%q], token_file: upstream.token, max_url_bytes: %d, eject: {failures: 1000000, for: 1s}}
scope: {mode: %s, refresh: %s, max_staleness: %s}
store: {kind: file, path: policy.yaml}
limits: {unauthenticated: {rate: 0}}
log: {level: info, format: json}
shutdown: {delay: 0s, drain: 1s}
`

// BackendKey is the gateway's own credential.
const BackendKey = "the-credential-of-the-gateway-itself"

// startTimeout bounds the start of a gateway.
const startTimeout = 30 * time.Second

// Gateway is a child process that serves.
type Gateway struct {
	Address, Admin string

	dir   string // of its files
	cmd   *exec.Cmd
	ended chan struct{}

	mu      sync.Mutex
	logTail []string // the last lines of its log
	fault   string   // the first line that names a panic or a race
}

var errEnded = errors.New("the gateway has ended")

// Start runs a program's `serve` over a world in dir, and returns when it has taken its addresses.
func Start(program, dir string, w *World, s Settings) (*Gateway, error) {
	if err := write(dir, w, s); err != nil {
		return nil, err
	}
	g := &Gateway{dir: dir, cmd: exec.Command(program, "serve", "-c", filepath.Join(dir, "aclgate.yaml")), ended: make(chan struct{})}
	sys.DieWithParent(g.cmd)
	out, err := g.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	serving := make(chan struct{})
	go g.listen(out, serving)
	select {
	case <-serving:
		return g, nil
	case <-g.ended:
		return nil, fmt.Errorf("cannot start the gateway: %w: %v", errEnded, g.LogTail())
	case <-time.After(startTimeout):
		g.Stop()
		return nil, fmt.Errorf("cannot start the gateway in %v: %v", startTimeout, g.LogTail())
	}
}

func write(dir string, w *World, s Settings) error {
	text := fmt.Sprintf(settingsText, s.Backend, maxTarget, s.Mode, s.Refresh, s.MaxStaleness)
	for name, text := range map[string]string{"aclgate.yaml": text, "upstream.token": BackendKey + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "policy.yaml"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(w.WritePolicy(f), f.Close())
}

// listen reads the child's log to its end.
func (g *Gateway) listen(out io.Reader, serving chan<- struct{}) {
	defer close(g.ended)
	defer g.cmd.Wait()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Msg, Address, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			g.Address, g.Admin = line.Address, line.Admin
			close(serving)
		}
		g.mu.Lock()
		if line := lines.Text(); g.fault == "" && (strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE")) {
			g.fault = line
		}
		g.logTail = append(g.logTail[max(0, len(g.logTail)-19):], lines.Text())
		g.mu.Unlock()
	}
}

// LogTail returns the last lines of the log.
func (g *Gateway) LogTail() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.logTail...)
}

// Fault returns the first line of the log that names a panic or, if the program was built to look
// for them, of a race; mostly "".
func (g *Gateway) Fault() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}

// Stop ends the child and waits for its end.
func (g *Gateway) Stop() {
	_ = g.cmd.Process.Signal(os.Interrupt)
	select {
	case <-g.ended:
	case <-time.After(5 * time.Second):
		_ = g.cmd.Process.Kill()
		<-g.ended
	}
}

// PID returns the process id, to measure its memory.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Get asks the admin listener.
func (g *Gateway) Get(path string) (status int, body string, err error) {
	resp, err := http.Get("http://" + g.Admin + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// WaitReady returns when the gateway is ready.
func (g *Gateway) WaitReady(ctx context.Context) error {
	for {
		status, body, err := g.Get("/readyz")
		if status == 200 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait any longer for the gateway to be ready: %s %w; %v", body, errors.Join(err, ctx.Err()), g.LogTail())
		case <-g.ended:
			return errEnded
		case <-time.After(10 * time.Millisecond):
		}
	}
}
