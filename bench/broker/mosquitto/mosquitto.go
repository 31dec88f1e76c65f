// Package mosquitto runs Eclipse Mosquitto as a child, where it is installed: a real broker that
// shares nothing with this repository.
package mosquitto

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrMissing says that mosquitto is not installed.
var ErrMissing = errors.New("mosquitto is not installed: apt-get install -y mosquitto")

// Server is a running mosquitto.
type Server struct {
	address string
	cmd     *exec.Cmd
	log     string
}

// path finds the program, which Debian puts where only root looks.
func path() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrMissing
}

// Start starts a mosquitto that keeps its files in dir and lets everybody in. Lines are added to
// its configuration. It returns once connections are taken.
func Start(dir string, lines ...string) (*Server, error) {
	program, err := path()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{address: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(dir, "mosquitto.log")}
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n%s\n", port, strings.Join(lines, "\n"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(program, "-c", conf)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Close()
	output, _ := os.ReadFile(s.log)
	return nil, fmt.Errorf("mosquitto does not take connections: %s", output)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Addr returns the address that it listens on.
func (s *Server) Addr() string { return s.address }

// Pid returns the id of its process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Close kills it and waits for its end.
func (s *Server) Close() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
