// Package redistest starts Redis servers for tests. Where the program is not installed the test is
// skipped with a word.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Server is a Redis that ends with the test.
type Server struct {
	Socket string // where it listens
	cmd    *exec.Cmd
}

// Start starts a server with further arguments.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed (apt-get install redis-server): nothing was tested here")
	}
	dir, err := os.MkdirTemp("", "aclgate-redis-") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Socket: filepath.Join(dir, "sock")}
	s.cmd = exec.Command(path, append([]string{"--port", "0", "--unixsocket", s.Socket, "--save", "", "--appendonly", "no", "--dir", dir}, args...)...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill(); os.RemoveAll(dir) })
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", s.Socket); err == nil {
			c.Close()
			return s
		}
	}
	t.Fatal("the server does not start")
	return nil
}

// Kill ends the server at once. A second call does nothing.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = s.cmd.Wait()
}
