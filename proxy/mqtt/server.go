package mqtt

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// Server serves the sessions of any number of listeners.
type Server struct {
	o Options

	lobby     *lobby
	admitted  atomic.Int64 // sessions whose token is known
	lingering atomic.Int64 // connections that are read to their end

	mu       sync.Mutex
	closed   bool
	sessions map[*session]bool
	running  sync.WaitGroup
	done     chan struct{}

	broker brokerHealth
}

// New returns a server. Close ends it.
func New(o Options) *Server {
	s := &Server{o: o, sessions: map[*session]bool{}, done: make(chan struct{}), lobby: newLobby(o.MaxWaiting, o.MaxWaitingEach)}
	s.running.Go(s.watch)
	s.running.Go(s.follow)
	if s.broker.lost = make(chan struct{}, 1); o.Probe > 0 {
		s.running.Go(s.probe)
	}
	return s
}

// Serve takes connections until the listener or the server is closed. What is wrong with one
// connection does not end it.
func (s *Server) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			s.o.Log.Warn("cannot accept an MQTT connection", "error", err)
			time.Sleep(50 * time.Millisecond) // out of descriptors: they come back
			continue
		}
		s.Take(conn, "")
		if s.lobby.crowded() {
			runtime.Gosched() // those who have said CONNECT already are not to be counted as slow
		}
	}
}

// Take serves one connection: that of a listener, or of WebSocket with the origin of its page. It is
// closed if too many wait already.
func (s *Server) Take(conn net.Conn, origin string) {
	x := newSession(s, conn, origin)
	x.guest = s.lobby.enter(x.source, time.Now(), x.makeWay)
	if x.guest == nil {
		if m := s.o.Metrics; m != nil {
			m.Add(metrics.MQTTConnects, 1, int(policy.Overloaded))
		}
		conn.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		x.leaveLobby()
		conn.Close()
		return
	}
	s.sessions[x] = true
	s.running.Go(x.run)
}

// remove forgets a session that has ended.
func (s *Server) remove(x *session) {
	s.mu.Lock()
	delete(s.sessions, x)
	s.mu.Unlock()
	if x.counted {
		s.admitted.Add(-1)
	}
}

// Sessions returns the number of connections, those that have not said CONNECT yet among them.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// all returns the sessions of this moment.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for x := range s.sessions {
		list = append(list, x)
	}
	return list
}

// watch looks at sessions without packets: at those whose client is silent for too long, and when
// the policy or the second has changed, at the rights of all. What was noticed is done within half of
// Revoke, spread: all who are told to connect again do so.
func (s *Server) watch() {
	tick := time.NewTicker(min(max(s.o.Revoke/4, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-tick.C:
			end := now.Add(s.o.Revoke / 2)
			var over []ended
			for _, x := range s.all() {
				x.guard(func() {
					if why, how := x.look(now); why != wire.Success {
						over = append(over, ended{x, why, how})
					}
				})
			}
			s.end(over, time.Until(end), s.done)
		}
	}
}

// ended is a session that has to end, and how.
type ended struct {
	session *session
	why     wire.Reason
	how     ending
}

// end ends sessions at even distances within a time, at most a millisecond apart; all that are left at
// once when hurry is closed. A client or broker that does not read delays no other.
func (s *Server) end(list []ended, within time.Duration, hurry <-chan struct{}) {
	began, gap := time.Now(), max(0, min(within/time.Duration(max(len(list), 1)), time.Millisecond))
	for i, x := range list {
		if wait := time.Duration(i)*gap - time.Since(began); wait > 0 {
			select {
			case <-time.After(max(wait, time.Millisecond)):
			case <-hurry:
				gap = 0
			}
		}
		s.running.Go(func() { x.session.guard(func() { x.session.end(x.why, x.how) }) })
	}
}

// drainShare is the part of the time for draining in which clients are told to go: what is left is
// for going.
const drainShare = 0.75

// Close takes no more connections, ends all sessions as a server that shuts down, spread over the time
// that ctx leaves, and waits for them. When ctx ends, or has no deadline, all end at once.
func (s *Server) Close(ctx context.Context) {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	var within time.Duration
	if until, set := ctx.Deadline(); set {
		within = time.Duration(drainShare * float64(time.Until(until)))
	}
	var all []ended
	for _, x := range s.all() {
		all = append(all, ended{x, wire.ServerShuttingDown, destroyed})
	}
	s.running.Add(1) // sessions come to an end on their own, too
	s.end(all, within, ctx.Done())
	if !again {
		close(s.done)
	}
	s.running.Done()
	s.running.Wait()
}
