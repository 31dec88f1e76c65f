package proxy

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
	"aclgate/upstream/index"
)

// startScope starts a backend that has the devices first … first+n-1 of account 11, and lists them
// in pages to whoever asks for all.
func startScope(t testing.TB, first, n int) *listBackend {
	b := startList(t)
	b.answer = func(c net.Conn, r *wireRequest) {
		u, _ := url.Parse(r.target())
		if r.method() == "GET" && u.Path != "/gw/devices/all" {
			b.serveList(c, r)
			return
		}
		limit, offset := n, 0
		if q := u.Query(); q.Has("limit") {
			limit, _ = strconv.Atoi(q.Get("limit"))
			offset, _ = strconv.Atoi(q.Get("offset"))
		}
		var rows []string
		for i := offset; i < min(offset+limit, n); i++ {
			rows = append(rows, `{"id":`+itoa(first+i)+`,"cid":11}`)
		}
		io.WriteString(c, plain(`{"result":[`+strings.Join(rows, ",")+`]}`))
	}
	return b
}

// indexed starts a gateway that knows whose the devices are.
func indexed(t *testing.T, b *listBackend, mode policy.Mode) *fixture {
	t.Helper()
	f, _ := withIndex(t, b.wireBackend, mode, [2]int64{11, 0})
	f.token(allKey, "standard", 11, "")
	f.token(longKey, "acl", 11, `[{"uri":"gw","methods":["GET","PUT"],"ids":[`+numbered(100000, 2999)+`]}]`)
	return f
}

// withIndex starts a gateway that has read the devices of a backend, which remembers nothing of
// that.
func withIndex(t *testing.T, b *wireBackend, mode policy.Mode, accounts ...[2]int64) (f *fixture, items *index.ItemIndex) {
	t.Helper()
	f, items = unreadIndex(t, b, mode, accounts...)
	for range 3000 {
		if items.Ready() == nil {
			b.take()
			return f, items
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the index was never read: %v", items.Ready())
	return nil, nil
}

// unreadIndex is withIndex before the index was read.
func unreadIndex(t *testing.T, b *wireBackend, mode policy.Mode, accounts ...[2]int64) (f *fixture, items *index.ItemIndex) {
	t.Helper()
	f = newFixture(t, b.url, func(o *Options, engine *policy.Engine, _ *head.Config) {
		engine.Mode = mode
		items = index.New(index.Options{
			Backend: o.Backend, Key: o.Key, Mode: mode, Catalogue: engine.Catalogue, Log: o.Log, MaxTarget: o.MaxURL,
			Tree: func() *policy.Tree { return f.Tree() }, Refresh: time.Hour, MaxStaleness: 2 * time.Hour,
			Demand: func() index.Demand {
				return index.Demand{Collections: []*policy.Collection{engine.Catalogue.Collection("gw/devices")}}
			},
		})
		o.Index = items
		o.Resolver = index.NewResolver(index.ResolverOptions{
			Backend: o.Backend, Key: o.Key, Mode: mode, MaxTarget: o.MaxURL, Index: items,
		})
	})
	f.accounts(accounts...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); items.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return f, items
}

// What is the whole scope is asked for as "all", reads and writes alike, where a header says which
// scope; where none does, and where an entry limits the caller, in parts or not at all.
func TestWholeScope(t *testing.T) {
	rename := `{"name":"x"}`
	for _, row := range []struct {
		name, key, method, body string
		mode                    policy.Mode
		status, parts, rows     int
		target                  string
	}{
		{"both", allKey, "GET", "", policy.ModeBoth, 200, 1, 3000, "/gw/devices/all?fields=id"},
		{"both, a write", allKey, "PUT", rename, policy.ModeBoth, 200, 1, 3000, "/gw/devices/all?fields=id"},
		{"both, limited", longKey, "GET", "", policy.ModeBoth, 200, 3, 2999, ""},
		{"both, a limited write", longKey, "PUT", rename, policy.ModeBoth, 400, 0, 0, ""},
		{"ids", allKey, "GET", "", policy.ModeIDs, 200, 3, 3000, ""},
		{"ids, a write", allKey, "PUT", rename, policy.ModeIDs, 400, 0, 0, ""},
	} {
		b := startScope(t, 100000, 3000)
		f := indexed(t, b, row.mode)
		got := f.call(row.key, row.method, "/gw/devices/all?fields=id", row.body)
		log := b.take()
		if got.status != row.status || len(log) != row.parts {
			t.Errorf("%s: got %d %.100s in %d requests", row.name, got.status, got.body, len(log))
		}
		if row.status == 200 {
			wantRows(t, row.name, decodeList(t, got), 100000, row.rows)
		}
		for _, r := range log {
			cid := r.all("x-flespi-cid")
			if row.target != "" && r.target() != row.target || slices.Equal(cid, []string{"11"}) != row.mode.Header() {
				t.Errorf("%s: forwarded %.60s with accounts %v", row.name, r.target(), cid)
			}
		}
	}
}

// The parts of any list are all of it, each as long as fits and no longer.
func TestCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		ids := make([]int64, 1+r.IntN(200))
		for i := range ids {
			ids[i] = r.Int64N(int64(1)<<(1+r.IntN(62))) + 1
		}
		slices.Sort(ids)
		s := &fanOut{ids: ids, room: 19 + r.IntN(100)}
		for s.from < len(ids) {
			to := s.cut()
			if n := len(joinIDs(ids[s.from:to])); to == s.from || n > s.room {
				t.Fatalf("a part of %d ids is %d bytes long, want at most %d", to-s.from, n, s.room)
			}
			if to < len(ids) && len(joinIDs(ids[s.from:to+1])) <= s.room {
				t.Fatalf("a part ends at %d of %d, with room for more", to, len(ids))
			}
			s.from = to
		}
	}
}

func joinIDs(ids []int64) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(text, ",")
}

// wideRows answers with many errors and a row of so many bytes for each id. It needs hardly any
// memory of its own.
func wideRows(size int) func(net.Conn, *wireRequest) {
	errs := `{"errors":[` + strings.Repeat(`{"code":2,"reason":"`+strings.Repeat("x", 80)+`"},`, 9999) + `1],"result":[`
	first := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strconv.FormatInt(int64(len(errs)), 16) + "\r\n" + errs + "\r\n")
	row := `{"id":1,"text":"` + strings.Repeat("x", size) + `"},`
	next := []byte(strconv.FormatInt(int64(len(row)), 16) + "\r\n" + row + "\r\n")
	return func(c net.Conn, r *wireRequest) {
		c.Write(first)
		for range 1 + strings.Count(r.line, ",") {
			c.Write(next)
		}
		io.WriteString(c, "4\r\n{}]}\r\n0\r\n\r\n")
	}
}

// A joined answer of any length passes in little memory, also when its reader is slower than the
// backend, and when every part brings many errors.
func TestMemoryOfParts(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("moves much")
	}
	const count = 50000
	b := startWire(t, wideRows(1000))
	f := long(t, &listBackend{wireBackend: b}, 1000000, count)
	var n int64
	grown := heapGrowth(func() {
		c := f.dial()
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		piece := make([]byte, 64<<10)
		for m := 0; err == nil; n += int64(m) {
			if m, err = resp.Body.Read(piece); n>>22 != (n+int64(m))>>22 {
				time.Sleep(5 * time.Millisecond)
				runtime.GC()
			}
		}
		if err != io.EOF {
			t.Error(err)
		}
	})
	if n < count*1000 {
		t.Errorf("got %d bytes", n)
	}
	t.Logf("the heap grew by %d KiB for %d MiB of %d items, backend included", grown>>10, n>>20, count)
	if grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

// A record of a split is like any other.
func TestRecordOfParts(t *testing.T) {
	b := startList(t)
	records := make(chan record.Record, 1)
	f := long(t, b, 100, 200, maxURL(300), func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Served = func(r *record.Record, _, _, _ []byte) { records <- *r }
	})
	got := f.call(longKey, "GET", "/gw/devices/all", "")
	r := <-records
	if r.Verdict != policy.Narrow || r.Reason != policy.Narrowed || r.Status != 200 || r.BytesOut != int64(len(got.body)) {
		t.Errorf("got %v %v %d, %d bytes, want narrow, narrowed, 200, %d", r.Verdict, r.Reason, r.Status, r.BytesOut, len(got.body))
	}
	if r.Upstream <= 0 || r.Upstream > r.Total || r.Own != r.Total-r.Upstream {
		t.Errorf("got %v of %v for the backend, %v own", r.Upstream, r.Total, r.Own)
	}
}

// trap is a backend that panics when it is asked for one part.
type trap struct {
	Backend
	at string
}

func (b trap) Do(r *upstream.Request, a *upstream.Answer) error {
	if strings.HasPrefix(string(r.Target), b.at) {
		panic("transport: nil map")
	}
	return b.Backend.Do(r, a)
}

// A panic while a part is asked for is that part's failure, and nobody else's. All connections go
// back to the pool.
func TestPanicInPart(t *testing.T) {
	b := startList(t)
	var transport *upstream.Transport
	f := long(t, b, 100, faultIDs, maxURL(faultURL), func(o *Options, _ *policy.Engine, _ *head.Config) {
		transport = o.Backend.(*upstream.Transport)
		o.Backend = trap{o.Backend, "/gw/devices/120,"}
	})
	l := decodeList(t, f.call(longKey, "GET", "/gw/devices/all", ""))
	if len(l.Result) != faultIDs-20 || len(l.Errors) != 1 || l.Errors[0].Code != 500 {
		t.Errorf("got %d rows and %v", len(l.Result), l.Errors)
	}
	for range 1000 {
		if s := transport.Stats()[0]; s.InUse() == 0 && f.gateway.Busy() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("got %d connections in use and %d requests", transport.Stats()[0].InUse(), f.gateway.Busy())
}
