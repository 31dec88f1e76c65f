package admin

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/metrics/record"
)

// Bounds of the listener. A scrape of thousands of series takes milliseconds, so these only ever
// end what has gone wrong.
const (
	maxConnections = 64
	maxHeaderBytes = 16 << 10
	headTimeout    = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = time.Minute
	idleTimeout    = 30 * time.Second
)

// Check is one condition of readiness. Func returns nil while it holds, or why it does not, in
// words that everyone may read; it must not block.
type Check struct {
	Name string
	Func func() error

	Advisory bool // what does not hold is shown, and requests are taken all the same
}

// Options says what the listener serves. Only Gatherer is required.
type Options struct {
	Gatherer prometheus.Gatherer
	Checks   []Check       // of /readyz, in the order shown
	Key      string        // the admin token; empty: what needs it does not exist
	Reload   func() error  // reads the policy anew; nil: there is no /reload
	Notice   func() string // what a reload leaves as it was, in words; nil, or "": nothing
	Ring     *record.Ring  // what /why looks into; nil: there is no /why
	Explain  Explainer     // explains a request; nil: there is no /explain
	Log      *log.Logger   // faults of connections and handlers; nil: dropped
}

// Server is the admin listener. It begins with Serve and ends with Shutdown.
type Server struct {
	http   http.Server
	guard  *guard // nil: no token was set
	routes []route
}

// route is one resource. A path that ends in / stands for everything below it.
type route struct {
	method, path string
	open         bool // without the token
	handler      http.Handler
}

// New returns a Server that is not listening yet.
func New(o Options) *Server {
	s := &Server{guard: newGuard(o.Key)}
	s.http = http.Server{
		Handler: s, ErrorLog: o.Log, MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: headTimeout,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		DisableGeneralOptionsHandler: true, // OPTIONS * is no resource either
	}
	if o.Log == nil {
		s.http.ErrorLog = log.New(io.Discard, "", 0)
	}
	s.open("/metrics", exposition(o.Gatherer))
	s.open("/healthz", http.HandlerFunc(alive))
	s.open("/readyz", ready(o.Checks))
	if o.Reload != nil {
		s.Handle(http.MethodPost, "/reload", reload(o.Reload, o.Notice))
	}
	if o.Ring != nil {
		s.Handle(http.MethodGet, "/why/", why(o.Ring))
	}
	if o.Explain != nil {
		s.Handle(http.MethodPost, "/explain", explained(o.Explain))
	}
	return s
}

// SetKey replaces the admin token. A Server that was made without one stays without.
func (s *Server) SetKey(key string) {
	if s.guard != nil && key != "" {
		s.guard.set(key)
	}
}

func (s *Server) open(path string, h http.Handler) {
	s.routes = append(s.routes, route{method: http.MethodGet, path: path, open: true, handler: h})
}

// Handle adds a resource that needs the token. A path that ends in / stands for everything below
// it; GET includes HEAD. It must be called before Serve.
func (s *Server) Handle(method, path string, h http.Handler) {
	s.routes = append(s.routes, route{method: method, path: path, handler: h})
}

// Serve answers on l until Shutdown is called, then closes l and returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(bound(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting and waits for the answers under way; when ctx ends first it closes their
// connections and returns the error of ctx. Afterwards Serve has returned or is about to.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		// The error of ctx says more than that of a socket closed late.
		_ = s.http.Close()
	}
	return err
}

// ServeHTTP finds the resource, then asks for the token, then for the method: without the token
// nobody learns more than that a resource exists.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	found := s.at(r.URL.Path)
	switch {
	case len(found) == 0:
		Fail(w, http.StatusNotFound, "no such resource")
		return
	case !found[0].open && !s.guard.admits(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		Fail(w, http.StatusUnauthorized, "invalid or missing admin token")
		return
	}
	for _, x := range found {
		if x.takes(r.Method) {
			x.handler.ServeHTTP(w, r)
			return
		}
	}
	w.Header().Set("Allow", allow(found))
	Fail(w, http.StatusMethodNotAllowed, "method is not allowed here")
}

// at returns what stands at path, one route for each method. Without a token whatever needs one is
// not there.
func (s *Server) at(path string) []route {
	var found []route
	for _, x := range s.routes {
		if (x.open || s.guard != nil) && x.is(path) {
			found = append(found, x)
		}
	}
	return found
}

func (x *route) is(path string) bool {
	return x.path == path || strings.HasSuffix(x.path, "/") && strings.HasPrefix(path, x.path)
}

func (x *route) takes(method string) bool {
	return x.method == method || x.method == http.MethodGet && method == http.MethodHead
}

func allow(found []route) string {
	var all []string
	for _, x := range found {
		all = append(all, x.method)
		if x.method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	return strings.Join(all, ", ")
}
