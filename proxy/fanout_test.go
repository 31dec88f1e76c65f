package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
)

const longKey = "reader-of-very-many-devices"

// listBackend answers with one row for each id of the path, and refuses a path that is too long. It
// keeps count of what is under way.
type listBackend struct {
	*wireBackend
	max  int // bytes of a target
	row  func(id string) string
	fail map[int]func(net.Conn) // by the number of the part that holds the id
	gate func()                 // called while a request is under way

	mu    sync.Mutex
	busy  int
	most  int
	parts int
}

func startList(t testing.TB) *listBackend {
	b := &listBackend{max: 8000, row: func(id string) string { return `{"id":` + id + `}` }, fail: map[int]func(net.Conn){}}
	b.wireBackend = startWire(t, b.serveList)
	return b
}

func (b *listBackend) serveList(c net.Conn, r *wireRequest) {
	b.enter(1)
	if b.gate != nil {
		b.gate()
	}
	path, _, _ := strings.Cut(r.target(), "?")
	ids := strings.Split(strings.Split(path, "/")[3], ",")
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = b.row(id)
	}
	b.enter(-1)
	fail := b.failure(ids[0])
	switch {
	case len(r.target()) > b.max:
		io.WriteString(c, reply("414 URI Too Long", "", "Content-Type: text/html"))
	case fail != nil:
		fail(c)
	default:
		io.WriteString(c, plain(`{"result":[`+strings.Join(text, ",")+`]}`))
	}
}

// failure returns how the part that begins with an id is to fail.
func (b *listBackend) failure(id string) func(net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, _ := strconv.Atoi(id)
	return b.fail[n]
}

func (b *listBackend) enter(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy += n
	b.most = max(b.most, b.busy)
	b.parts += max(n, 0)
}

func (b *listBackend) counts() (parts, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.parts, b.most = 0, 0 }()
	return b.parts, b.most
}

// numbered returns n ids from first on, as a comma list.
func numbered(first, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte(',')
		b.WriteString(itoa(first + i))
	}
	return b.String()[1:]
}

// long is a gateway whose token reads the devices first … first+n-1.
func long(t testing.TB, b *listBackend, first, n int, change ...setup) *fixture {
	t.Helper()
	f := newFixture(t.(*testing.T), b.url, change...)
	f.accounts([2]int64{11, 0})
	f.token(longKey, "acl", 11, `[{"uri":"gw","methods":["GET","PUT","DELETE"],"ids":[`+numbered(first, n)+`]}]`)
	return f
}

// maxURL bounds the target.
func maxURL(n int) setup { return func(o *Options, _ *policy.Engine, _ *head.Config) { o.MaxURL = n } }

// list is a joined answer, decoded.
type list struct {
	Result []struct{ ID int }
	Errors []struct {
		Code   int
		ID     int
		Reason string
	}
}

func decodeList(t *testing.T, got answer) (l list) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), &l); err != nil || got.status != 200 {
		t.Fatalf("got %d %.200s, %v", got.status, got.body, err)
	}
	return l
}

// wantRows checks that the rows are those of ids first … first+n-1, ascending.
func wantRows(t *testing.T, what string, l list, first, n int) {
	t.Helper()
	if len(l.Result) != n {
		t.Errorf("%s: got %d rows, want %d", what, len(l.Result), n)
		return
	}
	for i, row := range l.Result {
		if row.ID != first+i {
			t.Errorf("%s: row %d is %d, want %d", what, i, row.ID, first+i)
			return
		}
	}
}

// meeting holds requests until as many are under way as may be, once.
func meeting() func() {
	meet := make(chan struct{}, shardsAtOnce)
	return func() {
		select {
		case meet <- struct{}{}:
			for len(meet) < shardsAtOnce {
				time.Sleep(time.Millisecond)
			}
		default:
		}
	}
}

// However many ids are permitted, all of them come, in order, in as few requests as fit, never more
// than four at a time. So requests and their bytes grow as the ids do.
func TestAllInParts(t *testing.T) {
	const first = 1000000 // an id and its comma are 8 bytes
	perPart := (8000 - len("/gw/devices/") + 1) / 8
	for _, row := range []struct {
		path       string
		ids, parts int
	}{
		{"all", 5, 1}, {"all", 500, 1}, {"all", perPart, 1}, {"all", perPart + 1, 2}, {"all", 5000, 6}, {"all", 50000, 51},
		{numbered(first, 3000), 3000, 4},
	} {
		b := startList(t)
		if row.parts > shardsAtOnce {
			b.gate = meeting()
		}
		f := long(t, b, first, row.ids)
		got := f.call(longKey, "GET", "/gw/devices/"+row.path, "")
		wantRows(t, "in parts", decodeList(t, got), first, row.ids)
		if got.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %v", got.header)
		}
		parts, most := b.counts()
		if parts != row.parts || most > shardsAtOnce || row.parts > shardsAtOnce && most != shardsAtOnce {
			t.Errorf("%d ids: got %d requests, %d at a time, want %d, %d at a time", row.ids, parts, most, row.parts, min(row.parts, shardsAtOnce))
		}
		bytes := 0
		for _, r := range b.take() {
			bytes += len(r.target()) - len("/gw/devices/") + 1
		}
		if bytes != 8*row.ids {
			t.Errorf("%d ids: got %d bytes of ids, want %d", row.ids, bytes, 8*row.ids)
		}
	}
}

// Every part is the same request but for its ids: credential, account, fields; and nothing is asked
// for that would make it partial, encoded or empty.
func TestPartsAreAlike(t *testing.T) {
	b := startList(t)
	shown := make(chan string, 1)
	show := func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Served = func(_ *record.Record, _, _, sent []byte) { shown <- string(sent) }
	}
	f := long(t, b, 100, 300, maxURL(300), show)
	f.call(longKey, "GET", "/gw/devices/all/settings/all?fields=id%2Cname", "", "Accept-Encoding: gzip", "Range: bytes=0-1", `If-None-Match: "a"`, "Accept: a", "traceparent: b")
	log := b.take()
	if len(log) < 5 {
		t.Fatalf("got %d requests", len(log))
	}
	for _, r := range log {
		_, fields, _ := strings.Cut(r.raw, "\r\n")
		want := "Host: " + strings.TrimPrefix(b.url, "http://") + "\r\nAuthorization: FlespiToken " + upstreamKey +
			"\r\nx-flespi-cid: 11\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gw.test\r\nAccept: a\r\ntraceparent: b\r\n\r\n"
		if fields != want || !strings.HasSuffix(r.target(), "/settings/all?fields=id,name") || len(r.target()) > 300 {
			t.Errorf("got %q, want the fields %q", r.raw, want)
		}
	}
	want := "/gw/devices/" + numbered(100, 17) + fmt.Sprintf(",… in %d requests", len(log))
	if got := <-shown; got != want {
		t.Errorf("got %q shown, want %q", got, want)
	}
}

// limit and offset page over the permitted ids, and a page that is too long is asked for in parts.
func TestPages(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 400, maxURL(300))
	for _, row := range []struct {
		query             string
		first, n, minimum int
	}{
		{"limit=10", 100, 10, 1}, {"limit=10&offset=390", 490, 10, 1}, {"offset=395&fields=id", 495, 5, 1}, {"limit=10&offset=395", 495, 5, 1},
		{"limit=200&offset=100", 200, 200, 3}, {"offset=0", 100, 400, 5}, {"limit=0", 0, 0, 0}, {"offset=400", 0, 0, 0}, {"offset=9223372036854775807", 0, 0, 0},
	} {
		got := f.call(longKey, "GET", "/gw/devices/all?"+row.query, "")
		wantRows(t, row.query, decodeList(t, got), row.first, row.n)
		log := b.take()
		if len(log) < row.minimum || row.minimum < 2 && len(log) != row.minimum {
			t.Errorf("%s: got %d requests, want %d", row.query, len(log), row.minimum)
		}
		for _, r := range log {
			u, _ := url.Parse(r.target())
			if q := u.Query(); q.Has("limit") || q.Has("offset") || q.Get("fields") == "id" != strings.Contains(row.query, "fields") {
				t.Errorf("%s: forwarded %s", row.query, r.target())
			}
		}
		if row.n == 0 && got.body != `{"result":[]}` {
			t.Errorf("%s: got %s", row.query, got.body)
		}
	}
}

// A page of a list that fits is the backend's to cut.
func TestPageThatFits(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 10)
	f.call(longKey, "GET", "/gw/devices/all?limit=2&offset=4", "")
	if got := b.one(t); got.target() != "/gw/devices/"+numbered(100, 10)+"?limit=2&offset=4" {
		t.Errorf("got %s", got.target())
	}
}

// What is not the sum of its parts is refused, and nothing is forwarded.
func TestTooLong(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 400, maxURL(300), func(_ *Options, engine *policy.Engine, _ *head.Config) { engine.Query = []string{"sort"} })
	for _, row := range []struct{ method, target, body string }{
		{"PUT", "/gw/devices/all", `{"name":"x"}`}, {"DELETE", "/gw/devices/all", ""}, {"DELETE", "/gw/devices/all/telemetry/all", ""},
		{"GET", "/gw/devices/all/messages", ""}, {"GET", "/gw/devices/all/logs", ""}, {"GET", "/gw/calcs/100/devices/all", ""},
		{"GET", "/gw/calcs/all/devices/all", ""}, {"GET", "/gw/calcs/all/devices/100", ""}, {"GET", "/gw/devices/all?sort=id", ""},
		{"GET", `/gw/devices/all?data={"from":1}`, ""}, {"GET", "/gw/devices/all?fields=" + strings.Repeat("x", 290), ""},
	} {
		got := f.call(longKey, row.method, row.target, row.body)
		reason := `{"errors":[{"code":400,"reason":"the path for 400 ids is `
		if got.status != 400 || !strings.HasPrefix(got.body, reason) || !strings.HasSuffix(got.body, ` bytes long and the backend takes 300: name fewer items"}]}`) {
			t.Errorf("%s %s: got %d %s", row.method, row.target, got.status, got.body)
		}
	}
	if log := b.take(); len(log) > 0 {
		t.Errorf("forwarded %s", log[0].line)
	}
}

// Errors of denied items come last in a joined answer, and beside an empty page.
func TestDeniedInParts(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 200, maxURL(300))
	got := f.call(longKey, "GET", "/gw/devices/7,"+numbered(100, 200)+",8", "")
	wantRows(t, "denied", decodeList(t, got), 100, 200)
	errs := `"errors":[{"code":6,"id":7,"reason":"access denied to '\/devices\/7'"},{"code":6,"id":8,"reason":"access denied to '\/devices\/8'"}]`
	if !strings.HasSuffix(got.body, `],`+errs+`}`) {
		t.Errorf("got …%s", tail(got.body))
	}
	got = f.call(longKey, "GET", "/gw/devices/7,"+numbered(100, 200)+",8?limit=0", "")
	if got.status != 200 || got.body != `{`+errs+`,"result":[]}` {
		t.Errorf("got %d %s", got.status, got.body)
	}
	got = f.call(longKey, "GET", "/gw/devices/7,"+numbered(100, 200)+",8?limit=1", "")
	if got.status != 200 || got.body != `{`+errs+`,"result":[{"id":100}]}` {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// A list that was asked for in another order comes in the order of ids.
func TestUnorderedList(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 200, maxURL(300))
	ids := strings.Split(numbered(100, 200), ",")
	for i := range ids[:100] {
		ids[i], ids[199-i] = ids[199-i], ids[i]
	}
	wantRows(t, "descending", decodeList(t, f.call(longKey, "GET", "/gw/devices/"+strings.Join(ids, ","), "")), 100, 200)
}

// A client of HTTP/1.0 gets the joined answer until the connection ends.
func TestPartsForOldClients(t *testing.T) {
	b := startList(t)
	f := long(t, b, 100, 200, maxURL(300))
	text := (&wired{fixture: f}).exchange(strings.Replace(request(longKey, "GET", "/gw/devices/all", ""), "HTTP/1.1", "HTTP/1.0", 1))
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	if !strings.Contains(header, "Connection: close") || strings.Contains(header, "chunked") {
		t.Errorf("got %s", header)
	}
	wantRows(t, "HTTP/1.0", decodeList(t, answer{status: 200, body: body}), 100, 200)
}
