package upstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func uploadOf(r io.Reader, length int64) *Request {
	return &Request{Method: "POST", Target: []byte("/x"), BodyReader: r, BodyLength: length, HasBody: true}
}

// Ensure that a streamed body arrives as it was read, framed by its length or in chunks, and that
// the connection is kept.
func TestUploadBytes(t *testing.T) {
	big := strings.Repeat("0123456789", 30000)
	chunked := "Transfer-Encoding: chunked\r\n\r\n"
	rows := []struct {
		name string
		r    *Request
		want string // behind the Host line
	}{
		{"length", uploadOf(strings.NewReader("hello"), 5), "Content-Length: 5\r\n\r\nhello"},
		{"length 0", uploadOf(strings.NewReader(""), 0), "Content-Length: 0\r\n\r\n"},
		{"more than its length", uploadOf(strings.NewReader("helloGET / HTTP/1.1"), 5), "Content-Length: 5\r\n\r\nhello"},
		{"big", uploadOf(strings.NewReader(big), 300000), "Content-Length: 300000\r\n\r\n" + big},
		{"byte by byte", uploadOf(iotest.OneByteReader(strings.NewReader("hello")), 5), "Content-Length: 5\r\n\r\nhello"},
		{"end with the last bytes", uploadOf(iotest.DataErrReader(strings.NewReader("hello")), 5), "Content-Length: 5\r\n\r\nhello"},
		{"chunks", uploadOf(strings.NewReader("hello"), -1), chunked + "5\r\nhello\r\n0\r\n\r\n"},
		{"chunks, empty", uploadOf(strings.NewReader(""), -1), chunked + "0\r\n\r\n"},
		{"chunks, byte by byte", uploadOf(iotest.OneByteReader(strings.NewReader("ab")), -1), chunked + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		{"chunks with empty reads", uploadOf(&hesitant{r: strings.NewReader("ab")}, -1), chunked + "2\r\nab\r\n0\r\n\r\n"},
		{"chunks, big", uploadOf(strings.NewReader(big[:pieceSize+1]), -1), chunked + "10000\r\n" + big[:pieceSize] + "\r\n1\r\n" + big[pieceSize:pieceSize+1] + "\r\n0\r\n\r\n"},
	}
	expect, got := make(chan int, 1), make(chan string, 1)
	transport := start(t, options(listen(t, recording(expect, got))))
	host := strings.TrimPrefix(transport.Stats()[0].URL, "http://")
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			want := "POST /x HTTP/1.1\r\nHost: " + host + "\r\n" + row.want
			expect <- len(want)
			wantAsk(t, transport, row.r, "200 hi")
			if got := <-got; got != want {
				t.Errorf("got %.300q\nwant %.300q", got, want)
			}
			wantConns(t, transport, 1, 1)
		})
	}
}

// recording is a backend that reads as many bytes as it is told to and hands them over.
func recording(expect chan int, got chan string) func(*peer) {
	return func(p *peer) {
		for {
			if _, err := p.r.Peek(1); err != nil {
				return
			}
			raw := make([]byte, <-expect)
			io.ReadFull(p.r, raw)
			got <- string(raw)
			p.say(hi)
		}
	}
}

// hesitant has nothing and no error in every other read.
type hesitant struct {
	r    io.Reader
	turn int
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.turn++; h.turn%2 == 1 {
		return 0, nil
	}
	return h.r.Read(p)
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Ensure that an answer which comes before the body was read is returned at once, and that its
// connection, on which the rest of the body would be a request, is dropped.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
	rows := []struct {
		name   string
		body   io.Reader
		length int64
		script func(p *peer, done chan bool)
	}{
		{"length, kept open", endless{}, 1 << 40, func(p *peer, done chan bool) { p.head(); p.say(refusal); <-done }},
		{"chunks, kept open", endless{}, -1, func(p *peer, done chan bool) { p.head(); p.say(refusal); <-done }},
		{"closed", endless{}, 1 << 40, func(p *peer, _ chan bool) { p.head(); p.say(refusal) }},
		{"after a 100", endless{}, -1, func(p *peer, done chan bool) {
			p.head()
			p.say("HTTP/1.1 100 Continue\r\n\r\n" + refusal)
			<-done
		}},
		{"in memory", nil, 0, func(p *peer, done chan bool) { p.head(); p.say(refusal); <-done }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			done := make(chan bool)
			o := options(listen(t, func(p *peer) { row.script(p, done) }))
			o.FirstByte, o.Idle = time.Hour, time.Hour // the answer itself must end the write
			transport := start(t, o)
			defer close(done)
			r := uploadOf(row.body, row.length)
			if row.body == nil {
				r = post(strings.Repeat("z", 64<<20))
			}
			wantAsk(t, transport, r, "413 no")
			wantConns(t, transport, 0, 0)
		})
	}
}

// head reads the head of a request alone.
func (p *peer) head() {
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = p.r.ReadString('\n'); err != nil {
			return
		}
	}
}

// Ensure that a body which fails at its source is not ended as if it were whole, is not blamed on
// the backend, and that the source's error is among the causes.
func TestBodyFails(t *testing.T) {
	broken := errors.New("the client left")
	rows := []struct {
		name   string
		body   io.Reader
		length int64
		want   error
	}{
		{"error, length", iotest.ErrReader(broken), 10, broken},
		{"error, chunks", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), -1, broken},
		{"too short", strings.NewReader("ab"), 10, io.ErrUnexpectedEOF},
		{"never anything", stuck{}, 10, io.ErrNoProgress},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := make(chan []byte, 1)
			transport := start(t, options(listen(t, func(p *peer) {
				raw, _ := io.ReadAll(p.r)
				got <- raw
			})))
			_, err := ask(transport, uploadOf(row.body, row.length))
			wantKind(t, err, ErrBody)
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v in it", err, row.want)
			}
			if raw := <-got; bytes.HasSuffix(raw, []byte("\n0\r\n\r\n")) {
				t.Errorf("the body was ended: %q", raw)
			}
			if s := transport.Stats()[0]; s.Open != 0 || s.Failures != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// Ensure that a backend which ends in the middle of an upload is broken.
func TestUploadCut(t *testing.T) {
	for name, length := range map[string]int64{"length": 1 << 40, "chunks": -1} {
		transport := start(t, options(listen(t, func(p *peer) { p.head() })))
		_, err := ask(transport, uploadOf(endless{}, length))
		t.Run(name, func(t *testing.T) { wantKind(t, err, ErrBroken) })
	}
}

// Ensure that Cancel ends an upload.
func TestUploadCancel(t *testing.T) {
	var a Answer
	transport := start(t, options(listen(t, func(p *peer) {
		p.head()
		a.Cancel()
		p.end()
	})))
	wantKind(t, transport.Do(uploadOf(endless{}, -1), &a), ErrCanceled)
	wantConns(t, transport, 0, 0)
}
