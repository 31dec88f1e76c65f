package stub

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"aclgate/bench/sys"
)

// start runs a server until the test ends and returns a connection to it.
func start(t *testing.T) net.Conn {
	t.Helper()
	s, err := New(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, err := net.Dial("tcp", s.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func TestAnswers(t *testing.T) {
	conn := start(t)
	reader := bufio.NewReader(conn)
	long := strings.Repeat("1000001,", 5000) + "7"
	for _, row := range []struct {
		target, want string
		length       int
	}{
		{"/gw/devices/7", `{"id":7,`, BodyLen},
		{"/gw/devices/7,9?fields=id", `{"id":7},{"id":9,`, BodyLen},
		{"/gw/devices/all", `{"selector":"all",`, BodyLen},
		{"/gw/devices/1,,2", `{"selector":"1,,2",`, BodyLen},
		{"/gw/devices", `{"selector":"",`, BodyLen},
		{"/gw/calcs/3/devices/9/intervals/all", `{"id":9,`, BodyLen},
		{"/gw/devices/all?fields=id&limit=1000&offset=119999", `{"result":[{"id":1119999}]}`, 27},
		{"/gw/devices/all?offset=120000&fields=id", `{"result":[]}`, 13},
		{"/gw/devices/all?fields=id&limit=1000&offset=0", `{"id":1000000},{"id":1000001},`, 12 + 999 + 1000*len(`{"id":1000000}`) + 1},
		{"/gw/devices/7/messages", `{"id":7,`, MessagesLen},
		{"/gw/devices/" + long, fmt.Sprintf(`{"ids":5001,"sum":"%016x",`, Sum([]byte(long))), BodyLen},
	} {
		// In two pieces: the second one ends the head.
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n", row.target)
		fmt.Fprint(conn, "\r\n")
		body := read(t, reader)
		if len(body) != row.length || !strings.Contains(body, row.want) || !json.Valid([]byte(body)) {
			t.Errorf("%.40s: got %d bytes %.80s, want %d bytes with %s", row.target, len(body), body, row.length, row.want)
		}
	}
}

func read(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestFraming: a body is skipped by its length, and requests sent together are answered in order.
func TestFraming(t *testing.T) {
	conn := start(t)
	reader := bufio.NewReader(conn)
	fmt.Fprint(conn, "POST /gw/devices/7 HTTP/1.1\r\nhost: x\r\ncontent-length: 30\r\n\r\nGET /gw/devices/8 HTTP/1.1\r\n\r\nGET /gw/devices/9 HTTP/1.1\r\n\r\n")
	for _, want := range []string{`{"id":7,`, `{"id":9,`} {
		if body := read(t, reader); !strings.Contains(body, want) {
			t.Errorf("got %.60s, want %s", body, want)
		}
	}
}

func TestSumSeesEveryByte(t *testing.T) {
	list := []byte("1000001,1000002,1000003,1000017,100")
	want := Sum(list)
	for i := range list {
		list[i] ^= 1
		if Sum(list) == want {
			t.Errorf("byte %d does not count", i)
		}
		list[i] ^= 1
		if Sum(list[:i]) == want {
			t.Errorf("the first %d bytes have the sum of all", i)
		}
	}
}

func TestAnswerAllocatesNothing(t *testing.T) {
	s := &Server{out: make([]byte, 0, 1<<16), body: make([]byte, 0, 1<<16)}
	request := []byte("GET /gw/devices/7,9 HTTP/1.1\r\nHost: x\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() { s.out = s.out[:0]; s.answer(request) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// TestStream: as many bytes as were asked for, by length and in chunks.
func TestStream(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Stream(ctx, ln) }()
	for query, length := range map[string]int64{"limit=200000": 200000, "limit=200000&offset=1": -1} {
		resp, err := http.Get("http://" + ln.Addr().String() + "/gw/devices/1/messages?" + query)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if n != 200000 || err != nil || resp.ContentLength != length {
			t.Errorf("%s: got %d bytes, length %d, %v", query, n, resp.ContentLength, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Burn takes CPU until its context ends.
func TestBurn(t *testing.T) {
	began, err := sys.CPUTime(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Burn(ctx, time.Millisecond, 20*time.Millisecond) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now, err := sys.CPUTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now-began > 200*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it took %v of CPU", now-began)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
