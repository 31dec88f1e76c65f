package proxy

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// wireRequest is one request as it arrived at the backend, to the byte.
type wireRequest struct {
	line   string
	fields [][2]string // name as spelled, value without the space before it
	body   string
	raw    string // everything
}

func (r *wireRequest) method() string { m, _, _ := strings.Cut(r.line, " "); return m }

func (r *wireRequest) target() string {
	_, rest, _ := strings.Cut(r.line, " ")
	target, _, _ := strings.Cut(rest, " ")
	return target
}

// all returns every value of a header, whatever its case.
func (r *wireRequest) all(name string) (values []string) {
	for _, f := range r.fields {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

// wireBackend is a backend of plain sockets: it keeps every byte that it is sent, and shares no
// code with the gateway.
type wireBackend struct {
	url    string
	ln     net.Listener
	answer func(net.Conn, *wireRequest) // writes to, or closes, the connection
	ended  chan struct{}                // one for every connection that the gateway ended
	group  sync.WaitGroup

	mu    sync.Mutex
	log   []wireRequest
	conns map[net.Conn]bool
}

// startWire starts a backend that has answer write what it says. It ends with the test.
func startWire(t testing.TB, answer func(net.Conn, *wireRequest)) *wireBackend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &wireBackend{
		url: "http://" + ln.Addr().String(), ln: ln, answer: answer,
		ended: make(chan struct{}, 1024), conns: map[net.Conn]bool{},
	}
	b.group.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

// startText starts a backend whose every answer is text.
func startText(t testing.TB, text string) *wireBackend {
	return startWire(t, func(c net.Conn, _ *wireRequest) { io.WriteString(c, text) })
}

func (b *wireBackend) close() {
	b.ln.Close()
	b.mu.Lock()
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.group.Wait()
}

func (b *wireBackend) accept() {
	for {
		c, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[c] = true
		b.mu.Unlock()
		b.group.Go(func() { b.serve(c) })
	}
}

func (b *wireBackend) serve(c net.Conn) {
	defer func() {
		c.Close()
		b.mu.Lock()
		delete(b.conns, c)
		b.mu.Unlock()
		select {
		case b.ended <- struct{}{}:
		default:
		}
	}()
	in := bufio.NewReader(c)
	for {
		r, err := readWire(in)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.log = append(b.log, r)
		b.mu.Unlock()
		b.answer(c, &r)
	}
}

// readWire reads one request by its Content-Length, and nothing else: a chunked one ends with its
// empty chunk.
func readWire(in *bufio.Reader) (r wireRequest, err error) {
	var raw strings.Builder
	size, chunked := 0, false
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return r, err
		}
		raw.WriteString(line)
		line = strings.TrimSuffix(line, "\r\n")
		if n == 0 {
			r.line = line
			continue
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		r.fields = append(r.fields, [2]string{name, value})
		if strings.EqualFold(name, "Content-Length") {
			size, _ = strconv.Atoi(value)
		}
		chunked = chunked || strings.EqualFold(name, "Transfer-Encoding")
	}
	body := make([]byte, size)
	if chunked {
		body, err = readChunks(in)
	} else {
		_, err = io.ReadFull(in, body)
	}
	r.body = string(body)
	r.raw = raw.String() + r.body
	return r, err
}

// readChunks reads a chunked body with its framing.
func readChunks(in *bufio.Reader) (body []byte, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return body, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return body, err
		}
		piece := make([]byte, n+2)
		if _, err := io.ReadFull(in, piece); err != nil {
			return body, err
		}
		body = append(append(body, line...), piece...)
		if n == 0 {
			return body, nil
		}
	}
}

// take returns the requests since the last call.
func (b *wireBackend) take() []wireRequest {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

// one returns the only request since the last call.
func (b *wireBackend) one(t testing.TB) wireRequest {
	t.Helper()
	log := b.take()
	if len(log) != 1 {
		t.Fatalf("got %d requests at the backend, want 1", len(log))
	}
	return log[0]
}

// plain is an ordinary answer.
func plain(body string, fields ...string) string {
	return reply("200 OK", body, append([]string{"Content-Type: application/json"}, fields...)...)
}

// reply is an answer with its length.
func reply(status, body string, fields ...string) string {
	text := "HTTP/1.1 " + status + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text + "\r\n" + body
}

// hangUp is a backend that ends the connection instead of answering.
func hangUp(c net.Conn, _ *wireRequest) { c.Close() }
