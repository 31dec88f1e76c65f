package app

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// notifying runs a notifier for the socket until the returned function is called.
func notifying(t *testing.T, address string) (*notifier, func()) {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", address)
	n := newNotifier(func(string, error) {})
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { n.run(ctx) })
	end := sync.OnceFunc(func() { stop(); work.Wait() })
	t.Cleanup(end)
	return n, end
}

// A service manager that does not read delays neither what is told nor the end. Every state was
// either sent or counted.
func TestNotifyStalled(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	defer socket.Close()
	n, end := notifying(t, address)
	const told = 3000 // more than the system holds for a socket that nobody reads
	for range told {
		n.tell(notifyReloading)
	}
	end()
	sent := uint64(0)
	for b := make([]byte, 64); ; sent++ {
		socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := socket.Read(b); err != nil {
			break
		}
	}
	if lost := n.lost.Load(); sent == 0 || lost == 0 || sent+lost != told {
		t.Errorf("got %d sent and %d lost, want both and %d together", sent, lost, told)
	}
}

// A socket that is not there is a loss, and no more.
func TestNotifyBroken(t *testing.T) {
	n, end := notifying(t, filepath.Join(t.TempDir(), "nobody"))
	n.tell(notifyReady)
	n.tell(notifyStopping)
	end()
	if got := n.lost.Load(); got != 2 {
		t.Errorf("got %d lost, want 2", got)
	}
}
