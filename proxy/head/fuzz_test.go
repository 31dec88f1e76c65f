package head

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// seeds are streams with everything that the grammar knows, for the mutations to start from.
func seeds(f *testing.F) {
	for _, s := range []string{
		get() + get("Connection: close"),
		"\r\n\r\n" + get("X: a\tb", "Accept: */*") + "\r\n" + get(),
		put("Content-Length: 2", "X-Flespi-Cid: 12") + "{}" + get(),
		put("Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\nX: y\r\n\r\n" + get(),
		put("Transfer-Encoding: chunked") + "02\r\n{}\n0\r\n\r\n",
		"GET http://a/x?y={z} HTTP/1.1\r\nHost: A\r\nConnection: te, x\r\n\r\n",
		"POST /x HTTP/1.0\r\nHost: a:80\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n1",
		"GET / HTTP/1.1\r\nHost: a\n\n" + get(),
		"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
		get("X: " + strings.Repeat("x", 9000)),
		"GET /" + strings.Repeat("x", 12<<10),
		get(strings.Repeat("X:1\r\n", 101)),
	} {
		f.Add(s, uint64(1))
	}
}

// FuzzCuts: a stream says the same however it is cut into packets: whole, byte by byte, and at
// random places.
func FuzzCuts(f *testing.F) {
	seeds(f)
	listeners := []*Listener{quietListener(f, Config{MaxHeadBytes: 10 << 10}), quietListener(f, Config{MaxHeadBytes: 500, Chunked: true})}
	f.Fuzz(func(t *testing.T, stream string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		for _, l := range listeners {
			want := play(l, stream, whole)
			if got := play(l, stream, bytewise); !slices.Equal(got, want) {
				t.Errorf("byte by byte\ngot  %q\nwant %q", got, want)
			}
			if got := play(l, stream, func() int { return random.IntN(60) }); !slices.Equal(got, want) {
				t.Errorf("at random\ngot  %q\nwant %q", got, want)
			}
		}
	})
}

// FuzzAgainstNetHTTP: what net/http refuses is refused, and what both take has one reading.
// net/http takes much more. Exceptions: empty lines before a request, which it does not skip;
// escapes of the target, which are the next layer's to judge.
func FuzzAgainstNetHTTP(f *testing.F) {
	seeds(f)
	l := quietListener(f, Config{Chunked: true})
	f.Fuzz(func(t *testing.T, stream string, _ uint64) {
		c := l.wrap(&script{stream: stream, cut: whole})
		if !c.Next() || c.Head().Fault != nil {
			return
		}
		h := c.Head()
		if bytes.IndexByte(h.Target, '%') >= 0 {
			return
		}
		for strings.HasPrefix(stream, "\r\n") {
			stream = stream[2:]
		}
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(stream)))
		if err != nil {
			t.Fatalf("net/http refuses: %v\n%s", err, show(h))
		}
		compareHeads(t, h, req)
		compareBodies(t, c, req)
	})
}

func compareHeads(t *testing.T, h *Head, req *http.Request) {
	t.Helper()
	if got, want := string(h.Method), req.Method; got != want {
		t.Errorf("method: got %q, want %q", got, want)
	}
	if got := string(h.Target); !strings.HasSuffix(req.RequestURI, got) || (req.RequestURI[0] == '/' && got != req.RequestURI) {
		t.Errorf("target: got %q, want %q", got, req.RequestURI)
	}
	if !EqualFold(h.Host, req.Host) {
		t.Errorf("host: got %q, want %q", h.Host, req.Host)
	}
	if h.Length != req.ContentLength {
		t.Errorf("length: got %v, want %v", h.Length, req.ContentLength)
	}
	if h.HTTP10 == req.ProtoAtLeast(1, 1) {
		t.Errorf("HTTP10: got %v, want %v", h.HTTP10, !h.HTTP10)
	}
	if !h.HTTP10 && h.Close != req.Close {
		t.Errorf("close: got %v, want %v", h.Close, req.Close)
	}
	values := http.Header{}
	for _, f := range h.Fields {
		values.Add(string(f.Name), string(f.Value))
	}
	for name, want := range req.Header {
		if got := values[name]; !slices.Equal(got, want) && name != "Cache-Control" { // which net/http adds for Pragma
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func compareBodies(t *testing.T, c *Conn, req *http.Request) {
	t.Helper()
	got, err := io.ReadAll(bodyOf{c})
	if err != nil {
		return
	}
	want, err := io.ReadAll(req.Body)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("body: got %q, want %q, %v", got, want, err)
	}
}
