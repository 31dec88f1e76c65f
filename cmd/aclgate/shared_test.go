package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/proxy/debt/redis/redistest"
)

// sharedLimits are limits of which a burst lasts for the whole test.
const sharedLimits = "log: {level: error}\nlimits: {per_token: {rate: 1/m, burst: 20}, shared: %s}\n"

// Two gateways at one Redis, or one PostgreSQL, obey limits together: a token that has used its burst
// at one of them gets no second one at the other (SPEC 15.7).
func TestLimitsAreShared(t *testing.T) {
	t.Parallel()
	t.Run("redis", func(t *testing.T) {
		r := redistest.Start(t)
		o := siteOptions{settings: fmt.Sprintf(sharedLimits, "redis, redis_url_file: redis.url"), files: map[string]string{"redis.url": "unix://" + r.Socket}}
		first, second := newSite(t, o), newSite(t, o)
		shareLimits(t, first, second)
		first.runs(exitOK, "check", "--live")
		r.Kill()
		if out := first.runs(exitFailed, "check", "--live"); !strings.Contains(out, "limits cannot be shared: Redis at") {
			t.Errorf("without the server: got %s", out)
		}
	})
	t.Run("store", func(t *testing.T) {
		d := newShared(t)
		o := d.options(d.Port, "")
		o.settings = fmt.Sprintf(sharedLimits, "store")
		first, second := newSite(t, o), newSite(t, o)
		d.fill(first)
		shareLimits(t, first, second)
		d.SQL(d.database, "DROP TABLE aclgate.rates")
		if out := first.runs(exitFailed, "check", "--live"); !strings.Contains(out, "store migrate") {
			t.Errorf("without the table: got %s", out)
		}
	})
}

// Two gateways at one Redis add up the traffic of an account: what the one has passed blocks it at the
// other (SPEC 15.7).
func TestTrafficIsShared(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	o := siteOptions{
		settings: "log: {level: error}\nplatform: {limit_window: 1h}\nlimits: {shared: redis, redis_url_file: redis.url}\n",
		files:    map[string]string{"redis.url": "unix://" + r.Socket},
		policy: `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1, limit_id: 1}]
limits: [{id: 1, cid: 1, name: few, api_traffic: 700, blocking_duration: 600}]
tokens:
  - {id: 1, key: stays-valid, cid: 11, expire: 4102444800, access: {type: standard}}
`,
	}
	gates := serveAll(t, newSite(t, o), newSite(t, o))
	sizes := 0
	for sizes <= 700 {
		status, body := call(t, validKey, "GET", gates[0].api+"/gw/channels/all?fields=id", "")
		if status == http.StatusTooManyRequests {
			break
		}
		if status != 200 {
			t.Fatalf("got %d %s", status, body)
		}
		sizes += len(body)
	}
	for other := range 10 { // a block is with the next request that comes after a round
		status, body := call(t, validKey, "GET", gates[1].api+"/gw/channels/all?fields=id", "")
		switch {
		case status == http.StatusTooManyRequests && other > 0:
			return
		case status != 200:
			t.Fatalf("after %d bytes of the first gateway and %d requests to the other: got %d %s", sizes, other, status, body)
		}
		gates[1].exchanged(t, other+1)
	}
	t.Errorf("after %d bytes of the first gateway the other one passes 10 answers", sizes)
}

// serveAll starts a gateway on each site.
func serveAll(t *testing.T, sites ...*site) (gates []*gate) {
	t.Helper()
	for _, s := range sites {
		g := &gate{start(t, "serve", "-c", s.file()), s}
		g.await(g.admin+"/readyz", 200)
		gates = append(gates, g)
	}
	return gates
}

func shareLimits(t *testing.T, sites ...*site) {
	t.Helper()
	gates := serveAll(t, sites...)
	passed := 0
	for passed < 30 {
		if status, _ := call(t, validKey, "GET", gates[0].api+channel, ""); status == http.StatusTooManyRequests {
			break
		}
		passed++
	}
	// What the other learns it learns with its next round after the first gateway's last one.
	for other := range 10 {
		status, body := call(t, validKey, "GET", gates[1].api+channel, "")
		switch {
		case status == http.StatusTooManyRequests && other > 0 && passed == 20:
			return
		case status != 200:
			t.Fatalf("after %d requests to the first gateway and %d to the other: got %d %s", passed, other, status, body)
		}
		gates[1].exchanged(t, other+1)
	}
	t.Errorf("after %d requests to one gateway the other one admits 10", passed)
}

// exchanged waits until a gateway has told so often what it admitted.
func (g *gate) exchanged(t *testing.T, times int) {
	t.Helper()
	told := regexp.MustCompile(`(?m)^aclgate_limit_exchanges_total\{result="exchanged"\} (\d+)`)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m := told.FindStringSubmatch(g.scrape()); m != nil {
			if n, _ := strconv.Atoi(m[1]); n >= times {
				return
			}
		}
	}
	t.Fatalf("nothing was exchanged: %s", g.scrape())
}

// Settings that do not fit are named by check.
func TestSharedLimitsThatDoNotFit(t *testing.T) {
	for name, row := range map[string]struct{ settings, says string }{
		"a file":          {"limits: {shared: store}\n", "needs store.kind postgres"},
		"no url":          {"limits: {shared: redis}\n", "needs limits.redis_url_file"},
		"no redis":        {"limits: {redis_url_file: redis.url}\n", "is for limits.shared redis"},
		"no URL of Redis": {"limits: {shared: redis, redis_url_file: redis.url}\n", "this is no URL of Redis"},
	} {
		s := newSite(t, siteOptions{settings: row.settings, files: map[string]string{"redis.url": "hunter2"}})
		if out := s.runs(exitSettings, "check"); !strings.Contains(out, row.says) || strings.Contains(out, "hunter2") {
			t.Errorf("%s: got %s", name, out)
		}
	}
	s := newSite(t, siteOptions{store: "kind: sqlite", settings: "limits: {shared: store}\n"})
	if out := s.runs(exitSettings, "check"); !strings.Contains(out, "nobody to share with") {
		t.Errorf("sqlite: got %s", out)
	}
}
