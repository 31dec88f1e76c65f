package backend

import (
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// Header is one header line as it was received: name and value are not normalised, only the white
// space around the value is gone.
type Header struct{ Name, Value string }

// Request is one received request, copied: it stays valid.
type Request struct {
	Method string
	Target string   // raw, as on the request line
	Header []Header // in the order received, duplicates included
	Head   string   // the header block as it came, without the request line
	Body   []byte   // at most the first 16 MiB
	Size   int64    // bytes of body received
}

// Get returns the values of every header called name, ignoring case.
func (r *Request) Get(name string) []string {
	var out []string
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h.Value)
		}
	}
	return out
}

// recorder is a ring of the last requests.
type recorder struct {
	mu   sync.Mutex
	ring []Request // ring[i % len] is request number i
	next int64     // number of the next request; the first is 0
	from int64     // requests before this one were taken
}

func (r *recorder) add(req Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next%int64(len(r.ring))] = req
	r.next++
}

// since returns what is still held of the requests from mark on.
func (r *recorder) since(mark int64) []Request {
	first := max(mark, r.from, r.next-int64(len(r.ring)))
	var out []Request
	for i := first; i < r.next; i++ {
		out = append(out, r.ring[i%int64(len(r.ring))])
	}
	return out
}

// Mark returns the point in time that Since understands: requests received later have it or a
// higher number. It is 0 when recording is off.
func (s *Server) Mark() int64 {
	if s.rec == nil {
		return 0
	}
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.next
}

// Since returns the requests received since mark, oldest first, as far as the ring holds them; nil
// when recording is off.
func (s *Server) Since(mark int64) []Request {
	if s.rec == nil {
		return nil
	}
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.since(mark)
}

// Take returns every request that is held, oldest first, and forgets them.
func (s *Server) Take() []Request {
	if s.rec == nil {
		return nil
	}
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	out := s.rec.since(0)
	s.rec.from = s.rec.next
	clear(s.rec.ring)
	return out
}

// copyRequest keeps what fasthttp will reuse once the handler returns.
func copyRequest(ctx *fasthttp.RequestCtx, body []byte, size int64) Request {
	h := &ctx.Request.Header
	req := Request{
		Method: string(h.Method()),
		Target: string(h.RequestURI()),
		Head:   string(h.RawHeaders()),
		Body:   append([]byte(nil), body...),
		Size:   size,
	}
	for _, line := range strings.Split(req.Head, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			req.Header = append(req.Header, Header{name, strings.TrimSpace(value)})
		}
	}
	return req
}
