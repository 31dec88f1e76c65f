package app

import (
	"net"
	"os"
)

// What a service manager is told. READY=1 is sent when both addresses are taken, not when /readyz
// is 200: a gateway whose backend is down has started well, and a restart would help nobody.
// Balancers ask /readyz.
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// notify tells systemd, or another that set NOTIFY_SOCKET, the state of the process (sd_notify(3)).
// Without a socket it does nothing.
func (a *App) notify(state string) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	conn, err := net.Dial("unixgram", address) // a leading @ is an abstract name here, too
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		a.log.Warn("cannot tell the service manager", "state", state, "error", err)
	}
}
