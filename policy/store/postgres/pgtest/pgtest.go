// Package pgtest starts PostgreSQL servers and poolers for tests: private ones, in a folder of
// their own, on a socket and a loopback port, under a user that is not root. Where the programs are
// not installed the test is skipped with a word.
package pgtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds whatever is waited for.
const patience = time.Minute

// Server is a running server with the roles of the store, and a login for each: t_owner, t_admin,
// t_replica. Its superuser is root. Every login over the socket and from loopback is trusted, but
// for t_locked, which needs the password "right".
type Server struct {
	t    testing.TB
	dir  string
	Port int
	cmd  *exec.Cmd
	gone chan struct{}
	args []string
}

var databases atomic.Int64

// Program returns the path of a program of PostgreSQL.
func Program(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		slices.Sort(found)
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (apt-get install postgresql pgbouncer): nothing was tested here", name)
	}
	return path
}

// command prepares a program as a user that is not root.
func command(t testing.TB, dir, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	if os.Getuid() != 0 {
		return cmd
	}
	uid, gid := other(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, int(uid), int(gid))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// other is a user that is not root.
func other(t testing.TB) (uid, gid uint32) {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			id, _ := strconv.ParseUint(u.Uid, 10, 32)
			group, _ := strconv.ParseUint(u.Gid, 10, 32)
			return uint32(id), uint32(group)
		}
	}
	t.Skip("there is no user for a server: root must not run one")
	return 0, 0
}

// folder makes a folder that other users may enter.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "aclgate-pg-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Start starts a server that ends with the test. settings are further ones, name=value.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := prepare(t, settings)
	run(t, command(t, s.dir, Program(t, "initdb"), "-D", s.data(), "-U", "root", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"))
	hba := "local all t_locked scram-sha-256\nhost all t_locked all scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\nlocal replication all trust\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(hba), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Up()
	roles, err := os.ReadFile(filepath.Join(root(t), "policy/store/postgres/roles.sql"))
	if err != nil {
		t.Fatal(err)
	}
	s.SQL("postgres", string(roles)+`; DROP SCHEMA aclgate; CREATE ROLE t_owner LOGIN IN ROLE aclgate_owner; CREATE ROLE t_admin LOGIN IN ROLE aclgate_admin;
		CREATE ROLE t_replica LOGIN IN ROLE aclgate_replica; CREATE ROLE t_locked LOGIN PASSWORD 'right' IN ROLE aclgate_replica; CREATE ROLE t_nobody LOGIN`)
	return s
}

// root returns the folder of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the folder of the test")
		}
		dir = filepath.Dir(dir)
	}
}

func prepare(t testing.TB, settings []string) *Server {
	t.Helper()
	s := &Server{t: t, dir: folder(t), Port: FreePort(t)}
	all := append([]string{"listen_addresses=127.0.0.1", "fsync=off", "max_connections=200", "shared_buffers=64MB", "log_min_messages=fatal",
		"wal_level=replica", "max_wal_senders=4"}, settings...)
	s.args = []string{"-D", s.data(), "-k", s.dir, "-p", strconv.Itoa(s.Port)}
	for _, text := range all {
		s.args = append(s.args, "-c", text)
	}
	return s
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// FreePort returns a port of loopback that nobody had a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, out)
	}
}

// Up starts the server and waits until it answers.
func (s *Server) Up() {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = command(s.t, s.dir, Program(s.t, "postgres"), s.args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, gone := s.cmd, make(chan struct{})
	s.gone = gone
	go func() { _ = cmd.Wait(); close(gone) }()
	s.t.Cleanup(func() { s.Kill() })
	s.Await()
}

// Await waits until the server answers.
func (s *Server) Await() {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if exec.Command(Program(s.t, "psql"), "-X", "-q", s.URL("postgres", "root"), "-c", "SELECT 1").Run() == nil {
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	s.t.Fatalf("the server does not start: %s", text)
}

// processes are those of the server, the first one first.
func (s *Server) processes() []int {
	parent := s.cmd.Process.Pid
	all := []int{parent}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(all, pid)
		}
	}
	return all
}

// Kill ends all processes of the server at once, as a fault of the machine would.
func (s *Server) Kill() {
	select {
	case <-s.gone:
		return
	default:
	}
	s.Signal(syscall.SIGKILL)
	<-s.gone
}

// Signal sends a signal to all processes of the server.
func (s *Server) Signal(sig syscall.Signal) {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, sig) // one may have ended meanwhile
	}
}

// URL returns the DSN of a login.
func (s *Server) URL(database, login string) string { return URL(s.Port, database, login) }

// URL returns the DSN of a login at a port of loopback.
func URL(port int, database, login string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", login, port, database)
}

// Socket returns the DSN of a login by the socket.
func (s *Server) Socket(database, login string) string {
	return fmt.Sprintf("host=%s port=%d user=%s dbname=%s", s.dir, s.Port, login, database)
}

// Database makes an empty database and returns its name.
func (s *Server) Database() string {
	s.t.Helper()
	name := fmt.Sprintf("d%d", databases.Add(1))
	s.SQL("postgres", "CREATE DATABASE "+name)
	s.SQL(name, "CREATE SCHEMA aclgate AUTHORIZATION aclgate_owner; GRANT USAGE ON SCHEMA aclgate TO aclgate_admin, aclgate_replica")
	return name
}

// SQL runs statements in psql as the superuser and returns what it prints.
func (s *Server) SQL(database, text string) string {
	s.t.Helper()
	out, err := s.TrySQL(database, "root", text)
	if err != nil {
		s.t.Fatalf("psql: %v\n%s\n%s", err, out, text)
	}
	return out
}

// TrySQL runs statements in psql as a login.
func (s *Server) TrySQL(database, login, text string) (string, error) {
	s.t.Helper()
	cmd := exec.Command(Program(s.t, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", s.URL(database, login))
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Standby starts a server that follows this one. It ends with the test.
func (s *Server) Standby(settings ...string) *Server {
	s.t.Helper()
	b := prepare(s.t, settings)
	run(s.t, command(s.t, b.dir, Program(s.t, "pg_basebackup"), "-D", b.data(), "-h", s.dir, "-p", strconv.Itoa(s.Port), "-U", "root", "-R", "-X", "stream", "-c", "fast"))
	if err := os.Chmod(b.data(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	b.Up()
	return b
}

// Promote makes a standby take writes.
func (s *Server) Promote() {
	s.t.Helper()
	s.SQL("postgres", "SELECT pg_promote()")
}

// Pooler starts a pgbouncer in transaction mode in front of the server and returns its port.
func (s *Server) Pooler() int {
	s.t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path = "/usr/sbin/pgbouncer"; exec.Command("test", "-x", path).Run() != nil {
			s.t.Skip("pgbouncer is not installed (apt-get install pgbouncer): nothing was tested here")
		}
	}
	dir, port := folder(s.t), FreePort(s.t)
	users := `"t_replica" ""` + "\n" + `"t_admin" ""` + "\n" + `"t_owner" ""` + "\n"
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=trust\nauth_file=%s/users\npool_mode=transaction\ndefault_pool_size=4\nmax_client_conn=500\nlogfile=%s/log\n",
		s.dir, s.Port, port, dir, dir)
	for name, text := range map[string]string{"users": users, "ini": settings} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	cmd := command(s.t, dir, path, "-q", filepath.Join(dir, "ini"))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			c.Close()
			return port
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	s.t.Fatalf("pgbouncer does not start: %s", text)
	return 0
}
