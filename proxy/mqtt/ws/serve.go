package ws

import (
	"log/slog"
	"runtime/debug"
	"sync"

	"aclgate/proxy/head"
)

// Serve opens the connections of a listener and hands those that are upgraded to take, which serves
// them, until the listener is closed. Then it waits for those that are not upgraded yet. What is
// wrong with one connection does not end it.
func Serve(l *head.Listener, log *slog.Logger, take func(*Conn)) {
	var opening sync.WaitGroup
	defer opening.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		opening.Go(func() {
			defer func() {
				if fault := recover(); fault != nil {
					log.Error("an upgrade panicked", "error", fault, "stack", string(debug.Stack()))
					c.Close()
				}
			}()
			open(c.(*head.Conn), take)
		})
	}
}

// open waits for the head of an upgrade.
func open(c *head.Conn, take func(*Conn)) {
	if !c.Next() {
		c.Close()
		return
	}
	w, err := Open(c)
	if err != nil {
		c.Close()
		return
	}
	take(w)
}
