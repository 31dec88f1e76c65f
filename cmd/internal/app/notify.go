package app

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// What a service manager is told. READY=1 is sent when both addresses are taken, not when /readyz
// is 200: a gateway whose backend is down has started well, and a restart would help nobody.
// Balancers ask /readyz.
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

const (
	// notifyFor is how long one state may wait for a service manager that does not read.
	notifyFor = 10 * time.Second
	// notifyEnd is the same for all that still waits at the end.
	notifyEnd = 200 * time.Millisecond
	// notifyQueue is how many states may wait.
	notifyQueue = 16
)

// notifier tells systemd, or another that set NOTIFY_SOCKET, the state of the process (sd_notify(3)).
// Nobody waits for it (SPEC 6): states are queued, and run sends them.
type notifier struct {
	address string // "": there is nobody to tell
	states  chan string
	lost    atomic.Uint64
	failed  func(state string, err error)
}

func newNotifier(failed func(state string, err error)) *notifier {
	return &notifier{address: os.Getenv("NOTIFY_SOCKET"), states: make(chan string, notifyQueue), failed: failed}
}

// tell queues a state. It does not wait.
func (n *notifier) tell(state string) {
	if n.address == "" {
		return
	}
	select {
	case n.states <- state:
	default:
		n.lost.Add(1)
	}
}

// run sends what is queued until ctx ends, and then what still is.
func (n *notifier) run(ctx context.Context) {
	for {
		select {
		case state := <-n.states:
			n.send(ctx, state, time.Now().Add(notifyFor))
		case <-ctx.Done():
			n.drain(time.Now().Add(notifyEnd))
			return
		}
	}
}

func (n *notifier) drain(until time.Time) {
	for {
		select {
		case state := <-n.states:
			n.send(context.Background(), state, until)
		default:
			return
		}
	}
}

// send sends one state. A socket that is full is waited for until the time that is named, or for a
// moment after ctx has ended.
func (n *notifier) send(ctx context.Context, state string, until time.Time) {
	conn, err := net.Dial("unixgram", n.address) // a leading @ is an abstract name here, too
	if err == nil {
		conn.SetWriteDeadline(until)
		stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Now().Add(notifyEnd)) })
		_, err = conn.Write([]byte(state))
		stop()
		conn.Close()
	}
	if err != nil {
		n.lost.Add(1)
		n.failed(state, err)
	}
}
