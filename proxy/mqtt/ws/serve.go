package ws

import (
	"log/slog"
	"net"
	"runtime/debug"
	"sync"

	"aclgate/proxy/head"
)

// Serve opens the connections of a listener and hands those that are upgraded to take, which serves
// them, until the listener is closed. wait gives a connection that is not upgraded yet its place, or
// says that there is none; end ends it, and exit is called when it is upgraded or has gone. Then it waits for those that are not upgraded yet. What is
// wrong with one connection does not end it.
func Serve(l *head.Listener, log *slog.Logger, wait func(c net.Conn, end func()) (exit func(), ok bool), take func(*Conn)) {
	var opening sync.WaitGroup
	defer opening.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		exit, ok := wait(c, func() { c.Close() })
		if !ok {
			c.Close()
			continue
		}
		opening.Go(func() {
			defer exit()
			defer func() {
				if fault := recover(); fault != nil {
					log.Error("an upgrade panicked", "error", fault, "stack", string(debug.Stack()))
					c.Close()
				}
			}()
			open(c.(*head.Conn), exit, take)
		})
	}
}

// open waits for the head of an upgrade.
func open(c *head.Conn, exit func(), take func(*Conn)) {
	if !c.Next() {
		c.Close()
		return
	}
	w, err := Open(c)
	if err != nil {
		c.Close()
		return
	}
	exit() // take has places of its own
	take(w)
}
