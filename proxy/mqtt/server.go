package mqtt

import (
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
// the policy or the second has changed, at the rights of all.
func (s *Server) watch() {
	tick := time.NewTicker(min(max(s.o.Revoke/4, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-tick.C:
			for _, x := range s.all() {
				x.guard(func() { x.look(now) })
			}
		}
	}
}

// Close ends all sessions, as a server that shuts down, and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		close(s.done)
	}
	s.closed = true
	s.mu.Unlock()
	for _, x := range s.all() {
		x.end(wire.ServerShuttingDown, destroyed)
	}
	s.running.Wait()
}
