package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"aclgate/bench/oracle"
	"aclgate/bench/sys"
	"aclgate/bench/workload"
)

// gateway answers each call as its workload wants it, but for what tamper does to the answer.
func gateway(t *testing.T, w *workload.Workload, tamper func(n int, ids []int64) []int64) netip.AddrPort {
	t.Helper()
	calls := map[string]*workload.Call{}
	for i := range w.Calls {
		r, err := http.ReadRequest(newReader(w.Calls[i].Bytes))
		if err != nil {
			t.Fatal(err)
		}
		calls[r.Header.Get("Authorization")+r.RequestURI] = &w.Calls[i]
	}
	n := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c := calls[r.Header.Get("Authorization")+r.RequestURI]
		if c.Expect.Status != 200 {
			rw.WriteHeader(c.Expect.Status)
			id := c.Expect.Denied[0]
			fmt.Fprintf(rw, `{"errors":[{"code":6,"id":%d,"reason":"access denied to '\/devices\/%d'"}],"result":[]}`, id, id)
			return
		}
		n++
		var rows []string
		for _, id := range tamper(n, c.Expect.IDs) {
			rows = append(rows, fmt.Sprintf(`{"id":%d}`, id))
		}
		io.WriteString(rw, `{"result":[`+strings.Join(rows, ",")+`]}`)
	}))
	server.Start()
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

func smallWorkload(t *testing.T) *workload.Workload {
	t.Helper()
	if _, err := sys.CPUs(); err != nil {
		t.Skip(err)
	}
	mix, err := workload.Read("t.yaml", []byte(`name: t
tokens: {count: 20}
devices: {median: 5}
requests:
  - {weight: 3, ask: own, ids: 2, path: "/gw/devices/{}"}
  - {weight: 1, ask: foreign, path: "/gw/devices/{}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	return workload.New(mix, 1)
}

func honest(_ int, ids []int64) []int64 { return ids }

// drive runs one lane. One connection makes the number of an answer well defined.
func drive(t *testing.T, lane *Lane, rate float64) {
	t.Helper()
	o := Options{Conns: 1, Rate: rate, Slice: 100 * time.Millisecond, Slices: 3}
	if err := Run(context.Background(), []*Lane{lane}, o); err != nil {
		t.Fatal(err)
	}
}

// TestOracleCatchesOneLeak: one foreign id in one answer of thousands is found, and shown without
// the key.
func TestOracleCatchesOneLeak(t *testing.T) {
	w := smallWorkload(t)
	for _, row := range []struct {
		name   string
		tamper func(n int, ids []int64) []int64
		want   Counts
	}{
		{"honest", honest, Counts{}},
		{"one id too many", func(n int, ids []int64) []int64 {
			if n == 40 {
				return append(ids[:len(ids):len(ids)], 9_000_001)
			}
			return ids
		}, Counts{Leaks: 1}},
		{"one id missing", func(n int, ids []int64) []int64 {
			if n == 40 {
				return ids[1:]
			}
			return ids
		}, Counts{WrongDenials: 1}},
	} {
		lane := &Lane{Addr: gateway(t, w, row.tamper), Calls: w.Calls, Judge: Judged}
		drive(t, lane, 0)
		c := lane.Counts
		if c.Leaks != row.want.Leaks || c.WrongDenials != row.want.WrongDenials || c.Faults != 0 {
			t.Errorf("%s: got %+v (%s), want %+v", row.name, c, lane.Bad, row.want)
		}
		if c.Requests < 50 || c.Denied == 0 {
			t.Errorf("%s: got %d requests, %d denied", row.name, c.Requests, c.Denied)
		}
		if strings.Contains(lane.Bad, "Flespi") {
			t.Errorf("%s: the credential is shown: %s", row.name, lane.Bad)
		}
	}
}

// TestOpenLoopCountsFromThePlannedTime: while an answer takes long, the calls that were due
// meanwhile have waited, though each was answered at once when it was sent.
func TestOpenLoopCountsFromThePlannedTime(t *testing.T) {
	w := smallWorkload(t)
	const stall = 150 * time.Millisecond
	lane := &Lane{Calls: w.Calls, Judge: Judged, Addr: gateway(t, w, func(n int, ids []int64) []int64 {
		if n == 10 {
			time.Sleep(stall)
		}
		return ids
	})}
	drive(t, lane, 200)
	waited := 0
	for _, b := range lane.Corrected.Buckets() {
		if b.Upper > uint64(stall/5) {
			waited += int(b.Count)
		}
	}
	if waited < 10 {
		t.Errorf("%d calls have waited for the stall, want more than the one that met it", waited)
	}
	if got := lane.Corrected.Max(); got < stall {
		t.Errorf("the longest took %v, want at least %v", got, stall)
	}
}

// TestReconnects: a target that hangs up after each answer costs connections, not the run.
func TestReconnects(t *testing.T) {
	w := smallWorkload(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			io.WriteString(c, "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	}()
	lane := &Lane{Addr: netip.MustParseAddrPort(ln.Addr().String()), Calls: w.Calls, Judge: Judged}
	drive(t, lane, 0)
	if c := lane.Counts; c.Reconnects == 0 || c.Faults == 0 || c.Leaks != 0 {
		t.Errorf("got %+v, want reconnects and faults", c)
	}
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

// FuzzParse: what is taken for a whole answer is within the bytes, and the standard library reads
// the same status and body from it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 403 No\r\nX: y\r\ncontent-length:0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 204 No\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil || m.length == 0 {
			return
		}
		if m.length > len(data) || m.body > m.length {
			t.Fatalf("got %+v of %d bytes", m, len(data))
		}
		head := data[:m.body]
		if bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")) {
			return // the library accepts a bare LF as a line's end
		}
		resp, err := http.ReadResponse(newReader(data[:m.length]), nil)
		if err != nil || len(resp.TransferEncoding) > 0 {
			return // the library is stricter, and knows framings that no target here uses
		}
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != m.status || !bytes.Equal(body, data[m.body:m.length])) {
			t.Fatalf("got %d and %q, want %d and %q", m.status, data[m.body:m.length], resp.StatusCode, body)
		}
	})
}

func TestSecondAnswerIsAFault(t *testing.T) {
	m, err := parse([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200"))
	if err != nil || m.length != 40 {
		t.Errorf("got %+v, %v", m, err)
	}
	if oracle.Fault != 0 {
		t.Error("the zero finding is not a fault")
	}
}
