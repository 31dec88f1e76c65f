package main

import (
	"net"
	"os"
)

// What a service manager is told. READY=1 is said when both addresses are
// taken, not when /readyz is 200: a gateway whose backend is down has started
// well, and to be restarted for it would help nobody. Balancers ask /readyz.
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// notify tells systemd, or whoever else set NOTIFY_SOCKET, how the process
// stands (sd_notify(3)). Without a listener it says nothing.
func (a *app) notify(state string) {
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
