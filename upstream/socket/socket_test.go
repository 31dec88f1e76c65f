//go:build unix

package socket

import (
	"bytes"
	"net"
	"syscall"
	"testing"
)

// pair returns both ends of a connection and the descriptor of the first.
func pair(t testing.TB) (near, far net.Conn, raw syscall.RawConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	raw, err = near.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return near, far, raw
}

// do runs f once with the descriptor.
func do(t testing.TB, raw syscall.RawConn, f func(fd uintptr) (int, error)) (n int, err error) {
	t.Helper()
	if fault := raw.Control(func(fd uintptr) { n, err = f(fd) }); fault != nil {
		t.Fatal(fault)
	}
	return n, err
}

// arrived waits until something can be read, and leaves it there.
func arrived(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	var b [1]byte
	err := raw.Read(func(fd uintptr) bool {
		_, err := Recv(fd, b[:], syscall.MSG_PEEK)
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Ensure that reading takes what is there, that a look takes nothing, and that neither waits.
func TestReading(t *testing.T) {
	_, far, raw := pair(t)
	var b [8]byte
	read := func(fd uintptr) (int, error) { return Read(fd, b[:]) }
	look := func(fd uintptr) (int, error) { return Recv(fd, b[:], syscall.MSG_PEEK) }
	rows := []struct {
		name string
		do   func(fd uintptr) (int, error)
		n    int
		err  error
	}{
		{"nothing to read", read, 0, syscall.EAGAIN},
		{"nothing to look at", look, 0, syscall.EAGAIN},
		{"a look", look, 5, nil},
		{"a second look", look, 5, nil},
		{"no room", func(fd uintptr) (int, error) { return Read(fd, nil) }, 0, nil},
		{"read", read, 5, nil},
		{"read again", read, 0, syscall.EAGAIN},
	}
	for i, row := range rows {
		if i == 2 {
			far.Write([]byte("hello"))
			arrived(t, raw)
		}
		if n, err := do(t, raw, row.do); n != row.n || err != row.err || n > 0 && string(b[:n]) != "hello" {
			t.Errorf("%s: got %d %v, want %d %v", row.name, n, err, row.n, row.err)
		}
	}
	far.Close()
	arrived(t, raw)
	if n, err := do(t, raw, read); n != 0 || err != nil {
		t.Errorf("the end: got %d %v, want 0", n, err)
	}
}

// Ensure that a full socket takes a part, then nothing, and that what it took arrives in order.
func TestWriting(t *testing.T) {
	near, far, raw := pair(t)
	first, rest := []byte("first"), bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	sent, err := do(t, raw, func(fd uintptr) (int, error) { return WriteAll(fd, first, nil, rest) })
	if sent <= 0 || sent >= len(first)+len(rest) || err != nil {
		t.Fatalf("got %d %v, want a part of %d bytes", sent, err, len(first)+len(rest))
	}
	for {
		n, err := do(t, raw, func(fd uintptr) (int, error) { return Write(fd, rest[sent-len(first):]) })
		if err == syscall.EAGAIN {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	near.(*net.TCPConn).CloseWrite()
	var got bytes.Buffer
	if _, err := got.ReadFrom(far); err != nil {
		t.Fatal(err)
	}
	if want := append(first, rest...)[:sent]; !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got %d bytes, want %d, or other ones", got.Len(), len(want))
	}
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if _, err := do(t, raw, func(fd uintptr) (int, error) { return Write(fd, first) }); err == nil || err == syscall.EAGAIN {
		t.Errorf("got %v for a connection that is gone", err)
	}
}

func TestNoAllocs(t *testing.T) {
	_, far, raw := pair(t)
	go func() {
		for b := make([]byte, 1<<16); ; {
			if _, err := far.Read(b); err != nil {
				return
			}
		}
	}()
	a, b, room := []byte("a"), []byte("b"), make([]byte, 1)
	use := func(fd uintptr) {
		Write(fd, a)
		WriteAll(fd, a, b, a)
		Recv(fd, room, syscall.MSG_PEEK)
		Read(fd, room)
	}
	if n := testing.AllocsPerRun(100, func() { raw.Control(use) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// BenchmarkLook compares a look at a quiet socket through package syscall, which tells the scheduler, with one that does
// not. What it is for shows only on a core that is shared: see docs/performance.md.
func BenchmarkLook(b *testing.B) {
	_, _, raw := pair(b)
	var room [1]byte
	b.Run("told", func(b *testing.B) {
		raw.Control(func(fd uintptr) {
			for b.Loop() {
				syscall.Recvfrom(int(fd), room[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			}
		})
	})
	b.Run("untold", func(b *testing.B) {
		raw.Control(func(fd uintptr) {
			for b.Loop() {
				Recv(fd, room[:], syscall.MSG_PEEK)
			}
		})
	})
}
