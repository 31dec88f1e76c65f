package proxy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// park sends a request but for the last byte of its body, which the returned function sends before
// it reads the answer.
func park(f *fixture, request string) (finish func() answer) {
	f.t.Helper()
	c := f.dial()
	last := len(request) - 1
	io.WriteString(c, request[:last])
	time.Sleep(50 * time.Millisecond)
	return func() answer {
		f.t.Helper()
		io.WriteString(c, request[last:])
		return f.read(bufio.NewReader(c), "")
	}
}

// What a decision rests on may move while the body arrives: then the request is judged by what is in
// force when it is complete, and nothing else of it reaches the backend (SPEC 2, The moment of
// judgement).
func TestBodyIsJudgedWhenItIsHere(t *testing.T) {
	t.Parallel()
	const body, written = `{"name":"x"}`, `{"result":[{"id":1}]}`
	narrower := `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[2]}]`
	rows := []struct {
		name   string
		target string
		body   string
		change func(f *fixture)
		status int
		answer string
		sent   string // target at the backend; "": nothing
	}{
		{"nothing", "/gw/devices/1,2", body, func(*fixture) {}, 200, written, "/gw/devices/1,2"},
		{"another token", "/gw/devices/1,2", body, func(f *fixture) { f.revoke(allKey) }, 200, written, "/gw/devices/1,2"},
		{"the token is revoked", "/gw/devices/1", body, func(f *fixture) { f.revoke(readerKey) }, 401, bodyUnauthorized, ""},
		{"the token is disabled", "/gw/devices/1", body, func(f *fixture) {
			f.reload(func() { tok := *f.tokens[digestOf(readerKey)]; tok.Enabled = false; f.tokens[tok.Digest] = &tok })
		}, 401, bodyUnauthorized, ""},
		{"the entry loses the method", "/gw/devices/1", body, func(f *fixture) {
			f.reload(func() { f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"]}]`) })
		}, 403, bodyNotPermitted, ""},
		{"the entry loses the item", "/gw/devices/1", body, func(f *fixture) {
			f.reload(func() { f.token(readerKey, "acl", 11, narrower) })
		}, 403, `{"errors":[{"code":6,"id":1,"reason":"access denied to '\/devices\/1'"}],"result":[]}`, ""},
		{"the entry loses one of two", "/gw/devices/1,2", body, func(f *fixture) {
			f.reload(func() { f.token(readerKey, "acl", 11, narrower) })
		}, 200, `{"errors":[{"code":6,"id":1,"reason":"access denied to '\/devices\/1'"}],"result":[{"id":1}]}`, "/gw/devices/2"},
		{"the id in the body is denied", "/gw/devices/all", `{"id":1}`, func(f *fixture) {
			f.reload(func() { f.token(readerKey, "acl", 11, narrower) })
		}, 403, `{"errors":[{"code":6,"id":1,"reason":"access denied to '\/devices\/1'"}],"result":[]}`, ""},
		{"the entry gains items", "/gw/devices/1,3", body, func(f *fixture) {
			f.reload(func() { f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["PUT"]}]`) })
		}, 200, written, "/gw/devices/1,3"},
	}
	for _, row := range rows {
		w := textWired(t, plain(written))
		finish := park(w.fixture, request(readerKey, "PUT", row.target, row.body))
		row.change(w.fixture)
		got := finish()
		if got.status != row.status || got.body != row.answer {
			t.Errorf("%s: got %d %s, want %d %s", row.name, got.status, got.body, row.status, row.answer)
		}
		sent := w.backend.take()
		if row.sent == "" && len(sent) > 0 || row.sent != "" && (len(sent) != 1 || sent[0].target() != row.sent || sent[0].body != row.body) {
			t.Errorf("%s: the backend got %v, want %q", row.name, sent, row.sent)
		}
	}
}

// The account of the token may move, too: the request goes to the branch that is its own now.
func TestScopeMovesWithTheBody(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	finish := park(w.fixture, request(allKey, "PUT", "/gw/devices/1", `{"name":"x"}`))
	w.reload(func() { w.token(allKey, "standard", 12, "") })
	if got := finish(); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	sent := w.backend.one(t)
	if cid := sent.all("x-flespi-cid"); !slices.Equal(cid, []string{"12"}) {
		t.Errorf("got account %q, want 12", cid)
	}
}

// A token that ends by itself while the body arrives has ended.
func TestTokenExpiresWithTheBody(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	tok := *w.tokens[digestOf(allKey)]
	tok.Expire = time.Now().Unix() + 1
	w.reload(func() { w.tokens[tok.Digest] = &tok })
	finish := park(w.fixture, request(allKey, "PUT", "/gw/devices/1", `{"name":"x"}`))
	time.Sleep(time.Until(time.Unix(tok.Expire, 0)) + 10*time.Millisecond)
	if got := finish(); got.status != 401 || len(w.backend.take()) > 0 {
		t.Errorf("got %d %s, want 401 and nothing at the backend", got.status, got.body)
	}
}

// oneConnection is a transport that waits long for its only connection.
func oneConnection(url string) setup {
	return func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Backend.(*upstream.Transport).Close()
		transport, err := upstream.New(upstream.Options{
			URLs: []string{url}, Dial: time.Second, FirstByte: 5 * time.Second, Silence: 5 * time.Second, Idle: 5 * time.Second,
			MaxConns: 1, QueueMax: 256, QueueFor: 5 * time.Second,
		})
		if err != nil {
			panic(err)
		}
		o.Backend = transport
	}
}

// Who waits for a connection is judged again when there is one; those behind go on.
func TestJudgedAfterTheQueue(t *testing.T) {
	arrived, release := make(chan string, 10), make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		arrived <- r.target()
		<-release
		io.WriteString(c, plain(`{"result":[]}`))
	})
	w := newWired(t, b, oneConnection(b.url))
	t.Cleanup(w.gateway.Backend.(*upstream.Transport).Close)
	var work sync.WaitGroup
	send := func(key, target string, status int) {
		work.Go(func() {
			if got := w.call(key, "GET", target, ""); got.status != status {
				t.Errorf("%s: got %d %s, want %d", target, got.status, got.body, status)
			}
		})
		time.Sleep(50 * time.Millisecond)
	}
	send(allKey, "/gw/devices/1", 200)
	<-arrived
	send(readerKey, "/gw/devices/2", 401)
	send(allKey, "/gw/devices/3", 200)
	w.revoke(readerKey)
	close(release)
	work.Wait()
	if got := <-arrived; got != "/gw/devices/3" || len(arrived) > 0 {
		t.Errorf("the backend got %s and %d more", got, len(arrived))
	}
}

// A GET that the transport would repeat is not repeated for a token that has ended.
func TestRepeatIsJudged(t *testing.T) {
	var w *wired
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if r.target() == "/gw/devices/2" {
			w.revoke(readerKey)
			c.Close()
			return
		}
		io.WriteString(c, plain(`{"result":[]}`))
	})
	w = newWired(t, b)
	w.call(readerKey, "GET", "/gw/devices/1", "")
	if got := w.call(readerKey, "GET", "/gw/devices/2", ""); got.status != 401 {
		t.Errorf("got %d %s, want 401", got.status, got.body)
	}
	if sent := b.take(); len(sent) != 2 {
		t.Errorf("the backend got %d requests, want 2", len(sent))
	}
}

// Of a match no further page is asked for a token that has ended; what other tokens lose is no
// reason to lose the match.
func TestMatchIsAskedForByWhoMayAsk(t *testing.T) {
	page := `{"result":[` + strings.Repeat(`{"id":1},`, 999)
	for _, row := range []struct {
		revoked string
		status  int
		last    string
	}{{readerKey, 401, "offset=0"}, {allKey, 200, "/gw/devices/1?fields=name"}} {
		var w *wired
		var once sync.Once
		b := startWire(t, func(c net.Conn, r *wireRequest) {
			switch {
			case !strings.Contains(r.target(), "name="):
				io.WriteString(c, plain(`{"result":[]}`))
			case strings.HasSuffix(r.target(), "offset=0"):
				once.Do(func() { w.revoke(row.revoked) })
				io.WriteString(c, plain(page+`{"id":2}]}`))
			default:
				io.WriteString(c, plain(`{"result":[{"id":2}]}`))
			}
		})
		w = newWired(t, b)
		w.reload(func() { w.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":[1]}]`) })
		got := w.call(readerKey, "GET", "/gw/devices/name=t*?fields=name", "")
		sent := w.backend.take()
		if last := sent[len(sent)-1].target(); got.status != row.status || !strings.HasSuffix(last, row.last) {
			t.Errorf("got %d %s, last %s; want %d, %s", got.status, got.body, last, row.status, row.last)
		}
	}
}

// Each part of a long list is judged before it is asked for: after a token has ended there are no
// more, and after an entry has lost items those that are left.
func TestLongListIsJudgedInParts(t *testing.T) {
	narrower := `[{"uri":"gw/devices","methods":["GET"],"ids":[` + numbered(100, 30) + `,` + numbered(150, 10) + `]}]`
	for _, row := range []struct {
		name   string
		change func(f *fixture)
		whole  bool
		rows   int
		asked  int
	}{
		{"revoked", func(f *fixture) { f.revoke(longKey) }, false, 0, 4},
		{"narrowed", func(f *fixture) { f.reload(func() { f.token(longKey, "acl", 11, narrower) }) }, true, 20 * 4, 0},
		{"others", func(f *fixture) { f.revoke(allKey) }, true, 200, 10},
	} {
		b := startList(t)
		gate, arrived := make(chan struct{}), make(chan struct{}, 100)
		b.gate = func() { arrived <- struct{}{}; <-gate }
		f := newFixture(t, b.url, maxURL(faultURL))
		f.accounts([2]int64{1, 0}, [2]int64{11, 1})
		f.token(longKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":[`+numbered(100, 200)+`]}]`)
		f.token(allKey, "standard", 11, "")
		c := f.dial()
		io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
		for range shardsAtOnce {
			<-arrived
		}
		row.change(f)
		close(gate)
		text, _ := io.ReadAll(c)
		if whole := strings.HasSuffix(string(text), "\r\n0\r\n\r\n"); whole != row.whole {
			t.Errorf("%s: got %q, want it whole: %v", row.name, text[max(0, len(text)-60):], row.whole)
		}
		if rows := strings.Count(string(text), `{"id":`); row.whole && rows != row.rows {
			t.Errorf("%s: got %d rows, want %d", row.name, rows, row.rows)
		}
		if asked := len(b.take()); row.asked > 0 && asked != row.asked {
			t.Errorf("%s: the backend was asked for %d parts, want %d", row.name, asked, row.asked)
		}
	}
}

// An item that is moved away while the body arrives is denied like one that was never there; moves
// of other items change nothing, and a cid in the body does not take an item back.
func TestItemMovesWithTheBody(t *testing.T) {
	denied := `{"errors":[{"code":6,"id":101,"reason":"access denied to '\/devices\/101'"}],"result":[]}`
	for _, row := range []struct {
		body   string
		moved  int64
		status int
		answer string
		sent   string
	}{
		{`{"name":"x"}`, 101, 403, denied, ""},
		{`{"cid":501}`, 101, 403, denied, ""},
		{`{"name":"x"}`, 102, 200, "", "/gw/devices/101"},
	} {
		var moved atomic.Bool
		b := startWire(t, func(c net.Conn, r *wireRequest) {
			text, _ := json.Marshal(map[string]any{"result": worldRows(r)})
			if id := itoa(int(row.moved)); moved.Load() {
				text = bytes.ReplaceAll(text, []byte(`"cid":500,"id":`+id), []byte(`"cid":600,"id":`+id))
			}
			io.WriteString(c, plain(string(text)))
		})
		f, items := withIndex(t, b, policy.ModeIDs, [2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400})
		f.token(allKey, "standard", 500, "")
		devices := f.gateway.Engine.Catalogue.Collection("gw/devices")
		finish := park(f, request(allKey, "PUT", "/gw/devices/101", row.body))
		moved.Store(true)
		items.Moved(devices, []int64{row.moved}, 600)
		got := finish()
		if got.status != row.status || row.answer != "" && got.body != row.answer {
			t.Errorf("%+v: got %d %s", row, got.status, got.body)
		}
		sent := slices.DeleteFunc(b.take(), func(r wireRequest) bool { return r.method() == "GET" })
		if row.sent == "" && len(sent) > 0 || row.sent != "" && (len(sent) != 1 || sent[0].target() != row.sent) {
			t.Errorf("%+v: the backend got %v", row, sent)
		}
	}
}
