// Package backend is a fake telematics API with flespi's URL and answer format: what the demo, the
// tests and the bench put behind the gateway.
//
// It shares no code with the gateway. What the gateway prints is read here by a second, independent
// reader, so a request that the two understand differently shows up as a wrong answer instead of
// agreeing with itself.
//
// It takes targets literally. The raw target is split on "/" first and each segment is decoded
// exactly once; nothing is cleaned, joined or lowered, so "..", an empty segment or an encoded
// slash name nothing and are 404. A request that says Authorization, x-flespi-cid or a query
// parameter twice is 400, because a gateway must never send one.
//
// Accounts are enforced as the vendor's platform does: with x-flespi-cid only the items of that
// account's branch exist; without it, those of the account that owns the backend's key
// (Options.Root). An id that does not exist in that scope is one error beside the result, the same
// for foreign and for missing ids.
//
// Keys of every object are written in order of name, errors before result, and slashes in reasons
// are escaped: the bytes of the vendor's published examples. Messages are made up while they are
// written, so an answer may be of any length and memory stays flat.
package backend

import (
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// maxHead is larger than anything a gateway may send: its bounds are what tests look at, not
	// ours.
	maxHead = 128 << 10
	// maxBody is how much of a request body is kept and read as JSON; the rest of an upload is
	// counted and thrown away.
	maxBody = 16 << 20
)

// Options say how a Server differs from a plain flespi. The zero value is one that checks no key,
// knows the world's accounts and records nothing.
type Options struct {
	Key  string // when set, Authorization must be exactly "FlespiToken " + Key, else 401
	Root int64  // account whose branch is seen without x-flespi-cid; 0: everything

	NoPaging   bool // ignore limit and offset
	IgnoreCID  bool // know no accounts: x-flespi-cid is ignored, rows still carry cid
	NoCIDField bool // rows carry no cid

	ContentLength bool          // announce the length of message streams instead of chunking them
	ChunkBytes    int           // about this many bytes of a message stream per write; 0: 32 KiB
	ChunkDelay    time.Duration // pause between these writes

	Record int // keep this many of the last requests; 0: none
}

// Server answers for a World. Several servers with different options may share one world. Create it
// with New, end it with Close.
type Server struct {
	world *World
	opt   Options
	auth  string // the only Authorization value that is let in; "" lets all in
	http  fasthttp.Server
	rec   *recorder // nil when off
	fault atomic.Pointer[Fault]
	done  chan struct{} // closed by Close; ends every pause

	mu      sync.Mutex
	closed  bool
	lns     []net.Listener
	conns   map[net.Conn]struct{}
	serving sync.WaitGroup // calls of Serve, and connections
}

// New returns a server of w that listens nowhere yet.
func New(w *World, opt Options) *Server {
	if opt.ChunkBytes <= 0 {
		opt.ChunkBytes = 32 << 10
	}
	s := &Server{world: w, opt: opt, done: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	if opt.Key != "" {
		s.auth = "FlespiToken " + opt.Key
	}
	if opt.Record > 0 {
		s.rec = &recorder{ring: make([]Request, opt.Record)}
	}
	s.http = fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: unreadable,
		// Names are recorded as they were sent; canonical ones would hide what a gateway really
		// printed.
		DisableHeaderNamesNormalizing: true,
		DisablePreParseMultipartForm:  true,
		StreamRequestBody:             true,
		ReadBufferSize:                maxHead,
		MaxRequestBodySize:            maxBody,
		NoDefaultServerHeader:         true,
		NoDefaultDate:                 true, // its clock goroutine would outlive us
		Logger:                        log.New(io.Discard, "", 0),
	}
	return s
}

var errClosed = errors.New("backend: server closed")

// unreadable answers what fasthttp could not read as a request.
func unreadable(ctx *fasthttp.RequestCtx, _ error) {
	var a answer
	a.refuse(fasthttp.StatusBadRequest, codeBad, "the request cannot be read")
	a.send(&ctx.Response, false)
}

// Serve answers connections of ln until Close, which also closes ln. It returns nil after Close.
// The loop is ours, one goroutine per connection: fasthttp's keeps idle workers and a cleaner for
// seconds after its end.
func (s *Server) Serve(ln net.Listener) error {
	if !s.adopt(ln) {
		_ = ln.Close()
		return errClosed
	}
	defer s.serving.Done()
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			s.serve(c)
		case s.isClosed():
			return nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.pause(10 * time.Millisecond) // others may close theirs
		default:
			return err
		}
	}
}

// serve answers c in a goroutine that Close waits for.
func (s *Server) serve(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Go(func() {
		_ = s.http.ServeConn(c) // what went wrong is the client's to see
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// adopt notes ln as ours; it reports whether the server is still open.
func (s *Server) adopt(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.lns = append(s.lns, ln)
	s.serving.Add(1)
	return true
}

// Start listens on addr ("127.0.0.1:0" picks a port) and serves in the background until Close. It
// returns the base URL, without a trailing slash.
func (s *Server) Start(addr string) (string, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	s.serving.Go(func() { _ = s.Serve(ln) })
	return "http://" + ln.Addr().String(), nil
}

// Close ends the server at once: listeners, idle and busy connections, pauses and answers that were
// set never to come. It returns when all of them have ended; it may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		for _, ln := range s.lns {
			_ = ln.Close()
		}
		for c := range s.conns { // which ends its goroutine
			_ = c.Close()
		}
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// pause waits for d, or less when the server is closed; it reports whether the whole time has
// passed.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}
