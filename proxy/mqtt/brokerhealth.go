package mqtt

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"aclgate/metrics"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
)

// brokerHealth is what is known of the broker.
type brokerHealth struct {
	lost chan struct{} // a session lost its connection: look now

	mu    sync.Mutex // guards what follows
	fault error      // of the last attempt to connect; nil: it worked, or there was none
	tried time.Time  // when that was
	said  time.Time  // when the log last had a connection that was lost
}

// brokerFaults are the ways in which a broker fails, by the number of their label.
var brokerFaults = []error{
	metrics.BrokerBroken: broker.ErrBroken, metrics.BrokerDown: broker.ErrDown, metrics.BrokerSlow: broker.ErrSlow,
	metrics.BrokerCredential: broker.ErrCredential, metrics.BrokerRefused: broker.ErrRefused, metrics.BrokerVersion: broker.ErrVersion,
}

// faultOf returns the number of the label of what went wrong with the broker.
func faultOf(err error) int {
	for label, kind := range brokerFaults {
		if errors.Is(err, kind) {
			return label
		}
	}
	return metrics.BrokerBroken
}

// BrokerFault returns why no connection to the broker could be opened the last time; nil if one
// could. The text names no credential.
func (s *Server) BrokerFault() error {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	return s.broker.fault
}

// noteBroker remembers how an attempt to connect to the broker ended. The log has the first of
// several that fail in the same way, and the first that works again.
func (s *Server) noteBroker(err error) {
	if s.o.CallersKey && errors.Is(err, broker.ErrCredential) {
		err = nil // it answers, and the key is the caller's
	}
	if err != nil && s.o.Metrics != nil {
		s.o.Metrics.Add(metrics.MQTTUpstreamFailures, 1, faultOf(err))
	}
	h := &s.broker
	h.mu.Lock()
	before := h.fault
	h.fault, h.tried = err, time.Now()
	h.mu.Unlock()
	switch {
	case err == nil && before != nil:
		s.o.Log.Info("the broker can be reached again")
	case err == nil || before != nil && faultOf(before) == faultOf(err):
	case errors.Is(err, broker.ErrCredential), errors.Is(err, broker.ErrVersion):
		s.o.Log.Error("the broker does not let the gateway in", "error", err)
	case errors.Is(err, broker.ErrSlow):
		s.o.Log.Warn("the broker is slow", "error", err)
	default:
		s.o.Log.Warn("no connection to the broker", "error", err)
	}
}

// noteLost remembers that the broker ended the connection of a session, or broke the protocol on it.
// When it goes down it does so to all sessions, and the log has the first of them.
func (s *Server) noteLost(err error) {
	var theirs *broker.Error
	var fault *wire.Fault
	if !errors.As(err, &theirs) && !errors.As(err, &fault) {
		return // the client's side
	}
	if s.o.Metrics != nil {
		s.o.Metrics.Add(metrics.MQTTUpstreamFailures, 1, faultOf(err))
	}
	h := &s.broker
	h.mu.Lock()
	now := time.Now()
	first := now.Sub(h.said) >= max(s.o.Probe, time.Second)
	if first {
		h.said = now
	}
	h.mu.Unlock()
	if first {
		s.o.Log.Warn("the broker ended the connection of a session", "error", err)
	}
	select {
	case h.lost <- struct{}{}:
	default:
	}
}

// probe opens a connection to the broker now and then, unless a session just did, so that a broker
// that fails is known before a client asks for it, and one that works again too.
func (s *Server) probe() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.running.Go(func() {
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	})
	tick := time.NewTicker(s.o.Probe)
	defer tick.Stop()
	for {
		if !s.brokerKnown() {
			s.tryBroker(ctx)
		}
		select {
		case <-s.done:
			return
		case <-s.broker.lost:
			s.tryBroker(ctx)
		case <-tick.C:
		}
	}
}

// brokerKnown reports whether a connection could be opened just now.
func (s *Server) brokerKnown() bool {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	return s.broker.fault == nil && !s.broker.tried.IsZero() && time.Since(s.broker.tried) < s.o.Probe
}

// tryBroker opens a connection and ends it.
func (s *Server) tryBroker(ctx context.Context) {
	c := wire.Connect{CleanStart: true, ClientID: []byte("aclgate-probe-" + rand.Text())}
	conn, err := s.o.Broker.Connect(ctx, &c, "")
	if ctx.Err() == nil {
		s.noteBroker(err)
	}
	if err == nil {
		_ = conn.Destroy()
	}
}
