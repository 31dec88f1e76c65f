package proxy

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
	"aclgate/upstream"
)

// newLimited starts a gateway with limits, in front of a backend of plain sockets. Its tokens are
// limits-a and limits-b of account 111 (below 11, below 1) and limits-c of 12.
func newLimited(t *testing.T, o limit.Options, b *wireBackend, change ...setup) *fixture {
	t.Helper()
	change = append(change, func(p *Options, _ *policy.Engine, _ *head.Config) { p.Limits = limit.New(o) })
	f := newFixture(t, b.url, change...)
	f.accounts([2]int64{1, 0}, [2]int64{11, 1}, [2]int64{111, 11}, [2]int64{12, 1})
	f.token("limits-a", "standard", 111, "")
	f.token("limits-b", "standard", 111, "")
	f.token("limits-c", "standard", 12, "")
	f.token("limits-no", "noapi", 12, "")
	return f
}

// perMinute is a bound that does not refill while a test runs.
func perMinute(burst int) limit.Limit { return limit.Limit{Rate: 1.0 / 60, Burst: burst} }

const (
	tokenBody   = `{"errors":[{"code":429,"reason":"too many requests of this token"}]}`
	accountBody = `{"errors":[{"code":429,"reason":"too many requests of this account"}]}`
	sourceBody  = `{"errors":[{"code":429,"reason":"too many requests from this address"}]}`
)

func wantAnswer(t *testing.T, what string, got answer, status int, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("%s: got %d %s, want %d %s", what, got.status, got.body, status, body)
	}
}

// A refusal to the byte.
func TestLimitAnswer(t *testing.T) {
	f := newLimited(t, limit.Options{Token: perMinute(1)}, startText(t, plain("{}")))
	f.call("limits-a", "GET", "/gw/devices/1", "")
	c := f.dial()
	io.WriteString(c, request("limits-a", "GET", "/gw/devices/1", ""))
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = "HTTP/1.1 429 Too Many Requests\r\nDate: -\r\nContent-Type: application/json\r\nContent-Length: 68\r\n" +
		"Cache-Control: no-store\r\nVary: Authorization, x-flespi-cid, Origin\r\nx-aclgate-decision: -\r\n" +
		"x-ratelimit-limit: 1\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 60\r\nConnection: close\r\n" +
		"Retry-After: 60\r\n\r\n" + tokenBody
	got := regexp.MustCompile(`(Date|x-aclgate-decision): [^\r]*`).ReplaceAllString(string(text), "$1: -")
	if sortedHead(got) != sortedHead(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// sortedHead makes the order of header lines the same.
func sortedHead(message string) string {
	head, body, _ := strings.Cut(message, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	return strings.Join(append(lines[:1], slices.Sorted(slices.Values(lines[1:]))...), "\n") + "\n\n" + body
}

// Every answer to a token under a rate says what is left; what the backend says of the gateway's
// own credential does not pass.
func TestQuotaHeaders(t *testing.T) {
	b := startText(t, plain("{}", "X-RateLimit-Limit: 999", "x-ratelimit-remaining: 998"))
	f := newLimited(t, limit.Options{Token: perMinute(10), Account: perMinute(5)}, b)
	for i, row := range []struct { // the account above keeps one of five for others
		key, target string
		status      int
		limit, left string
	}{
		{"limits-a", "/gw/devices/1", 200, "5", "3"},
		{"limits-a", "/platform/customer", 403, "5", "2"},
		{"limits-c", "/gw/nothing", 404, "5", "1"},
		{"limits-a", "/auth/info", 200, "5", "0"},
		{"limits-a", "/gw/devices/1", 429, "5", "0"},
	} {
		got := f.call(row.key, "GET", row.target, "")
		all := append(got.header.Values("x-ratelimit-limit"), got.header.Values("x-ratelimit-remaining")...)
		if got.status != row.status || len(all) != 2 || all[0] != row.limit || all[1] != row.left {
			t.Errorf("%d: got %d %q, want %d %q", i, got.status, all, row.status, []string{row.limit, row.left})
		}
	}
	off := newLimited(t, limit.Options{}, b)
	if got := off.call("limits-a", "GET", "/gw/devices/1", "").header.Get("X-RateLimit-Limit"); got != "999" {
		t.Errorf("without limits: got %q, want the backend's", got)
	}
}

// SPEC 2, order of faults: the limit comes after the token and before the account, and what comes
// before it costs nothing.
func TestLimitOrder(t *testing.T) {
	f := newLimited(t, limit.Options{Token: perMinute(1)}, startText(t, plain("{}")))
	foreign := "x-flespi-cid: 12"
	for _, row := range []struct {
		key, method, target string
		headers             []string
		want                int
	}{
		{"limits-a", "GET", "/gw//devices", nil, 400},
		{"limits-a", "OPTIONS", "/gw/devices/1", nil, 204},
		{"limits-no", "GET", "/gw/devices/1", nil, 403},
		{"limits-no", "GET", "/gw/devices/1", nil, 403},
		{"limits-a", "GET", "/gw/devices/1", []string{foreign}, 403},
		{"limits-a", "GET", "/gw/devices/1", []string{foreign}, 429},
		{"limits-a", "GET", "/gw/unknown", nil, 429},
		{"limits-a", "GET", "/gw/devices/1?token=1", nil, 400},
		{"limits-b", "GET", "/gw/devices/1", nil, 200},
		{"limits-x", "GET", "/gw/devices/1", nil, 401},
	} {
		if got := f.call(row.key, row.method, row.target, "", row.headers...); got.status != row.want {
			t.Errorf("%s %s %s: got %d %s, want %d", row.key, row.method, row.target, got.status, got.body, row.want)
		}
	}
}

// A child's use counts for its ancestors, on the wire as well.
func TestLimitOfAccounts(t *testing.T) {
	f := newLimited(t, limit.Options{Account: perMinute(2)}, startText(t, plain("{}")))
	wantAnswer(t, "first", f.call("limits-a", "GET", "/gw/devices/1", ""), 200, "{}")
	wantAnswer(t, "second", f.call("limits-c", "GET", "/gw/devices/1", ""), 200, "{}")
	got := f.call("limits-b", "GET", "/gw/devices/1", "")
	wantAnswer(t, "the root is used up", got, 429, accountBody)
	if retry := got.header.Get("Retry-After"); retry != "60" {
		t.Errorf("Retry-After: got %q, want 60", retry)
	}
}

// Strangers of one address are bounded, and a valid key behind the same address does not notice.
func TestLimitOfSources(t *testing.T) {
	trust := func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	f := newLimited(t, limit.Options{Source: perMinute(3)}, startText(t, plain("{}")), trust)
	from := "X-Forwarded-For: 192.0.2.7"
	wantAnswer(t, "no key", f.call("", "GET", "/gw/devices/1", "", from), 401, bodyUnauthorized)
	wantAnswer(t, "unknown key", f.call("limits-x", "GET", "/gw/devices/1", "", from), 401, bodyUnauthorized)
	if got := f.call("", "GET", "/auth/regions", "", from); got.status != 200 {
		t.Errorf("regions: got %d", got.status)
	}
	got := f.call("limits-x", "GET", "/gw/devices/1", "", from)
	wantAnswer(t, "used up", got, 429, sourceBody)
	if retry := got.header.Get("Retry-After"); retry != "60" || got.header.Get("x-ratelimit-limit") != "" {
		t.Errorf("got Retry-After %q and %v", retry, got.header)
	}
	wantAnswer(t, "regions", f.call("", "GET", "/auth/regions", "", from), 429, sourceBody)
	wantAnswer(t, "a valid key", f.call("limits-a", "GET", "/gw/devices/1", "", from), 200, "{}")
	if got := f.call("limits-a", "GET", "/auth/regions", "", from); got.status != 200 {
		t.Errorf("regions with a valid key: got %d", got.status)
	}
	if got := f.call("", "OPTIONS", "/gw/devices/1", "", from); got.status != 204 {
		t.Errorf("OPTIONS: got %d", got.status)
	}
	other := f.call("", "GET", "/gw/devices/1", "", "X-Forwarded-For: 192.0.2.8")
	wantAnswer(t, "another address", other, 401, bodyUnauthorized)
}

// oneAtATime bounds the accounts, and so the root, to one request at a time.
var oneAtATime = limit.Options{Account: limit.Limit{Concurrent: 1}}

// released waits until the gateway serves nobody and asks for one request more.
func released(t *testing.T, f *fixture) {
	t.Helper()
	for range 500 {
		if f.gateway.Busy() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	wantAnswer(t, "afterwards", f.call("limits-c", "GET", "/gw/devices/9", ""), 200, "{}")
}

// A streamed answer counts until its last byte, and not longer.
func TestLimitIsReleasedAfterStream(t *testing.T) {
	more := make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if r.target() == "/gw/devices/9" {
			io.WriteString(c, plain("{}"))
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n")
		<-more
		io.WriteString(c, "1\r\n]\r\n0\r\n\r\n")
	})
	f := newLimited(t, oneAtATime, b)
	c := f.dial()
	io.WriteString(c, request("limits-a", "GET", "/gw/devices/1", ""))
	in := bufio.NewReader(c)
	if line, err := in.ReadString('\n'); !strings.Contains(line, " 200 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	wantAnswer(t, "meanwhile", f.call("limits-c", "GET", "/gw/devices/9", ""), 429, accountBody)
	close(more)
	if _, err := io.ReadAll(in); err != nil {
		t.Fatal(err)
	}
	released(t, f)
}

// A client that goes away in the middle of an answer is counted no longer.
func TestLimitIsReleasedByVanishedClients(t *testing.T) {
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if r.target() == "/gw/devices/9" {
			io.WriteString(c, plain("{}"))
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
		io.Copy(c, endlessSpace{})
	})
	f := newLimited(t, oneAtATime, b)
	for range 3 {
		c := f.dial()
		io.WriteString(c, request("limits-a", "GET", "/gw/devices/1", ""))
		io.ReadFull(c, make([]byte, 4096))
		c.Close()
		released(t, f)
	}
}

// endlessSpace is white space without end.
type endlessSpace struct{}

func (endlessSpace) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// panicky is a backend whose transport has a fault.
type panicky struct{ Backend }

func (p panicky) Do(r *upstream.Request, a *upstream.Answer) error {
	if strings.HasSuffix(string(r.Target), "/13") {
		panic("a fault of the test")
	}
	return p.Backend.Do(r, a)
}

// Requests that end early, by refusal or by a fault of ours, are released too, and each only once.
func TestLimitIsReleasedAfterRefusals(t *testing.T) {
	fault := func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = panicky{o.Backend} }
	f := newLimited(t, oneAtATime, startText(t, plain("{}")), fault)
	for range 3 {
		for target, status := range map[string]int{"/gw/devices/13": 500, "/platform/customer": 403, "/gw/unknown": 404} {
			if got := f.call("limits-a", "GET", target, ""); got.status != status {
				t.Errorf("%s: got %d %s, want %d", target, got.status, got.body, status)
			}
		}
		released(t, f)
	}
}
