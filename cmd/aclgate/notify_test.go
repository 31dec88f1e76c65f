package main

import (
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestNotify: a service manager is informed of the start, of each reload, also of one that is
// refused, and of the end; in this order.
func TestNotify(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	next := func() string {
		t.Helper()
		b := make([]byte, 256)
		socket.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := socket.Read(b)
		if err != nil {
			t.Fatalf("got %v, want a state", err)
		}
		return string(b[:n])
	}
	g := startGate(t, siteOptions{})
	states := []string{next()}
	for _, policy := range []string{"accounts: []", "accounts: [{id: 1, name: operator}]\ntokens: []\n"} {
		g.policy(policy)
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		states = append(states, next(), next())
	}
	g.end()
	states = append(states, next())
	want := []string{"READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}
	if !slices.Equal(states, want) {
		t.Errorf("got %q, want %q", states, want)
	}
}
