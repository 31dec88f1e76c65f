//go:build unix

package record

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// pipeAt makes a named pipe.
func pipeAt(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	return path
}

// settled waits until n records were written or lost.
func settled(t *testing.T, a *Audit, n uint64) {
	t.Helper()
	until(t, func() bool { s := a.Stats(); return s.Written+s.Dropped+s.Failed == n })
}

// A named pipe without a reader: opening does not wait, records are lost and counted, and what comes
// once there is a reader arrives.
func TestAuditPipeWithoutReader(t *testing.T) {
	path := pipeAt(t)
	a, end := auditing(t, AuditOptions{Path: path, MaxSize: 1 << 20, Keep: 2})
	a.Add(denial())
	settled(t, a, 1)
	if s := a.Stats(); s.Failed != 1 || !s.Failing {
		t.Errorf("got %+v, want a loss and an alarm", s)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	a.Add(denial())
	settled(t, a, 2)
	if s := a.Stats(); s.Written != 1 || s.Failing {
		t.Errorf("got %+v, want a record written", s)
	}
	reader.Close()
	a.Add(denial()) // the reader has died
	settled(t, a, 3)
	if s := a.Stats(); s.Failed != 2 {
		t.Errorf("got %+v, want another loss", s)
	}
	end()
}

// A reader that takes nothing: requests go on, what it does not take is counted, the end comes, and
// of the lines that arrive each is whole but one for every write that was given up.
func TestAuditPipeStalled(t *testing.T) {
	t.Parallel()
	path := pipeAt(t)
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	a, end := auditing(t, AuditOptions{Path: path, MaxSize: 1000, Keep: 2, Queue: 100})
	added := uint64(0)
	until(t, func() bool { // more than the pipe holds, then more than the queue does
		for range 200 {
			a.Add(denial())
			added++
		}
		return a.Stats().Failed > 0
	})
	end()
	s := a.Stats()
	if s.Written+s.Dropped+s.Failed != added || s.Dropped == 0 || s.Failed == 0 {
		t.Errorf("got %+v, want all of %d, some of them lost", s, added)
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != 1 {
		t.Errorf("got %v, want no rotation of a pipe", files)
	}
	reader.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	got, _ := io.ReadAll(reader)
	// Of a write that was given up, which counts as failed, the pipe may have taken some lines.
	if n := uint64(bytes.Count(got, []byte("\n"))); n < s.Written || n > s.Written+s.Failed {
		t.Errorf("got %d lines, want the %d that count as written, and at most the %d that failed", n, s.Written, s.Failed)
	}
}

// Only a regular file under its own name rotates: not a link to one that others write, too.
func TestAuditLinkStays(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *os.File{
		"a pipe": func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			go io.Copy(io.Discard, r)
			return w
		},
		"a regular file": func(t *testing.T) *os.File {
			f, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
	} {
		target := open(t)
		t.Cleanup(func() { target.Close() })
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.Symlink("/proc/self/fd/"+number(target), path); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no /proc here: %v", err)
		}
		a, end := auditing(t, AuditOptions{Path: path, MaxSize: 100, Keep: 2})
		for n := range uint64(20) {
			a.Add(denial())
			settled(t, a, n+1)
		}
		end()
		files, _ := os.ReadDir(filepath.Dir(path))
		if s := a.Stats(); s.Written != 20 || len(files) != 1 || files[0].Type()&os.ModeSymlink == 0 {
			t.Errorf("%s: got %+v and %v, want 20 written and the link alone", name, s, files)
		}
	}
}

// Where a service manager gives a socket as standard output, its name cannot be opened, and is
// written to all the same.
func TestAuditSocketAsOutput(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Skip(err)
	}
	near, far := os.NewFile(uintptr(pair[0]), "near"), os.NewFile(uintptr(pair[1]), "far")
	defer far.Close()
	stdout := os.Stdout
	os.Stdout = near
	defer func() { os.Stdout = stdout; near.Close() }()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.Symlink("/proc/self/fd/"+number(near), path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	a, end := auditing(t, AuditOptions{Path: path, MaxSize: 100, Keep: 2})
	a.Add(denial())
	settled(t, a, 1)
	line := make([]byte, 4096)
	n, err := far.Read(line)
	if s := a.Stats(); s.Written != 1 || err != nil || !bytes.HasSuffix(line[:n], []byte("}\n")) {
		t.Errorf("got %+v, %q, %v, want one record", s, line[:n], err)
	}
	end()
}

// A write that never ends, to what knows no deadline, does not hold up the end.
func TestAuditBlockedForEver(t *testing.T) {
	t.Parallel()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Skip(err)
	}
	far := os.NewFile(uintptr(pair[1]), "far")
	a, end := auditing(t, AuditOptions{Path: filepath.Join(t.TempDir(), "a"), MaxSize: 1 << 20})
	a.Reopen()
	for deadline := time.Now().Add(10 * time.Second); len(a.reopen) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // or the file would be opened again behind what follows
	}
	a.Add(denial())
	settled(t, a, 1)
	a.file.close() // its goroutine waits for the next record
	a.file.file = os.NewFile(uintptr(pair[0]), "near")
	const added = 4000
	for range added {
		a.Add(denial())
	}
	end()
	if s := a.Stats(); s.Dropped == 0 {
		t.Errorf("got %+v, want what waited to be counted", s)
	}
	far.Close() // the write fails, and its goroutine ends
}

// number returns the number of a file's descriptor as text, and leaves its mode alone.
func number(f *os.File) (text string) {
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { text = strconv.Itoa(int(fd)) })
	}
	if err != nil {
		return "none"
	}
	return text
}
